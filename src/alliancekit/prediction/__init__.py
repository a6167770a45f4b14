"""Prediction of outcomes: what a predictor adds to others, and whether that is its own."""
