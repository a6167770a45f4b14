# Bounds of lavaan 0.6-14 and estimates within them: tests/reference/sem_bounds/expected.json. Data: sem/hs_cfa3_ml/data.csv.
# Rscript sem_bounds.R DATA FILE
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1])
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
models <- list(regression = paste0(three, "\nspeed ~ visual + textual"), covariances = paste0(three, "\nx1 ~~ x4"))
out <- list()
for (m in names(models)) for (b in c("standard", "wide", "pos.var", "pos.ov.var", "pos.lv.var")) for (s in c(FALSE, TRUE)) {
  f <- suppressWarnings(sem(models[[m]], d, bounds = b, std.lv = s, control = list(rel.tol = 1e-10)))
  p <- as.data.frame(unclass(parTable(f))); p <- p[p$free > 0, ]
  e <- parameterEstimates(f, ci = FALSE)
  out[[length(out) + 1]] <- list(model = models[[m]], bounds = b, std_lv = s, lower = I(ifelse(is.finite(p$lower), p$lower, NA)),
    upper = I(ifelse(is.finite(p$upper), p$upper, NA)), converged = lavInspect(f, "converged"), chisq = if (lavInspect(f, "converged")) fitMeasures(f, "chisq")[[1]] else NA, est = I(p$est))
}
# a Heywood case: the residual variance of x1 would be negative
S <- diag(4); S[lower.tri(S)] <- c(.75, .70, .62, .45, .40, .36); S <- S + t(S) - diag(4)
S[2, 3] <- S[3, 2] <- .42; dimnames(S) <- list(paste0("x", 1:4), paste0("x", 1:4))
set.seed(3); x <- matrix(rnorm(200 * 4), 200); x <- scale(x, scale = FALSE) %*% solve(chol(crossprod(scale(x, scale = FALSE)) / 199)) %*% chol(S)
colnames(x) <- colnames(S); x <- round(as.data.frame(x), 6)
for (b in c("none", "pos.var", "standard")) {
  f <- suppressWarnings(cfa("f =~ x2 + x1 + x3 + x4", x, bounds = b, control = list(rel.tol = 1e-10)))
  p <- as.data.frame(unclass(parTable(f))); p <- p[p$free > 0, ]
  out[[length(out) + 1]] <- list(model = "heywood", bounds = b, std_lv = FALSE, lower = I(ifelse(is.finite(p$lower), p$lower, NA)),
    upper = I(ifelse(is.finite(p$upper), p$upper, NA)), converged = lavInspect(f, "converged"), chisq = if (lavInspect(f, "converged")) fitMeasures(f, "chisq")[[1]] else NA, est = I(p$est), se = I(p$se))
}
# later versions of lavaan call these bounds "wide.zerovar": those of "wide", but for residual variances, which are not negative
zero <- list(lower = c("ov.var", "lv.var", "loadings", "covariances"), upper = c("ov.var", "lv.var", "loadings", "covariances"),
  lower.factor = c(1, 1, 1.1, 1), upper.factor = c(1.2, 1.3, 1.1, 1), min.reliability.marker = 0.1, min.var.lv.endo = 0.005)
for (m in c(names(models), "heywood")) for (s in c(FALSE, TRUE)) {
  if (m == "heywood") { text <- "f =~ x2 + x1 + x3 + x4"; data <- x } else { text <- models[[m]]; data <- d }
  f <- suppressWarnings(sem(text, data, optim.bounds = zero, std.lv = s, control = list(rel.tol = 1e-10)))
  p <- as.data.frame(unclass(parTable(f))); p <- p[p$free > 0, ]
  out[[length(out) + 1]] <- list(model = if (m == "heywood") m else text, bounds = "wide.zerovar", std_lv = s, lower = I(ifelse(is.finite(p$lower), p$lower, NA)),
    upper = I(ifelse(is.finite(p$upper), p$upper, NA)), converged = lavInspect(f, "converged"), chisq = if (lavInspect(f, "converged")) fitMeasures(f, "chisq")[[1]] else NA, est = I(p$est), se = I(p$se))
}
writeLines(toJSON(list(rows = x, fits = out), auto_unbox = TRUE, digits = NA, na = "null", dataframe = "columns"), a[2])
