"""Every parameter of a fit under R's name, and its values over many fits of the same model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message, nearest
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.design import Factor
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.components import structure_names, structure_values

Floats = NDArray[np.float64]
Name = tuple[str, str]  # component ("fixed" or "random"), term


def parameter_names(fit: GaussianFit) -> list[Name]:
    """Return (component, term): fixed effects, then per grouping factor SDs and correlations, then sigma, then
    the parameters of a residual structure.
    """
    out = [("fixed", name) for name in fit.design.names]
    for index in formula_order(fit):
        factor = fit.factors[index]
        out += [("random", f"sd_{name}|{factor.group}") for name in factor.names]
        out += [("random", f"cor_{factor.names[i]}.{factor.names[j]}|{factor.group}") for j, i in _pairs(factor)]
    structure = [] if fit.residual is None else structure_names(fit.residual)
    return [*out, ("random", "sigma"), *(("random", name) for name in structure)]


def check_parameters(known: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    """Return the wanted terms in the order of the known ones; all where None. SpecError for a name that is none."""
    if wanted is None:
        return list(known)
    asked = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in asked:
        if name not in known:
            close = nearest(str(name), known)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SpecError(
                message(f"'{name}' is not a parameter of the model", do=f"{hint}There are: {', '.join(known)}")
            )
    return [name for name in known if name in asked]


def parameter_values(fit: GaussianFit, beta: Floats, theta: Floats, sigma: Floats, phi: Floats | None = None) -> Floats:
    """Return the values of ``parameter_names`` over B fits, shape (B, parameters).

    Parameters
    ----------
    fit : the model. beta : shape (B, p), in the user's columns. theta : shape (B, k), engine basis. sigma : shape (B,).
    phi : shape (B, n_phi), parameters of a residual structure, where there is one.

    Notes
    -----
    A correlation with an SD of zero is not defined, and nan.
    """
    columns = [beta]
    stacks = covariance_stacks(fit, theta, sigma)
    for index in formula_order(fit):
        factor, stack = fit.factors[index], stacks[index]
        sd = np.sqrt(np.maximum(np.einsum("bii->bi", stack), 0.0))
        columns.append(sd)
        for j, i in _pairs(factor):
            both = sd[:, i] * sd[:, j]
            cor = np.divide(stack[:, i, j], both, out=np.full(both.shape, np.nan), where=both > 0)
            columns.append(np.clip(cor, -1.0, 1.0)[:, None])
    columns.append(sigma[:, None])
    if fit.residual is not None and phi is not None:
        columns.append(structure_values(fit.residual, phi))
    return np.concatenate(columns, axis=1)


def covariance_stacks(fit: GaussianFit, theta: Floats, sigma: Floats) -> list[Floats]:
    """Return, per factor, the covariance matrix of its random effects in the user's columns, shape (B, q, q)."""
    out = []
    for factor, where in zip(fit.engine.factors, fit.engine.slices, strict=True):
        relative = np.zeros((theta.shape[0], factor.q, factor.q))
        for position, (r, c) in enumerate(factor.free):
            relative[:, r, c] = theta[:, where.start + position]
        root = factor.basis @ relative * sigma[:, None, None]
        out.append(np.asarray(root @ root.transpose(0, 2, 1), dtype=np.float64))
    return out


def own_values(fit: GaussianFit) -> Floats:
    """Return the fit's own estimates in the order of ``parameter_names``."""
    phi = None if fit.residual is None else fit.residual.phi[None]
    return parameter_values(fit, fit.beta[None], fit.optimum.theta[None], np.array([fit.sigma]), phi).ravel()


def _pairs(factor: Factor) -> list[tuple[int, int]]:
    return [(j, i) for j in range(factor.q) for i in range(j + 1, factor.q) if factor.term[i] == factor.term[j]]
