"""Rotation criteria and their derivatives by the loadings; each is least where the loadings are simplest.

Loadings are (..., p, m): p items, m factors, and any number of rotations at once. Crawford & Ferguson (1970,
Psychometrika 35, 321-332), Browne (2001, Multivariate Behav Res 36, 111-150), Jennrich (2002, Psychometrika 67, 7-19)
and Bernaards & Jennrich (2005, Educ Psychol Meas 65, 676-696); the constants are lavaan's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message

if TYPE_CHECKING:
    from alliancekit.structural.rotation.words import RotationWords

Floats = NDArray[np.float64]
Valued = tuple[Floats, Floats]
"""The criterion (...,) and its derivatives (..., p, m)."""
Criterion = Callable[[Floats], Valued]


def make_criterion(words: RotationWords, items: int, factors: int, block: str) -> Criterion:
    """Return the criterion that was asked for, for loadings of some items on some factors of an exploratory block.

    Raises
    ------
    SpecError : a target that has not the shape of the loadings.
    """
    name = words.criterion
    if name in ("cf", *WEIGHTS):
        return partial(crawford_ferguson, gamma=WEIGHTS[name](items, factors) if name in WEIGHTS else words.cf_gamma)
    if name in ("varimax", "orthomax"):
        return partial(orthomax, gamma=1.0 if name == "varimax" else words.orthomax_gamma)
    if name in ("oblimin", "quartimin"):
        return partial(oblimin, gamma=0.0 if name == "quartimin" else words.oblimin_gamma)
    if name == "geomin":
        return partial(geomin, epsilon=words.geomin_epsilon)
    if name in ("biquartimin", "bigeomin"):
        rest = partial(oblimin, gamma=0.0) if name == "biquartimin" else partial(geomin, epsilon=words.geomin_epsilon)
        return partial(beside_general, rest=rest)
    if name in ("target", "pst"):
        target, weight = words.target_of(block)
        if target.shape != (items, factors) or weight.shape != target.shape:
            what = f"the rotation target is {target.shape} and the loadings are {(items, factors)}"
            where = f"exploratory block '{block}'"
            raise SpecError(message(what, where=where, do="Give one row per item and one column per factor"))
        return partial(towards, target=target, weight=weight)
    return PLAIN[name]


def crawford_ferguson(L: Floats, gamma: float) -> Valued:
    """Crawford and Ferguson's family: complexity of the rows, and of the columns by the weight gamma."""
    L2 = L * L
    rows = L2.sum(axis=-1, keepdims=True) - L2
    columns = L2.sum(axis=-2, keepdims=True) - L2
    mixed = (1.0 - gamma) * rows + gamma * columns
    return (L2 * mixed).sum(axis=(-2, -1)) / 4.0, L * mixed


def orthomax(L: Floats, gamma: float) -> Valued:
    """Minus the fourth powers, less gamma of the squared sums of the columns (gamma 1: varimax, 0: quartimax)."""
    L2 = L * L
    centred = L2 - gamma * L2.mean(axis=-2, keepdims=True)
    return -(L2 * centred).sum(axis=(-2, -1)) / 4.0, -L * centred


def oblimin(L: Floats, gamma: float) -> Valued:
    """Covariances of the squared loadings of different factors (gamma 0: quartimin)."""
    L2 = L * L
    others = L2.sum(axis=-1, keepdims=True) - L2
    centred = others - gamma * others.mean(axis=-2, keepdims=True)
    return (L2 * centred).sum(axis=(-2, -1)) / 4.0, L * centred


def geomin(L: Floats, epsilon: float) -> Valued:
    """Geometric means of the squared loadings of each item, a little above zero."""
    L2 = L * L + epsilon
    m = L.shape[-1]
    means = np.exp(np.log(L2).sum(axis=-1, keepdims=True) / m)
    return means.sum(axis=(-2, -1)), 2.0 / m * L / L2 * means


def beside_general(L: Floats, rest: Criterion) -> Valued:
    """A criterion of all factors but the first, which is general."""
    value, slope = rest(L[..., 1:])
    return value, np.concatenate([np.zeros_like(L[..., :1]), slope], axis=-1)


def towards(L: Floats, target: Floats, weight: Floats) -> Valued:
    """Squared distances from a target; weight 0 where there is none."""
    gap = weight * (L - target)
    return (gap * gap).sum(axis=(-2, -1)), 2.0 * weight * gap


def bentler(L: Floats) -> Valued:
    """Bentler's invariant pattern simplicity: how far squared loadings of different factors are from orthogonal."""
    L2 = L * L
    product = np.swapaxes(L2, -1, -2) @ L2
    own = np.diagonal(product, axis1=-2, axis2=-1)
    value = -(np.linalg.slogdet(product)[1] - np.log(own).sum(axis=-1)) / 4.0
    inner = np.linalg.inv(product) - _diagonal(1.0 / own)
    return value, -L * (L2 @ inner)


