"""Rotation of exploratory factors: criteria, search, side conditions, and what it does to a fitted model."""
