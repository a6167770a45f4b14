"""Measurement: how reliable the scores of a questionnaire are."""
