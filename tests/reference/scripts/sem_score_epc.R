# Expected changes of parameters, equality constraints released (lavaan 0.6-14): sem_limits/changes.json.
# Rscript sem_score_epc.R DATA.csv FILE
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1])
one <- "f =~ x1 + a*x2 + a*x3\nh =~ x4 + x5 + b*x6\nb == 1.1*a"
two <- "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
out <- list(); add <- function(model, ...) {
  f <- sem(model, d, ...); e <- suppressWarnings(lavTestScore(f, epc = TRUE, standardized = TRUE))$epc
  keep <- function(v) I(ifelse(is.finite(v), v, NA))
  out[[length(out) + 1]] <<- list(model = model, options = list(...), lhs = e$lhs, op = e$op, rhs = e$rhs, epc = keep(e$epc),
    epv = keep(e$epv), sepc_lv = keep(e$sepc.lv), sepc_all = keep(e$sepc.all), sepc_nox = keep(e$sepc.nox))
}
add(one); add(one, meanstructure = TRUE); add(two, group = "g2", group.equal = "loadings")
add(two, group = "g2", group.equal = I(c("loadings", "residuals")))
writeLines(toJSON(out, auto_unbox = TRUE, digits = 15, na = "null"), a[2])
