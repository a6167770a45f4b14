"""Estimates of moments within limits: equalities that are not linear, inequalities and bounds.

The search goes on from the minimum without limits, and once more from the starting values: the lower end counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.likelihood.constrained import Limits, search_within
from alliancekit.structural.scoring import Criterion, Curvature, Found

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Within:
    """The minimum within limits.

    found : of the search, in z. tangent : (size, k) directions of x along which what holds at the minimum goes on
        holding. spent : degrees of freedom that the parameters use; active inequalities save none.
    """

    found: Found
    tangent: Floats
    spent: int


def minimise_within(
    limits: Limits, criterion: Criterion, curvature: Curvature, start: Floats, near: Floats | None
) -> Within:
    """Return the minimum of a criterion in units of chi-square.

    Parameters
    ----------
    criterion, curvature : of z, x = offset + basis z. start : starting values. near : the minimum without limits, None
        where it was not found.

    Raises
    ------
    FitError : no parameters were found that satisfy the limits.
    """
    if near is not None and limits.hold(near):
        here = criterion(near)
        if here is not None:
            return _within(limits, Found(near, here[0], here[1], 1, 1, True))
    found = [search_within(criterion, curvature, from_, limits) for from_ in (near, start) if from_ is not None]
    moved = min((one for one in found if one is not None), key=lambda one: (not one.converged, one.value), default=None)
    if moved is None:
        what = "No parameters were found that satisfy the constraints"
        raise FitError(message(what, do="Check that they do not contradict each other"))
    return _within(limits, moved)


def _within(limits: Limits, found: Found) -> Within:
    return Within(found, limits.tangent(found.x), limits.tangent(found.x, active=False).shape[1])
