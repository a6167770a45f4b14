# emmeans, emtrends and sums by hand for the tasks of model.json. Usage: Rscript run_mlm_means.R <case_dir> [<case_dir> ...]
# A task is {"label", "r"}; "r" sees m (the fit), D (the method for df), d (the data) and the helpers below.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R")); source(file.path(here, "lib_mlm.R"))
suppressPackageStartupMessages({library(emmeans); library(numDeriv)})
emm_options(lmerTest.limit = 1e5, pbkrtest.limit = 1e5)
em <- function(spec, ...) emmeans(m, spec, lmer.df = D, ...)
tre <- function(spec, ...) emtrends(m, spec, lmer.df = D, ...)
rows <- function(x, test = TRUE, ...) { s <- as.data.frame(summary(x, infer = c(TRUE, test), ...)); n <- attr(summary(x, infer = c(TRUE, test), ...), "estName")
  names(s)[names(s) == n] <- "estimate"; names(s) <- sub("^(lower.CL|asymp.LCL)$", "conf_low", names(s)); names(s) <- sub("^(upper.CL|asymp.UCL)$", "conf_high", names(s))
  names(s) <- sub("^(t.ratio|z.ratio)$", "statistic", names(s)); names(s)[names(s) == "p.value"] <- "p_value"; names(s)[names(s) == "SE"] <- "std_error"; s$null <- NULL; df(s) }
one <- function(L) lmerTest::contest1D(m, L, ddf = "Satterthwaite")   # estimate, se, df of one row of weights
# bounds of a region of significance: |L(w) b| / se = critical t at the df of w itself; L0 + w L1 weighs the fixed effects
bounds <- function(L0, L1, from, to, level = .95) { g <- function(w) { q <- one(L0 + w * L1); abs(q$Estimate) / q$`Std. Error` - qt(1 - (1 - level) / 2, q$df) }
  x <- seq(from, to, length.out = 400); v <- sapply(x, g); i <- which(v[-1] * v[-length(v)] < 0); sapply(i, function(j) uniroot(g, x[j + 0:1], tol = 1e-12)$root) }
# d = difference / sd; var(d) by the delta method with lmerTest's covariance of (theta, sigma)
dsize <- function(L, z, level = .95) { q <- one(L); vp <- m@vcov_varpar; th <- c(getME(m, "theta"), sigma(m)); nt <- length(th) - 1
  total <- function(x) { mm <- getME(m, "cnms"); s <- x[nt + 1]^2; at <- 0; v <- s; for (g in names(mm)) { q <- length(mm[[g]]); k <- q * (q + 1) / 2; T <- matrix(0, q, q); T[lower.tri(T, TRUE)] <- x[at + 1:k]; at <- at + k; zz <- z[[g]]; v <- v + s * sum(crossprod(T, zz)^2) }; v }
  V <- total(th); gr <- numDeriv::grad(total, th); vv <- sum(gr * (vp %*% gr)); sd <- sqrt(V); d <- q$Estimate / sd; se <- sqrt(q$`Std. Error`^2 + d^2 * vv / (4 * V)) / sd; nu <- 2 * V^2 / vv; t <- qt(1 - (1 - level) / 2, q$df)
  J <- exp(lgamma(nu / 2) - lgamma((nu - 1) / 2)) / sqrt(nu / 2); known <- q$`Std. Error` / sd
  list(difference = q$Estimate, df = q$df, p_value = q$`Pr(>|t|)`, sd = sd, d = d, std_error = se, conf_low = d - t * se, conf_high = d + t * se, g = J * d, known_low = d - t * known, known_high = d + t * known) }
dpooled <- function(L, y, arm, level = .95) { q <- one(L); s <- split(y, arm); nu <- sum(lengths(s) - 1); V <- sum(sapply(s, function(v) sum((v - mean(v))^2))) / nu; sd <- sqrt(V); d <- q$Estimate / sd
  se <- sqrt(q$`Std. Error`^2 / V + d^2 / (2 * nu)); t <- qt(1 - (1 - level) / 2, q$df); J <- exp(lgamma(nu / 2) - lgamma((nu - 1) / 2)) / sqrt(nu / 2); list(sd = sd, d = d, std_error = se, conf_low = d - t * se, conf_high = d + t * se, g = J * d) }
args_run(function(dir) { mod <- rj(file.path(dir, "model.json")); home <- if (is.null(mod$data_of)) dir else file.path(dir, "..", "..", mod$data_of)
  assign("d", load_data(home, c(mod, list(data = "data.csv")[is.null(mod$data)]), "data.csv"), globalenv())
  if (is.null(mod$glm)) { assign("m", best_fit(as.formula(mod$formula), d, TRUE, mod$weights)$m, globalenv()) } else { suppressPackageStartupMessages(library(lme4)); assign("ORA_D", d, globalenv())
    assign("m", eval(parse(text = sprintf("glmer(%s, data = ORA_D, family = %s, control = glmerControl(optimizer = 'bobyqa', optCtrl = list(rhoend = 1e-9, maxfun = 2e5)))", mod$formula, mod$glm)), globalenv()), globalenv()) }
  # mvtnorm draws its points at random
  res <- lapply(mod$tasks, function(t) { assign("D", t$ddf %||% "satterthwaite", globalenv()); set.seed(1); eval(parse(text = t$r), globalenv()) }); names(res) <- sapply(mod$tasks, `[[`, "label")
  b <- fixef(m); e <- list(family = "mlm_means", case = mod$case, r_call = if (is.null(mod$glm)) sprintf("lmerTest::lmer(%s)", mod$formula) else sprintf("lme4::glmer(%s, family = %s)", mod$formula, mod$glm), versions = vers("lme4", "lmerTest", "emmeans", "mvtnorm"), results = res)
  if (!is.null(mod$glm)) { e$fixef <- nv(b); e$vcov <- mx(as.matrix(vcov(m))) }
  wj(e, file.path(dir, "expected.json")) })
