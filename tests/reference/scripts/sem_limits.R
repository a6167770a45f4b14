# Limits of parameters with every estimator of lavaan 0.6-14. Rscript sem_limits.R DATA.csv FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
data <- read.csv(commandArgs(TRUE)[1])
two <- "f =~ NA*x1 + a*x2 + b*x3\nf ~~ 1*f\nh =~ x4 + x5 + x6\n"
models <- c(nonlinear = paste0(two, "a*b == 0.6"), inequality = paste0(two, "a > b + 0.3"), bound = paste0(two, "f ~~ upper(0.2)*h"),
            idle = paste0(two, "f ~~ upper(2)*h\na > 0"))
out <- list()
for (e in c("ML", "MLR", "MLM", "MLMV", "GLS", "ULS", "ULSMV", "WLS", "DWLS", "WLSMV")) for (k in names(models)) for (g in c("", "g2")) {
  if (g != "" && (k == "bound" || k == "idle")) next
  args <- list(models[[k]], data = data, estimator = e)
  if (g != "") args <- c(args, list(group = g, group.equal = "loadings"))
  f <- suppressWarnings(do.call("cfa", args))
  t <- parTable(f); t <- t[t$free > 0, ]
  m <- fitMeasures(f)
  keep <- intersect(c("npar", "fmin", "chisq", "df", "chisq.scaled", "df.scaled", "chisq.scaling.factor", "cfi", "rmsea", "srmr"), names(m))
  out[[length(out) + 1]] <- list(name = paste0(e, "-", k, if (g != "") "-groups" else ""), syntax = models[[k]], estimator = e, group = g,
    converged = lavInspect(f, "converged"), est = t$est, se = t$se, fit = as.list(unclass(m[keep])))
}
given <- cov(data[, paste0("x", 1:6)]) ; n <- nrow(data)
moments <- list()
for (k in names(models)) for (info in c("expected", "observed")) {
  f <- cfa(models[[k]], sample.cov = given, sample.nobs = n, information = info)
  t <- parTable(f); t <- t[t$free > 0, ]
  moments[[length(moments) + 1]] <- list(name = paste0(k, "-", info), syntax = models[[k]], information = info, est = t$est, se = t$se,
    fit = as.list(fitMeasures(f)[c("chisq", "df", "logl")]))
}
text <- toJSON(list(fits = out, moments = moments), auto_unbox = TRUE, digits = 15, na = "null")
writeLines(text, file.path(commandArgs(TRUE)[2], "expected.json"))
