"""Correlations as roots of score functions, many at once: Newton steps, halving where these leave the bracket."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SMALL = 1e-5
"""A Newton step of this size ends the search; its square is what is left to go."""


def find_roots(
    evaluate: Callable[[Floats], tuple[Floats, Floats]], start: Floats, bound: float, *, most: int = 60
) -> tuple[Floats, Floats]:
    """Return where decreasing functions are zero, (P,), and the last step, from the place last evaluated.

    evaluate : values and slopes (P,) at places (P,); a value is NaN beyond the places at which the function is defined,
        which lie around zero. bound : places stay within plus and minus this; where the function has no root there, the
        bound nearest to it is returned.
    """
    at = np.clip(start, -0.95, 0.95)
    low, high = np.full_like(at, -bound), np.full_like(at, bound)
    step = np.zeros_like(at)
    for _ in range(most):
        value, slope = evaluate(at)
        beyond = np.isnan(value)
        value, slope = np.where(beyond, -np.sign(at), value), np.where(beyond, 0.0, slope)
        above = value > 0
        low, high = np.where(above, at, low), np.where(above, high, at)
        newton = np.divide(-value, slope, out=np.full_like(at, np.inf), where=slope < 0)
        inside = (at + newton >= low) & (at + newton <= high)
        step = np.where(value == 0, 0.0, np.where(inside, newton, (low + high) / 2 - at))
        if (np.abs(step) < SMALL).all():
            return at + step, step
        at = at + step
    return at, np.zeros_like(at)