def infomax(L: Floats) -> Valued:
    """What squared loadings, as probabilities, tell of the factor once the item is known (McKeon 1968)."""
    L2 = L * L
    joint, by_cell = _entropy(L2, (-2, -1))
    columns, by_column = _entropy(L2.sum(axis=-2, keepdims=True), (-2, -1))
    rows, by_row = _entropy(L2.sum(axis=-1, keepdims=True), (-2, -1))
    value = np.log(L.shape[-1]) + joint - columns - rows
    return value[..., 0, 0], 2.0 * L * (by_cell - by_column - by_row)


def mccammon(L: Floats) -> Valued:
    """McCammon's (1966) ratio of the entropy within the columns to that among them, as a logarithm."""
    L2 = L * L
    within, by_cell = _entropy(L2, (-2,))
    among, by_column = _entropy(L2.sum(axis=-2, keepdims=True), (-2, -1))
    within = within.sum(axis=-1, keepdims=True)
    value = np.log(within) - np.log(among)
    return value[..., 0, 0], 2.0 * L * (by_cell / within - by_column / among)


def entropy(L: Floats) -> Valued:
    """Entropy of the squared loadings."""
    L2 = np.where(L == 0, 1.0, L * L)
    return -(L2 * np.log(L2)).sum(axis=(-2, -1)) / 2.0, -L * np.log(L2) - L


def tandem(L: Floats, similar: bool) -> Valued:
    """Comrey's (1967) tandem criteria: items that correlate load on the same factor (I), or others do not (II)."""
    L2, LL = L * L, L @ np.swapaxes(L, -1, -2)
    weight = LL * LL if similar else 1.0 - LL * LL
    sign = -1.0 if similar else 1.0
    drawn = weight @ L2
    through = (LL * (L2 @ np.swapaxes(L2, -1, -2))) @ L
    return sign * (L2 * drawn).sum(axis=(-2, -1)), sign * 4.0 * L * drawn - 4.0 * through


def oblimax(L: Floats) -> Valued:
    """Minus the logarithm of the kurtosis of the loadings."""
    L2 = L * L
    fourth, second = (L2 * L2).sum(axis=(-2, -1)), L2.sum(axis=(-2, -1))
    slope = 4.0 * L / second[..., None, None] - 4.0 * L2 * L / fourth[..., None, None]
    return 2.0 * np.log(second) - np.log(fourth), slope


def simplimax(L: Floats) -> Valued:
    """Sum of the smallest squared loadings, as many as there are items (Kiers 1994)."""
    L2 = L * L
    k = L.shape[-2]
    flat = L2.reshape(*L2.shape[:-2], -1)
    limit = np.partition(flat, k - 1, axis=-1)[..., k - 1]
    small = limit[..., None, None] >= L2
    return (L2 * small).sum(axis=(-2, -1)), 2.0 * L * small


def _entropy(x: Floats, axes: tuple[int, ...]) -> Valued:
    """Return the entropy of shares of x along some axes, which are kept, and its derivatives by x."""
    total = x.sum(axis=axes, keepdims=True)
    share = x / total
    logs = np.log(np.where(share > 0, share, 1.0))
    value = -(share * logs).sum(axis=axes, keepdims=True)
    return value, (-logs - value) / total


def _diagonal(values: Floats) -> Floats:
    return np.asarray(values[..., None] * np.eye(values.shape[-1]))


WEIGHTS: dict[str, Callable[[int, int], float]] = {
    "cf-quartimax": lambda p, m: 0.0,
    "cf-varimax": lambda p, m: 1.0 / p,
    "cf-equamax": lambda p, m: m / (2.0 * p),
    "cf-parsimax": lambda p, m: (m - 1.0) / (p + m - 2.0),
    "cf-facparsim": lambda p, m: 1.0,
}
"""Gamma of Crawford and Ferguson's family by name, for p items and m factors."""
PLAIN: dict[str, Criterion] = {
    "quartimax": partial(orthomax, gamma=0.0),
    "bentler": bentler,
    "infomax": infomax,
    "mccammon": mccammon,
    "entropy": entropy,
    "tandem1": partial(tandem, similar=True),
    "tandem2": partial(tandem, similar=False),
    "oblimax": oblimax,
    "simplimax": simplimax,
}
OWN = (
    "geomin",
    "oblimin",
    "quartimin",
    "varimax",
    "orthomax",
    "promax",
    "target",
    "pst",
    "biquartimin",
    "bigeomin",
)
CRITERIA = (*OWN, "cf", *WEIGHTS, *PLAIN, "none")
