# Cases of tests/reference/sem_efa: REFERENCE_CASES=tests/reference Rscript define_sem_efa.R, then run_sem_efa.R on each folder.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R")); SPLIT <- "shared"
suppressPackageStartupMessages(library(lavaan))
hs <- HolzingerSwineford1939[, c("school", "ageyr", paste0("x", 1:9))]; hs$school <- as.character(hs$school)
nine <- paste0("x", 1:9, collapse = " + ")
efa <- function(m, items = nine, name = "e", f = "f") paste0(paste0("efa(\"", name, "\")*", f, seq_len(m), collapse = " + "), " =~ ", items)
model <- function(label, ...) list(label = label, ...)
target <- matrix(0, 9, 3); target[1:3, 1] <- target[4:6, 2] <- target[7:9, 3] <- NA
full <- ifelse(is.na(target), 0.8, 0); full[, 3] <- -full[, 3]  # lavaan starts from one orientation only
rows <- function(x) lapply(seq_len(nrow(x)), function(i) lapply(x[i, ], function(z) if (is.na(z)) NULL else z))
r <- function(label, rotation, args = list(), m = 3, ...) model(label, syntax = efa(m), rotation = rotation, rotation_args = args, ...)
plain <- list(std.ov = FALSE)
models <- list(r("geomin_2", "geomin", m = 2, delta = TRUE), r("geomin_3", "geomin", delta = TRUE), r("geomin_3_raw", "geomin", plain), r("geomin_3_epsilon", "geomin", list(geomin.epsilon = 0.01)),
  r("geomin_2_orthogonal", "geomin", list(orthogonal = TRUE), m = 2), r("geomin_3_orthogonal", "geomin", list(orthogonal = TRUE)), r("oblimin_2", "oblimin", m = 2), r("oblimin_3", "oblimin", delta = TRUE), r("oblimin_3_gamma", "oblimin", list(oblimin.gamma = -0.5)),
  r("quartimin_2", "quartimin", m = 2), r("quartimin_3", "quartimin"), r("quartimin_3_kaiser", "quartimin", list(row.weights = "kaiser"), delta = TRUE), r("quartimin_3_cm", "quartimin", list(row.weights = "cureton-mulaik")),
  r("varimax_2", "varimax", m = 2, delta = TRUE), r("varimax_3", "varimax"), r("varimax_3_cm", "varimax", list(row.weights = "cureton-mulaik")), r("varimax_3_size", "varimax", list(order.lv.by = "sumofsquares", row.weights = "none")),
  r("quartimax_3", "quartimax", list(orthogonal = TRUE)), r("orthomax_3", "orthomax", list(orthogonal = TRUE, orthomax.gamma = 0.5)), r("cf_varimax_3", "cf-varimax"), r("cf_quartimax_3", "cf-quartimax"), r("cf_equamax_3", "cf-equamax"), r("cf_parsimax_3", "cf-parsimax"),
  r("cf_facparsim_3", "cf-facparsim", list(orthogonal = TRUE)), r("bentler_3", "bentler", tight = 1e-10), r("infomax_3", "infomax"), r("infomax_3_orthogonal", "infomax", list(orthogonal = TRUE)), r("mccammon_3", "mccammon"), r("entropy_3", "entropy"),
  r("tandem1_3", "tandem1"), r("tandem2_3", "tandem2"), r("oblimax_3", "oblimax", list(orthogonal = TRUE)), r("promax_3", "promax"),
  r("target_3", "target", list(target = rows(target))), r("target_3_full", "target", c(list(target = rows(full), reflect = FALSE, order.lv.by = "none"), plain), delta = TRUE), r("target_3_orthogonal", "target", list(target = rows(target), orthogonal = TRUE)), r("bigeomin_3", "bigeomin", list(orthogonal = TRUE)), r("biquartimin_3", "biquartimin", list(orthogonal = TRUE)), r("none_3", "none"))
case("sem_efa", "criteria", hs[, 3:11], list(fn = "cfa", source = "public data: lavaan::HolzingerSwineford1939", models = models))
more <- list(model("mlr", delta = TRUE, args = list(estimator = "MLR")), model("mlm", args = list(estimator = "MLM")), model("observed", args = list(information = "observed", meanstructure = TRUE)), model("gls", args = list(estimator = "GLS")), model("uls", args = list(estimator = "ULS")))
more <- lapply(more, function(m) c(m, list(syntax = efa(3), rotation = "geomin", rotation_args = plain)))
case("sem_efa", "estimators", hs[, 3:11], list(fn = "cfa", source = "as criteria", models = more))
two <- efa(2, "x1 + x2 + x3 + x4 + x5 + x6")
models <- list(model("equation", delta = TRUE, fn = "sem", syntax = paste0(two, "\nspeed =~ x7 + x8 + x9\nspeed ~ f1 + f2")), model("covariate", delta = TRUE, fn = "sem", syntax = paste0(two, "\nf1 + f2 ~ ageyr")),
  model("covariate_means", fn = "sem", syntax = paste0(two, "\nspeed =~ x7 + x8 + x9\nf1 + f2 ~ ageyr + speed"), args = list(meanstructure = TRUE)), model("observed_outcome", fn = "sem", syntax = paste0(efa(3, "x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8"), "\nx9 ~ f1 + f2 + f3\nageyr ~ x9")),
  model("between", delta = TRUE, fn = "sem", syntax = paste0(two, "\nspeed =~ x7 + x8 + x9\nspeed ~ f1 + f2\nf1 + f2 ~ ageyr"), rotation_args = plain), model("correlated", delta = TRUE, syntax = paste0(two, "\nspeed =~ x7 + x8 + x9\nx1 ~~ x7")), model("correlated_raw", syntax = paste0(two, "\nspeed =~ x7 + x8 + x9"), rotation_args = plain), model("orthogonal_factor", fn = "sem", syntax = paste0(two, "\nspeed =~ x7 + x8 + x9\nspeed ~ f1 + f2"), rotation = "varimax"))
