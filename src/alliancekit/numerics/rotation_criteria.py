"""Simplicity criteria of factor rotation: value and derivative for many loading matrices at once.

Every criterion takes loadings ``L`` (s, p, m), s candidates at once, and returns its values (s,) and derivatives
(s, p, m); the smaller the value, the simpler the pattern. Formulas: Bernaards & Jennrich (2005), Educ Psychol Meas 65,
676-696; geomin: Browne (2001), Multivariate Behav Res 36, 111-150.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message

Floats = NDArray[np.float64]
Criterion = Callable[[Floats], tuple[Floats, Floats]]

CRITERIA = (
    "geomin",
    "oblimin",
    "quartimin",
    "varimax",
    "quartimax",
    "orthomax",
    "crawford-ferguson",
    "bentler",
    "infomax",
    "target",
)
ORTHOGONAL = ("varimax", "quartimax", "orthomax")


def make_criterion(
    name: str,
    *,
    epsilon: float = 0.001,
    gamma: float = 0.0,
    kappa: float = 0.0,
    target: Floats | None = None,
    mask: Floats | None = None,
) -> Criterion:
    """Return the criterion of that name.

    Parameters
    ----------
    name : one of ``CRITERIA``.
    epsilon : geomin's small constant.
    gamma : oblimin's obliqueness (0: quartimin), or orthomax's weight (1: varimax).
    kappa : Crawford and Ferguson's weight of the complexity of columns, 0 to 1.
    target, mask : (p, m) target values and where they count (NaN in the target: free).
    """
    check_option("rotation", name, CRITERIA)
    if name == "geomin":
        return partial(_geomin, epsilon=epsilon)
    if name == "target":
        if target is None:
            raise SpecError(message("target rotation needs a target", do="Give the loadings aimed at, NaN where free"))
        wanted = np.isfinite(target) if mask is None else np.asarray(mask, dtype=bool) & np.isfinite(target)
        return partial(_target, target=np.where(wanted, np.nan_to_num(target), 0.0), weight=wanted.astype(np.float64))
    if name == "crawford-ferguson":
        return partial(_crawford_ferguson, kappa=kappa)
    if name == "bentler":
        return _bentler
    if name == "infomax":
        return _infomax
    if name in ORTHOGONAL:
        return partial(_orthomax, gamma={"varimax": 1.0, "quartimax": 0.0}.get(name, gamma))
    return partial(_oblimin, gamma=0.0 if name == "quartimin" else gamma)


def _geomin(L: Floats, epsilon: float) -> tuple[Floats, Floats]:
    squares = L**2 + epsilon
    product = np.exp(np.log(squares).mean(axis=2, keepdims=True))
    return product.sum(axis=(1, 2)), (2.0 / L.shape[2]) * L / squares * product


def _oblimin(L: Floats, gamma: float) -> tuple[Floats, Floats]:
    squares = L**2
    others = squares.sum(axis=2, keepdims=True) - squares
    if gamma:
        others = others - gamma * others.mean(axis=1, keepdims=True)
    return (squares * others).sum(axis=(1, 2)) / 4.0, L * others


def _orthomax(L: Floats, gamma: float) -> tuple[Floats, Floats]:
    squares = L**2
    spread = squares - gamma * squares.mean(axis=1, keepdims=True)
    return -(squares * spread).sum(axis=(1, 2)) / 4.0, -L * spread


def _crawford_ferguson(L: Floats, kappa: float) -> tuple[Floats, Floats]:
    squares = L**2
    rows = squares.sum(axis=2, keepdims=True) - squares
    columns = squares.sum(axis=1, keepdims=True) - squares
    mixed = (1.0 - kappa) * rows + kappa * columns
    return (squares * mixed).sum(axis=(1, 2)) / 4.0, L * mixed


def _bentler(L: Floats) -> tuple[Floats, Floats]:
    squares = L**2
    M = squares.transpose(0, 2, 1) @ squares
    diagonal = np.einsum("sjj->sj", M)
    value = -(np.linalg.slogdet(M)[1] - np.log(diagonal).sum(axis=1)) / 4.0
    gap = np.linalg.inv(M)
    at = np.arange(L.shape[2])
    gap[:, at, at] -= 1.0 / diagonal
    return np.asarray(value), -L * (squares @ gap)


def _infomax(L: Floats) -> tuple[Floats, Floats]:
    squares = L**2
    total = squares.sum(axis=(1, 2), keepdims=True)
    share = squares / total
    rows, columns = share.sum(axis=2, keepdims=True), share.sum(axis=1, keepdims=True)
    log_share, log_rows, log_columns = _log(share), _log(rows), _log(columns)
    m = L.shape[2]
    value = np.log(m) - (share * (log_share - log_rows - log_columns)).sum(axis=(1, 2))
    slope = -(log_share - log_rows - log_columns) + 1.0
    slope = slope - (share * slope).sum(axis=(1, 2), keepdims=True)
    return value, 2.0 * L * slope / total


def _log(values: Floats) -> Floats:
    return np.log(np.maximum(values, 1e-300))


def _target(L: Floats, target: Floats, weight: Floats) -> tuple[Floats, Floats]:
    gap = weight * (L - target)
    return (gap**2).sum(axis=(1, 2)), 2.0 * gap
