# Usage: Rscript run_sem_efa.R <case_dir> ...: writes expected.json of tests/reference/sem_efa.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R")); source(file.path(here, "lib_sem.R"))
source(file.path(here, "lib_efa.R"))
matrix_of <- function(x) { v <- lapply(x, function(row) vapply(row, function(z) if (is.null(z)) NA_real_ else as.numeric(z), 0)); do.call(rbind, v) }
# errors of all rows by the delta method: the rotation differentiated, from the parameters before it
delta <- function(fit, plain) { o <- fit@Options; o$rotation.args$gpa.tol <- 1e-12; o$rotation.args$max.iter <- 2000L
  f <- function(x) internal("lav_model_efa_rotate_x")(x = x, lavmodel = plain@Model, lavoptions = o, init.rot = fit@Model@H, type = "user", extra = FALSE)
  J <- numDeriv::jacobian(f, x = coef(plain), method.args = list(d = 1e-2, eps = 1e-2, r = 4, zero.tol = 1e-8)); sqrt(pmax(diag(J %*% vcov(plain) %*% t(J)), 0)) }
delta_std <- function(fit, plain) { o <- fit; o@Options$rotation.args$gpa.tol <- 1e-12; o@Options$rotation.args$max.iter <- 2000L
  J <- numDeriv::jacobian(internal("lav_standardize_all_x"), x = coef(plain), lavobject = o, rotation = TRUE, method.args = list(d = 1e-2, eps = 1e-2, r = 4, zero.tol = 1e-8)); sqrt(pmax(diag(J %*% vcov(plain) %*% t(J)), 0)) }
one <- function(M, mod, d) { M$fn <- M$fn %||% mod$fn; a <- c(M$args, mod$common_args); a <- lapply(a, function(z) if (is.list(z)) unlist(z) else z)
  rotation <- M[["rotation"]] %||% "geomin"; ra <- M[["rotation_args"]] %||% list(); if (!is.null(ra$target)) ra$target <- matrix_of(ra$target)
  ra <- modifyList(ra, list(gpa.tol = M$tight %||% 1e-7, max.iter = 4000L, rstarts = 25L))
  call <- c(list(model = M$syntax, data = d, rotation = rotation, rotation.args = ra, control = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 20000, eval.max = 40000), optim.force.converged = TRUE), a, if (identical(a$missing, "ml")) list(em.h1.tol = 1e-12, em.h1.iter.max = 5000L))
  set.seed(1); fit <- suppressWarnings(do.call(M$fn, call)); set.seed(2); again <- suppressWarnings(do.call(M$fn, modifyList(call, list(rotation.args = modifyList(ra, list(rstarts = 25L))))))
  plain <- suppressWarnings(do.call(M$fn, modifyList(call, list(rotation = "none"))))
  o <- list(converged = lavInspect(fit, "converged"), group_labels = I(as.character(lavInspect(fit, "group.label"))), ntotal = lavInspect(fit, "ntotal"))
  o$agreement <- max(abs(parTable(fit)$est - parTable(again)$est))
  e <- as.data.frame(unclass(parameterEstimates(fit, remove.nonfree = FALSE, rsquare = FALSE))); p <- as.data.frame(unclass(parTable(fit))); kept <- !p$op %in% c("==", "<", ">")
  e$user <- p$user[kept]; e$plabel <- p$plabel[kept]; if (!is.null(e$group)) e$block <- p$block[kept]
  o$estimates <- df(e)
  s <- as.data.frame(unclass(standardizedSolution(fit)))
  if (isTRUE(M$delta)) { o$se_delta <- tr(vec(delta(fit, plain)[kept])); o$se_delta_std <- tr(vec(delta_std(fit, plain)[kept])) }
  o$standardized <- df(s[, setdiff(names(s), c("se", "z", "pvalue", "ci.lower", "ci.upper"))])
  o$fit <- tr(nv(unclass(suppressWarnings(fitMeasures(fit))))); o$npar <- as.numeric(fitMeasures(fit, "npar"))
  o$r2 <- tr(conv(lavInspect(fit, "r2"))); o$implied <- tr(conv(lavInspect(fit, "implied"))); o$cov_lv <- tr(conv(lavInspect(fit, "cov.lv")))
  o$H <- lapply(fit@Model@H, function(h) mx(h))
  if (!("ordered" %in% names(a))) o$factor_scores_first10 <- list(regression = tr(top(lavPredict(fit))))
  if (!("ordered" %in% names(a))) o$modindices_top10 <- tr({ z <- suppressWarnings(modindices(fit, sort. = TRUE, maximum.number = 10)); df(unclass(z) |> as.data.frame()) })
  o }
args_run(function(dir) { mod <- fromJSON(file.path(dir, "model.json"), simplifyVector = FALSE); d <- load_data(dir, mod)
  out <- list(); for (M in mod$models) { t0 <- proc.time()[3]; out[[M$label]] <- tr(one(M, mod, d)); cat(M$label, out[[M$label]]$error %||% "", out[[M$label]]$agreement %||% "", proc.time()[3] - t0, "\n") }
  wj(list(family = mod$family, case = mod$case, versions = vers("lavaan"), models = out), file.path(dir, "expected.json")) })
