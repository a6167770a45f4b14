# Usage: Rscript sem_ordinal.R <case_dir> ...: writes statistics.json, the statistics that models of ordinal variables
# are fitted to, their asymptotic covariance matrix (gamma) and the weights, group by group.
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "common.R"))
eval(parse(text = sub("library(semTools)", "", readLines(file.path(here, "lib_sem.R")), fixed = TRUE)))
round12 <- function(z) signif(unname(unclass(z)), 12)
each <- function(z, k) if (k > 1) lapply(unname(z), round12) else list(round12(z))
args_run(function(dir) {
  mod <- fromJSON(file.path(dir, "model.json"), simplifyVector = FALSE); d <- load_data(dir, mod); out <- list()
  for (M in Filter(function(z) z$label %in% unlist(mod$statistics), mod$models)) {
    M$args <- c(M$args, mod$common_args); M$syntax <- M$syntax %||% mod$syntax; M$fn <- M$fn %||% mod$fn
    fit <- suppressWarnings(sem_fit(M, d, dir)); k <- lavInspect(fit, "ngroups")
    gamma <- if (M$args$estimator %||% "" == "ULS") NULL else each(lavInspect(fit, "gamma"), k)
    weights <- lapply(each(lavTech(fit, "wls.v"), 2), function(w) if (is.matrix(w)) diag(w) else w)
    out[[M$label]] <- list(observed = each(lavInspect(fit, "wls.obs"), k), gamma = gamma, weight_diagonal = weights)
  }
  writeLines(toJSON(out, digits = I(12), matrix = "rowmajor"), file.path(dir, "statistics.json"))
})
