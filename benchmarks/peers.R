# Rscript peers.R data.csv formula repeats df kenward-roger replicates -> JSON lines: engine, seconds, log-likelihood
arguments <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(library(lme4))
d <- read.csv(arguments[1])
for (g in intersect(c("patient", "therapist", "group", "rater"), names(d))) d[[g]] <- factor(d[[g]])
f <- as.formula(arguments[2])
seconds <- numeric(0)
for (i in seq_len(as.integer(arguments[3]))) {
  t <- system.time(fit <- suppressMessages(suppressWarnings(lmer(f, d))))[["elapsed"]]
  seconds <- c(seconds, t)
}
cat(sprintf('{"engine": "lme4 %s", "seconds": %.6f, "log_likelihood": %.8f}\n', packageVersion("lme4"), median(seconds), as.numeric(logLik(fit))))
if (arguments[4] == "yes" && requireNamespace("lmerTest", quietly = TRUE)) {
  t <- system.time({
    fit <- suppressMessages(suppressWarnings(lmerTest::lmer(f, d)))
    table <- coef(summary(fit))
  })[["elapsed"]]
  cat(sprintf('{"engine": "lmerTest %s, fit and table", "seconds": %.6f, "log_likelihood": %.8f}\n', packageVersion("lmerTest"), t, as.numeric(logLik(fit))))
}
if (arguments[5] == "yes" && requireNamespace("pbkrtest", quietly = TRUE)) {
  t <- system.time({
    fit <- suppressMessages(suppressWarnings(lmer(f, d)))
    adjusted <- pbkrtest::vcovAdj(fit)
    df <- sapply(seq_along(fixef(fit)), function(i) pbkrtest::Lb_ddf(diag(length(fixef(fit)))[i, ], vcov(fit), adjusted))
  })[["elapsed"]]
  cat(sprintf('{"engine": "pbkrtest %s, fit and Kenward-Roger table", "seconds": %.6f, "log_likelihood": %.8f}\n', packageVersion("pbkrtest"), t, as.numeric(logLik(fit))))
}
replicates <- as.integer(arguments[6])
if (replicates > 0) {
  values <- function(fit) c(fixef(fit), getME(fit, "theta"), sigma(fit))
  t <- system.time(suppressMessages(suppressWarnings(bootMer(fit, values, nsim = replicates, seed = 1))))[["elapsed"]]
  cat(sprintf('{"engine": "lme4 %s, bootMer", "seconds": %.6f, "log_likelihood": %.8f}\n', packageVersion("lme4"), t, as.numeric(logLik(fit))))
}
cat(sprintf('{"engine": "note", "text": "%s, BLAS %s"}\n', R.version.string, basename(extSoftVersion()[["BLAS"]])))
