# Saturated correlates by hand, as semTools writes them: auxiliary variables correlate with each other, with covariates and
# with the residuals of all other observed variables; in the baseline model too. Usage: Rscript run_sem_auxiliary.R <case_dir>
suppressPackageStartupMessages({library(lavaan); library(jsonlite)})
dir <- commandArgs(trailingOnly = TRUE)[1]
d <- read.csv(file.path(dir, "data.csv"))
model <- "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nvisual ~ sex"
extra <- "x7 ~~ x7 + x8 + x1 + x2 + x3 + x4 + x5 + x6 + sex\nx8 ~~ x8 + x1 + x2 + x3 + x4 + x5 + x6 + sex\nx7 ~ 1\nx8 ~ 1\nsex ~~ sex\nsex ~ 1"
alone <- paste0(paste0("x", 1:6, " ~~ x", 1:6, collapse = "\n"), "\n", paste0("x", 1:6, " ~ 1", collapse = "\n"))
out <- list()
for (estimator in c("ML", "MLR")) {
  fit <- cfa(paste(model, extra, sep = "\n"), d, missing = "fiml", fixed.x = FALSE, estimator = estimator)
  base <- lavaan(paste(alone, extra, sep = "\n"), d, missing = "fiml", fixed.x = FALSE, estimator = estimator)
  p <- parameterEstimates(fit)
  p <- p[!(p$lhs %in% c("x7", "x8") | p$rhs %in% c("x7", "x8")), ]
  names <- c("npar", "chisq", "df", "logl", "unrestricted.logl", "baseline.chisq", "baseline.df", "cfi", "tli", "rmsea", "srmr",
             if (estimator == "MLR") c("chisq.scaling.factor", "baseline.chisq.scaling.factor", "cfi.scaled"))
  # Freed from missing values: lavaan's correction of the model and, on its own, of the baseline model with the auxiliary variables.
  # fitMeasures() takes the chi-square and scaling of a baseline in which these are independent, and the df of the right one.
  version <- if (estimator == "ML") "V6" else "V3"
  corrected <- function(f) lavaan:::lav_fit_fiml_corrected(f, version = version)[c("XX3", "df3", "c.hat3")]
  null <- lavaan:::lav_fit_fiml_corrected(fit, version = version)[c("XX3.null", "df3.null", "c.hat3.null")]
  semtools <- suppressWarnings(semTools::sem.auxiliary(model, d, aux = c("x7", "x8"), estimator = estimator))
  robust <- list(model = corrected(fit), baseline = corrected(base), lavaan_baseline = null,
                 semTools = as.list(fitMeasures(semtools, c("cfi.robust", "tli.robust", "rmsea.robust"))))
  out[[estimator]] <- list(robust = robust, estimates = p[, c("lhs", "op", "rhs", "est", "se")], fit = as.list(fitMeasures(fit, names, baseline.model = base)))
}
out <- list(family = "sem_missing", case = "auxiliary", versions = list(lavaan = as.character(packageVersion("lavaan")), semTools = as.character(packageVersion("semTools"))), models = out)
writeLines(toJSON(out, auto_unbox = TRUE, digits = I(15)), file.path(dir, "auxiliary.json"))
