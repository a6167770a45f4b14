"""Many samples of incomplete rows at once: their patterns are those of the sample, with other numbers of rows.

What the likelihood needs of a pattern are the number of its rows, the sums of their values and of the products of
these; all three are sums over rows, and a sample that has a row twice counts it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.continuous.batch import positive
from alliancekit.structural.continuous.missing.patterns import Patterns

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
LARGE = 100_000
"""Numbers in a stack of one matrix per sample and pattern above which it is worked on part by part (cache)."""


@dataclass(frozen=True, eq=False, slots=True)
class ManyPatterns:
    """One group in R samples; K patterns of p variables.

    observed (K, p); sums (R, K, 1 + p + p p): rows, values and products, values about ``centre`` (p,) and zero where
    missing; total: rows of all groups, by which -2 log L is divided.
    """

    observed: Booleans
    centre: Floats
    sums: Floats
    total: float

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.sums)

    def slopes(self, chosen: Integers, sigma: Floats, mu: Floats | None) -> tuple[Floats, Floats, Booleans]:
        """Return the derivatives of -2 log L / total by sigma and mu, and where sigma is positive definite."""
        k, p = sigma.shape[:2]
        fine = positive(sigma)
        safe = sigma if fine.all() else np.where(fine[:, None, None], sigma, np.eye(p))
        shift = (np.zeros((k, p)) if mu is None else mu) - self.centre
        by_sigma, by_mu = np.zeros((k, p, p)), np.zeros((k, p))
        step = max(LARGE // (len(self.observed) * p * p), 1)
        for at in range(0, k, step):
            part = slice(at, at + step)
            by_sigma[part], by_mu[part] = self._pieces(chosen[part], safe[part], shift[part])
        return by_sigma / self.total, by_mu / self.total, fine

    def _pieces(self, chosen: Integers, sigma: Floats, shift: Floats) -> tuple[Floats, Floats]:
        """Return the derivatives of -2 log L of some samples: patterns without rows are left out."""
        k, p = sigma.shape[:2]
        size = self.sums[chosen, :, 0]
        r, j = np.nonzero(size)
        there = self.observed[j]
        both = there[:, :, None] & there[:, None, :]
        whole = np.where(both, sigma[r], 0.0)
        diagonal = np.arange(p)
        whole[:, diagonal, diagonal] = sigma[:, diagonal, diagonal][r]
        P = np.linalg.inv(whole)
        P *= both
        sums = self.sums[chosen[r], j]
        n, first, second = sums[:, 0], sums[:, 1 : p + 1], sums[:, p + 1 :].reshape(-1, p, p)
        away = np.where(there, shift[r], 0.0)
        gap = first - n[:, None] * away
        T = second - first[:, :, None] * away[:, None, :] - away[:, :, None] * gap[:, None, :]
        start = np.flatnonzero(np.diff(r, prepend=-1))
        by_sigma = np.add.reduceat(n[:, None, None] * P - P @ T @ P, start, axis=0)
        by_mu = np.add.reduceat(-2.0 * (P @ gap[:, :, None])[:, :, 0], start, axis=0)
        out_sigma, out_mu = np.zeros((k, p, p)), np.zeros((k, p))
        out_sigma[r[start]], out_mu[r[start]] = by_sigma, by_mu
        return out_sigma, out_mu


def many_patterns(patterns: Patterns, counts: Floats, total: float) -> ManyPatterns:
    """Return the patterns of samples in which row i of the data is counts[r, i] times, counts (R, n)."""
    centre, features = _features(patterns, patterns.rows)
    own = counts[:, patterns.kept]
    order, start = _order(patterns)
    sums = np.empty((len(counts), len(patterns.size), features.shape[1]))
    for j, members in enumerate(np.split(order, start[1:])):
        sums[:, j] = own[:, members] @ features[members]
    return ManyPatterns(patterns.observed, centre, sums, total)


def other_values(patterns: Patterns, samples: Sequence[Floats], total: float) -> ManyPatterns:
    """Return the patterns of samples that have other values (n, p) in the same places."""
    order, start = _order(patterns)
    there = patterns.observed[patterns.pattern]
    sums = []
    for values in samples:
        centre, features = _features(patterns, np.where(there, values[patterns.kept], 0.0))
        sums.append(np.add.reduceat(features[order], start, axis=0))
    return ManyPatterns(patterns.observed, centre, np.stack(sums), total)


def _features(patterns: Patterns, rows: Floats) -> tuple[Floats, Floats]:
    """Return what values are taken about, and one, values and products of each row."""
    there = patterns.observed[patterns.pattern]
    centre = patterns.rows.sum(axis=0) / there.sum(axis=0)
    values = np.where(there, rows - centre, 0.0)
    products = (values[:, :, None] * values[:, None, :]).reshape(len(values), -1)
    return centre, np.hstack([np.ones((len(values), 1)), values, products])


def _order(patterns: Patterns) -> tuple[Integers, Integers]:
    """Return the rows sorted by pattern, and where each pattern begins."""
    size = np.bincount(patterns.pattern, minlength=len(patterns.size))
    return np.argsort(patterns.pattern, kind="stable"), np.cumsum(size) - size
