"""The search for a rotation by gradient projection, from many starts at once, finished by Newton steps.

Jennrich (2001, Psychometrika 66, 289-306) for orthogonal and (2002, Psychometrika 67, 7-19) for oblique rotation. With
T (m, m) of unit columns, loadings are A T'^-1 and factor correlations T' T; orthogonal T has T'^-1 = T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.rotation.criteria import Criterion

Floats = NDArray[np.float64]
_HALVINGS = 40
_SINGULAR, _COLLAPSED = 1e-6, 1e-6
"""Determinant of T, and eigenvalue of the factor correlations, below which factors have collapsed into one."""


@dataclass(frozen=True, eq=False, slots=True)
class Turned:
    """T (m, m) with the least criterion found, its value, and whether the search ended there."""

    T: Floats
    value: float
    converged: bool


def search_rotation(
    A: Floats, criterion: Criterion, *, orthogonal: bool, starts: int, seed: int, tol: float, max_iter: int
) -> Turned:
    """Return the rotation of loadings with the least criterion, from the loadings as they are and from random starts.

    Parameters
    ----------
    A : (p, m) loadings. starts, seed : random orthogonal starts. tol : where the projected gradient is small enough.
    """
    m = A.shape[1]
    T = np.stack([np.eye(m), *_random_rotations(m, starts, seed)])
    T, values = _descend(A, criterion, T, orthogonal, max(tol, 1e-2), min(max_iter, 100))
    best = np.argsort(values, kind="stable")[: max(10, len(values) // 4)]
    T, values = _descend(A, criterion, T[best], orthogonal, tol, min(max_iter, 500))
    best = np.argsort(values, kind="stable")[:1]
    return _finish(A, criterion, T[best], orthogonal, tol, max_iter)


def search_nearby(A: Floats, criterion: Criterion, T: Floats, *, orthogonal: bool, tol: float, max_iter: int) -> Turned:
    """Return the minimum of the criterion to which one start T (m, m) leads."""
    T = _retract(T, orthogonal)[None]
    T, _ = _descend(A, criterion, T, orthogonal, max(tol, 1e-2), min(max_iter, 100))
    return _finish(A, criterion, T, orthogonal, tol, max_iter)


def _finish(A: Floats, criterion: Criterion, T: Floats, orthogonal: bool, tol: float, max_iter: int) -> Turned:
    """Return the minimum near T (1, m, m): by Newton steps, or after a longer descent."""
    found = _polish(A, criterion, T[0], orthogonal, tol)
    if not found.converged:
        T, _ = _descend(A, criterion, T, orthogonal, tol, max_iter)
        found = _polish(A, criterion, T[0], orthogonal, tol)
    return found


def turn(A: Floats, T: Floats, orthogonal: bool) -> Floats:
    """Return the rotated loadings, (..., p, m)."""
    if orthogonal:
        return A @ T
    return np.asarray(np.swapaxes(np.linalg.solve(T, np.broadcast_to(A.T, (*T.shape[:-2], *A.T.shape))), -1, -2))


def _random_rotations(m: int, n: int, seed: int) -> list[Floats]:
    """Return random orthogonal matrices of both orientations, so that a target can be reached from either side."""
    rng = np.random.default_rng(seed)
    found = [np.linalg.qr(rng.standard_normal((m, m)))[0] * rng.choice([-1.0, 1.0], m) for _ in range(n)]
    return [np.asarray(Q, dtype=np.float64) for Q in found]


def _value_and_slope(A: Floats, criterion: Criterion, T: Floats, orthogonal: bool) -> tuple[Floats, Floats]:
    """Return the criterion and its gradient by T, projected on the directions in which T may move.

    The criterion is infinite where two factors are all but one.
    """
    fallen = np.zeros(T.shape[:-2], dtype=bool) if orthogonal else np.abs(np.linalg.det(T)) < _SINGULAR
    T = np.where(fallen[..., None, None], np.eye(T.shape[-1]), T)
    L = turn(A, T, orthogonal)
    value, by_loading = criterion(L)
    value = np.where(fallen | np.isnan(value), np.inf, value)
    if orthogonal:
        slope = A.T @ by_loading
        inner = np.swapaxes(T, -1, -2) @ slope
        return value, slope - T @ (inner + np.swapaxes(inner, -1, -2)) / 2.0
    drawn = -np.linalg.solve(np.swapaxes(T, -1, -2), np.swapaxes(by_loading, -1, -2) @ L)
    return value, drawn - T * (T * drawn).sum(axis=-2, keepdims=True)


def _retract(X: Floats, orthogonal: bool) -> Floats:
    """Return the rotation next to X."""
    if not orthogonal:
        return np.asarray(X / np.sqrt((X * X).sum(axis=-2, keepdims=True)))
    U, _, V = np.linalg.svd(X)
    return np.asarray(U @ V)


def _descend(
    A: Floats, criterion: Criterion, T: Floats, orthogonal: bool, tol: float, max_iter: int
) -> tuple[Floats, Floats]:
    """Return where each of several starts (s, m, m) leads, and the criterion there."""
    T = T.copy()
    values, slopes = _value_and_slope(A, criterion, T, orthogonal)
    step = np.ones(len(T))
    moving = np.ones(len(T), dtype=bool)
    for _ in range(max_iter):
        size2 = (slopes * slopes).sum(axis=(-2, -1))
        moving &= size2 > tol * tol
        own = np.flatnonzero(moving)
        if not own.size:
            break
        step[own] *= 2.0
        waiting = own
        for _ in range(_HALVINGS):
            trial = _retract(T[waiting] - step[waiting, None, None] * slopes[waiting], orthogonal)
            with np.errstate(all="ignore"):
                found = _value_and_slope(A, criterion, trial, orthogonal)
            better = found[0] < values[waiting] - 0.5 * size2[waiting] * step[waiting]
            done = waiting[better]
            moving[done] = values[done] - found[0][better] > 1e-11 * np.abs(values[done])
            T[done], values[done], slopes[done] = trial[better], found[0][better], found[1][better]
            waiting = waiting[~better]
            if not waiting.size:
                break
            step[waiting] /= 2.0
        moving[waiting] = False
    return T, values


def _polish(A: Floats, criterion: Criterion, T: Floats, orthogonal: bool, tol: float) -> Turned:
    """Return T after Newton steps on the projected gradient, as long as these make it smaller."""
    moves = _directions(len(T), orthogonal)
    h, size, kept = 1e-5, np.inf, T
    value = float(_value_and_slope(A, criterion, T, orthogonal)[0])
    for _ in range(20):
        here = _along(A, criterion, T[None], orthogonal, moves)[0]
        now = float(np.abs(here).max())
        if not now < 0.5 * size:
            break
        size, kept = now, T
        steps = np.concatenate([h * moves, -h * moves])
        around = _along(A, criterion, _moved(T, steps, orthogonal), orthogonal, moves)
        curvature = (around[: len(moves)] - around[len(moves) :]) / (2.0 * h)
        if not np.isfinite(curvature).all():
            break
        change = -np.linalg.lstsq((curvature + curvature.T) / 2.0, here, rcond=1e-10)[0]
        trial = _moved(T, np.tensordot(change, moves, axes=1)[None], orthogonal)[0]
        worse = _value_and_slope(A, criterion, trial, orthogonal)[0] > value + 1e-12 * abs(value)
        if np.abs(change).max() > 0.1 or worse:
            break
        T = trial
    found = _value_and_slope(A, criterion, kept, orthogonal)
    apart = orthogonal or float(np.linalg.eigvalsh(kept.T @ kept)[0]) > _COLLAPSED
    return Turned(kept, float(found[0]), apart and bool(np.sqrt((found[1] ** 2).sum()) <= tol))


def _directions(m: int, orthogonal: bool) -> Floats:
    """Return the directions K (k, m, m) of T (I + K): skew, or any off the diagonal."""
    out = []
    for i in range(m):
        for j in range(m):
            if i == j or (orthogonal and i > j):
                continue
            K = np.zeros((m, m))
            K[i, j] = 1.0
            if orthogonal:
                K[j, i] = -1.0
            out.append(K)
    return np.array(out)


def _moved(T: Floats, K: Floats, orthogonal: bool) -> Floats:
    return _retract(T @ (np.eye(len(T)) + K), orthogonal)


def _along(A: Floats, criterion: Criterion, T: Floats, orthogonal: bool, moves: Floats) -> Floats:
    """Return the derivatives of the criterion of T (s, m, m) by the directions, (s, k)."""
    slope = np.swapaxes(T, -1, -2) @ _value_and_slope(A, criterion, T, orthogonal)[1]
    return np.asarray(np.tensordot(slope, moves, axes=([-2, -1], [-2, -1])))
