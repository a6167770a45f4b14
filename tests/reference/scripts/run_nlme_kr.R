# Rscript run_nlme_kr.R <case>: Kenward and Roger's method (pbkrtest) for compound symmetry. pbkrtest knows lme4 only; a random
# intercept of the unit is the same model where the correlation is positive. Writes expected_kr.json.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R")); suppressPackageStartupMessages({library(lme4); library(lmerTest); library(pbkrtest)})
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); D <- load_data(dir, mod); g <- gsub("[ )]", "", tail(strsplit(mod$correlation, "[|]")[[1]], 1))
  assign("ORA_D", D, globalenv()); m <- lmerTest::lmer(as.formula(paste(mod$fixed, "+ (1 |", g, ")")), ORA_D, REML = TRUE, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e5)))
  ct <- as.data.frame(coef(summary(m, ddf = "Kenward-Roger"))); names(ct) <- c("estimate", "se", "df", "t", "p")
  an <- as.data.frame(anova(m, ddf = "Kenward-Roger", type = 3))[3:6]; names(an) <- c("num_df", "den_df", "F", "p")
  b <- names(fixef(m)); L <- diag(length(b))[-1, , drop = FALSE]; k <- KRmodcomp(m, L)$test["Ftest", ]
  wj(list(family = "nlme", case = mod$case, versions = vers("lme4", "lmerTest", "pbkrtest"), fits = list(REML = list(coefficients = df(ct, "term"), anova_III = df(an, "term"), vcov_adjusted = mx(as.matrix(vcovAdj(m))), all_but_intercept = list(F = k$stat, num_df = k$ndf, den_df = k$ddf, p = k$p.value)))), file.path(dir, "expected_kr.json")) })
