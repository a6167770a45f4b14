# second_opinion.json: glmmTMB on models that run_glmm.R does not have (dispersion formulas, weights, links of the
# beta-binomial, predictions with SE), and on two Poisson and binomial fits where lme4 stops early.
# Rscript run_glmm_second.R <folder glmm>
suppressPackageStartupMessages({library(glmmTMB); library(jsonlite)})
dir <- commandArgs(TRUE)[1]
control <- glmmTMBControl(optCtrl = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 10000, eval.max = 20000))
read <- function(case) {
  model <- fromJSON(file.path(dir, case, "model.json"), simplifyVector = FALSE)
  d <- read.csv(file.path(dir, case, "data.csv"))
  for (name in names(model$factors)) d[[name]] <- factor(as.character(d[[name]]), levels = unlist(model$factors[[name]]))
  d
}
vec <- function(x) as.list(setNames(as.numeric(x), names(x)))
one <- function(case, formula, family, zi = ~0, disp = ~1, weights = NULL, newdata = NULL, ours = list()) {
  d <- read(case)
  d$w <- if (is.null(weights)) rep(1, nrow(d)) else eval(weights, d)
  m <- suppressWarnings(glmmTMB(as.formula(formula), data = d, family = family, ziformula = zi, dispformula = disp,
                                weights = if (is.null(weights)) NULL else w, control = control))
  link <- predict(m, type = "link", se.fit = TRUE)
  response <- predict(m, type = "response", se.fit = TRUE)
  average <- predict(m, newdata = head(d, 10), type = "link", se.fit = TRUE, re.form = NA)
  f <- fixef(m)
  V <- vcov(m, full = FALSE)
  out <- list(case = case, formula = formula, ours = ours, logLik = as.numeric(logLik(m)), fixef = vec(f$cond),
              se = vec(setNames(sqrt(diag(V$cond)), names(f$cond))),
              sd = as.numeric(unlist(lapply(VarCorr(m)$cond, function(v) attr(v, "stddev")))),
              predict = list(link = head(as.numeric(link$fit), 10), link_se = head(as.numeric(link$se.fit), 10),
                             response = head(as.numeric(response$fit), 10),
                             response_se = head(as.numeric(response$se.fit), 10),
                             average = as.numeric(average$fit), average_se = as.numeric(average$se.fit)))
  if (length(f$disp) > 0 && !(family$family %in% c("binomial", "poisson"))) {
    out$dispersion <- vec(f$disp)
    out$dispersion_se <- vec(setNames(sqrt(diag(m$sdr$cov.fixed))[names(m$fit$par) == "betad"], names(f$disp)))
  }
  if (length(f$zi) > 0) { out$zero_inflation <- vec(f$zi); out$zero_inflation_se <- vec(setNames(sqrt(diag(V$zi)), names(f$zi))) }
  out
}
days <- "cbind(days_taken, days_total - days_taken) ~ quarter + arm + (1 | patient)"
count <- "count ~ mined + spp + (1 | site)"
result <- list(
  items_random = one("sim_rasch_fixed_items", "y ~ grp + (1 | person) + (1 | item)", binomial()),
  poisson_offset = one("sim_sessions_negbin_offset", "sessions_nb ~ severity + group + offset(log_weeks) + (1 | therapist)", poisson()),
  nbinom2_dispersion = one("salamanders_counts", count, nbinom2(), disp = ~mined, ours = list(dispersion = "~ mined")),
  nbinom1_dispersion = one("salamanders_counts", count, nbinom1(), disp = ~mined, ours = list(dispersion = "~ mined", variance = "linear")),
  nbinom2_zeros = one("salamanders_counts", "count ~ spp + (1 | site)", nbinom2(), zi = ~mined, ours = list(zero_inflation = "~ mined")),
  poisson_zeros = one("salamanders_counts", count, poisson(), zi = ~mined, ours = list(zero_inflation = "~ mined")),
  betabinomial_dispersion = one("sim_adherence_days_of_90", days, betabinomial(), disp = ~arm, ours = list(dispersion = "~ arm")),
  betabinomial_probit = one("sim_adherence_days_of_90", days, betabinomial("probit"), ours = list(link = "probit")),
  betabinomial_cloglog = one("sim_adherence_days_of_90", days, betabinomial("cloglog"), ours = list(link = "cloglog")),
  binomial_zeros = one("sim_adherence_days_of_90", days, betabinomial(), zi = ~1, ours = list(zero_inflation = "~ 1")),
  weights_poisson = one("grouseticks_poisson", "ticks ~ year + cheight + (1 | brood) + (1 | location)", poisson(),
                        weights = quote(1 + seq_along(ticks) %% 3), ours = list(weights = "w")),
  weights_nbinom2 = one("grouseticks_poisson", "ticks ~ year + cheight + (1 | brood)", nbinom2(),
                        weights = quote(1 + seq_along(ticks) %% 3), ours = list(weights = "w")),
  weights_trials = one("cbpp_binomial", "incidence / size ~ period + (1 | herd)", binomial(), weights = quote(size),
                       ours = list(weights = "w", formula = "I(incidence / size) ~ period + (1 | herd)")),
  slope_chain = one("sim_symptom_counts_slope", "panic_attacks ~ session * trt + (session | patient) + (1 | therapist)", poisson()),
  crossed = one("verbagg_crossed", "y ~ Anger + Gender + btype + situ + mode + (1 | id) + (1 | item)", binomial()))
versions <- list(R = R.version$version.string, glmmTMB = as.character(packageVersion("glmmTMB")))
writeLines(toJSON(list(versions = versions, models = result), digits = 15, auto_unbox = TRUE, pretty = TRUE),
           file.path(dir, "second_opinion.json"))
