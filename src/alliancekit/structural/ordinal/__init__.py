"""Ordinal and mixed indicators: thresholds, polychoric and polyserial correlations, weighted least squares."""
