# efa() of lavaan 0.6-14 with one to four factors: tests/reference/sem_efa/solutions.json. Data: sem_efa/criteria/data.csv.
# Rscript sem_efa_solutions.R DATA FILE
suppressMessages({library(lavaan); library(jsonlite)})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "lib_efa.R"))
a <- commandArgs(TRUE); d <- read.csv(a[1]); set.seed(1); out <- list()
for (rotation in c("geomin", "oblimin", "varimax")) {
  f <- efa(d, nfactors = 1:4, rotation = rotation, rotation.args = list(gpa.tol = 1e-7, max.iter = 3000L))
  parts <- unclass(f); parts$loadings <- NULL
  for (k in seq_along(parts)) { s <- lavaan:::lav_efa_summary(parts[[k]])
    m <- fitMeasures(parts[[k]], c("npar", "chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr", "logl", "aic", "bic", "bic2"))
    out[[length(out) + 1]] <- list(rotation = rotation, nfactors = k, fit = as.list(m), eigenvalues = unclass(s$eigvals[[1]]), loadings = unclass(s$lambda[[1]]), uniqueness = unclass(s$theta[[1]]),
      correlations = unclass(s$psi[[1]]), sums = unclass(s$sumsq.table[[1]])[, seq_len(k), drop = FALSE], factors = I(colnames(s$sumsq.table[[1]])[seq_len(k)])) } }
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, matrix = "rowmajor"), a[2])
