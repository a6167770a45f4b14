# Pairs of variables with a row far from the others: correlations of lavaan 0.6-14, in tests/reference/sem_ordinal/outlying.json.
# Rscript sem_outlying.R FILE
suppressMessages({library(lavaan); library(jsonlite)})
out <- list()
for (seed in 1:60) { set.seed(seed); n <- 80; rho <- sample(c(.9, .95, .97, -.95), 1); with_x <- seed %% 2; mixed <- seed %% 3 == 0
  x <- rbinom(n, 1, .5); a <- rnorm(n); b <- rho * a + sqrt(1 - rho^2) * rnorm(n); if (with_x) { a <- a + .3 * x; b <- b - .2 * x }
  cut <- function(v) findInterval(v, quantile(v, sort(runif(sample(1:3, 1), .15, .85))))
  b <- cut(b); if (!mixed) a <- cut(a)
  a[1] <- if (rho > 0) max(a) else min(a); b[1] <- min(b)
  d <- data.frame(a, b, x); ordered <- if (mixed) "b" else c("a", "b")
  f <- tryCatch(suppressWarnings(sem(paste0("a ~~ b", if (with_x) "\na + b ~ x" else ""), d, ordered = ordered, do.fit = FALSE)), error = function(e) NULL)
  if (is.null(f) || length(unique(b)) < 2) next
  s <- f@SampleStats; m <- if (with_x) s@res.cov[[1]] else s@cov[[1]]
  if (!mixed && length(unique(a)) == 2 && length(unique(b)) == 2) next # a table of two by two with an empty cell is another matter
  out[[length(out) + 1]] <- list(seed = seed, mixed = mixed, with_x = with_x == 1, a = a, b = b, x = x, correlation = m[1, 2] / sqrt(m[1, 1] * m[2, 2])) }
# One row alone in its cell, given a covariate.
counts <- data.frame(x = c(0, 0, 0, 0, 1, 1, 1), a = c(0, 0, 1, 1, 0, 0, 1), b = c(0, 1, 0, 1, 0, 1, 1), n = c(26, 54, 1, 33, 26, 51, 46))
d <- counts[rep(1:7, counts$n), c("a", "b", "x")]
m <- sem("a ~~ b\na + b ~ x", d, ordered = c("a", "b"), do.fit = FALSE)@SampleStats@res.cov[[1]]
out[[length(out) + 1]] <- list(seed = 0, mixed = FALSE, with_x = TRUE, a = d$a, b = d$b, x = d$x, correlation = m[1, 2])
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA), commandArgs(TRUE)[1])
