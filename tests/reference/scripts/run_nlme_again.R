# Rscript run_nlme_again.R <case> ...: numbers that run_nlme.R could not give right. Writes expected_again.json.
# marginal_cov: getVarCov(type = "marginal") of an lme picks a subject's variance weights from rows in the order of the groups by
# the positions of its rows in the data, so that it is right only where the rows are sorted by group; here they are.
# glmmTMB: its default optimiser stops with a gradient of .1 ("false convergence") in the REML fit; here it is BFGS.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R")); suppressPackageStartupMessages({library(nlme); library(glmmTMB)})
marginal <- function(mod, D, me) { g <- gsub(" ", "", tail(strsplit(mod$random, "[|]")[[1]], 1)); D <- D[order(D[[g]]), ]; assign("ORA_D", D, globalenv())
  ctl <- lmeControl(maxIter = 2000, msMaxIter = 5000, msMaxEval = 50000, niterEM = 50, tolerance = 1e-9, msTol = 1e-11, natural = TRUE); assign("ORA_CTL", ctl, globalenv())
  a <- c(mod$fixed, "data = ORA_D", sprintf("method = '%s'", me), paste("random =", mod$random), if (!is.null(mod$correlation)) paste("correlation =", mod$correlation), if (!is.null(mod$weights)) paste("weights =", mod$weights), "control = ORA_CTL")
  m <- eval(parse(text = sprintf("lme(%s)", paste(a, collapse = ", "))), globalenv()); mx(unclass(getVarCov(m, type = "marginal")[[1]])) }
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); D <- load_data(dir, mod); out <- list()
  for (me in unlist(mod$methods %||% c("REML", "ML"))) { o <- list(); if (mod$fn == "lme") o$marginal_cov_of_first_subject <- marginal(mod, D, me)
    if (!is.null(mod$glmmTMB)) { G <- D; for (f in unlist(mod$glmmTMB_factors)) G[[f]] <- factor(G[[f]])
      g <- glmmTMB(as.formula(mod$glmmTMB), data = G, dispformula = ~0, REML = me == "REML", control = glmmTMBControl(optimizer = optim, optArgs = list(method = "BFGS"), optCtrl = list(maxit = 5000, reltol = 1e-15)))
      o$glmmTMB_check <- list(formula = mod$glmmTMB, logLik = as.numeric(logLik(g)), fixef = nv(fixef(g)$cond), gradient = max(abs(g$sdr$gradient.fixed))) }
    out[[me]] <- o }
  wj(list(family = "nlme", case = mod$case, versions = vers("nlme", "glmmTMB"), fits = out), file.path(dir, "expected_again.json")) })
