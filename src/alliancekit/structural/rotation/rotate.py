"""One loading matrix rotated: weights of its rows, the search, promax, signs and order of the columns.

The factors of another sample are put into the order, and given the signs, of those of a first one: Clarkson (1979, J Am
Stat Assoc 74, 779-785); Zhang, Preacher & Luo (2010, Multivariate Behav Res 45, 104-134).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.rotation.criteria import Criterion, make_criterion, orthomax
from alliancekit.structural.rotation.search import Turned, search_nearby, search_rotation, turn
from alliancekit.structural.rotation.words import RotationWords

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Rotated:
    """Rotated loadings (p, m), H (m, m) with loadings = A H'^-1 and factor correlations H' H.

    value : the criterion, NaN where there is none. converged : whether the search ended at a minimum. place, sign : the
    columns in the order and with the signs of the search, times sign, at place.
    """

    loadings: Floats
    H: Floats
    value: float
    converged: bool
    place: NDArray[np.intp]
    sign: Floats


def rotate_loadings(A: Floats, words: RotationWords, block: str = "", variances: Floats | None = None) -> Rotated:
    """Rotate loadings of uncorrelated factors.

    Parameters
    ----------
    A : (p, m) loadings. words : how. block : name of the exploratory block, for its target.
    variances : (p,) of the items, where these are brought to one meanwhile.

    Raises
    ------
    SpecError : a target of another shape.
    """
    m = A.shape[1]
    if m < 2 or words.criterion == "none":
        return Rotated(A, np.eye(m), float("nan"), True, np.arange(m), np.ones(m))
    H, value, converged = _turned(A, words, block, variances)
    loadings = turn(A, H, words.orthogonal and words.criterion != "promax")
    place, sign = _arrange(loadings, words)
    return Rotated(loadings[:, place] * sign, H[:, place] * sign, value, converged, place, sign)


def rotate_alike(A: Floats, words: RotationWords, block: str, variances: Floats, first: Rotated) -> Rotated:
    """Rotate loadings of another sample, from a first rotation on, and match their columns to those of the first.

    Parameters
    ----------
    A : (p, m) loadings of uncorrelated factors. words, block : as in ``rotate_loadings``. variances : (p,) of items.
    first : what the loadings are to be like. The search begins at its rotation (A is turned towards its loadings before
        the rotation, since these have signs of their own), and ends at the minimum next to it.

    Notes
    -----
    Columns are exchanged and reflected so that the sum of squared differences from the first loadings, in units of the
    items' standard deviations, is least.
    """
    U, _, V = np.linalg.svd(A.T @ first.loadings @ first.H.T)
    unit = variances if words.std_ov else None
    H, value, converged = _turned(A, words, block, unit, U @ V @ first.H)
    loadings = turn(A, H, words.orthogonal and words.criterion != "promax")
    place, sign = match_columns(loadings / np.sqrt(variances)[:, None], first.loadings / np.sqrt(variances)[:, None])
    return Rotated(loadings[:, place] * sign, H[:, place] * sign, value, converged, place, sign)


def match_columns(loadings: Floats, wanted: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return which column of loadings (p, m) is to stand at each place, and its sign, to be nearest to ``wanted``."""
    from scipy.optimize import linear_sum_assignment  # a first fit does not wait for it

    inner = wanted.T @ loadings
    apart = (wanted**2).sum(axis=0)[:, None] + (loadings**2).sum(axis=0) - 2.0 * np.abs(inner)
    rows, place = linear_sum_assignment(apart)
    return np.asarray(place, dtype=np.intp), np.where(inner[rows, place] < 0, -1.0, 1.0)


def _turned(
    A: Floats, words: RotationWords, block: str, variances: Floats | None, start: Floats | None = None
) -> tuple[Floats, float, bool]:
    """Return H, the criterion, and whether the search ended at a minimum; start : instead of many random ones."""
    p, m = A.shape
    unit = A if variances is None else A / np.sqrt(variances)[:, None]
    weights = row_weights(unit @ unit.T, m, words.row_weights)
    if words.criterion == "promax":
        return _promax(unit, weights, words, start), float("nan"), True
    found = _searched(unit * weights[:, None], make_criterion(words, p, m, block), words, words.orthogonal, start)
    return found.T, found.value, found.converged


def _searched(A: Floats, criterion: Criterion, words: RotationWords, orthogonal: bool, start: Floats | None) -> Turned:
    if start is not None:
        return search_nearby(A, criterion, start, orthogonal=orthogonal, tol=words.gpa_tol, max_iter=words.max_iter)
    return search_rotation(
        A,
        criterion,
        orthogonal=orthogonal,
        starts=words.starts(A.shape[1]),
        seed=words.seed,
        tol=words.gpa_tol,
        max_iter=words.max_iter,
    )


def row_weights(common: Floats, factors: int, kind: str) -> Floats:
    """Return by what rows are multiplied while they are rotated, (..., p).

    Parameters
    ----------
    common : (..., p, p) covariances that the factors give the items. kind : "none", "kaiser" (communalities are one) or
        "cureton-mulaik" (Cureton & Mulaik 1975, Psychometrika 40, 183-195).
    """
    communality = np.diagonal(common, axis1=-2, axis2=-1)
    if kind == "none":
        return np.ones_like(communality)
    kaiser = 1.0 / np.sqrt(communality)
    if kind == "kaiser":
        return np.asarray(kaiser)
    values, vectors = np.linalg.eigh(common)
    first = np.abs(vectors[..., -1] * np.sqrt(values[..., -1:])) * kaiser
    even = 1.0 / np.sqrt(factors)
    corner = np.where(first < even, np.pi / 2, 0.0)
    angle = (np.arccos(even) - np.arccos(np.minimum(first, 1.0))) / (np.arccos(even) - corner) * np.pi / 2
    return np.asarray((np.cos(angle) ** 2 + 0.001) * kaiser)


def _promax(A: Floats, weights: Floats, words: RotationWords, start: Floats | None) -> Floats:
    """Return H of promax: loadings drawn to powers of those of varimax (Hendrickson & White 1964).

    Varimax is of rows of unit length where these are weighted after Kaiser.
    """
    kaiser = row_weights(A @ A.T, A.shape[1], "kaiser") if words.row_weights == "kaiser" else np.ones(len(A))
    found = _searched(A * kaiser[:, None], lambda L: orthomax(L, 1.0), words, True, start)
    x = A @ found.T
    power = x * np.abs(x) ** (words.promax_kappa - 1.0)
    U = np.linalg.lstsq(x, power, rcond=None)[0]
    U = U * np.sqrt(np.linalg.inv(U.T @ U).diagonal())
    return np.asarray(np.linalg.inv(found.T @ U).T)


def _arrange(loadings: Floats, words: RotationWords) -> tuple[NDArray[np.intp], Floats]:
    """Return the order of the columns and their signs; equals in the order of their sums of squares."""
    sign = np.where(words.reflect & (loadings.sum(axis=0) < 0), -1.0, 1.0)
    size = (loadings**2).sum(axis=0)
    if words.order_lv_by == "none":
        place = np.arange(len(size))
    elif words.order_lv_by == "sumofsquares":
        place = np.argsort(-size, kind="stable")
    else:
        large = np.abs(loadings) >= 0.8 * np.abs(loadings).max(axis=0)
        index = (large * np.arange(len(loadings))[:, None]).sum(axis=0) / large.sum(axis=0)
        place = np.lexsort((-size, index))
    return place, sign[place]
