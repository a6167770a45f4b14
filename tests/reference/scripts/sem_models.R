# Fits of lavaan 0.6-14: many models, and each option of cfa, sem and growth. Rscript sem_models.R FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
set.seed(20240502)
n <- 420
f <- matrix(rnorm(n * 3), n); f[, 2] <- .5 * f[, 1] + f[, 2]; f[, 3] <- .4 * f[, 1] + .3 * f[, 2] + f[, 3]
x <- f[, rep(1:3, each = 3)] * .8 + matrix(rnorm(n * 9), n) + rep(c(0, 1, 2), each = 3)[col(matrix(0, n, 9))]
x[, 7] <- x[, 7] + .3 * x[, 1]^2
colnames(x) <- paste0("x", 1:9)
z <- cbind(z1 = .4 * f[, 1] + rnorm(n), z2 = rbinom(n, 1, .4))
cl <- rep(1:60, each = 7); w <- rnorm(60)[cl]; b <- (rnorm(60)[cl] + .5 * w); v <- rnorm(n) + .4 * z[, 1]
y <- outer(v, c(1, .9, 1.1, .8)) * .9 + outer(b, c(1, .8, 1, .9)) + matrix(rnorm(n * 4), n) + .4 * matrix(rnorm(60 * 4), 60)[cl, ]
colnames(y) <- paste0("y", 1:4)
i <- 10 + rnorm(n) + .5 * z[, 1]; s <- .5 + .4 * rnorm(n) + .2 * z[, 2]
t <- sapply(0:3, function(k) i + s * k + .7 * rnorm(n)); colnames(t) <- paste0("t", 1:4)
m <- x[, 1:3]; m[matrix(runif(n * 3) < plogis(-2 + .6 * x[, 4]), n)] <- NA; colnames(m) <- paste0("m", 1:3)
data <- data.frame(round(cbind(x, z, y, t, m), 4), w1 = round(w, 4), g2 = rep(c("b", "a"), length.out = n),
                   g = rep(1:3, length.out = n), cl = cl)
write.csv(data, file.path(commandArgs(TRUE)[1], "data.csv"), row.names = FALSE)
data <- read.csv(file.path(commandArgs(TRUE)[1], "data.csv"))
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
latent <- paste0(three, "\nspeed ~ visual + textual + z1\ntextual ~ visual")
path <- "x1 ~ z1 + z2\nx4 ~ a*x1 + z1\nx7 ~ b*x4 + x1\nindirect := a*b"
linear <- "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4"
predicted <- paste0(linear, "\ni + s ~ z1 + z2")
gaps <- "f =~ m1 + m2 + m3 + x4\nf ~ z1"
two <- "level: 1\nfw =~ y1 + y2 + y3 + y4\nfw ~ z1\nlevel: 2\nfb =~ y1 + y2 + y3 + y4\nfb ~ w1"
cases <- list()
add <- function(name, fn, syntax, ...) cases[[length(cases) + 1]] <<- list(name = name, fn = fn, syntax = syntax, args = list(...))
shared <- list(cfa = three, sem = latent, growth = predicted)
simple <- list(cfa = three, sem = path, growth = linear)
for (fn in names(shared)) {
  k <- shared[[fn]]; one <- function(name, ...) add(paste0(fn, "_", name), fn, k, ...)
  one("plain"); one("means", meanstructure = TRUE); one("std_lv", std.lv = TRUE)
  one("random_x", fixed.x = FALSE); one("groups", group = "g2"); one("wishart", likelihood = "wishart")
  one("orthogonal", orthogonal = TRUE)
  for (e in c("MLR", "MLM", "MLMV", "MLMVS", "MLF", "GLS", "ULS", "ULSMV", "WLS", "DWLS", "WLSMV"))
    add(paste0(fn, "_", e), fn, simple[[fn]], estimator = e)
  one("observed", information = "observed"); one("first_order", information = "first.order")
  one("robust_se", se = "robust.huber.white", meanstructure = TRUE); one("no_se", se = "none")
  one("yuan_bentler", test = "yuan.bentler", meanstructure = TRUE); one("scaled", test = "satorra.bentler")
  one("cluster", cluster = "cl")
  add(paste0(fn, "_fiml"), fn, gsub("x1", "m1", simple[[fn]]), missing = "ml", fixed.x = FALSE)
  if (fn != "growth") one("effect_coding", effect.coding = TRUE, meanstructure = TRUE)
  one("bounds", bounds = "standard")
}
equal <- list(loadings = "loadings", intercepts = c("loadings", "intercepts"), strict = c("loadings", "intercepts", "residuals"),
  means = c("loadings", "intercepts", "means"), all = c("loadings", "intercepts", "residuals", "lv.variances", "lv.covariances", "means"))
