# Measures that depend on roles, scaling and df, and modification indices of an improper solution: tests/reference/sem_models/found.json.
# Rscript sem_improper.R DATA FILE ITEMS, with DATA tests/reference/sem_models/data.csv, ITEMS tests/reference/sem/hs_cfa3_robust/data.csv.
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1]); rows <- function(x) as.data.frame(unclass(x)); out <- list()
for (estimator in c("ML", "GLS")) { f <- sem("f =~ x1 + x2 + x3\ny1 ~ f + z1\nf ~ z2", d, estimator = estimator, fixed.x = FALSE)
  out$roles[[estimator]] <- list(nox = rows(standardizedSolution(f, type = "std.nox"))[, c("lhs", "op", "rhs", "est.std", "se")],
    indices = rows(modindices(f))[, c("lhs", "op", "rhs", "mi", "sepc.nox")]) }
f <- cfa("f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6", d, estimator = "WLSM", meanstructure = TRUE)
out$unscaled <- as.list(fitMeasures(f, c("cfi.robust", "tli.robust", "nnfi.robust", "rni.robust", "cfi.scaled", "rmsea.robust", "baseline.chisq.scaling.factor")))
f <- cfa("f =~ x1 + x2 + x3", d)
out$saturated <- as.list(fitMeasures(f, c("df", "cn_05", "cn_01")))
# A factor whose second residual variance is -.3, with a residual covariance; not quite fitted.
L <- matrix(0, 7, 2); L[1:3, 1] <- c(.9, .5, 1.1); L[4:7, 2] <- c(.8, .7, .6, .9); S <- L %*% matrix(c(1, .4, .4, 1), 2) %*% t(L) + diag(c(.6, .5, -.02, .5, .6, .7, .4))
S[1, 3] <- S[3, 1] <- S[1, 3] - .15; S[2, 4] <- S[4, 2] <- S[2, 4] + .05; S[2, 6] <- S[6, 2] <- S[2, 6] - .06; dimnames(S) <- rep(list(paste0("v", 1:7)), 2)
model <- "f =~ v1 + v2 + v3\ng =~ v4 + v5 + v6 + v7\nv1 ~~ v3"
f <- suppressWarnings(cfa(model, sample.cov = S, sample.nobs = 300)); p <- rows(parTable(f))
out$improper <- list(model = model, cov = S, n = 300, chisq = as.numeric(fitMeasures(f, "chisq")), estimates = p[, c("lhs", "op", "rhs", "est")],
  indices = suppressWarnings(rows(modindices(f)))[, c("lhs", "op", "rhs", "mi", "epc")])
moved <- suppressWarnings(lavaan:::lav_start_check_cov(lavpartable = f@ParTable, start = p$est)) # where lavaan evaluates its indices
out$improper$moved <- moved
# Factor scores with outcomes and with direct effects of covariates, complete and with holes.
holes <- d; holes$x1[seq(1, nrow(d), 7)] <- NA; holes$y1[seq(2, nrow(d), 5)] <- NA
texts <- c(direct = "f =~ x1 + x2 + x3\nf ~ z1\nx2 ~ z2\ny1 ~ f + z1", covary = "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6\nh ~ f\ny1 ~ f")
for (k in names(texts)) for (how in c("complete", "holes")) { f <- sem(texts[[k]], if (how == "complete") d else holes, missing = if (how == "complete") "listwise" else "ml", meanstructure = TRUE)
  take <- function(method) unname(unclass(lavPredict(f, method = method))[1:30, , drop = FALSE]); attributes <- NULL
  out$scores[[k]][[how]] <- list(model = texts[[k]], factors = I(lavNames(f, "lv")), regression = take("regression"), bartlett = take("Bartlett")) }
# A model without means and a random covariate; modes of ordinal items in two groups.
f <- sem("f =~ x1 + x2 + x3\nf ~ z1", d, fixed.x = FALSE)
out$centre <- list(mean = as.numeric(lavInspect(f, "mean.lv")["f"]), scores = unclass(lavPredict(f))[1:30, "f"])
h <- read.csv(a[3]); cuts <- list(x4 = c(2, 3, 4), x5 = c(3, 4.5, 5.5), x6 = c(1.2, 2, 3)); for (i in names(cuts)) h[[i]] <- findInterval(h[[i]], cuts[[i]])
f <- cfa("f =~ x4 + x5 + x6", h, group = "school", ordered = names(cuts)); s <- lavPredict(f)
out$modes <- list(cuts = cuts, groups = I(lavInspect(f, "group.label")), first = unclass(s[[1]])[1:25, 1], second = unclass(s[[2]])[1:25, 1])
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA, na = "null", matrix = "rowmajor"), a[2])
