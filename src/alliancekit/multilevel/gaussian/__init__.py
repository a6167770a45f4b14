"""Linear mixed models: design -> objective -> optimise -> inference -> fit."""
