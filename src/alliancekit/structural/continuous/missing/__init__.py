"""Full-information maximum likelihood: missing patterns, saturated moments, likelihood, information, fit."""
