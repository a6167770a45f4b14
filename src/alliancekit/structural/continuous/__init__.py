"""Continuous indicators: sample moments, ML, GLS, ULS, WLS, DWLS and full information with missing values."""
