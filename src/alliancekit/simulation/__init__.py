"""Data with known truth: one file per generator, the truth of each on error-free and on scored variables, recovery studies."""