case("sem_efa", "esem", hs[, -1], list(fn = "cfa", source = "as criteria", models = models))
models <- list(model("apart", delta = TRUE, group = 1), model("fiml", args = list(missing = "ml")), model("equal_loadings", args = list(group.equal = "loadings"), rotation_args = plain), model("equal_intercepts", args = list(group.equal = c("loadings", "intercepts")), rotation_args = plain))
models <- lapply(models, function(m) { m$group <- NULL; c(m, list(syntax = two)) })
case("sem_efa", "groups", hs[, -2], list(fn = "cfa", source = "as criteria", common_args = list(group = "school"), models = models))
set.seed(801); n <- 500
F <- rmvn(n, matrix(c(1, .4, .3, .2, .4, 1, .2, .3, .3, .2, 1, .5, .2, .3, .5, 1), 4))
L <- cbind(c(.8, .7, .6, .2, 0, .1), c(0, .1, .3, .7, .8, .6)); M <- cbind(c(.7, .8, .6, .1, .2), c(.2, 0, .1, .7, .8))
y <- cbind(F[, 1:2] %*% t(L), F[, 3:4] %*% t(M)) + matrix(rnorm(n * 11), n) * .6
d <- as.data.frame(round(y, 4)); names(d) <- c(paste0("a", 1:6), paste0("b", 1:5)); d$out <- round(.5 * F[, 1] - .3 * F[, 4] + rnorm(n), 4)
a <- paste0("a", 1:6, collapse = " + "); b <- paste0("b", 1:5, collapse = " + ")
both <- paste0(efa(2, a, "one"), "\n", efa(2, b, "two", "g"))
models <- list(model("two_blocks", delta = TRUE, syntax = both), model("two_blocks_outcome", fn = "sem", syntax = paste0(both, "\nout ~ f1 + f2 + g1 + g2")), model("two_blocks_path", delta = TRUE, fn = "sem", syntax = paste0(both, "\ng1 + g2 ~ f1 + f2"), rotation = "oblimin"), model("two_blocks_orthogonal", syntax = both, rotation_args = list(orthogonal = TRUE)))
case("sem_efa", "blocks", d, list(fn = "cfa", source = "two blocks of two factors, set.seed(801)", models = models))
holes <- d; for (k in 1:11) holes[runif(n) < .1, k] <- NA
models <- list(model("fiml"), model("fiml_mlr", args = list(estimator = "MLR")))
models <- lapply(models, function(m) { m$args <- c(m$args, list(missing = "ml")); c(m, list(fn = "sem", syntax = paste0(both, "\nout ~ f1 + f2 + g1 + g2"), rotation_args = plain)) })
case("sem_efa", "holes", holes, list(fn = "cfa", source = "as blocks, a tenth of the values missing, set.seed(801)", models = models))
o <- d; for (k in 1:11) o[[k]] <- as.integer(cut(d[[k]], quantile(d[[k]], c(0, .2, .5, .8, 1)) + c(-1, 0, 0, 0, 1)))
o$group <- ifelse(seq_len(n) %% 2 == 0, "even", "odd")
models <- list(model("wlsmv", delta = TRUE), model("wlsmv_raw", rotation_args = plain), model("theta", args = list(parameterization = "theta"), rotation_args = plain), model("varimax", rotation = "varimax"), model("groups", args = list(group = "group"), rotation_args = plain), model("dwls", args = list(estimator = "DWLS"), rotation = "oblimin"))
models <- lapply(models, function(m) { m$args <- c(m$args, list(ordered = I(c(paste0("a", 1:6), paste0("b", 1:5))))); c(m, list(syntax = both)) })
models <- c(models, list(model("mixed", fn = "sem", syntax = paste0(efa(2, a, "one"), "\nout ~ f1 + f2"), args = list(ordered = I(paste0("a", 1:6))), rotation_args = plain),
  model("covariate", delta = TRUE, fn = "sem", syntax = paste0(efa(2, a, "one"), "\nf1 + f2 ~ out"), args = list(ordered = I(paste0("a", 1:6))), rotation_args = plain)))
case("sem_efa", "ordinal", o, list(fn = "cfa", source = "blocks, cut into four categories", models = models))
