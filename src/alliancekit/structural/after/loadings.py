"""What is read off an exploratory solution: standardised loadings, factor correlations, what the factors explain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.structural.after.answers import standardised_table
from alliancekit.structural.estimates import StructuralEstimates

Floats = NDArray[np.float64]


def loading_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return standardised loadings: item, one column per factor, uniqueness, communality."""
    L, _, left = _parts(fit)
    block = fit.model.blocks[0]
    out = pd.DataFrame(L, columns=list(block.latent))
    out.insert(0, "item", list(block.observed))
    return out.assign(uniqueness=left, communality=1.0 - left)


def correlation_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return the correlations of the factors."""
    names = list(fit.model.blocks[0].latent)
    return pd.DataFrame(_parts(fit)[1], index=names, columns=names)


def explained_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return what each factor explains, the largest first: sum of squares, its shares, and the shares added up.

    The sum of squares of a factor is the diagonal of P L' L: correlated factors share what they have in common evenly.
    """
    L, P, _ = _parts(fit)
    squares = np.diagonal(P @ L.T @ L)
    order = np.argsort(-squares, kind="stable")
    squares = squares[order]
    share = squares / len(L)
    names = [fit.model.blocks[0].latent[k] for k in order]
    columns = {"sum_of_squares": squares, "share_of_common": squares / squares.sum(), "share": share}
    return pd.DataFrame({"factor": names, **columns, "cumulative": np.cumsum(share)})


def eigenvalues(fit: StructuralEstimates) -> Floats:
    """Return the eigenvalues of the correlations (std_ov False: covariances) of the items, the largest first."""
    sigma = fit.saturated[0].sigma
    if fit.options.rotation.std_ov:
        size = np.sqrt(sigma.diagonal())
        sigma = sigma / np.outer(size, size)
    return np.asarray(np.linalg.eigvalsh(sigma)[::-1])


def reliable_terms(fit: StructuralEstimates, alpha: float) -> set[tuple[str, str, str]]:
    """Return the loadings and factor correlations (lhs, op, rhs) that differ from zero at the level ``alpha``."""
    found = standardised_table(fit, "std_all", 0.95)
    sure = found[(found["p_value"] < alpha) & found["op"].isin(["=~", "~~"]) & (found["lhs"] != found["rhs"])]
    return set(zip(sure["lhs"], sure["op"], sure["rhs"], strict=True))


def _parts(fit: StructuralEstimates) -> tuple[Floats, Floats, Floats]:
    """Return standardised loadings (p, m), factor correlations (m, m) and residual variances (p,)."""
    block, found = fit.model.blocks[0], standardised_table(fit, "std_all", 0.95)
    items = {name: k for k, name in enumerate(block.observed)}
    factors = {name: k for k, name in enumerate(block.latent)}
    L, P, left = np.zeros((len(items), len(factors))), np.eye(len(factors)), np.ones(len(items))
    rows = zip(found["lhs"], found["op"], found["rhs"], found["estimate"], strict=True)
    for lhs, op, rhs, value in rows:
        if op == "=~":
            L[items[rhs], factors[lhs]] = value
        elif op == "~~" and lhs in factors:
            P[factors[lhs], factors[rhs]] = P[factors[rhs], factors[lhs]] = value
        elif op == "~~" and lhs == rhs:
            left[items[lhs]] = value
    return L, P, left
