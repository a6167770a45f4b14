# Rscript run_nlme_intervals.R <case> ...: intervals of the variance parameters with a usable step of differences.
# nlme differentiates its log-likelihood twice (fdHess) with a relative step of eps^(1/3) = 6e-6, where rounding is up to 3% of
# the second derivative; larger steps have errors of order h and h^2. Here the same function takes steps h, h / 2 and h / 4, and
# the Hessian is extrapolated to step zero (Richardson): first 2 H(h / 2) - H(h), then (4 R2 - R1) / 3. Writes
# expected_intervals.json.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))); source(file.path(here, "common.R")); suppressPackageStartupMessages(library(nlme))
again <- function(mod, D, me, step) { assign("ORA_D", D, globalenv())
  ctl <- if (mod$fn == "lme") lmeControl(maxIter = 2000, msMaxIter = 5000, msMaxEval = 50000, niterEM = 50, tolerance = 1e-9, msTol = 1e-11, natural = TRUE, .relStep = step) else glsControl(maxIter = 2000, msMaxIter = 5000, tolerance = 1e-9, msTol = 1e-11, .relStep = step)
  assign("ORA_CTL", ctl, globalenv())
  a <- c(mod$fixed, "data = ORA_D", sprintf("method = '%s'", me), if (!is.null(mod$random)) paste("random =", mod$random), if (!is.null(mod$correlation)) paste("correlation =", mod$correlation), if (!is.null(mod$weights)) paste("weights =", mod$weights), "control = ORA_CTL")
  eval(parse(text = sprintf("%s(%s)", mod$fn, paste(a, collapse = ", "))), globalenv()) }
H0 <- 1e-3
f <- function(x) df(setNames(as.data.frame(unclass(x)), c("lower", "est", "upper")), "parameter")
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); D <- load_data(dir, mod); out <- list()
  for (me in unlist(mod$methods %||% c("REML", "ML"))) out[[me]] <- tr({ fits <- lapply(H0 / c(1, 2, 4), function(h) again(mod, D, me, h)); m <- fits[[3]]
    for (x in fits) if (is.character(x$apVar)) stop(x$apVar)
    H <- lapply(fits, function(x) solve(x$apVar)); V <- solve((4 * (2 * H[[3]] - H[[2]]) - (2 * H[[2]] - H[[1]])) / 3); attributes(V) <- attributes(m$apVar); m$apVar <- V
    iv <- intervals(m, which = "var-cov"); l <- list(); if (!is.null(iv$corStruct)) l$cor <- f(iv$corStruct); if (!is.null(iv$varStruct)) l$var <- f(iv$varStruct)
    s <- unclass(iv$sigma); l$sigma <- list(lower = s[[1]], est = s[[2]], upper = s[[3]]); if (!is.null(iv$reStruct)) l$re <- lapply(iv$reStruct, f); l })
  wj(list(family = "nlme", case = mod$case, versions = vers("nlme"), fits = out), file.path(dir, "expected_intervals.json")) })
