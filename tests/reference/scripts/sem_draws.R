# Samples drawn by bootstrapLavaan of lavaan 0.6-14, with the numbers of their rows, and what many samples say together:
# tests/reference/sem_draws/expected.json. Rscript sem_draws.R DATA.csv FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
s <- d; x <- paste0("x", 1:9)
# one SD in the whole sample and in each group: lavaan's turned rows depend on the units of the variables, ours do not
s[x] <- lapply(s[x], function(v) (v - mean(v)) / sqrt(mean((v - mean(v))^2)))
g <- d; for (w in unique(g$g2)) g[g$g2 == w, x] <- lapply(d[d$g2 == w, x], function(v) (v - mean(v)) / sqrt(mean((v - mean(v))^2)) + which(w == unique(d$g2)))
two <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
tight <- "f =~ x1 + a*x2 + a*x3 + x7\nx4 ~ f + x8"
cases <- list(
  list(name = "plain", data = "s", model = two, options = list(meanstructure = FALSE)),
  list(name = "means", data = "s", model = two, options = list(meanstructure = TRUE)),
  list(name = "equal", data = "s", model = tight, options = list(fixed.x = FALSE)),
  list(name = "wishart", data = "s", model = two, options = list(likelihood = "wishart")),
  list(name = "groups", data = "g", model = two, options = list(group = "g2", group.equal = "loadings", meanstructure = FALSE)),
  list(name = "intercepts", data = "g", model = two, options = list(group = "g2", group.equal = c("loadings", "intercepts"))),
  list(name = "ULS", data = "s", model = two, options = list(estimator = "ULS")),
  list(name = "DWLS", data = "s", model = two, options = list(estimator = "DWLS")))
drawn <- list()
for (case in cases) {
  f <- do.call("sem", c(list(case$model, data = get(case$data), control = list(rel.tol = 1e-10, iter.max = 5000L)), case$options))
  for (type in c("bollen.stine", "yuan")) {
    if (type == "yuan" && case$name %in% c("intercepts", "ULS", "DWLS")) next
    set.seed(2)
    b <- suppressWarnings(bootstrapLavaan(f, R = 20, type = type, keep.idx = TRUE, iseed = 7,
      FUN = function(f) c(coef(f), lavTest(f)$stat, unlist(lapply(f@SampleStats@cov, lav_matrix_vech)), unlist(f@SampleStats@mean))))
    k <- length(coef(f)); m <- as.matrix(unclass(b)); idx <- attr(b, "boot.idx"); if (!is.list(idx)) idx <- list(idx)
    drawn[[length(drawn) + 1]] <- list(name = case$name, data = case$data, model = case$model, options = case$options, type = type,
      rows = lapply(idx, function(i) unname(i)), coef = unname(m[, 1:k]), chisq = unname(m[, k + 1]), moments = unname(m[1, -(1:(k + 1))]))
  }
}
many <- list()
for (type in c("parametric", "yuan", "bollen.stine", "ordinary")) {
  f <- sem(two, d, meanstructure = TRUE)
  if (type == "yuan") f <- sem(two, d)
  b <- suppressWarnings(bootstrapLavaan(f, R = 3000, type = type, iseed = 11, FUN = function(f) c(coef(f), lavTest(f)$stat)))
  b <- as.matrix(unclass(b)); b <- b[complete.cases(b), ]
  k <- ncol(b)
  many[[type]] <- list(model = two, meanstructure = type != "yuan", samples = nrow(b), mean = unname(colMeans(b)), sd = unname(apply(b, 2, sd)),
    fourth = unname(apply(b, 2, function(v) mean((v - mean(v))^4) / var(v)^2)), quantiles = unname(quantile(b[, k], c(.1, .25, .5, .75, .9))))
}
writeLines(toJSON(list(drawn = drawn, many = many), auto_unbox = TRUE, digits = I(12), na = "null"), file.path(commandArgs(TRUE)[2], "expected.json"))