for (name in names(equal)) {
  add(paste0("equal_", name), "cfa", three, group = "g2", group.equal = equal[[name]])
  add(paste0("equal_std_", name), "cfa", three, group = "g", group.equal = equal[[name]], std.lv = TRUE)
}
add("partial", "cfa", three, group = "g2", group.equal = c("loadings", "intercepts"), group.partial = c("visual=~x2", "x7~1"))
add("sem_equal", "sem", latent, group = "g2", group.equal = c("loadings", "regressions", "residuals"), group.partial = "speed~textual")
add("growth_equal", "growth", linear, group = "g2", group.equal = c("means", "residuals"), group.partial = "t1~~t1")
add("labels", "cfa", "f =~ x1 + a*x2 + a*x3\nh =~ x4 + b*x5 + c*x6\nb == 1.1*c\nd := a*b\na > 0")
add("label_vectors", "cfa", "f =~ x1 + c(a1, a2)*x2 + c(b, b)*x3\nh =~ x4 + x5 + x6\nx4 ~~ c(v, v)*x4\na1 == a2", group = "g2")
add("fixed_vectors", "cfa", "f =~ c(1, NA)*x1 + c(1, 0.8)*x2 + x3\nh =~ x4 + x5 + x6\nf ~~ c(NA, 1)*f", group = "g2")
add("nonlinear_constraint", "cfa", "f =~ NA*x1 + a*x2 + b*x3\nf ~~ 1*f\nh =~ x4 + x5 + x6\na*b == 0.6")
add("active_inequality", "cfa", "f =~ NA*x1 + a*x2 + b*x3\nf ~~ 1*f\nh =~ x4 + x5 + x6\na > b + 0.3")
add("equal_call", "cfa", 'f =~ x1 + x2 + equal("f=~x2")*x3 + x4')
add("start_first", "cfa", "f =~ start(0.5)*x1 + x2 + x3 + x4")
add("zero_variance", "cfa", "f =~ x1 + x2 + x3\nx1 ~~ 0*x1\nh =~ x4 + x5 + x6")
add("single_indicator", "cfa", "f =~ x1\nh =~ x4 + x5 + x6\nx1 ~~ 0.2*x1")
add("second_order", "cfa", paste0(three, "\ngeneral =~ visual + textual + speed"))
add("second_order_std", "cfa", paste0(three, "\ngeneral =~ visual + textual + speed"), std.lv = TRUE, meanstructure = TRUE)
add("two_outcomes", "sem", paste0(three, "\nspeed ~ visual\ntextual ~ visual\ny1 ~ visual\ny2 ~ visual"))
add("mimic_groups", "sem", paste0(three, "\nvisual + textual + speed ~ z1 + z2"), group = "g2", group.equal = c("loadings", "intercepts"))
add("covariate_written", "sem", "x1 ~ z1 + z2\nz1 ~~ z2")
add("intercepts_written", "sem", "x1 ~ 1 + z1\nx2 ~ 0*1 + x1")
add("feedback", "sem", "x1 ~ x4 + z1\nx4 ~ x1 + z2", fixed.x = FALSE)
add("composite", "sem", "c <~ 1*x1 + x2 + x3\nx4 ~ c\nx5 ~ c")
add("cross_loading", "cfa", "f =~ x1 + x2 + x3 + x4\nh =~ x4 + x5 + x6\nx1 ~~ x5")
add("product", "sem", "x1 ~ z1 + z2 + z1:z2\nx4 ~ x1")
add("growth_free_basis", "growth", "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + t2 + t3 + 1*t4")
add("growth_quadratic", "growth", paste0(linear, "\nq =~ 0*t1 + 1*t2 + 4*t3 + 9*t4\nq ~~ 0*q + 0*i + 0*s"))
add("group_blocks", "cfa", "group: b\nf =~ x1 + x2 + x3\nh =~ x4 + x5\ngroup: a\nf =~ x1 + x2 + x3 + x7\nh =~ x4 + x5", group = "g2")
add("fiml_covariate", "sem", gaps, missing = "ml")
add("fiml_mlr_groups", "sem", gaps, missing = "ml", estimator = "MLR", group = "g2")
add("fiml_all_rows", "sem", "f =~ x4 + x5 + x6\nf ~ m1", missing = "ml.x")
add("gls_fixed", "sem", path, estimator = "GLS", fixed.x = TRUE)
add("uls_fixed", "sem", path, estimator = "ULSMV", fixed.x = TRUE)
add("dwls_fixed", "sem", path, estimator = "WLSMV", fixed.x = TRUE)
add("wls_fixed", "sem", path, estimator = "WLS", fixed.x = TRUE)
add("mlm_means", "sem", path, estimator = "MLM", meanstructure = TRUE)
add("mlm_groups", "sem", latent, estimator = "MLM", group = "g2", group.equal = "loadings")
add("two_level", "sem", two, cluster = "cl")
add("two_level_mlr", "cfa", two, cluster = "cl", estimator = "MLR")
out <- list()
keep <- c("npar", "fmin", "chisq", "df", "pvalue", "chisq.scaled", "df.scaled", "pvalue.scaled", "chisq.scaling.factor", "baseline.chisq", "baseline.df",
  "cfi", "tli", "rmsea", "srmr", "logl", "unrestricted.logl", "aic", "bic", "cfi.robust", "rmsea.robust", "gfi")
for (one in cases) {
  said <- character(0)
  args <- one$args
  fit <- tryCatch(withCallingHandlers(do.call(one$fn, c(list(one$syntax, data = data), args)),
    warning = function(w) { said <<- c(said, conditionMessage(w)); invokeRestart("muffleWarning") }), error = function(e) conditionMessage(e))
  if (is.character(fit) || !lavInspect(fit, "converged")) { cat(one$name, ":", if (is.character(fit)) fit else "not converged", "\n"); next }
  if (length(said)) cat(one$name, "warns:", said[1], "\n")
  table <- as.data.frame(unclass(parTable(fit)))
  table <- table[!table$op %in% c("==", "<", ">"), ]
  one$estimate <- I(table$est)
  if (!is.null(table$se)) one$std_error <- I(table$se)
  measures <- fitMeasures(fit)
  one$fit <- as.list(measures[names(measures) %in% keep])
  out[[length(out) + 1]] <- one
}
cat(length(out), "fits\n")
text <- sapply(out, function(one) toJSON(one, auto_unbox = TRUE, digits = NA, na = "null", null = "null"))
writeLines(c("[", paste(text, collapse = ",\n"), "]"), file.path(commandArgs(TRUE)[1], "expected.json"))
