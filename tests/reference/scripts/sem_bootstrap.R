# Estimates of lavaan 0.6-14 in given bootstrap samples: tests/reference/sem_bootstrap/expected.json.
# Rscript sem_bootstrap.R DATA.csv FOLDER (with cases.json of sem_bootstrap.py)
suppressMessages({library(lavaan); library(jsonlite)})
folder <- commandArgs(TRUE)[2]
d <- read.csv(commandArgs(TRUE)[1]); given <- fromJSON(file.path(folder, "cases.json"), simplifyVector = FALSE)
for (k in 1:6) d[[paste0("o", k)]] <- (d[[paste0("x", k)]] > -0.5 + (k > 3)) + (d[[paste0("x", k)]] > 0.8 + (k > 3))
for (k in 1:3) d[[paste0("n", k)]] <- ifelse(is.na(d[[paste0("m", k)]]), NA, d[[paste0("o", k)]])
for (k in 1:3) d[[paste0("c", k)]] <- d[[paste0("x", k)]] + ((d$cl * 37) %% 11 - 5) / 4 + ((d$cl * (13 + k)) %% 7 - 3) / 6
# nlminb stops early in two-level models, whose likelihood is flat; BFGS does not
how <- function(model) if (grepl("level", model)) list(optim.method = "BFGS", control = list(reltol = 1e-15, maxit = 5000)) else
  list(control = list(rel.tol = 1e-10, iter.max = 5000L))
out <- lapply(given$cases, function(case) {
  options <- c(lapply(case$r, unlist), list(data = d), how(case$model))
  first <- suppressWarnings(do.call("sem", c(list(case$model), options)))
  table <- as.data.frame(unclass(parTable(first)))
  table <- table[, intersect(c("id", "lhs", "op", "rhs", "user", "block", "group", "level", "free", "ustart", "exo", "label", "plabel", "lower", "upper"), names(table))]
  own <- which(table$exo > 0); if (length(own)) table$ustart[own] <- NA
  list(name = case$name, est = lapply(given$samples[[case$scheme]], function(s) {
    x <- d[unlist(s$rows), ]
    if (length(s$clusters)) x$cl <- unlist(s$clusters)
    if (!is.null(options$group)) x <- x[order(match(x$g2, unique(d$g2))), ]
    arguments <- options; arguments$data <- x; arguments$group.equal <- NULL; arguments$bounds <- NULL
    f <- suppressWarnings(do.call("lavaan", c(list(table), arguments, list(se = "none", test = "none", fixed.x = any(table$exo > 0)))))
    list(converged = lavInspect(f, "converged"), coef = as.numeric(coef(f)))
  }))
})
# limits of lavaan from its own replicates
m <- "x4 ~ a*x1\nx7 ~ b*x4 + x1\nind := a*b"
set.seed(5); f <- sem(m, d, se = "bootstrap", bootstrap = 99, fixed.x = FALSE)
drawn <- lavInspect(f, "boot"); types <- c("norm", "basic", "perc", "bca.simple")
limits <- lapply(setNames(types, types), function(type) lapply(c(0.95, 0.9), function(level) {
  p <- parameterEstimates(f, boot.ci.type = type, level = level); p <- p[p$op != "==", ]
  list(level = level, lower = p$ci.lower, upper = p$ci.upper)
}))
s <- standardizedSolution(f)
text <- toJSON(list(fits = out, limits = list(model = m, est = parameterEstimates(f)$est, se = parameterEstimates(f)$se, replicates = unclass(drawn)[, ],
  limits = limits, standardized = list(se = s$se, lower = s$ci.lower, upper = s$ci.upper))), auto_unbox = TRUE, digits = 15, na = "null")
writeLines(text, file.path(folder, "expected.json"))
