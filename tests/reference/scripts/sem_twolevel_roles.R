# Variables that are covariates at one level and not at the other, in lavaan 0.6-14: sem_twolevel/roles.json.
# Rscript sem_twolevel_roles.R FILE
suppressMessages({library(lavaan); library(jsonlite)})
data(Demo.twolevel)
models <- c("level: 1\ny1 ~ y2\nlevel: 2\ny1 ~~ y2", "level: 1\ny1 ~~ y2\nlevel: 2\ny1 ~ y2",
  "level: 1\ny1 ~ y2\nlevel: 2\ny1 ~ y2\ny2 ~ w1", "level: 1\ny1 ~ y2\nlevel: 2\ny1 ~ y2",
  "level: 1\ny1 ~ y2 + x1\nlevel: 2\ny1 ~ w1\ny2 ~~ y1", "level: 1\ny1 + y2 ~ x1\nlevel: 2\ny1 ~ y2 + w1")
names <- c("npar", "df", "baseline.df", "logl", "unrestricted.logl", "aic", "bic")
out <- lapply(models, function(m) {
  if (grepl("y1 \\+ y2 ~ x1", m)) names <- setdiff(names, "baseline.df") # its independence model holds y2 within, where it is predicted
  f <- sem(m, Demo.twolevel, cluster = "cluster"); list(model = m, fit = as.list(unclass(fitMeasures(f, names))))
})
writeLines(toJSON(out, auto_unbox = TRUE, digits = 15), commandArgs(TRUE)[1])
