"""Data with known truth: generators, the truth on error-free and on scored variables, recovery studies."""
