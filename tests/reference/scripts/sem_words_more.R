# Difference tests and standardised residuals with the Wishart likelihood, and words for clusters, by lavaan 0.6-14:
# tests/reference/sem_words/more.json. Rscript sem_words_more.R DATA.csv FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
wide <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"; narrow <- "f =~ x1 + a*x2 + a*x3\nh =~ x4 + a*x5 + x6"
groups <- list(group = "g2"); equal <- list(group = "g2", group.equal = "loadings")
out <- list()
for (e in c("ML", "MLR", "MLM", "MLMV", "MLMVS")) for (kind in c("plain", "groups", "gaps")) {
  if (kind == "gaps" && !e %in% c("ML", "MLR")) next
  options <- list(data = d, estimator = e, likelihood = "wishart")
  models <- list(wide, if (kind == "groups") wide else narrow)
  if (kind == "gaps") { models <- lapply(models, function(m) gsub("x([23])", "m\\1", m)); options$missing <- "ml" }
  f <- do.call("cfa", c(list(models[[1]]), options, if (kind == "groups") groups)); f0 <- do.call("cfa", c(list(models[[2]]), options, if (kind == "groups") equal))
  methods <- if (e == "ML") "standard" else c("satorra.2000", if (e %in% c("MLR", "MLM")) c("satorra.bentler.2001", "satorra.bentler.2010"))
  if (kind == "gaps") methods <- setdiff(methods, "satorra.2000")
  tests <- lapply(methods, function(m) { r <- suppressWarnings(lavTestLRT(f, f0, method = if (m == "standard") "default" else m)); list(method = m, statistic = r[2, "Chisq diff"], df = r[2, "Df diff"], p_value = r[2, "Pr(>Chisq)"]) })
  z <- if (kind == "plain") unname(residuals(f, type = "standardized")$cov[, 1][2:6])
  out[[length(out) + 1]] <- list(name = paste(kind, e), models = models, estimator = e, kind = kind, tests = tests, residuals = z)
}
rows <- list()
add <- function(...) {
  f <- suppressWarnings(sem(wide, d, cluster = "cl", ...)); given <- list(...)
  rows[[length(rows) + 1]] <<- list(kind = "clusters", given = lapply(given, function(v) if (length(v) > 1) I(v) else v), ignored = FALSE, se = unname(sqrt(diag(unclass(vcov(f))))),
    tests = lapply(unname(lavInspect(f, "test")), function(t) list(test = t$test, statistic = t$stat, df = t$df, p_value = t$pvalue, factor = t$scaling.factor, shift = NULL)), measures = NULL)
}
add(test = "standard"); add(test = "yuan.bentler"); add(test = c("yuan.bentler", "yuan.bentler.mplus")); add(information = "expected"); add(information = "observed")
add(test = "yuan.bentler", information = c("observed", "expected")); add(test = "yuan.bentler.mplus", information = c("expected", "observed"), h1.information = "unstructured")
add(missing = "ml", test = c("yuan.bentler.mplus", "yuan.bentler")); add(missing = "ml", information = "expected")
writeLines(toJSON(list(wishart = out, clusters = rows), auto_unbox = TRUE, digits = I(10), null = "null"), file.path(commandArgs(TRUE)[2], "more.json"))
