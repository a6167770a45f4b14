# Tests of models by lavTest of lavaan 0.6-14. Rscript sem_tests.R DATA.csv FOLDER
suppressMessages({library(lavaan); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
three <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
path <- "x1 ~ z1 + z2\nx4 ~ a*x1 + z1\nx7 ~ b*x4 + x1"
out <- list()
add <- function(name, syntax, ...) {
  f <- suppressWarnings(sem(syntax, data = d, ...))
  found <- lapply(c("browne.residual.nt", "browne.residual.adf"), function(w) { r <- lavTest(f, test = w, output = "list"); if (is.null(r$stat)) r[[1]] else r })
  out[[length(out) + 1]] <<- list(name = name, syntax = syntax, args = list(...), df = found[[1]]$df,
    statistic = sapply(found, `[[`, "stat"), p_value = sapply(found, `[[`, "pvalue"))
}
for (e in c("ML", "MLR", "MLM", "GLS", "ULS", "WLS", "DWLS")) {
  add(paste0(e, "-plain"), three, estimator = e)
  add(paste0(e, "-means"), three, estimator = e, meanstructure = TRUE)
  add(paste0(e, "-groups"), three, estimator = e, group = "g2", group.equal = c("loadings", "intercepts"))
  add(paste0(e, "-fixed_x"), path, estimator = e, fixed.x = TRUE)
  add(paste0(e, "-random_x"), path, estimator = e, fixed.x = FALSE)
}
add("wishart", three, likelihood = "wishart")
add("fixed_x_means", path, meanstructure = TRUE)
bollen <- function(name, syntax, ...) {
  set.seed(1)
  f <- suppressWarnings(sem(syntax, data = d, test = "bollen.stine", bootstrap = 2000, ...))
  list(name = name, syntax = syntax, args = list(...), p_value = f@test$bollen.stine$pvalue, samples = 2000)
}
stine <- list(bollen("plain", three), bollen("groups", three, group = "g2", group.equal = c("loadings", "intercepts")), bollen("path", path, fixed.x = FALSE))
writeLines(toJSON(list(browne = out, bollen_stine = stine), auto_unbox = TRUE, digits = NA), file.path(commandArgs(TRUE)[2], "expected.json"))
