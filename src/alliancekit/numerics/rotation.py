"""Rotation of factor loadings: gradient projection from many starts at once, then Newton's method on the best.

Oblique: L = A T'^-1 with columns of T of length one, factor correlations T'T. Orthogonal: L = A T with T'T = I.
Jennrich (2002), Psychometrika 67, 7-19; Bernaards & Jennrich (2005), Educ Psychol Meas 65, 676-696.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.numerics.optimisers import minimise
from alliancekit.numerics.rotation_criteria import Criterion

Floats = NDArray[np.float64]
ROUGH = 1e-5  # relative projected gradient at which a start is good enough to be compared
ROUGH_STEPS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """A rotated solution.

    Attributes
    ----------
    loadings : (p, m). T : (m, m), loadings = A @ inv(T).T (for an orthogonal T the same as A @ T).
    correlations : (m, m) of the factors, T'T. value : the criterion there.
    minima : how many of the starts ended at this value; starts : how many there were.
    converged : whether the last search did.
    """

    loadings: Floats
    T: Floats
    correlations: Floats
    value: float
    minima: int
    starts: int
    converged: bool


def rotate(A: Floats, criterion: Criterion, *, orthogonal: bool = False, starts: int = 30, seed: int = 0) -> Rotation:
    """Return the simplest of the patterns reached from ``starts`` random orientations and from A itself.

    Parameters
    ----------
    A : (p, m) unrotated loadings, already weighted as wanted.
    criterion : see ``rotation_criteria``. orthogonal : whether factors stay uncorrelated.
    starts : random starts beside the identity. seed : of their orientations.
    """
    m = A.shape[1]
    if m == 1:
        return Rotation(A.copy(), np.eye(1), np.eye(1), float(criterion(A[None])[0][0]), 1, 1, True)
    T = np.concatenate([np.eye(m)[None], _random_orientations(m, starts, seed)])
    T, values = _gradient_projection(A, criterion, T, orthogonal)
    best = int(np.argmin(values))
    close = int((values <= values[best] + 1e-6 * max(abs(float(values[best])), 1.0)).sum())
    T_best, value, converged = refine(A, criterion, T[best], orthogonal=orthogonal)
    loadings = turn(A, T_best[None], orthogonal)[0]
    return Rotation(loadings, T_best, T_best.T @ T_best, value, close, starts + 1, converged)


def refine(A: Floats, criterion: Criterion, T: Floats, *, orthogonal: bool = False) -> tuple[Floats, float, bool]:
    """Return the minimum next to ``T`` (m, m) to all digits, the criterion there and whether the search converged.

    The matrix is written as T times a small change: I + S, columns scaled to length one (oblique, S without a
    diagonal), or Cayley's transform of a skew S (orthogonal). The change starts at zero again until it stays there.
    """
    converged, value = False, np.inf
    for _ in range(20):
        change = _Change(A, criterion, T, orthogonal)
        found = minimise(change, np.zeros(change.size), tolerance=1e-18, max_step=0.3)
        T, converged = change.matrix(found.x), found.converged
        value = found.value
        if not found.x.size or np.abs(found.x).max() < 1e-7:
            break
    return T, float(value), converged


def turn(A: Floats, T: Floats, orthogonal: bool) -> Floats:
    """Return the rotated loadings (s, p, m) of A (p, m) for transformations T (s, m, m)."""
    if orthogonal:
        return np.asarray(A @ T)
    return np.asarray(np.linalg.solve(T, np.broadcast_to(A.T, (T.shape[0], *A.T.shape))).transpose(0, 2, 1))


def align(loadings: Floats, correlations: Floats, T: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the same solution with factors turned so that each one's loadings have a positive sum."""
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    return loadings * signs, correlations * np.outer(signs, signs), T * signs


