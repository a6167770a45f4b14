"""Many samples fitted at once by maximum likelihood: the search of ``optimise`` with one more axis.

The samples are moments of complete rows, or sums of incomplete rows by pattern (``missing.batch``). All start at the
estimates of the sample and share its information as curvature, to which each adds what its own last steps tell. Those
that do not get there in time are left to the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.constraints import Linear
from alliancekit.structural.model import BlockModel, Model

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Integers = NDArray[np.intp]
STEPS, TOLERANCE = 80, 1e-12
KEPT = 8
"""Steps of which each sample keeps what they say about its curvature."""


class ManySamples(Protocol):
    """One group in R samples, as the search sees it."""

    @property
    def count(self) -> int:
        """Number of samples."""
        ...

    def slopes(self, chosen: Integers, sigma: Floats, mu: Floats | None) -> tuple[Floats, Floats | None, Booleans]:
        """Return dF / d sigma (k, p, p), dF / d mu (k, p) of some samples, and where sigma is positive definite."""
        ...


@dataclass(frozen=True, eq=False, slots=True)
class ManyMoments:
    """Means (R, p) and covariances (R, p, p) of one group in R samples; weight (R,): share of its rows."""

    mean: Floats
    cov: Floats
    weight: Floats

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.weight)

    def slopes(self, chosen: Integers, sigma: Floats, mu: Floats | None) -> tuple[Floats, Floats | None, Booleans]:
        """Return the derivatives of F = log|sigma| + tr(S P) + (m - mu)' P (m - mu), and where they are real."""
        fine = positive(sigma)
        P = np.linalg.inv(sigma if fine.all() else np.where(fine[:, None, None], sigma, np.eye(sigma.shape[1])))
        S, weight = self.cov[chosen], self.weight[chosen]
        if mu is None:
            return weight[:, None, None] * (P - P @ S @ P), None, fine
        gap = (self.mean[chosen] - mu)[:, :, None]
        S = S + gap * gap.mT
        return weight[:, None, None] * (P - P @ S @ P), -2.0 * weight[:, None] * (P @ gap)[:, :, 0], fine


def search_many(
    model: Model, samples: Sequence[ManySamples], linear: Linear, start: Floats, information: Floats
) -> tuple[Floats, Booleans]:
    """Return the parameters of each sample, (R, size), and which of them converged, (R,).

    Parameters
    ----------
    start : (size,) parameters to start from. information : (size, size) of one row, there.
    """
    count = samples[0].count
    z = np.tile(linear.reduce(start), (count, 1))
    inner = linear.basis.T @ information @ linear.basis
    try:
        inverse = np.linalg.inv(inner)
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(inner, hermitian=True)  # limits that are not linear may identify the rest
    done, going = np.zeros(count, dtype=bool), np.arange(count)
    length, last, proper = np.ones(count), np.full(count, np.inf), z.copy()
    memory = _Memory(np.asarray(inverse, dtype=np.float64), count)
    for _ in range(STEPS):
        slope, fine = _gradient(model, samples, going, z[going] @ linear.basis.T + linear.offset)
        back, going, slope = going[~fine], going[fine], slope[fine] @ linear.basis / 2.0
        proper[going] = z[going]
        memory.learn(going, z[going], slope)
        step = memory.step(going, slope)
        decrement = (step * slope).sum(axis=1)
        worse = ~(decrement < 4.0 * last[going])
        length[going[worse]] *= 0.5
        last[going] = np.minimum(decrement, last[going])
        done[going[decrement < TOLERANCE]] = True
        z[going] -= length[going][:, None] * np.where(np.isfinite(step), step, 0.0)
        length[back] *= 0.5
        z[back] = (z[back] + proper[back]) / 2.0
        going = np.concatenate([going, back])
        going = going[~done[going] & (length[going] >= 0.05)]
        if not going.size:
            break
    return z @ linear.basis.T + linear.offset, done


