# Writes designs.json: names and design matrices of R for a grid of formulas. Run: Rscript make_designs.R
# The data are made here without random numbers, so that they can be written out beside the results.
suppressMessages({library(lme4); library(jsonlite)})
n <- 48
i <- seq_len(n)
d <- data.frame(
  y = round(sin(i * 1.7) * 3 + i / 10, 6), x = round(cos(i * 0.9) * 2 + 3, 6), z = round(((i * 7) %% 11) / 4 - 1, 6),
  time = (i - 1) %% 6, w = (i %% 5) + 1,
  sex = c("F", "M")[1 + (i %/% 3) %% 2], arm = c("Control", "act", "cbt")[1 + (i * 5) %% 3],
  dose = c("low", "mid", "high", "top")[1 + (i * 3 + i %/% 4) %% 4], drug = (i * 11) %% 7 > 2,
  id = sprintf("p%02d", (i - 1) %/% 6 + 1), site = c("s2", "s1")[1 + ((i - 1) %/% 24)], item = (i * 5) %% 4 + 9)
csv <- d
d$sex <- factor(d$sex); d$arm <- factor(d$arm, levels = sort(unique(d$arm), method = "radix"))
d$dose <- factor(d$dose, levels = c("low", "mid", "high", "top"), ordered = TRUE)
d$id <- factor(d$id); d$site <- factor(d$site)
fixed <- c("x", "x + z", "0 + x", "x - 1", "arm", "0 + arm", "arm - 1 + sex", "0 + x + arm", "arm * sex", "0 + arm:sex", "arm:sex - 1 + arm",
  "x:arm", "0 + x:arm", "x + x:arm", "arm * x", "sex / arm", "arm + arm:x", "(arm + sex + x)^2 - arm:x", "sex * arm * x", "x:z + arm:x:z",
  "dose", "0 + dose", "dose * sex", "dose:x", "drug", "0 + drug", "drug * arm", "poly(x, 2)", "poly(x, 3) * sex", "sex:poly(x, 2)",
  "poly(time, 2, raw = TRUE)", "scale(x) * drug", "scale(x, scale = FALSE)", "I(x^2) + I(x/2 - 1)", "log(x) + sqrt(x) + exp(z) + abs(z)",
  "log2(x) + log10(x) + log(x, 3)", "factor(time)", "factor(time) * sex", "C(arm, contr.sum)", "C(arm, contr.helmert) * x", "C(arm, contr.poly)",
  "sex:arm + x", "x %in% arm", "(x + z) / arm", "arm / (x + z)", "1", "z + arm + offset(x)", "x + I(2 * x)")
random <- c("(1 | id)", "(1 + time | id)", "(time || id)", "(0 + time | id)", "(1 | site/id)", "(1 | id:sex)", "(sex | id)", "(0 + sex | id)",
  "(sex || id)", "(x * time | id)", "(1 | site/sex/arm)", "(1 + time | id) + (1 | item)", "(dose | site)", "(0 + time + sex | site)",
  "(time * sex || site)", "(scale(x) | site)", "(1 | item) + (x | site:sex)")
full <- function(m) list(names = I(colnames(m)), values = unname(apply(m, 2, function(v) signif(v, 15), simplify = FALSE)))
designs <- lapply(fixed, function(f) {
  frame <- model.frame(as.formula(paste("y ~", f)), d)
  m <- model.matrix(terms(frame), frame)
  q <- qr(m, tol = 1e-7, LAPACK = FALSE)
  kept <- sort(q$pivot[seq_len(q$rank)])
  c(list(formula = paste("y ~", f), terms = I(as.character(attr(terms(frame), "term.labels"))), assign = I(attr(m, "assign")),
    kept = I(colnames(m)[kept])), full(m))
})
ignore <- lmerControl(check.nobs.vs.nRE = "ignore", check.nobs.vs.nlev = "ignore", check.nobs.vs.rankZ = "ignore", check.rankX = "ignore")
blocks <- lapply(random, function(r) {
  f <- lFormula(as.formula(paste("y ~ x +", r)), d, control = ignore)$reTrms
  bars <- seq_along(f$cnms)
  groups <- names(f$cnms)
  list(formula = paste("y ~ x +", r), blocks = lapply(bars, function(b) {
    g <- f$flist[[groups[b]]]
    q <- length(f$cnms[[b]])
    Zt <- f$Ztlist[[b]]
    # row r of the block's Z: the q rows of Zt that belong to the group of observation r
    Z <- t(vapply(seq_len(n), function(k) as.numeric(Zt[(as.integer(g)[k] - 1) * q + seq_len(q), k]), numeric(q)))
    if (q == 1) Z <- t(Z)
    list(group = groups[b], names = I(f$cnms[[b]]), levels = levels(g), codes = as.integer(g) - 1L,
      values = unname(apply(Z, 2, function(v) signif(v, 15), simplify = FALSE)))
  }))
})
out <- list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4"))), data = as.list(csv),
  designs = designs, blocks = blocks)
write_json(out, "designs.json", digits = 15, auto_unbox = TRUE)
