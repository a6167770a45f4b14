"""Residuals that are correlated or of unequal variance: one file per structure, and the stages of their fit."""
