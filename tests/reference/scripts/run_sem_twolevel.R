# Usage: Rscript run_sem_twolevel.R <case_dir> ...: rewrites expected.json, then trim_sem.py and split_sem.py.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
folder <- Sys.getenv("REFERENCE_SCRIPTS", here)
source(file.path(folder, "common.R"))
source(file.path(folder, "lib_sem.R"))
# Also for the cases of riclpm, where the likelihood of few patients is flat.
# lavaan ends its search for two levels at a gradient near 1e-5, and the EM of the saturated model where a step gains 1e-4. Here each runs on:
# Newton steps with lavaan's gradient and Hessian lead to the maximum, of the saturated model of incomplete rows too, and lavaan computes
# errors, tests and indices there (optim.method "none").
lavaan_internal <- function(name) getFromNamespace(name, "lavaan")
newton_step <- function(fit) { K <- fit@Model@eq.constraints.K; if (!length(K)) K <- diag(length(coef(fit)))
  drop(K %*% solve(t(K) %*% lavInspect(fit, "hessian") %*% K, t(K) %*% lavInspect(fit, "gradient"))) }
at_maximum <- function(first) { fit <- first
  for (i in 1:4) { x <- fit@optim$x - newton_step(fit); table <- fit@ParTable; table$est <- NULL; table$se <- NULL
    fit <- lavaan(slotOptions = modifyList(fit@Options, list(optim.method = "none")), slotParTable = table, slotSampleStats = fit@SampleStats, slotData = fit@Data,
                  slotModel = lavaan_internal("lav_model_set_parameters")(fit@Model, x), sloth1 = first@h1) }
  fit@baseline <- first@baseline
  fit }
search_once <- sem_fit
sem_fit <- function(...) at_maximum(search_once(...))
em <- lavaan_internal("lav_mvnorm_cluster_em_sat")
assignInNamespace("lav_mvnorm_cluster_em_sat", function(..., tol, max.iter) em(..., tol = 1e-13, max.iter = 50000L), "lavaan")
saturated <- lavaan_internal("lav_h1_implied_logl")
text <- sub("OUT <- list(Sigma.W = FIT@", "FIT <- at_maximum(FIT); OUT <- list(Sigma.W = FIT@", deparse(saturated), fixed = TRUE)
assignInNamespace("lav_h1_implied_logl", eval(parse(text = text), environment(saturated)), "lavaan")
args_run(function(dir) { mod <- fromJSON(file.path(dir, "model.json"), simplifyVector = FALSE); d <- load_data(dir, mod)
  e <- c(list(family = mod$family, case = mod$case, versions = vers("lavaan")), sem_expected(mod, d, dir)); wj(e, file.path(dir, "expected.json")) })
