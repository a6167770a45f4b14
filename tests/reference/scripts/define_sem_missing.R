# Cases of full-information maximum likelihood: writes data.csv and model.json below the folder given as argument.
# Afterwards: Rscript run_sem_twolevel.R <folder>/<case> ... writes expected.json, python trim_sem.py <folder> cuts it
# to what is compared.
suppressPackageStartupMessages({library(lavaan); library(jsonlite)})
root <- commandArgs(trailingOnly = TRUE)[1]
write_case <- function(name, data, model) {
  dir <- file.path(root, name); dir.create(dir, recursive = TRUE, showWarnings = FALSE)
  write.csv(data, file.path(dir, "data.csv"), row.names = FALSE, na = "")
  model <- c(list(family = "sem_missing", case = name, data = "data.csv", skip_bfgs = TRUE), model)
  writeLines(toJSON(model, auto_unbox = TRUE, pretty = TRUE, digits = I(17), null = "null"), file.path(dir, "model.json"))
}
d <- HolzingerSwineford1939[, c("school", "sex", "ageyr", paste0("x", 1:9))]
set.seed(2024)
for (v in paste0("x", c(1, 3, 4, 6, 8, 9))) d[[v]][runif(nrow(d)) < 0.12] <- NA
d$x2[d$ageyr > 13 & runif(nrow(d)) < 0.4] <- NA
d[17, paste0("x", 1:9)] <- NA
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
lean <- I(c("nomi", "nores"))
write_case("hs_options", d, list(
  source = "public data: lavaan::HolzingerSwineford1939 with holes, set.seed(2024)", fn = "cfa", syntax = three,
  common_args = list(missing = "fiml"),
  models = list(
    list(label = "mlf", args = list(estimator = "MLF"), want = lean),
    list(label = "yuan_bentler", args = list(estimator = "ML", se = "robust.huber.white", test = "yuan.bentler"), want = lean),
    list(label = "groups_mlr", args = list(estimator = "MLR", group = "school"), want = lean),
    list(label = "groups_equal_loadings_mlr", args = list(estimator = "MLR", group = "school", group.equal = "loadings"), want = lean),
    list(label = "groups_scalar", args = list(group = "school", group.equal = I(c("loadings", "intercepts"))), want = lean),
    list(label = "equal_pair", want = lean, syntax = "visual =~ x1 + a*x2 + a*x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + b*x8 + c*x9\nratio := b / c"),
    list(label = "covariates_mlr", fn = "sem", args = list(estimator = "MLR"), want = lean,
         syntax = paste0(three, "\nvisual ~ sex + ageyr\ntextual ~ ageyr")))))
x <- d
x$ageyr[seq(5, 300, 15)] <- NA
write_case("hs_missing_x", x, list(
  source = "as hs_options, ageyr missing for some", fn = "sem", syntax = paste0(three, "\nvisual ~ sex + ageyr\ntextual ~ ageyr"),
  models = list(
    list(label = "rows_dropped", args = list(missing = "fiml"), want = lean),
    list(label = "fiml_x", args = list(missing = "fiml.x"), want = lean),
    list(label = "random_x", args = list(missing = "fiml", fixed.x = FALSE), want = lean))))
w <- Demo.twolevel[Demo.twolevel$cluster %in% 1:60, c("y1", "y2", "y3", "y4", "y5", "y6", "cluster")]
set.seed(99)
for (v in c("y2", "y4")) w[[v]][runif(nrow(w)) < 0.2] <- NA
write_case("cluster_robust", w, list(
  source = "public data: lavaan::Demo.twolevel, clusters 1-60, with holes, set.seed(99)", fn = "cfa",
  syntax = "f1 =~ y1 + y2 + y3\nf2 =~ y4 + y5 + y6", common_args = list(cluster = "cluster"),
  models = list(
    list(label = "fiml", args = list(missing = "fiml"), want = lean),
    list(label = "fiml_mlr", args = list(missing = "fiml", estimator = "MLR"), want = lean),
    list(label = "listwise", want = lean))))