class _Memory:
    """What the last steps of each sample say about its curvature, beside the one that all share.

    The two loops of Nocedal (1980), Math Comput 35, 773-782, with one more axis; pairs that would make the curvature
    negative count for nothing.
    """

    def __init__(self, inverse: Floats, count: int) -> None:
        self._inverse = inverse
        self._z = np.full((count, len(inverse)), np.nan)
        self._slope = self._z.copy()
        self._pairs: list[tuple[Floats, Floats, Floats]] = []

    def learn(self, chosen: Integers, z: Floats, slope: Floats) -> None:
        """Take note of where the chosen samples are, (k, free), and of their slopes there."""
        moved, change = z - self._z[chosen], slope - self._slope[chosen]
        self._z[chosen], self._slope[chosen] = z, slope
        along = (moved * change).sum(axis=1)
        known = along > 1e-3 * np.sqrt((moved**2).sum(axis=1) * (change**2).sum(axis=1))
        if not known.any():
            return
        pair = np.zeros_like(self._z), np.zeros_like(self._z), np.zeros(len(self._z))
        at = chosen[known]
        pair[0][at], pair[1][at], pair[2][at] = moved[known], change[known], 1.0 / along[known]
        self._pairs = [*self._pairs[1 - KEPT :], pair]

    def step(self, chosen: Integers, slope: Floats) -> Floats:
        """Return the inverse curvature times the slope, (k, free)."""
        pulled, shares = slope.copy(), []
        for moved, change, inverse in reversed(self._pairs):
            share = inverse[chosen] * (moved[chosen] * pulled).sum(axis=1)
            pulled -= share[:, None] * change[chosen]
            shares.append(share)
        step = pulled @ self._inverse
        for (moved, change, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            back = inverse[chosen] * (change[chosen] * step).sum(axis=1)
            step += moved[chosen] * (share - back)[:, None]
        return np.asarray(step)


def discrepancies(model: Model, samples: Sequence[ManyMoments], x: Floats) -> Floats:
    """Return F of each sample at its own parameters, (R,); NaN where these are."""
    out = np.zeros(len(x))
    known = np.isfinite(x).all(axis=1)
    out[~known] = np.nan
    for block, sample in zip(model.blocks, samples, strict=True):
        p = len(block.observed)
        _, spread, levels = _parts(block, x[known])
        sigma, S = spread[:, :, :p], sample.cov[known]
        gap = sample.mean[known] - levels[:, :p] if model.means else np.zeros((len(sigma), p))
        ratio = np.linalg.solve(sigma, S + gap[:, :, None] * gap[:, None, :])
        dets = np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(S)[1]
        out[known] += sample.weight[known] * (dets + np.trace(ratio, axis1=1, axis2=2) - p)
    return out


def _gradient(model: Model, samples: Sequence[ManySamples], chosen: Integers, x: Floats) -> tuple[Floats, Booleans]:
    """Return dF / dx of the chosen samples, (k, size), and where all implied covariances are positive definite."""
    out = np.zeros_like(x)
    fine = np.ones(len(x), dtype=bool)
    for block, sample in zip(model.blocks, samples, strict=True):
        FB, spread, levels = _parts(block, x)
        p = len(block.observed)
        sigma = (spread[:, :, :p] + spread[:, :, :p].mT) / 2
        by_sigma, by_mu, good = sample.slopes(chosen, sigma, levels[:, :p] if model.means else None)
        fine &= good
        plan = block.plan
        U = FB[:, :, plan.left]
        V = np.concatenate([spread, FB], axis=2)[:, :, plan.right] * plan.weight
        own = 2.0 * (U * (by_sigma @ V)).sum(axis=1)
        if by_mu is not None:
            flat = np.concatenate([levels, np.zeros((len(x), 1)), np.ones((len(x), 1))], axis=1)
            own += (by_mu[:, None, :] @ U)[:, 0] * flat[:, plan.mean]
        out[:, plan.where] += own
    return out, fine


def positive(sigma: Floats) -> Booleans:
    """Return which matrices of a stack are positive definite."""
    try:
        np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.eigvalsh(sigma)[:, 0] > 0)
    return np.ones(len(sigma), dtype=bool)


def _parts(block: BlockModel, x: Floats) -> tuple[Floats, Floats, Floats]:
    """Return FB (k, p, v), F B S B' (k, p, v) and B m (k, v)."""
    count, v, p = len(x), len(block.m), len(block.observed)
    A, S, m = (np.tile(part, (count, *[1] * part.ndim)) for part in (block.A, block.S, block.m))
    d, c, i = block.directed, block.covariances, block.intercepts
    A[:, d.rows, d.columns] = x[:, d.parameters]
    S[:, c.rows, c.columns] = S[:, c.columns, c.rows] = x[:, c.parameters]
    m[:, i.rows] = x[:, i.parameters]
    eye = np.eye(v)
    B = eye + A if block.direct else np.linalg.inv(eye - A)
    FB = np.ascontiguousarray(B[:, :p])
    return FB, FB @ S @ B.mT, np.einsum("kij,kj->ki", B, m)
