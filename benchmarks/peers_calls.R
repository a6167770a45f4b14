# Rscript peers_calls.R data.csv factor,columns repeats package expression [package expression ...]
# -> JSON lines: engine, seconds (median), log-likelihood, or a note; `d` in an expression is the data.
arguments <- commandArgs(trailingOnly = TRUE)
d <- read.csv(arguments[1])
for (name in strsplit(arguments[2], ",")[[1]]) d[[name]] <- factor(d[[name]])
repeats <- as.integer(arguments[3])
calls <- matrix(arguments[-(1:3)], nrow = 2)
for (i in seq_len(ncol(calls))) {
  package <- calls[1, i]
  text <- calls[2, i]
  name <- sub("\\(.*", "", text)
  if (!suppressWarnings(requireNamespace(package, quietly = TRUE))) {
    cat(sprintf('{"engine": "%s", "note": "absent: the package is not installed"}\n', package))
    next
  }
  suppressPackageStartupMessages(library(package, character.only = TRUE))
  call <- parse(text = text)[[1]]
  seconds <- numeric(0)
  for (k in seq_len(repeats)) {
    t <- system.time(fit <- try(suppressMessages(suppressWarnings(eval(call))), silent = TRUE))[["elapsed"]]
    if (inherits(fit, "try-error")) break
    seconds <- c(seconds, t)
    if (sum(seconds) > 60) break
  }
  engine <- sprintf("%s of %s %s", name, package, packageVersion(package))
  if (grepl("optim", text)) engine <- paste0(engine, ", by optim")
  if (inherits(fit, "try-error")) {
    reason <- gsub('["\\\\]', "'", strsplit(conditionMessage(attr(fit, "condition")), "\n")[[1]][1])
    cat(sprintf('{"engine": "%s", "note": "failed: %s"}\n', engine, reason))
  } else {
    cat(sprintf('{"engine": "%s", "seconds": %.6f, "log_likelihood": %.8f}\n', engine, median(seconds), as.numeric(logLik(fit))))
  }
}
