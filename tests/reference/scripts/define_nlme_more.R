# REFERENCE_CASES=<tests/reference> Rscript define_nlme_more.R: further residual structures: variance as a power, nested
# random effects, gaps in time, equal variances, unequal blocks, prior weights. Then run_nlme.R and run_nlme_intervals.R.
SPLIT <- "more"; here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R"))
suppressPackageStartupMessages(library(nlme))
C <- function(...) case("nlme", ...)
o <- as.data.frame(nlme::Orthodont); o$Subject <- as.character(o$Subject); o$Sex <- factor(as.character(o$Sex), levels = c("Male", "Female")); o$visit <- (o$age - 6) / 2
# varPower(form = ~ fitted(.)) stops before its weights have settled (its two optimisers differ by 2e-4 in the power): the same
# fixed point by hand, refitting with the last fitted values v as covariate until they change no more
settle <- function(fit, d) { d$v <- fitted(fit(transform(d, v = 1), NULL)); for (i in 1:60) { new <- as.numeric(fitted(fit(d, varPower(form = ~ v)))); gap <- max(abs(new - d$v)) / max(abs(new)); d$v <- new; if (gap < 1e-11) break }; cat("rounds", i, "gap", gap, "\n"); d }
ctl <- lmeControl(maxIter = 2000, msMaxIter = 5000, msMaxEval = 50000, niterEM = 50, tolerance = 1e-12, msTol = 1e-13); gctl <- glsControl(maxIter = 2000, msMaxIter = 5000, tolerance = 1e-12, msTol = 1e-13)
s <- settle(function(d, w) lme(distance ~ age * Sex, d, random = ~ 1 | Subject, weights = w, control = ctl), o)
C("orthodont_lme_power_fitted", s, list(source = "public data: nlme::Orthodont; v: settled fitted values (REML)", fn = "lme", fixed = "distance ~ age * Sex", random = "~ 1 | Subject", weights = "varPower(form = ~ v)", settled = TRUE, methods = I("REML"), factor_cols = "Sex", base = list(weights = "none")))
# rows in the order of Subject: gls normalises residuals in the order of the groups whatever the order of the rows
C("orthodont_gls_symm_equal", o[-c(3, 10, 41, 77, 78), ][order(o$Subject[-c(3, 10, 41, 77, 78)]), ], list(source = "public data: nlme::Orthodont without 5 rows", fn = "gls", fixed = "distance ~ age * Sex", correlation = "corSymm(form = ~ visit | Subject)", factor_cols = "Sex"))
d <- as.data.frame(nlme::Dialyzer); d$Subject <- as.character(d$Subject); d$QB <- factor(as.character(d$QB))
C("dialyzer_gls_power_ar1", d[c("Subject", "QB", "pressure", "rate", "index")], list(source = "public data: nlme::Dialyzer", fn = "gls", fixed = "rate ~ (pressure + I(pressure^2)) * QB", correlation = "corAR1(form = ~ index | Subject)", weights = "varPower(form = ~ pressure)", factor_cols = "QB", base = list(correlation = "none")))
s <- settle(function(d, w) gls(rate ~ pressure + I(pressure^2) + QB, d, weights = w, control = gctl, method = "ML"), d[c("Subject", "QB", "pressure", "rate", "index")])
C("dialyzer_gls_power_fitted", s, list(source = "public data: nlme::Dialyzer; v: settled fitted values (ML)", fn = "gls", fixed = "rate ~ pressure + I(pressure^2) + QB", weights = "varPower(form = ~ v)", settled = TRUE, methods = I("ML"), factor_cols = "QB"))
set.seed(1301); P <- 90; id <- seq_len(P); th <- (id - 1) %/% 6 + 1; arm <- factor(c("tau", "cbt")[1 + id %% 2], levels = c("tau", "cbt"))
d3 <- do.call(rbind, lapply(id, function(i) { s <- sort(sample(1:12, sample(5:9, 1))); e <- as.vector(arima.sim(list(ar = .5), 12))[s] * c(1, 1.6)[as.integer(arm[i])]
  data.frame(therapist = sprintf("t%02d", th[i]), patient = sprintf("p%03d", i), session = s, arm = arm[i], alliance = round(rnorm(length(s)), 2), e = e) }))
u <- rnorm(P, 0, 1.5)[as.integer(factor(d3$patient))] + rnorm(15, 0, 1)[as.integer(factor(d3$therapist))]
d3$y <- round(20 + u - .3 * d3$session - .2 * d3$session * (d3$arm == "cbt") - .4 * d3$alliance + d3$e, 3); d3$e <- NULL
C("sim_nested_gaps_lme_ar1_varident", d3, list(source = "simulated, set.seed(1301): sessions missed, patients in therapists", fn = "lme", fixed = "y ~ session * arm + alliance", random = "list(therapist = ~ 1, patient = ~ 1)", correlation = "corAR1(form = ~ session | therapist/patient)", weights = "varIdent(form = ~ 1 | arm)", factor_cols = "arm", base = list(correlation = "none")))
set.seed(1302); n <- sample(2:9, 40, TRUE); grp <- rep(seq_along(n), n)
d4 <- data.frame(group = grp, arm = factor(c("a", "b")[1 + grp %% 2]), x = round(rnorm(length(grp)), 2)); e <- rnorm(nrow(d4)); e <- e - .6 * ave(e, grp)
d4$w <- round(rgamma(nrow(d4), 4, 4) + .2, 3); d4$y <- round(5 + .5 * d4$x + (d4$arm == "b") + e * c(1, 1.5)[as.integer(d4$arm)] / sqrt(d4$w), 3)
C("sim_competing_gls_compsymm_varident", d4, list(source = "simulated, set.seed(1302): members of groups of 2 to 9 who compete", fn = "gls", fixed = "y ~ x * arm", correlation = "corCompSymm(form = ~ 1 | group)", weights = "varIdent(form = ~ 1 | arm)", factor_cols = "arm", base = list(correlation = "none")))
set.seed(1303); d3$w <- round(rgamma(nrow(d3), 4, 4) + .2, 3); mid <- ave(d3$y, d3$session); d3$y <- round(mid + (d3$y - mid) / sqrt(d3$w), 3)
C("sim_gaps_gls_ar1_weights", d3, list(source = "simulated, set.seed(1301 and 1303): sessions missed, prior weights", fn = "gls", fixed = "y ~ session * arm + alliance", correlation = "corAR1(form = ~ session | patient)", weights = "varComb(varFixed(~ I(1 / w)), varIdent(form = ~ 1 | arm))", prior_weights = "w", factor_cols = "arm"))
