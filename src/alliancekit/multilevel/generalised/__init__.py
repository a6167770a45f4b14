"""Generalised linear mixed models: design -> objective (modes, quadrature) -> optimise -> inference -> fit."""
