# Cases of two-level structural equation models: writes data.csv and model.json below the folder given as argument.
# Afterwards: Rscript run_sem.R <folder>/<case> ... writes expected.json (run_sem.R and its libraries as for family sem).
suppressPackageStartupMessages({library(lavaan); library(jsonlite)})
root <- commandArgs(trailingOnly = TRUE)[1]
write_case <- function(name, data, model) {
  dir <- file.path(root, name); dir.create(dir, recursive = TRUE, showWarnings = FALSE)
  write.csv(data, file.path(dir, "data.csv"), row.names = FALSE, na = "")
  model <- c(list(family = "sem_twolevel", case = name, data = "data.csv", skip_bfgs = TRUE), model)
  writeLines(toJSON(model, auto_unbox = TRUE, pretty = TRUE, digits = I(17), null = "null"), file.path(dir, "model.json"))
}
d <- Demo.twolevel[Demo.twolevel$cluster %in% 1:90, ]
d$half <- ifelse(d$cluster %% 2 == 0, "even", "odd")
cfa_text <- "level: 1\nfw =~ y1 + y2 + y3\nlevel: 2\nfb =~ y1 + y2 + y3"
want <- I(c("icc", "fs2", "nomi", "nores"))
x_text <- "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1 + x2 + x3\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"
# lavaan leaves the within-level means out of its scores of clusters, so its robust standard errors move with the origin
# of a within-level covariate; with centred covariates nothing is left out
for (k in 1:3) d[[paste0("c", k)]] <- d[[paste0("x", k)]] - mean(d[[paste0("x", k)]])
write_case("covariates", d[, c("y1", "y2", "y3", "x1", "x2", "x3", "c1", "c2", "c3", "w1", "w2", "cluster")], list(
  source = "public data: lavaan::Demo.twolevel, clusters 1-90", fn = "sem", syntax = x_text, common_args = list(cluster = "cluster"),
  models = list(
    list(label = "ml", want = want), list(label = "mlr_centred", args = list(estimator = "MLR"), want = want,
         syntax = "level: 1\nfw =~ y1 + y2 + y3\nfw ~ c1 + c2 + c3\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1 + w2"),
    list(label = "random_x", args = list(fixed.x = FALSE), want = want),
    list(label = "path", want = want, syntax = "level: 1\ny1 ~ x1 + y2\ny2 ~ x1\nlevel: 2\ny1 ~ w1 + y2\ny2 ~ w2"))))
write_case("cfa_robust", d[, c("y1", "y2", "y3", "y4", "y5", "y6", "half", "cluster")], list(
  source = "public data: lavaan::Demo.twolevel, clusters 1-90", fn = "cfa", common_args = list(cluster = "cluster"), syntax = cfa_text,
  models = list(
    list(label = "mlr", args = list(estimator = "MLR"), want = want),
    list(label = "two_factors_mlr", args = list(estimator = "MLR"), want = want,
         syntax = "level: 1\nf1 =~ y1 + y2 + y3\nf2 =~ y4 + y5 + y6\nlevel: 2\nb1 =~ y1 + y2 + y3\nb2 =~ y4 + y5 + y6"),
    list(label = "two_factors_ml", want = want,
         syntax = "level: 1\nf1 =~ y1 + y2 + y3\nf2 =~ y4 + y5 + y6\nlevel: 2\nb1 =~ y1 + y2 + y3\nb2 =~ y4 + y5 + y6"),
    list(label = "two_factors_expected", args = list(information = "expected"), want = want,
         syntax = "level: 1\nf1 =~ y1 + y2 + y3\nf2 =~ y4 + y5 + y6\nlevel: 2\nb1 =~ y1 + y2 + y3\nb2 =~ y4 + y5 + y6"),
    list(label = "equal_loadings_mlr", args = list(estimator = "MLR"), want = want,
         syntax = "level: 1\nf =~ a*y1 + b*y2 + c*y3\nlevel: 2\nf =~ a*y1 + b*y2 + c*y3"),
    list(label = "within_only", want = want, syntax = "level: 1\nfw =~ y1 + y2 + y3 + y4\nlevel: 2\nfb =~ y1 + y2 + y3"),
    list(label = "saturated_between", want = want,
         syntax = "level: 1\nfw =~ y1 + y2 + y3\nlevel: 2\ny1 ~~ y2 + y3\ny2 ~~ y3"),
    list(label = "groups", args = list(group = "half"), want = I(c("nomi", "nores")),
         syntax = "group: odd\nlevel: 1\nf =~ y1 + y2 + y3\nlevel: 2\nf =~ y1 + y2 + y3\ngroup: even\nlevel: 1\nf =~ y1 + y2 + y3\nlevel: 2\nf =~ y1 + y2 + y3"))))
set.seed(77)
m <- d[d$cluster <= 40, c("y1", "y2", "y3", "y4", "y5", "y6", "x1", "w1", "cluster")]
for (v in c("y2", "y3", "y5")) m[[v]][runif(nrow(m)) < 0.15] <- NA
m$y1[m$x1 > 1.2 & runif(nrow(m)) < 0.5] <- NA
write_case("missing_items", m, list(
  source = "public data: lavaan::Demo.twolevel, clusters 1-40, with holes, set.seed(77)", fn = "cfa",
  common_args = list(cluster = "cluster", missing = "fiml"), syntax = cfa_text,
  models = list(
    list(label = "ml", want = I(c("icc", "nomi", "nores"))),
    list(label = "equal_loadings", want = I(c("nomi", "nores")), syntax = "level: 1\nf =~ a*y1 + b*y2 + c*y3\nlevel: 2\nf =~ a*y1 + b*y2 + c*y3"),
    list(label = "covariates", fn = "sem", want = I(c("nomi", "nores")),
         syntax = "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ w1"))))
