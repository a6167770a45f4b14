# Where lavaan's search for rotation "bentler" ends by its tolerance and its start: tests/reference/sem_efa/stops.json.
# Rscript sem_efa_stops.R CASE_DIR FILE, with CASE_DIR tests/reference/sem_efa/criteria.
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(file.path(a[1], "data.csv")); out <- list()
models <- fromJSON(file.path(a[1], "model.json"), simplifyVector = FALSE)$models
syntax <- Filter(function(m) m$label == "bentler_3", models)[[1]]$syntax
for (run in list(c(1e-5, 1), c(1e-5, 2), c(1e-5, 3), c(1e-5, 4), c(1e-6, 1), c(1e-7, 1))) { set.seed(run[2])
  f <- cfa(syntax, d, rotation = "bentler", rotation.args = list(gpa.tol = run[1], rstarts = 5, max.iter = 100000))
  s <- lavInspect(f, "std"); q <- lavaan:::lav_matrix_rotate_bentler(s$lambda)
  out[[length(out) + 1]] <- list(gpa_tol = run[1], seed = run[2], criterion = as.numeric(q), loadings = unclass(s$lambda), correlations = unclass(s$psi)) }
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, matrix = "rowmajor"), a[2])
