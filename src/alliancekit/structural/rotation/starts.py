"""Starting values of exploratory blocks: principal axes, turned so that the loadings held at zero are zero.

Harman (1976, Modern Factor Analysis, ch. 8); communalities start from Jöreskog's (1967) share of the inverse variances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.table import ParameterTable

Floats = NDArray[np.float64]
_ROUNDS = 30


def exploratory_starts(
    table: ParameterTable, rows: Sequence[int], place: Mapping[str, int], cov: Floats
) -> dict[int, float]:
    """Return starting values of loadings and residual variances of the exploratory blocks, by row of the table.

    Parameters
    ----------
    rows : of one block of the table. place : of its observed variables. cov : (p, p) their covariances.
    """
    out: dict[int, float] = {}
    loadings = [i for i in rows if table.op[i] == "=~" and table.efa[i]]
    for name in dict.fromkeys(table.efa[i] for i in loadings):
        own = [i for i in loadings if table.efa[i] == name]
        factors = {factor: k for k, factor in enumerate(dict.fromkeys(table.lhs[i] for i in own))}
        items = {item: k for k, item in enumerate(dict.fromkeys(table.rhs[i] for i in own))}
        if not all(item in place for item in items) or len(items) <= len(factors):
            continue
        places = [place[item] for item in items]
        found = principal_axes(cov[np.ix_(places, places)], len(factors))
        if not np.isfinite(found).all():
            continue
        for i in own:
            out[i] = float(found[items[table.rhs[i]], factors[table.lhs[i]]])
        left = cov[places, places] - (found**2).sum(axis=1)
        alone = {item: float(left[k]) for item, k in items.items()}
        out |= {
            i: alone[table.lhs[i]]
            for i in rows
            if table.op[i] == "~~" and table.lhs[i] == table.rhs[i] and table.lhs[i] in alone
        }
    return out


def principal_axes(cov: Floats, factors: int) -> Floats:
    """Return loadings (p, m), zero above the diagonal, by principal axes; NaN where the correlations are singular."""
    size = np.sqrt(cov.diagonal())
    R = cov / np.outer(size, size)
    if not np.isfinite(R).all() or np.linalg.eigvalsh(R)[0] < 1e-10:
        return np.full((len(cov), factors), np.nan)
    unique = (1.0 - factors / (2.0 * len(R))) / np.linalg.inv(R).diagonal()
    for _ in range(_ROUNDS):
        values, vectors = np.linalg.eigh(R - np.diag(unique))
        L = vectors[:, -factors:] * np.sqrt(np.maximum(values[-factors:], 1e-6))
        unique = np.clip(1.0 - (L**2).sum(axis=1), 0.05, 1.0)
    communality = (L**2).sum(axis=1)
    L = L * np.sqrt(np.minimum(1.0, 0.95 / np.maximum(communality, 1e-12)))[:, None]
    L = L @ np.linalg.qr(L[:factors].T)[0]
    return np.asarray(L * np.where(L.diagonal() < 0, -1.0, 1.0) * size[:, None])
