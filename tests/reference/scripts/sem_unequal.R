# Groups of very unequal size, where it shows how each estimator of lavaan 0.6-14 weighs them:
# tests/reference/sem_unequal/expected.json. Rscript sem_unequal.R DATA.csv expected.json
suppressMessages({library(lavaan); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
a <- d[d$g2 == d$g2[1], ]; b <- d[d$g2 != d$g2[1], ]
d <- rbind(a[seq_len(45), ], b)
two <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
words <- list(c("GLS"), c("ULS"), c("ULSM"), c("ULSMV"), c("ULSMVS"), c("WLS"), c("DWLS"), c("WLSM"), c("WLSMV"), c("ML"), c("MLM"),
  c("MLMV"), c("MLR"), c("ML", "wishart"), c("MLM", "wishart"), c("MLR", "wishart"), c("MLF", "wishart"), c("MLMV", "wishart"))
equal <- list(none = character(), loadings = "loadings", strict = c("loadings", "intercepts", "residuals"))
out <- list()
for (w in words) for (e in names(equal)) {
  given <- list(estimator = w[1]); if (e != "none") given$group.equal <- equal[[e]]; if (length(w) > 1) given$likelihood <- w[2]
  f <- do.call("cfa", c(list(two, data = d, group = "g2", meanstructure = TRUE), given))
  for (again in 1:8) {  # scoring steps: nlminb stops at gradients of 1e-6, which modification indices show
    g <- lavaan:::lav_model_gradient(f@Model, lavsamplestats = f@SampleStats, lavdata = f@Data)
    x <- coef(f) - as.numeric(lavTech(f, "inverted.information.expected") %*% g)
    p <- parTable(f); p$est[p$free > 0] <- x[p$free[p$free > 0]]
    f <- do.call("cfa", c(list(two, data = d, group = "g2", meanstructure = TRUE, start = p, optim.method = "none"), given))
  }
  g <- lavaan:::lav_model_gradient(f@Model, lavsamplestats = f@SampleStats, lavdata = f@Data)
  V <- lavTech(f, "inverted.information.expected")
  t <- lavInspect(f, "test"); last <- t[[length(t)]]
  m <- unclass(fitMeasures(f))
  keep <- c("chisq", "df", "baseline.chisq", "cfi", "tli", "rmsea", "srmr", "gfi", "mfi", "logl", "unrestricted.logl", "aic", "bic", "chisq.scaled",
    "df.scaled", "chisq.scaling.factor", "baseline.chisq.scaled", "baseline.chisq.scaling.factor", "cfi.scaled", "rmsea.scaled", "cfi.robust", "rmsea.robust")
  mi <- modindices(f); mi <- mi[order(mi$lhs, mi$op, mi$rhs, mi$group), ]; mi <- mi[!is.na(mi$mi) & mi$op == "=~", ]
  p <- parameterEstimates(f); p <- p[p$op %in% c("=~", "~~", "~1"), ]
  score <- if (e == "none") NULL else { s <- lavTestScore(f)$uni; I(s$X2[seq_len(min(6, nrow(s)))]) }
  out[[length(out) + 1]] <- list(given = given, equal = e, decrement = sum(g * (V %*% g)),
    est = I(p$est), se = I(p$se), measures = as.list(m[intersect(keep, names(m))]), groups = I(t[[1]]$stat.group),
    scaled_groups = if (length(t) > 1) I(last$stat.group) else NULL,
    mi = list(lhs = I(mi$lhs), rhs = I(mi$rhs), group = I(mi$group), mi = I(mi$mi), epc = I(mi$epc)), score = score)
}
writeLines(toJSON(out, digits = I(12), auto_unbox = TRUE, na = "null", null = "null"), commandArgs(TRUE)[2])
cat(length(out), "fits, largest decrement", max(sapply(out, `[[`, "decrement")), "\n")
