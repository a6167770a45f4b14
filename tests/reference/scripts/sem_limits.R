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
# Constraints that repeat or imply each other: degrees of freedom count the rank of the constraints.
said <- c(chain = "a == b\nb == c\na == c", twice = "a == b\na == b", scaled = "a == b\n2*a == 2*b", sum = "a + b == c + d\na == c\nb == d",
          fixed = "a == 1\nb == 1\na == b", nonlinear = "a*b == 0.5\n2*a*b == 1", implied = "a == 0.7\nb == 0.8\na*b == 0.56",
          mixed = "a == b\na^2 == b^2", inequalities = "a > 0.1\na > 0.2")
redundant <- list()
for (e in c("ML", "MLR", "GLS", "WLSMV")) for (k in names(said)) {
  model <- paste0("f =~ x1 + a*x2 + b*x3\nh =~ x4 + c*x5 + d*x6\n", said[[k]])
  f <- suppressWarnings(cfa(model, data, estimator = e))
  t <- parTable(f); t <- t[t$free > 0, ]
  redundant[[length(redundant) + 1]] <- list(name = paste0(e, "-", k), syntax = model, estimator = e, est = t$est, se = t$se,
    fit = as.list(fitMeasures(f)[c("npar", "chisq", "df")]))
}
writeLines(toJSON(redundant, auto_unbox = TRUE, digits = 15, na = "null"), file.path(commandArgs(TRUE)[2], "redundant.json"))
