# What lavaan 0.6-14 prints of the models in tests/reference/sem_summary/cases.json: expected.json, name -> lines.
# The lines of version and iterations, optimiser and rotation algorithm are left out. Rscript sem_summary.R
suppressMessages({library(lavaan); library(jsonlite)}); options(width = 200)
here <- normalizePath(file.path(dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))), ".."))
cases <- fromJSON(file.path(here, "sem_summary", "cases.json"), simplifyDataFrame = FALSE); out <- list()
for (case in cases) { set.seed(1)
  d <- read.csv(file.path(here, case$data, "data.csv")); a <- c(if (case[["function"]] != "efa") list(case$model), case$options)
  if (is.null(a$sample.nobs)) a$data <- if (is.null(case$items)) d else d[, case$items] else { S <- as.matrix(d); rownames(S) <- colnames(S); a$sample.cov <- S }
  fit <- suppressWarnings(do.call(case[["function"]], a))
  lines <- suppressWarnings(capture.output(print(do.call(summary, c(list(fit), case$summary)))))
  out[[case$name]] <- I(sub(" +$", "", lines[!grepl("^lavaan 0|^This is lavaan|^  Optimization method|^  Rotation algorithm", lines)])) }
writeLines(toJSON(out, pretty = 1), file.path(here, "sem_summary", "expected.json"))
