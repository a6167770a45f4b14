"""Quasi-Newton minimisation of many smooth functions of the same parameters at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
ManyValuesAndGradients = Callable[[Floats, Ints], tuple[Floats, Floats]]
_STAYS = 0.7  # share of members still searching below which the others leave the batch


@dataclass(slots=True, eq=False)
class Minima:
    """Where each search stopped: x (B, k), value (B,), gradient (B, k), decrement (B,), converged (B,)."""

    x: Floats
    value: Floats
    gradient: Floats
    decrement: Floats
    converged: NDArray[np.bool_]


def minimise_many(
    function: ManyValuesAndGradients,
    start: Floats,
    hessian: Floats,
    *,
    tolerance: float = 1e-10,
    refined: float = 1e-18,
    max_iterations: int = 100,
    max_step: float = 2.0,
) -> Minima:
    """Minimise B functions by BFGS; the searches advance together and leave when they are done.

    Parameters
    ----------
    function : takes points (B', k) and which members they belong to (B',); returns values (B',) and gradients (B', k).
    start : (B, k). hessian : (k, k) positive definite, the curvature that every search begins with.
    tolerance : Newton decrement below which steps are judged by the gradient alone, which is known to more digits than
        differences of the value. refined : decrement at which a search is done.

    Notes
    -----
    The decrement counts as reached below 1e-6, as in ``minimise``; there is no check for saddles.
    """
    B = start.shape[0]
    x = np.array(start, dtype=np.float64)
    inverse = np.tile(np.linalg.inv(hessian), (B, 1, 1))
    value, gradient = function(x, np.arange(B))
    decrement = _decrement(inverse, gradient)
    length, stalls = np.ones(B), np.zeros(B, dtype=np.intp)
    batch = np.arange(B)
    searching = np.ones(B, dtype=bool)
    for _ in range(max_iterations):
        searching &= (decrement >= refined) & (stalls < 12)
        if not searching.any():
            break
        if searching[batch].sum() < _STAYS * batch.size:
            batch = batch[searching[batch]]
        step = -np.einsum("bij,bj->bi", inverse[batch], gradient[batch])
        largest = np.abs(step).max(axis=1)
        step *= (length[batch] * np.minimum(1.0, max_step / np.maximum(largest, 1e-300)))[:, None]
        new_value, new_gradient = function(x[batch] + step, batch)
        slope = np.einsum("bi,bi->b", gradient[batch], step)
        noise = 1e-15 * np.abs(value[batch])
        better = new_value <= value[batch] + 1e-4 * slope + 4e-16 * np.abs(value[batch])
        updated = _bfgs(inverse[batch], step, new_gradient - gradient[batch])
        new_decrement = _decrement(updated, new_gradient)
        close = decrement[batch] < tolerance + noise
        taken = np.where(close, new_decrement < decrement[batch] / 4, better) & np.isfinite(new_value)
        taken &= searching[batch]
        done = close & ~taken
        moved, kept = batch[taken], batch[~taken]
        x[moved] += step[taken]
        value[moved], gradient[moved] = new_value[taken], new_gradient[taken]
        inverse[moved], decrement[moved] = updated[taken], new_decrement[taken]
        length[moved], stalls[moved] = 1.0, 0
        searching[batch[done]] = False
        length[kept] *= 0.3
        stalls[kept] += 1
    return Minima(x, value, gradient, decrement, decrement < 1e-6)


def _decrement(inverse: Floats, gradient: Floats) -> Floats:
    """Return g'H^-1 g / 2 of each member."""
    return np.asarray(np.einsum("bi,bij,bj->b", gradient, inverse, gradient) / 2)


def _bfgs(inverse: Floats, moved: Floats, change: Floats) -> Floats:
    """Return the updated inverse Hessians; a member whose curvature along the step is not positive keeps its own."""
    along = np.einsum("bi,bi->b", moved, change)
    size = np.sqrt(np.einsum("bi,bi->b", moved, moved) * np.einsum("bi,bi->b", change, change))
    good = along > 1e-10 * size
    rho = np.where(good, 1.0 / np.where(good, along, 1.0), 0.0)
    k = moved.shape[1]
    left = np.eye(k) - rho[:, None, None] * moved[:, :, None] * change[:, None, :]
    out = left @ inverse @ left.transpose(0, 2, 1) + rho[:, None, None] * moved[:, :, None] * moved[:, None, :]
    return np.asarray(np.where(good[:, None, None], out, inverse))
