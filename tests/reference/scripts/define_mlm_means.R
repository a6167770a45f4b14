# Writes data.csv of the simulated cases of mlm_means. Usage: Rscript define_mlm_means.R <folder mlm_means>
out <- commandArgs(trailingOnly = TRUE)[1]
save <- function(d, case) { dir.create(file.path(out, case), showWarnings = FALSE); write.csv(d, file.path(out, case, "data.csv"), row.names = FALSE, na = "") }
# three arms of unequal size, curved course, a moderator with a curved effect, unequal sites, rows missing
set.seed(2024); n <- 90
p <- data.frame(patient = sprintf("p%02d", 1:n), arm = sample(c("TAU", "CBT", "IPT"), n, TRUE, c(.45, .3, .25)), site = sample(c("Basel", "Bern", "Zug"), n, TRUE, c(.5, .35, .15)),
                severity = round(rnorm(n, 20, 5), 1), age = sample(19:70, n, TRUE), u = rnorm(n, 0, 3), v = rnorm(n, 0, .3))
d <- merge(data.frame(session = rep(c(0, 2, 4, 8, 12), n), patient = rep(p$patient, each = 5)), p)
k <- c(TAU = .2, CBT = .9, IPT = .6)[d$arm]
d$bdi <- round(24 + d$u + .5 * (d$severity - 20) + 4 * log(d$age / 40) - (k + d$v) * d$session + .03 * d$session^2 - .04 * (d$arm == "CBT") * d$session * (d$severity - 20) + rnorm(nrow(d), 0, 2.5), 2)
d <- d[runif(nrow(d)) > .12, c("patient", "arm", "site", "session", "severity", "age", "bdi")]
save(d, "sim_curved_three_arms")
# one combination of arm and site never observed
e <- d[!(d$arm == "IPT" & d$site == "Zug") & d$session %in% c(0, 4, 12), ]
save(e, "sim_empty_cell")
