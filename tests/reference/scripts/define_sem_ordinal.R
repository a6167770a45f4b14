# Cases of ordinal and mixed variables: writes data.csv and model.json below the folder given as argument.
# Afterwards: Rscript run_sem_twolevel.R <folder>/<case> ... writes expected.json, Rscript sem_ordinal.R <folder>/<case> ...
# statistics.json; python split_sem.py <folder> <folder>, then python trim_sem.py <folder>.
suppressPackageStartupMessages({library(lavaan); library(jsonlite)})
root <- commandArgs(trailingOnly = TRUE)[1]
write_case <- function(name, data, model) {
  dir <- file.path(root, name); dir.create(dir, recursive = TRUE, showWarnings = FALSE)
  write.csv(data, file.path(dir, "data.csv"), row.names = FALSE, na = "")
  model <- c(list(family = "sem_ordinal", case = name, data = "data.csv", fn = "cfa"), model)
  writeLines(toJSON(model, auto_unbox = TRUE, pretty = TRUE, digits = I(17), null = "null"), file.path(dir, "model.json"))
}
V <- function(...) I(c(...))
set.seed(505); n <- 300
x <- round(matrix(rnorm(n * 2), n), 3); f <- rnorm(n) + .4 * x[, 1] - .3 * x[, 2]
y <- sapply(c(.8, .7, .6, .75, .5, .65), function(l) l * f + rnorm(n) * .7)
cut_at <- function(v, p) as.integer(cut(v, c(-Inf, quantile(v, p), Inf)))
d <- data.frame(u1 = cut_at(y[, 1], c(.15, .4, .7, .9)), u2 = cut_at(y[, 2], c(.2, .5, .8)), u3 = cut_at(y[, 3], .3),
  u4 = cut_at(y[, 4], c(.35, .75)), c1 = round(y[, 5] * 3 + 2, 3), c2 = round(y[, 6], 3), x1 = x[, 1], x2 = 2 * x[, 2] + 1)
six <- "f =~ u1 + u2 + u3 + u4 + c1 + c2"; u <- V("u1", "u2", "u3", "u4")
write_case("mixed", d, list(source = "simulated, set.seed(505): one factor, ordinal and numeric items, two covariates", skip_bfgs = TRUE, syntax = six, statistics = V("WLSMV", "WLS", "covariates"),
  common_args = list(ordered = u), models = list(
    list(label = "WLSMV"), list(label = "WLS", args = list(estimator = "WLS")), list(label = "ULS", args = list(estimator = "ULS")),
    list(label = "WLSM", args = list(estimator = "WLSM")), list(label = "ordinal_WLSMVS", syntax = "f =~ u1 + u2 + u3 + u4", args = list(estimator = "WLSMVS")),
    list(label = "ordinal_ULSM", syntax = "f =~ u1 + u2 + u3 + u4", args = list(estimator = "ULSM")),
    list(label = "equality", syntax = "f =~ u1 + a*u2 + b*u3 + c*u4\na*b == c^2"),
    list(label = "bound", syntax = "f =~ u1 + upper(0.9)*u2 + u3 + u4 + c1"),
    list(label = "inequality", syntax = "f =~ u1 + a*u2 + b*u3 + c*u4\na > 0.2\nb < 2\nratio := a / b"),
    list(label = "residual_covariances", syntax = paste0(six, "\nu1 ~~ u2\nu3 ~~ c1")),
    list(label = "covariates", fn = "sem", syntax = paste0(six, "\nf ~ x1 + x2")),
    list(label = "covariates_theta", fn = "sem", args = list(parameterization = "theta"), syntax = paste0(six, "\nf ~ x1 + x2")),
    list(label = "covariate_direct", fn = "sem", syntax = "f =~ u1 + u2 + u4 + c1 + c2\nf ~ x1 + x2\nu3 ~ f + x1"),
    list(label = "covariates_random", fn = "sem", args = list(fixed.x = FALSE, conditional.x = FALSE), syntax = paste0(six, "\nf ~ x1 + x2")),
    list(label = "path", fn = "sem", args = list(parameterization = "theta"), syntax = "u1 ~ x1 + x2\nu2 ~ u1 + x1\nc1 ~ u2 + x2"),
    list(label = "path_numeric", fn = "sem", syntax = "c1 ~ a*x1 + x2\nu2 ~ b*c1 + x1\nindirect := a*b"))))
set.seed(506); g <- ifelse(runif(n) < .45, "clinic", "practice")
k <- d; k$site <- g; k$u1 <- pmin(k$u1, 4L); shift <- g == "clinic" & runif(n) < .3; k$u2[shift] <- pmin(k$u2[shift] + 1L, 4L)
three <- "f =~ u1 + u2 + u4"; four <- "f =~ u1 + u2 + u3 + u4"; lt <- V("loadings", "thresholds")
write_case("groups", k, list(source = "as mixed, two sites, set.seed(506)", syntax = three, statistics = V("thresholds", "covariate"), common_args = list(ordered = u, group = "site"),
  models = list(
    list(label = "configural", syntax = four), list(label = "loadings", syntax = four, args = list(group.equal = "loadings")),
    list(label = "configural_three", args = list(missing = "listwise")), list(label = "thresholds", args = list(group.equal = lt)),
    list(label = "thresholds_theta", args = list(group.equal = lt, parameterization = "theta")),
    list(label = "mixed_scalar", syntax = "f =~ u1 + u2 + u4 + c1 + c2", args = list(group.equal = V("loadings", "thresholds", "intercepts"))),
    list(label = "covariate", fn = "sem", syntax = "f =~ u1 + u2 + u4 + c1\nf ~ x1", args = list(group.equal = lt)),
    list(label = "partial", syntax = four, args = list(group.equal = lt, group.partial = V("f =~ u2", "u2 | t1", "u3 | t1")))),
  lrt = list(list(models = V("configural", "loadings")), list(models = V("configural_three", "thresholds"), method = "satorra.2000"))))
set.seed(507); h <- d
for (v in c("u1", "u2", "u3", "c1", "c2")) h[[v]][sample(n, 30)] <- NA
write_case("holes", h, list(source = "as mixed, with holes, set.seed(507)", syntax = six, statistics = V("pairwise", "pairwise_covariates"), common_args = list(ordered = u), models = list(
  list(label = "pairwise", args = list(missing = "pairwise")),
  list(label = "pairwise_ordinal", syntax = four, args = list(missing = "pairwise")),
  list(label = "pairwise_covariates", fn = "sem", syntax = paste0(six, "\nf ~ x1 + x2"), args = list(missing = "pairwise")),
  list(label = "listwise", args = list(missing = "listwise")))))
set.seed(508); m <- 150; e <- rnorm(m)
b <- as.data.frame(sapply(c(.9, .8, .7, .6, .75), function(l) as.integer(l * e + sqrt(1 - l^2) * rnorm(m) > .3)))
names(b) <- paste0("b", 1:5)
b$b6 <- as.integer(e + .3 * rnorm(m) > 1.45); b$b6[b$b1 == 0] <- 0L
write_case("binary", b, list(source = "simulated binary items, set.seed(508); one table of two by two has an empty cell", syntax = "g =~ b1 + b2 + b3 + b4 + b5",
  statistics = V("WLSMV", "empty_cell"),
  common_args = list(ordered = V(paste0("b", 1:6))), models = list(
    list(label = "WLSMV", want = V("fs_ebm")),
    list(label = "theta", args = list(parameterization = "theta")),
    list(label = "empty_cell", syntax = "g =~ b1 + b2 + b3 + b4 + b6"))))
