# Where lavaan's search ends with a covariate far from zero, in both parameterisations: tests/reference/sem_ordinal/theta.json.
# Rscript sem_theta.R DATA FILE, with DATA tests/reference/sem/hs_cfa3_robust/data.csv.
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1]); items <- paste0("x", 1:6)
cuts <- list(x1 = c(4, 5, 6), x2 = c(5, 6, 7), x3 = c(1, 2, 3.5), x4 = c(2, 3, 4), x5 = c(3, 4.5, 5.5), x6 = c(1.2, 2, 3))
for (i in items) d[[i]] <- findInterval(d[[i]], cuts[[i]])
d$born <- 200 - d$ageyr
model <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nvisual + textual ~ born"; out <- list(model = model, cuts = cuts)
for (word in c("theta", "delta")) { f <- sem(model, d, ordered = items, parameterization = word)
  stopifnot(lavInspect(f, "converged")); s <- lavInspect(f, "sampstat"); i <- lavInspect(f, "implied")
  out[[word]] <- list(estimates = as.data.frame(unclass(parameterEstimates(f)))[, c("lhs", "op", "rhs", "est", "se")], fmin = f@optim$fx,
    chisq = as.numeric(fitMeasures(f, "chisq")), gradient = max(abs(lavInspect(f, "gradient"))), sample_thresholds = as.numeric(s$res.th), implied_thresholds = as.numeric(i$res.th)) }
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA), a[2])
