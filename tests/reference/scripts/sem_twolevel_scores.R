# Factor scores with covariates at both levels, and where lavaan 0.6-14 takes them from: sem_twolevel/scores.json.
# Rscript sem_twolevel_scores.R DATA FILE, with DATA sem_twolevel/demo/data.csv.
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1]); out <- list()
model <- "level: 1\nfw =~ y1 + y2 + y3\nfw ~ x1\nlevel: 2\nfb =~ y1 + y2 + y3\nfb ~ x1 + w1"
d$x1 <- d$x1 + 2 + ave(d$y4, d$cluster); d$w1 <- d$w1 + 3 # x1 varies between clusters as well; neither is centred
for (fixed in c(TRUE, FALSE)) { f <- sem(model, d, cluster = "cluster", fixed.x = fixed)
  e <- as.data.frame(unclass(parTable(f))); e <- e[e$op %in% c("=~", "~", "~~", "~1"), c("lhs", "op", "rhs", "level", "est")]
  out[[length(out) + 1]] <- list(model = model, fixed = fixed, logl = as.numeric(fitMeasures(f, "logl")), estimates = e,
    within = unclass(lavPredict(f, level = 1))[1:20, "fw"], between = unclass(lavPredict(f, level = 2))[1:20, "fb"]) }
writeLines(toJSON(out, auto_unbox = TRUE, digits = NA), a[2])
