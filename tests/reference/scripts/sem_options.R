# What lavaan 0.6-14 makes of words for estimator, se, test, information and missing: tests/reference/sem_options.
# Rscript sem_options.R FILE
suppressMessages({library(lavaan); library(jsonlite)})
d <- HolzingerSwineford1939
set.seed(1); d$cl <- rep(1:43, length.out = 301)
dm <- d; dm$x1[1:20] <- NA
d2 <- d; for (v in paste0("x", 1:6)) d2[[v]] <- as.integer(cut(d[[v]], quantile(d[[v]], c(0, .3, .7, 1)), include.lowest = TRUE))
m <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
est <- c("ML","MLR","MLM","MLMV","MLMVS","MLF","GLS","ULS","ULSM","ULSMV","ULSMVS","WLS","DWLS","WLSM","WLSMV","WLSMVS")
out <- list()
try1 <- function(given, data) {
  a <- c(list(m, data = data, bootstrap = 3L), given)
  r <- tryCatch(suppressWarnings(do.call("cfa", a)), error = function(e) conditionMessage(e))
  if (!inherits(r, "lavaan")) { out[[length(out) + 1]] <<- list(given = given, error = r); return() }
  o <- lavInspect(r, "options")
  out[[length(out) + 1]] <<- list(given = given, estimator = o$estimator, se = o$se, test = I(o$test), information = I(o$information),
    missing = o$missing, likelihood = o$likelihood, meanstructure = o$meanstructure, fixed.x = o$fixed.x, observed = I(o$observed.information), h1 = I(o$h1.information))
}
for (e in est) {
  try1(list(estimator = e), d)
  try1(list(estimator = e, missing = "ml"), dm)
  try1(list(estimator = e, cluster = "cl"), d)
  try1(list(estimator = e, ordered = paste0("x", 1:6)), d2)
  try1(list(estimator = e, ordered = paste0("x", 1:6), missing = "pairwise"), d2)
  for (s in c("standard","robust","robust.sem","robust.huber.white","first.order","none")) try1(list(estimator = e, se = s), d)
  for (t in c("standard","satorra.bentler","scaled.shifted","mean.var.adjusted","yuan.bentler","yuan.bentler.mplus")) try1(list(estimator = e, test = t), d)
  for (i in c("expected","observed","first.order")) try1(list(estimator = e, information = i), d)
  try1(list(estimator = e, meanstructure = TRUE), d); try1(list(estimator = e, group = "school"), d)
}
for (s in c("robust","robust.sem","robust.huber.white","first.order")) try1(list(se = s, missing = "ml"), dm)
for (t in c("satorra.bentler","yuan.bentler","yuan.bentler.mplus")) try1(list(test = t, missing = "ml"), dm)
try1(list(likelihood = "wishart"), d); try1(list(missing = "ml.x"), dm); try1(list(missing = "direct"), dm); try1(list(missing = "fiml"), dm)
writeLines(toJSON(out, auto_unbox = TRUE, null = "null", digits = NA, pretty = FALSE), commandArgs(TRUE)[1])
