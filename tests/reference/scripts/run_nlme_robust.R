# Rscript run_nlme_robust.R <case> ...: cluster-robust covariance (clubSandwich) of fits of nlme. Writes expected_robust.json.
# Rows are sorted by group first, because nlme looks up variance weights by the positions of rows (see run_nlme_again.R).
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R")); suppressPackageStartupMessages({library(nlme); library(clubSandwich)})
fit <- function(mod, D) { assign("ORA_D", D, globalenv())
  ctl <- if (mod$fn == "lme") lmeControl(maxIter = 2000, msMaxIter = 5000, msMaxEval = 50000, niterEM = 50, tolerance = 1e-9, msTol = 1e-11, natural = TRUE) else glsControl(maxIter = 2000, msMaxIter = 5000, tolerance = 1e-9, msTol = 1e-11)
  assign("ORA_CTL", ctl, globalenv())
  a <- c(mod$fixed, "data = ORA_D", "method = 'REML'", if (!is.null(mod$random)) paste("random =", mod$random), if (!is.null(mod$correlation)) paste("correlation =", mod$correlation), if (!is.null(mod$weights)) paste("weights =", mod$weights), "control = ORA_CTL")
  eval(parse(text = sprintf("%s(%s)", mod$fn, paste(a, collapse = ", "))), globalenv()) }
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); D <- load_data(dir, mod)
  g <- sub("/.*", "", gsub("[ )]", "", tail(strsplit(mod$correlation %||% mod$random, "[|]")[[1]], 1))); D <- D[order(D[[g]]), ]
  m <- fit(mod, D); out <- list(cluster = g)
  for (type in c("CR2", "CR1", "CR0")) { V <- vcovCR(m, cluster = D[[g]], type = type); ct <- as.data.frame(coef_test(m, vcov = V, test = "Satterthwaite"))
    out[[type]] <- list(vcov = mx(as.matrix(V)), coef_test = df(setNames(ct[, c("beta", "SE", "tstat", "df_Satt", "p_Satt")], c("estimate", "se", "t", "df", "p")), "term")) }
  wj(list(family = "nlme", case = mod$case, versions = vers("nlme", "clubSandwich"), fits = list(REML = out)), file.path(dir, "expected_robust.json")) })
