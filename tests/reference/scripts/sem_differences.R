# Scaled differences of a model with exploratory factors and a simpler one, by lavaan 0.6-14: tests/reference/sem_efa/differences.json.
# lavaan's method of 2010 finds parameters by name, so that the exploratory model is written with one pure item per factor, of which
# the rotated one is another form. Rscript sem_differences.R DATA.csv FILE (data: sem_models/data.csv)
suppressMessages({library(lavaan); library(jsonlite)})
a <- commandArgs(TRUE); d <- read.csv(a[1])
for (k in 1:6) d[[paste0("o", k)]] <- (d[[paste0("x", k)]] > -0.5 + (k > 3)) + (d[[paste0("x", k)]] > 0.8 + (k > 3))
pure <- function(v) sprintf("f =~ 1*%s + %s + %s + 0*%s + %s + %s\nh =~ 0*%s + %s + %s + 1*%s + %s + %s", v[1], v[2], v[3], v[4], v[5], v[6], v[1], v[2], v[3], v[4], v[5], v[6])
simple <- function(v) sprintf("f =~ %s + %s + %s\nh =~ %s + %s + %s", v[1], v[2], v[3], v[4], v[5], v[6])
x <- paste0("x", 1:6); o <- paste0("o", 1:6); m <- c("m1", "m2", "m3", "x4", "x5", "x6")
cases <- list(list(name = "MLM", v = x, estimator = "MLM"), list(name = "MLMV", v = x, estimator = "MLMV"), list(name = "WLSMV", v = o, ordered = TRUE, estimator = "WLSMV"),
  list(name = "WLSM", v = o, ordered = TRUE, estimator = "WLSM"), list(name = "ULSMV", v = x, estimator = "ULSMV"), list(name = "MLM-groups", v = x, estimator = "MLM", group = "g2"),
  list(name = "MLR", v = x, estimator = "MLR"), list(name = "MLR-fiml", v = m, estimator = "MLR", missing = "fiml"))
out <- lapply(cases, function(case) {
  options <- c(case[setdiff(names(case), c("name", "v"))], list(data = d))
  more <- if (is.null(case$ordered) && is.null(case$group)) "\nx7 ~ f + h" else ""; less <- if (more == "") "" else "\nx7 ~ f"
  fit <- function(model) suppressWarnings(do.call("sem", c(list(model), options)))
  l <- fit(paste0(pure(case$v), more)); s <- fit(paste0(simple(case$v), less)); methods <- c("satorra.bentler.2001", "satorra.bentler.2010", "satorra.2000")
  found <- lapply(setNames(methods, methods), function(k) { r <- suppressWarnings(try(lavTestLRT(l, s, method = k), silent = TRUE)); if (inherits(r, "try-error")) { message(case$name, k, lavInspect(l, "converged"), lavInspect(s,"converged")); return(NA) }; list(statistic = r[2, "Chisq diff"], df = r[2, "Df diff"]) })
  list(name = case$name, efa = paste0("efa('e')*f + efa('e')*h =~ ", paste(case$v, collapse = " + "), more), cfa = paste0(simple(case$v), less), pure = paste0(pure(case$v), more),
    options = case[setdiff(names(case), c("name", "v"))], found = found)
})
writeLines(toJSON(out, auto_unbox = TRUE, digits = 15), a[2])
