# Rscript run_rows.R <case_dir> ...   Residuals, leverages, prediction errors and influence of lme4 fits.
# Prediction errors: lme4 1.1-31 has none with random effects, so they come from the dense inverse of Henderson's
# mixed-model equations, written out here with lme4's own X, Z and variances.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R")); source(file.path(here, "lib_mlm.R"))
henderson <- function(m) {
  X <- getME(m, "X"); Z <- as.matrix(getME(m, "Z")); L <- t(as.matrix(getME(m, "Lambdat"))); s2 <- sigma(m)^2
  w <- weights(m, type = "prior"); M <- cbind(X, Z %*% L); p <- ncol(X)
  C <- crossprod(M * sqrt(w)); C[-(1:p), -(1:p)] <- C[-(1:p), -(1:p)] + diag(ncol(Z))
  B <- diag(ncol(M)); B[-(1:p), -(1:p)] <- L
  s2 * B %*% solve(C) %*% t(B) }
# rows asked for: every step-th row used, its predictors changed by `shift`, every third with units nobody has seen
asked <- function(mod, d) { new <- d[seq(1, nrow(d), by = mod$step), ]; for (x in names(mod$shift)) new[[x]] <- new[[x]] + mod$shift[[x]]
  for (g in mod$groups) { new[[g]] <- as.character(new[[g]]); new[[g]][seq(1, nrow(new), by = 3)] <- "never seen" }; new }
predicted <- function(m, mod, d) {
  new <- asked(mod, d); fixed <- lme4::nobars(formula(m))[-2]; X <- model.matrix(fixed, new); V <- henderson(m); p <- ncol(X)
  eta <- predict(m, newdata = new, allow.new.levels = TRUE); pop <- predict(m, newdata = new, re.form = NA)
  fl <- getME(m, "flist"); cn <- getME(m, "cnms"); Z <- matrix(0, nrow(new), ncol(getME(m, "Z"))); extra <- numeric(nrow(new)); all <- numeric(nrow(new)); at <- 0
  for (k in seq_along(cn)) { g <- names(cn)[k]; lv <- levels(fl[[g]]); q <- length(cn[[k]]); S <- matrix(as.numeric(VarCorr(m)[[k]]), q)
    z <- sapply(cn[[k]], function(t) if (t == "(Intercept)") rep(1, nrow(new)) else new[[t]]); z <- matrix(z, nrow(new))
    place <- match(as.character(new[[g]]), lv)
    for (i in seq_len(nrow(new))) { v <- as.numeric(t(z[i, ]) %*% S %*% z[i, ]); all[i] <- all[i] + v
      if (is.na(place[i])) extra[i] <- extra[i] + v else Z[i, at + (place[i] - 1) * q + seq_len(q)] <- z[i, ] }
    at <- at + q * length(lv) }
  R <- cbind(X, Z); se <- sqrt(rowSums((R %*% V) * R)); sp <- sqrt(rowSums((X %*% as.matrix(vcov(m))) * X))
  w <- if (is.null(mod$weights)) 1 else new[[mod$weights]]; q <- qnorm(.975); wide <- q * sqrt(se^2 + extra + sigma(m)^2 / w); wp <- q * sqrt(sp^2 + all + sigma(m)^2 / w)
  list(estimate = vec(eta), std_error = vec(se), prediction_low = vec(eta - wide), prediction_high = vec(eta + wide),
       population_estimate = vec(pop), population_std_error = vec(sp), population_prediction_low = vec(pop - wp), population_prediction_high = vec(pop + wp)) }
# influence() of lme4 refits with its default tolerances and stops early (up to 1e-3 SE off); here each refit is tight, and
# influence() must agree within .01 SE. The measures are those of cooks.distance() and dfbetas() of lme4, but Cook's distance
# without lme4's factor (D - p) / D.
left_out <- function(m, g, mod, d) {
  p <- length(fixef(m)); V <- as.matrix(vcov(m)); units <- unique(as.character(d[[g]])); D <- length(units)
  fits <- lapply(units, function(u) best_fit(f, d[as.character(d[[g]]) != u, ], TRUE, mod$weights)$m)
  b <- do.call(rbind, lapply(fits, fixef)); Vd <- lapply(fits, function(x) as.matrix(vcov(x))); gap <- sweep(b, 2, fixef(m))
  assign("ORA_D", d, globalenv()); e <- influence(m, groups = g)
  stopifnot(identical(as.character(rownames(e[[2]])), units), max(abs(sweep(e[[2]] - b, 2, sqrt(diag(V)), "/"))) < .01)
  part <- function(x) { v <- as.data.frame(VarCorr(x)); v <- v[is.na(v$var2), ]; setNames(v$vcov, paste(v$grp, ifelse(is.na(v$var1), "", v$var1), sep = ":")) }
  rownames(b) <- rownames(gap) <- units
  list(units = I(units), log_likelihood = vec(sapply(fits, function(x) as.numeric(logLik(x)))), fixed_effects = mx(b),
       variances = mx(do.call(rbind, lapply(fits, part))), dfbetas = mx(gap / t(matrix(sapply(Vd, function(v) sqrt(diag(v))), p))),
       cooks_distance = vec(sapply(seq_len(D), function(i) gap[i, ] %*% solve(V, gap[i, ]) / p)),
       mdffits = vec(sapply(seq_len(D), function(i) gap[i, ] %*% solve(Vd[[i]], gap[i, ]) / p)),
       covratio = vec(sapply(Vd, function(v) det(v) / det(V))), covtrace = vec(sapply(Vd, function(v) abs(sum(diag(solve(V, v))) - p)))) }
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); d <- load_data(dir, mod)
  assign("f", as.formula(mod$formula, globalenv()), globalenv())  # update() inside influence() looks for it there
  m <- best_fit(f, d, TRUE, mod$weights)$m
  h <- hatvalues(m); r <- resid(m, type = "pearson") / sigma(m); k <- seq(1, nobs(m), by = mod$step)
  fits <- list(hat_values = vec(h[k]), hat_sum = sum(h), pearson = vec(resid(m, type = "pearson")[k]), scaled = vec(resid(m, type = "pearson", scaled = TRUE)[k]),
    marginal = vec((getME(m, "y") - predict(m, re.form = NA))[k]), standardised = vec((r / sqrt(1 - h))[k]), predict = predicted(m, mod, d))
  fits$influence <- setNames(lapply(mod$by, function(g) left_out(m, g, mod, d)), mod$by)
  wj(list(family = "rows", case = mod$case, r_call = sprintf("lmer(%s)", mod$formula), versions = vers("lme4"), fits = fits), file.path(dir, "expected.json")) })
