# Rscript define_mlm_tests.R <folder of the family>: data and models for F tables, tests of random terms, robust covariances.
# A simulated trial: sessions in patients of clinics, rated by crossed raters; one cell of site by arm is empty.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R"))
folder <- commandArgs(trailingOnly = TRUE)[1]
set.seed(20250301)
n_id <- 54; sessions <- 5
arm <- sample(c("cbt", "ipt", "tau"), n_id, TRUE, c(.45, .3, .25)); sex <- sample(c("f", "m"), n_id, TRUE, c(.6, .4))
site <- sample(c("north", "south", "west"), n_id, TRUE); site[arm == "tau" & site == "west"] <- "south"
dose <- sample(c("low", "middle", "high", "top"), n_id, TRUE); online <- runif(n_id) < .45
clinic <- rep(1:9, length.out = n_id); u <- matrix(rnorm(2 * n_id), n_id) %*% chol(matrix(c(4, -.3, -.3, .3), 2)); g <- rnorm(9, 0, 1.5); r <- rnorm(6, 0, .8)
d <- data.frame(id = rep(1:n_id, each = sessions), time = rep(0:(sessions - 1), n_id))
for (v in c("arm", "sex", "site", "dose", "online", "clinic")) d[[v]] <- get(v)[d$id]
d$rater <- sample(1:6, nrow(d), TRUE)
d$x <- round(rnorm(nrow(d), 3 + .4 * (d$arm == "ipt"), 1.2), 3)
d$w <- round(rnorm(nrow(d)), 3)
d$y <- round(20 + u[d$id, 1] + (u[d$id, 2] - .6) * d$time + g[d$clinic] + r[d$rater] + .5 * d$x + .4 * (d$arm == "cbt") * d$time - (d$sex == "m") * .7 + rnorm(nrow(d), 0, 1.6), 3)
d$y[d$online] <- d$y[d$online] - .3 * d$x[d$online]
d <- d[-sample(nrow(d), 31), ]
rownames(d) <- NULL
model <- function(label, formula, ...) list(label = label, formula = formula, ...)
case <- function(name, models) {
  dir.create(file.path(folder, name), showWarnings = FALSE, recursive = TRUE)
  write.csv(d, file.path(folder, name, "data.csv"), row.names = FALSE)
  wj(list(family = "mlm_tests", case = name, data = "data.csv", source = "simulated, define_mlm_tests.R, set.seed(20250301)",
          factors = list(arm = c("tau", "cbt", "ipt"), sex = c("f", "m"), site = c("north", "south", "west"), dose = c("low", "middle", "high", "top")),
          contrasts = list(dose = "contr.poly"), models = models), file.path(folder, name, "model.json"))
}
case("sim_trial_terms", list(
  model("slopes", "y ~ time * arm + sex + (time | id) + (1 | clinic)"),
  model("three_way", "y ~ arm * sex * time + (1 | id)"),
  model("common_start", "y ~ time + time:arm + (1 | id)"),
  model("curve", "y ~ poly(time, 2) * arm + (1 | id)"),
  model("scaled", "y ~ scale(x) * arm + sex + (1 | id)"),
  model("empty_cell", "y ~ site * arm + x + (1 | id)"),
  model("ordered", "y ~ dose * sex * x + (1 | id)"),
  model("sum_coded", "y ~ C(arm, contr.sum) * sex + x + (1 | id)"),
  model("no_intercept", "y ~ 0 + arm + x + (1 | id)"),
  model("logical", "y ~ online * x + arm + (1 | id) + (1 | rater)"),
  model("two_covariates", "y ~ x * w * arm + (1 | id)"),
  model("many_slopes", "y ~ time + x + w + (time + x | id) + (0 + w | clinic)"),
  model("factor_slope", "y ~ time * sex + (sex * x | clinic) + (1 | id)"),
  model("separate", "y ~ time + x + (time + x || id) + (0 + sex | clinic)")))
