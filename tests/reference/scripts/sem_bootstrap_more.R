# BCa limits of boot 1.3-28 from given samples, and what lavaan 0.6-14 and semTools compute in each of a few:
# tests/reference/sem_bootstrap/more.json. Rscript sem_bootstrap_more.R DATA.csv ROWS.csv FILE (ROWS of sem_bootstrap_more.py)
suppressMessages({library(lavaan); library(boot); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1]); rows <- as.matrix(read.csv(a[2], header = FALSE)); dimnames(rows) <- NULL
for (k in 1:6) d[[paste0("o", k)]] <- (d[[paste0("x", k)]] > -0.5 + (k > 3)) + (d[[paste0("x", k)]] > 0.8 + (k > 3))
# a path model without restrictions: its estimates are those of two regressions
paths <- function(x, i) {
  one <- lm.fit(cbind(1, x$x1[i]), x$x4[i])$coefficients; two <- lm.fit(cbind(1, x$x4[i], x$x1[i]), x$x7[i])$coefficients
  c(a = one[[2]], b = two[[2]], c = two[[3]], ind = one[[2]] * two[[2]], size = sqrt(one[[2]]^2 + two[[2]]^2))
}
t0 <- paths(d, seq_len(nrow(d))); t <- t(apply(rows, 1, function(i) paths(d, i)))
left <- t(sapply(seq_len(nrow(d)), function(i) paths(d, -i)))
made <- boot(d, paths, R = 10); made$t <- t; made$R <- nrow(t)
limits <- lapply(seq_along(t0), function(k) {
  L <- (nrow(d) - 1) * (mean(left[, k]) - left[, k])  # Efron & Tibshirani (1993), 14.15; boot's own has the estimate for the mean
  found <- boot.ci(made, conf = c(0.9, 0.95), type = "bca", index = k, L = L)$bca
  own <- boot.ci(made, conf = c(0.9, 0.95), type = "bca", index = k, L = empinf(made, type = "jack", index = k))$bca
  message(names(t0)[k], ": ", paste(signif(found[, 4:5] - own[, 4:5], 3), collapse = " "))
  list(term = names(t0)[k], estimate = t0[[k]], sd = sd(t[, k]), acceleration = sum(L^3) / (6 * sum(L^2)^1.5),
    level = found[, 1], lower = found[, 4], upper = found[, 5])
})
# lavaan's own "bca", whose acceleration is a regression of the replicates on how often each row was drawn (it fails with one definition)
set.seed(5); f <- sem("x4 ~ a*x1\nx7 ~ b*x4 + c*x1\nind := a*b\nsize := sqrt(a*a + b*b)", d, se = "bootstrap", bootstrap = 600, fixed.x = FALSE)
drawn <- lavInspect(f, "boot"); p <- parameterEstimates(f, boot.ci.type = "bca"); p <- p[p$label %in% c("a", "b", "c", "ind"), ]
regressed <- list(replicates = list(a = drawn[, "a"], b = drawn[, "b"], c = drawn[, "c"]), term = p$label, lower = p$ci.lower, upper = p$ci.upper)
# whole fits of three samples
keep <- c("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr", "chisq.scaled", "chisq.scaling.factor", "cfi.scaled", "rmsea.scaled")
two <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"; gaps <- "f =~ m1 + m2 + m3\nh =~ x4 + x5 + x6"; items <- "f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6"
explored <- "efa('e')*f + efa('e')*h =~ x1 + x2 + x3 + x4 + x5 + x6"
cases <- list(list(name = "ml", model = two), list(name = "mlr", model = two, estimator = "MLR"), list(name = "fiml", model = gaps, missing = "fiml"),
  list(name = "wlsmv", model = items, ordered = TRUE), list(name = "efa", model = explored, rotation = "quartimin", std.lv = FALSE))
whole <- lapply(cases, function(case) {
  options <- case[setdiff(names(case), c("name", "model"))]
  samples <- lapply(1:3, function(r) {
    f <- suppressWarnings(do.call("sem", c(list(case$model, data = d[rows[r, ], ], control = list(rel.tol = 1e-10, iter.max = 5000L)), options)))
    m <- fitMeasures(f); s <- standardizedSolution(f); s <- s[s$op != "|" & s$op != "~*~", ]
    out <- list(fit_measures = as.list(unclass(m[intersect(keep, names(m))])), standardized = as.list(setNames(s$est.std, paste0(s$lhs, s$op, s$rhs))),
      r2 = as.list(lavInspect(f, "rsquare")))
    if (case$name %in% c("ml", "fiml")) out$omega <- as.list(semTools::compRelSEM(f))
    out
  })
  list(name = case$name, model = case$model, options = options, samples = samples)
})
writeLines(toJSON(list(limits = limits, regressed = regressed, whole = whole), auto_unbox = TRUE, digits = 10, na = "null"), a[3])
