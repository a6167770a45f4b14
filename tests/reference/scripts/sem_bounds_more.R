# Bounds and inequalities that hold with missing values, ordinal items, least squares and two levels, in lavaan 0.6-14:
# tests/reference/sem_bounds/more.json. Data: sem_models/data.csv. Rscript sem_bounds_more.R DATA.csv FILE
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1])
for (k in 1:6) d[[paste0("o", k)]] <- (d[[paste0("x", k)]] > -0.5 + (k > 3)) + (d[[paste0("x", k)]] > 0.8 + (k > 3))
for (k in 1:3) {
  d[[paste0("c", k)]] <- d[[paste0("x", k)]] + ((d$cl * 37) %% 11 - 5) / 4 + ((d$cl * (13 + k)) %% 7 - 3) / 6
  d[[paste0("e", k)]] <- ifelse(is.na(d[[paste0("m", k)]]), NA, d[[paste0("c", k)]])
}
# a Heywood case: u holds the residuals of the others
d$u <- 0.6 * (d$x1 + d$x2 + d$x3) + 0.8 * d$z1; d$mu <- ifelse(is.na(d$m3), NA, d$u); d$ou <- (d$u > -1) + (d$u > 1.5)
keep <- c("npar", "fmin", "chisq", "df", "chisq.scaled", "df.scaled", "chisq.scaling.factor", "cfi", "rmsea", "srmr", "logl")
run <- function(name, model, ...) {
  args <- list(...); r <- lapply(args, function(v) if (is.character(v) && length(v) > 1) I(v) else v)
  how <- if (grepl("level", model) && !grepl(">|==|upper", model)) list(optim.method = "BFGS", control = list(reltol = 1e-15, maxit = 5000)) else list(control = list(rel.tol = 1e-10, iter.max = 5000L))
  f <- suppressWarnings(do.call("sem", c(list(model, data = d), args, how)))
  p <- as.data.frame(unclass(parTable(f))); p <- p[p$free > 0, ]
  m <- if (lavInspect(f, "converged")) fitMeasures(f) else c(npar = NA); finite <- function(v) I(ifelse(is.finite(v), v, NA))
  list(name = name, model = model, options = r, converged = lavInspect(f, "converged"), est = p$est, se = p$se,
    lower = if (length(p$lower)) finite(p$lower) else I(rep(NA, nrow(p))), upper = if (length(p$upper)) finite(p$upper) else I(rep(NA, nrow(p))),
    defined = as.list(setNames(parTable(f)$est[parTable(f)$op == ":="], parTable(f)$lhs[parTable(f)$op == ":="])),
    defined_se = as.list(setNames(parTable(f)$se[parTable(f)$op == ":="], parTable(f)$lhs[parTable(f)$op == ":="])),
    fit = as.list(unclass(m[intersect(keep, names(m))])))
}
gaps <- "f =~ m1 + a*m2 + b*m3\nh =~ x4 + x5 + x6\n"; items <- "f =~ o1 + a*o2 + b*o3\nh =~ o4 + o5 + o6\n"
two <- "f =~ x1 + a*x2 + b*x3\nh =~ x4 + x5 + x6\n"; define <- "\nratio := a/b\nboth := log(a*a + b*b)"
levels <- "level: 1\nf =~ c1 + a*c2 + b*c3\nlevel: 2\nh =~ c1 + c*c2 + e*c3\n"
out <- list(); add <- function(...) out[[length(out) + 1]] <<- run(...)
heywood <- list(fiml = "f =~ mu + x1 + x2 + x3", ml = "f =~ u + x1 + x2 + x3")
for (b in c("none", "standard", "wide", "pos.var", "pos.ov.var", "pos.lv.var")) {
  add(paste0("fiml-", b), heywood$fiml, missing = "fiml", bounds = b)
  add(paste0("mlr-", b), heywood$fiml, missing = "fiml", estimator = "MLR", bounds = b)
  for (e in c("GLS", "ULS", "DWLS", "WLS", "ULSMV")) add(paste0(e, "-", b), heywood$ml, estimator = e, bounds = b)
  add(paste0("ordinal-", b), "f =~ ou + o1 + o2 + o3", ordered = TRUE, bounds = b)
  add(paste0("ordinal-std-", b), "f =~ ou + o1 + o2 + o3", ordered = TRUE, std.lv = TRUE, bounds = b)
  add(paste0("mixed-", b), "f =~ u + x1 + o2 + o3\nf ~ z2", ordered = c("o2", "o3"), bounds = b)
}
for (e in c("WLSMV", "DWLS", "ULSMV", "WLS")) {
  add(paste0(e, "-bound"), paste0(items, "f ~~ upper(0.1)*h", define), ordered = TRUE, estimator = e)
  add(paste0(e, "-inequality"), paste0(items, "a > b + 0.1", define), ordered = TRUE, estimator = e)
  add(paste0(e, "-nonlinear"), paste0(items, "a*b == 0.8", define), ordered = TRUE, estimator = e)
}
add("theta-inequality", paste0(items, "a > b + 0.1", define), ordered = TRUE, parameterization = "theta")
add("ordinal-groups", paste0("f =~ o1 + c(a, c)*o2 + c(b, e)*o3\nh =~ o4 + o5 + o6\na > e + 0.3\nratio := a/e"), ordered = TRUE, group = "g2")
for (e in c("ML", "MLR")) {
  add(paste0("fiml-", e, "-bound"), paste0(gaps, "f ~~ upper(0.2)*h", define), missing = "fiml", estimator = e)
  add(paste0("fiml-", e, "-inequality"), paste0(gaps, "a > b + 0.3", define), missing = "fiml", estimator = e)
  add(paste0("fiml-", e, "-nonlinear"), paste0(gaps, "a*b == 0.6", define), missing = "fiml", estimator = e)
}
add("fiml-groups", "f =~ m1 + c(a, c)*m2 + c(b, e)*m3\na > e + 0.3\nratio := a/e", missing = "fiml", group = "g2")
add("levels-bound", paste0(levels, "ratio := a/c"), cluster = "cl")
add("levels-upper", sub("c\\*c2", "c*c2 + upper(0.8)*c2", paste0(levels, "ratio := a/c")), cluster = "cl")
add("levels-inequality", paste0(levels, "a > b + 0.3\nratio := a/c"), cluster = "cl")
add("levels-nonlinear", paste0(levels, "c*e == 0.8\nratio := a/c"), cluster = "cl")
# a model that does not fit at all: GLS and WLS have several minima
d$u <- d$x1 + d$x2 + 0.2 * d$z1; wild <- list()
for (e in c("GLS", "WLS")) for (b in c("pos.var", "pos.ov.var", "pos.lv.var", "standard", "wide")) {
  f <- suppressWarnings(sem(heywood$ml, d, estimator = e, bounds = b)); wild[[length(wild) + 1]] <- list(estimator = e, bounds = b, fmin = f@optim$fx)
}
writeLines(toJSON(list(fits = out, wild = wild), auto_unbox = TRUE, digits = 15, na = "null"), a[2])
