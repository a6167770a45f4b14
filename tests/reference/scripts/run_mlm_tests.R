# Rscript run_mlm_tests.R <case folder> ...: F tables of types I, II, III, tests of random terms, cluster-robust covariances.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R")); source(file.path(here, "lib_mlm.R"))
suppressPackageStartupMessages(library(clubSandwich))
table_of <- function(m, type, ddf) { a <- as.data.frame(suppressMessages(anova(m, type = type, ddf = ddf))); names(a) <- c("SS", "MS", "num_df", "den_df", "F", "p"); df(a, "term") }
robust <- function(m, type, cluster) { V <- vcovCR(m, cluster = cluster, type = type); ct <- as.data.frame(coef_test(m, vcov = V, test = "Satterthwaite"))
  list(vcov = mx(as.matrix(V)), coef_test = df(setNames(ct[, c("beta", "SE", "tstat", "df_Satt", "p_Satt")], c("estimate", "se", "t", "df", "p")), "term")) }
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); d <- load_data(dir, mod); out <- list()
  for (one in mod$models) { f <- as.formula(one$formula); o <- list()
    fitted <- best_fit(f, d, TRUE, NULL); m <- fitted$m
    o$isSingular <- lme4::isSingular(m, tol = 1e-4); o$logLik <- as.numeric(logLik(m))
    for (type in c("I", "II", "III")) { o[[paste0("anova_", type, "_satterthwaite")]] <- tr(table_of(m, type, "Satterthwaite")); o[[paste0("anova_", type, "_kenward_roger")]] <- tr(table_of(m, type, "Kenward-Roger")) }
    for (me in c("REML", "ML")) { mm <- if (me == "REML") m else best_fit(f, d, FALSE, NULL)$m; assign("ORA_S", NULL, globalenv())
      o[[paste0("ranova_", me)]] <- tr(df(setNames(as.data.frame(suppressMessages(suppressWarnings(lmerTest::ranova(mm)))), c("npar", "logLik", "AIC", "LRT", "df", "p")), "removed")) }
    if (!grepl("rater", one$formula)) { cl <- if (grepl("clinic", one$formula)) "clinic" else "id"
      m2 <- if (cl == "clinic" && length(lme4::getME(m, "flist")) > 1) best_fit(f, d, TRUE, NULL)$m else m
      o$robust <- c(list(cluster = cl), setNames(lapply(c("CR0", "CR1", "CR2"), function(t) tr(robust(m2, t, d[[cl]]))), c("CR0", "CR1", "CR2"))) }
    out[[one$label]] <- o }
  wj(list(family = "mlm_tests", case = mod$case, versions = c(vers("lme4", "lmerTest", "pbkrtest"), list(clubSandwich = as.character(packageVersion("clubSandwich")))), models = out), file.path(dir, "expected.json")) })
