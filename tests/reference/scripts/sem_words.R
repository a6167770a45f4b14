# The grid of words for estimator, se, test, information and likelihood that lavaan 0.6-14 takes, with the numbers that
# come of them: tests/reference/sem_words/expected.json. Rscript sem_words.R DATA.csv FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
for (k in 1:6) d[[paste0("o", k)]] <- (d[[paste0("x", k)]] > -0.5 + (k > 3)) + (d[[paste0("x", k)]] > 0.8 + (k > 3))
two <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
gaps <- "f =~ m1 + m2 + m3\nh =~ x4 + x5 + x6"
items <- "f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6"
kinds <- list(
  plain = list(two, list()),
  means = list(sub("$", "\nx1 ~ 0*1\nf ~ 1\nx2 ~ 0*1", two), list(meanstructure = TRUE)),
  groups = list(two, list(group = "g2", group.equal = c("loadings", "intercepts"))),
  fixed = list("x1 ~ z1 + z2\nx4 ~ a*x1 + z1\nx7 ~ b*x4 + a*x1", list()),
  gaps = list(gaps, list(missing = "ml")),
  ordinal = list(items, list(ordered = paste0("o", 1:6))))
errors <- c("standard", "robust.sem", "robust.huber.white", "first.order", "none")
tests <- list("standard", "satorra.bentler", "scaled.shifted", "mean.var.adjusted", "yuan.bentler", "yuan.bentler.mplus",
  "browne.residual.nt", "browne.residual.adf", "browne.residual.nt.model", "browne.residual.adf.model", "none",
  c("satorra.bentler", "mean.var.adjusted"), c("yuan.bentler.mplus", "satorra.bentler", "browne.residual.nt"),
  c("scaled.shifted", "standard", "browne.residual.adf.model"))
informations <- list("expected", "observed", "first.order", c("expected", "observed"), c("observed", "expected"), c("first.order", "expected"))
own <- c("MLR", "MLM", "MLMV", "MLMVS", "MLF")
out <- list(); kept <- c("cfi.scaled", "cfi.robust", "rmsea.scaled", "rmsea.robust", "tli", "rmsea", "baseline.chisq", "baseline.chisq.scaled", "gfi", "srmr", "logl", "aic")
add <- function(kind, ...) {
  given <- list(...); model <- kinds[[kind]][[1]]
  warned <- character()
  f <- tryCatch(withCallingHandlers(do.call("sem", c(list(model, data = d, baseline = TRUE, control = list(iter.max = 5000L)), kinds[[kind]][[2]], given)),
    warning = function(w) { warned <<- c(warned, conditionMessage(w)); invokeRestart("muffleWarning") }), error = function(e) conditionMessage(e))
  row <- list(kind = kind, given = lapply(given, function(v) if (length(v) > 1) I(v) else v))
  if (inherits(f, "lavaan") && !lavInspect(f, "converged")) f <- "did not converge"
  if (!inherits(f, "lavaan")) { out[[length(out) + 1]] <<- c(row, list(error = f)); return(invisible()) }
  o <- lavInspect(f, "options")
  found <- lavInspect(f, "test")
  v <- if (o$se == "none") NULL else I(unname(sqrt(diag(unclass(vcov(f))))))
  wanted <- found[[1]]$test != "none" && (!is.null(given$estimator) || length(given$test) > 1)
  m <- if (wanted) tryCatch({ m <- fitMeasures(f); as.list(unclass(m[intersect(kept, names(m))])) }, error = function(e) NULL)
  ignored <- o$missing != (if (kind == "gaps") "ml" else "listwise") || any(grepl("will be set to", warned))
  one <- function(t, name) if (is.null(t[[name]])) NA else t[[name]]
  out[[length(out) + 1]] <<- c(row, list(ignored = ignored, se = v, tests = lapply(unname(found), function(t) list(test = t$test, statistic = one(t, "stat"),
    df = one(t, "df"), p_value = one(t, "pvalue"), factor = one(t, "scaling.factor"), shift = one(t, "shift.parameter"))), measures = m))
}
for (kind in names(kinds)[1:4]) {
  for (s in errors) for (t in tests) add(kind, se = s, test = t)
  for (s in errors) for (i in informations) for (t in tests[c(1, 2, 5, 6)]) add(kind, se = s, test = t, information = i)
  for (i in informations[c(1, 2, 4)]) for (o in list("hessian", "h1", c("h1", "hessian"))[if (kind == "plain") 1:3 else 2:3]) for (h in list("structured", "unstructured", c("unstructured", "structured"))[if (kind == "plain") 1:3 else 2])
    for (s in c("standard", "robust.sem", "robust.huber.white")) for (t in tests[c(2, 5, 6)]) add(kind, se = s, test = t, information = i, observed.information = o, h1.information = h)
  for (e in own) for (t in tests[c(1, 3, 6, 10, 11, 13)]) add(kind, estimator = e, test = t)
  for (e in own) for (i in informations) add(kind, estimator = e, information = i)
  for (e in c("ML", own)) { add(kind, estimator = e, likelihood = "wishart"); for (i in informations[1:3]) add(kind, estimator = e, likelihood = "wishart", information = i) }
  for (t in tests[c(5, 8, 13, 14)]) add(kind, likelihood = "wishart", test = t)
  for (s in errors) add(kind, likelihood = "wishart", se = s, test = "yuan.bentler")
  for (e in c("GLS", "WLS", "ULS", "DWLS", "ULSM", "WLSMV", "WLSMVS")) {
    for (t in tests) add(kind, estimator = e, test = t)
    for (s in errors) add(kind, estimator = e, se = s)
    for (i in informations[1:3]) add(kind, estimator = e, information = i)
  }
}
kind <- "gaps"
for (s in errors) for (t in tests) add(kind, se = s, test = t)
for (s in errors) for (i in informations) for (t in tests[c(1, 5, 6)]) add(kind, se = s, test = t, information = i)
for (i in informations[c(1, 2, 4)]) for (o in list("hessian", "h1")) for (h in list("structured", "unstructured")) for (s in c("standard", "robust.huber.white"))
  for (t in tests[c(5, 6)]) add(kind, se = s, test = t, information = i, observed.information = o, h1.information = h)
for (e in own) for (t in tests[c(1, 5, 11)]) add(kind, estimator = e, test = t)
for (e in c("ML", "MLR", "MLF")) { add(kind, estimator = e, likelihood = "wishart"); for (i in informations[1:3]) add(kind, estimator = e, likelihood = "wishart", information = i) }
for (e in c("WLSMV", "DWLS", "ULSMV", "ULS", "WLS", "WLSM", "WLSMVS")) {
  for (t in tests) add("ordinal", estimator = e, test = t)
  for (s in errors) add("ordinal", estimator = e, se = s)
  for (i in informations[1:3]) add("ordinal", estimator = e, information = i)
}
writeLines(toJSON(list(models = lapply(kinds, function(k) list(model = k[[1]], options = k[[2]])), rows = out), auto_unbox = TRUE, digits = I(9), na = "null", null = "null"), file.path(commandArgs(TRUE)[2], "expected.json"))
