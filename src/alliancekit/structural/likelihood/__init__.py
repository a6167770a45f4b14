"""Likelihoods of raw data (missing values, two levels): search, information, standard errors and tests they share."""
