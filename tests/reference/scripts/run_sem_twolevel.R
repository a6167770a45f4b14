# Usage: Rscript run_sem_twolevel.R <case_dir> ...: rewrites expected.json. As run_sem.R, with lavaan alone (semTools not needed).
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
folder <- Sys.getenv("REFERENCE_SCRIPTS", here)
source(file.path(folder, "common.R"))
text <- readLines(file.path(folder, "lib_sem.R"))
eval(parse(text = sub("library(semTools)", "", text, fixed = TRUE)))
args_run(function(dir) { mod <- fromJSON(file.path(dir, "model.json"), simplifyVector = FALSE); d <- load_data(dir, mod)
  e <- c(list(family = mod$family, case = mod$case, versions = vers("lavaan")), sem_expected(mod, d, dir)); wj(e, file.path(dir, "expected.json")) })