class _Change:
    """The criterion as a function of a small change of T, with its gradient."""

    def __init__(self, A: Floats, criterion: Criterion, T: Floats, orthogonal: bool) -> None:
        self.A, self.criterion, self.T, self.orthogonal = A, criterion, T, orthogonal
        m = T.shape[0]
        self.at = np.tril_indices(m, -1) if orthogonal else np.nonzero(~np.eye(m, dtype=bool))
        self.size = self.at[0].size

    def matrix(self, s: Floats) -> Floats:
        """Return T after the change s."""
        S = np.zeros_like(self.T)
        S[self.at] = s
        eye = np.eye(len(S))
        if self.orthogonal:
            S = (S - S.T) / 2
            return np.asarray(self.T @ np.linalg.solve(eye + S, eye - S))
        moved = self.T @ (eye + S)
        return np.asarray(moved / np.linalg.norm(moved, axis=0))

    def __call__(self, s: Floats) -> tuple[float, Floats]:
        T = self.matrix(s)
        L = turn(self.A, T[None], self.orthogonal)
        value, slope = self.criterion(L)
        by_T = _slope_by_T(self.A, L, slope, T[None], self.orthogonal)[0]
        S = np.zeros_like(self.T)
        S[self.at] = s
        eye = np.eye(len(S))
        if self.orthogonal:
            S = (S - S.T) / 2
            left = np.linalg.inv(eye + S)
            by_S = -left.T @ self.T.T @ by_T @ (eye + (left @ (eye - S)).T)
            by_S = (by_S - by_S.T) / 2
            return float(value[0]), by_S[self.at]
        moved = self.T @ (eye + S)
        length = np.linalg.norm(moved, axis=0)
        by_moved = (by_T - T * (T * by_T).sum(axis=0)) / length
        return float(value[0]), (self.T.T @ by_moved)[self.at]


def _slope_by_T(A: Floats, L: Floats, slope: Floats, T: Floats, orthogonal: bool) -> Floats:
    """Return the derivative of the criterion by T, (s, m, m)."""
    if orthogonal:
        return np.asarray(A.T @ slope)
    inner = np.linalg.solve(T.transpose(0, 2, 1), (L.transpose(0, 2, 1) @ slope).transpose(0, 2, 1))
    return np.asarray(-inner)


def _random_orientations(m: int, count: int, seed: int) -> Floats:
    normal = np.random.default_rng(seed).normal(size=(count, m, m))
    Q, R = np.linalg.qr(normal)
    return np.asarray(Q * np.sign(np.einsum("sii->si", R))[:, None, :])


def _gradient_projection(A: Floats, criterion: Criterion, T: Floats, orthogonal: bool) -> tuple[Floats, Floats]:
    """Follow the projected gradient from all starts together until each is near a minimum."""
    step = np.ones(T.shape[0])
    L = turn(A, T, orthogonal)
    value, slope = criterion(L)
    alive = np.arange(T.shape[0])
    for _ in range(ROUGH_STEPS):
        G = _slope_by_T(A, L[alive], slope[alive], T[alive], orthogonal)
        projected = _project(G, T[alive], orthogonal)
        size = (projected**2).sum(axis=(1, 2))
        going = np.sqrt(size) > ROUGH * (1.0 + np.abs(value[alive]))
        alive, projected, size = alive[going], projected[going], size[going]
        if not alive.size:
            break
        step[alive] *= 2.0
        pending = np.arange(alive.size)
        for _ in range(12):
            who = alive[pending]
            trial = _retract(T[who] - step[who, None, None] * projected[pending], orthogonal)
            L_trial = turn(A, trial, orthogonal)
            value_trial, slope_trial = criterion(L_trial)
            better = value_trial < value[who] - 0.5 * size[pending] * step[who]
            T[who[better]], L[who[better]] = trial[better], L_trial[better]
            value[who[better]], slope[who[better]] = value_trial[better], slope_trial[better]
            pending = pending[~better]
            if not pending.size:
                break
            step[alive[pending]] /= 2.0
    return T, value


def _project(G: Floats, T: Floats, orthogonal: bool) -> Floats:
    if orthogonal:
        M = T.transpose(0, 2, 1) @ G
        return np.asarray(G - T @ (M + M.transpose(0, 2, 1)) / 2)
    return np.asarray(G - T * (T * G).sum(axis=1, keepdims=True))


def _retract(X: Floats, orthogonal: bool) -> Floats:
    if orthogonal:
        U, _, Vt = np.linalg.svd(X)
        return np.asarray(U @ Vt)
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))
