"""What samples of a bootstrap are drawn from: the rows, whole clusters, rows turned to fit a model, or normal values.

Bollen & Stine (1992), Sociol Methods Res 21, 205-229; Yuan, Hayashi & Yanagihara (2007), Multivariate Behav Res 42,
261-281 (rows turned so that the model misfits as it is estimated to misfit); Field & Welsh (2007), J R Stat Soc B 69,
369-390 (clusters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, check_option, message
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.twolevel.statistics import number_clusters

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Picks = Sequence[Any]
"""Which samples: the seed of each, or of ``Without`` the number of its unit."""
KINDS = ("ordinary", "parametric", "bollen.stine", "yuan")
Drawn = list[tuple[Floats, Integers | None]]
"""Rows, and the number of the cluster of each, of every group."""


@dataclass(frozen=True, eq=False, slots=True)
class Draws:
    """Where samples come from.

    rows (n, p) of each group; clusters (n,) from 0, or None; normal: mean (p,) and root (p, p) of the covariances of
    each group if values are drawn from these, with the gaps of the rows where there are any.
    """

    rows: tuple[Floats, ...]
    clusters: tuple[Integers | None, ...]
    normal: tuple[tuple[Floats, Floats], ...] = ()

    def units(self) -> list[int]:
        """Return how many rows, or clusters, each group has."""
        pairs = zip(self.rows, self.clusters, strict=True)
        return [len(rows) if clusters is None else int(clusters.max()) + 1 for rows, clusters in pairs]

    def counts(self, picks: Picks) -> list[Floats]:
        """Return how often each row is in each sample, (samples, n) of each group."""
        rngs = [np.random.default_rng(seed) for seed in picks]
        out = []
        for units, clusters in zip(self.units(), self.clusters, strict=True):
            times = np.stack([np.bincount(rng.integers(0, units, units), minlength=units) for rng in rngs])
            out.append((times if clusters is None else times[:, clusters]).astype(np.float64))
        return out

    def sample(self, pick: Any) -> Drawn:
        """Return the rows of one sample, with its clusters numbered anew: one drawn twice is two."""
        rng = np.random.default_rng(pick)
        if self.normal:
            return [
                (_simulated(rng, rows, *moments), None) for rows, moments in zip(self.rows, self.normal, strict=True)
            ]
        out: Drawn = []
        for rows, clusters in zip(self.rows, self.clusters, strict=True):
            if clusters is None:
                out.append((rows[rng.integers(0, len(rows), len(rows))], None))
                continue
            order = np.argsort(clusters, kind="stable")
            size = np.bincount(clusters)
            first = np.cumsum(size) - size
            chosen = rng.integers(0, size.size, size.size)
            number = np.repeat(np.arange(size.size), size[chosen])
            place = np.arange(number.size) - np.repeat(np.cumsum(size[chosen]) - size[chosen], size[chosen])
            out.append((rows[order[first[chosen][number] + place]], number))
        return out


class Without(Draws):
    """Samples that lack one row, or one whole cluster, of those drawn from: for the jackknife."""

    __slots__ = ()

    def counts(self, picks: Picks) -> list[Floats]:
        """Return how often each row is in each sample, (samples, n) of each group: once, or not."""
        out, first = [], 0
        for units, rows, clusters in zip(self.units(), self.rows, self.clusters, strict=True):
            own = np.arange(len(rows)) if clusters is None else clusters
            out.append((own + first != np.asarray(picks)[:, None]).astype(np.float64))
            first += units
        return out

    def sample(self, pick: Any) -> Drawn:
        """Return the rows of one sample, with the numbers of their clusters."""
        kept = [counts[0] > 0 for counts in self.counts([pick])]
        return [
            (rows[own], None if clusters is None else number_clusters(clusters[own]))
            for rows, clusters, own in zip(self.rows, self.clusters, kept, strict=True)
        ]


def without_one(draws: Draws) -> tuple[Without, Picks]:
    """Return the samples that lack one unit, and their numbers: units of all groups, one group after the other."""
    return Without(draws.rows, draws.clusters), range(sum(draws.units()))


def draws_of(fit: StructuralEstimates, kind: str) -> Draws:
    """Return what is drawn from.

    Raises
    ------
    SpecError : an unknown kind, a kind that the fit does not take, or a fit to covariances.
    """
    check_option("kind", kind, KINDS)
    groups = fit.sample.groups
    if kind != "ordinary":
        _check_kind(fit, kind)
    if kind == "parametric":
        given = tuple(np.zeros((g.n, len(g.names))) if g.rows is None else g.rows for g in groups)
        return Draws(given, (None,) * len(groups), _normal_moments(fit))
    rows = []
    for group in groups:
        if group.rows is None:
            what = "the bootstrap draws rows, and the model was fitted to covariances"
            raise SpecError(message(what, do='Hand in the data, or draw normal rows: kind="parametric"'))
        rows.append(group.rows)
    if kind != "ordinary":
        rows = _turned(fit, rows, kind)
    return Draws(tuple(rows), tuple(None if g.clusters is None else number_clusters(g.clusters) for g in groups))


def _normal_moments(fit: StructuralEstimates) -> tuple[tuple[Floats, Floats], ...]:
    """Return the mean and a root of the covariances that the model implies in each group."""
    try:
        return tuple((block.mu, np.asarray(np.linalg.cholesky(block.sigma), dtype=np.float64)) for block in fit.implied)
    except np.linalg.LinAlgError:
        what = "the covariances that the model implies are not positive definite, so no rows can be drawn from them"
        raise FitError(message(what, do="Look at the residual variances")) from None


def _check_kind(fit: StructuralEstimates, kind: str) -> None:
    """Raise SpecError where no normal moments stand for the rows, or rows cannot be turned."""
    options = fit.options
    if options.ordered or options.cluster or fit.table.n_levels > 1:
        kept = "ordinal variables" if options.ordered else "clusters"
        what = f'kind="{kind}" makes independent rows of continuous variables, and the fit has {kept}'
        raise SpecError(message(what, do='Take kind="ordinary"'))
    if kind == "yuan" and options.point != "ML":
        what = 'kind="yuan" takes the misfit of maximum likelihood'
        raise SpecError(message(what, do='Take kind="ordinary", "parametric" or "bollen.stine"'))
    if kind != "parametric" and options.missing != "listwise":
        what = f'kind="{kind}" turns complete rows, and the fit has missing values'
        raise SpecError(message(what, do='Take kind="ordinary" or "parametric"'))


def _simulated(rng: np.random.Generator, rows: Floats, mean: Floats, root: Floats) -> Floats:
    """Return normal rows with the gaps of others."""
    values = rng.standard_normal(rows.shape) @ root.T + mean
    return np.where(np.isnan(rows), np.nan, values)


def _turned(fit: StructuralEstimates, given: Sequence[Floats], kind: str) -> list[Floats]:
    """Return the rows of each group turned to other covariances; neither order nor units matter."""
    out = []
    wanted = _misfitting(fit) if kind == "yuan" else [block.sigma for block in fit.implied]
    for rows, sample, model, aim in zip(given, fit.saturated, fit.implied, wanted, strict=True):
        unit = np.sqrt(np.diag(sample.sigma))
        turn = _power(sample.sigma / np.outer(unit, unit), -0.5) @ _power(aim / np.outer(unit, unit), 0.5)
        out.append((rows - rows.mean(axis=0)) / unit @ turn * unit + model.mu)
    return out


def _misfitting(fit: StructuralEstimates) -> list[Floats]:
    """Return covariances between those of the sample and of the model, whose misfit is the estimated one.

    As in lavaan the misfit of a group is (chi-square of the group - df) / (n - 1), none where that is negative.
    """
    out = []
    for group, sample, model in zip(fit.sample.groups, fit.saturated, fit.implied, strict=True):
        root = np.linalg.inv(np.linalg.cholesky(model.sigma))
        d: Floats = np.asarray(np.linalg.eigvalsh(root @ sample.sigma @ root.T), dtype=np.float64)
        gap = root @ (sample.mu - model.mu) if fit.model.means else np.zeros(d.size)
        weight = group.n - (fit.options.likelihood == "wishart")
        own = weight * float((d - np.log(d) - 1.0).sum() + gap @ gap)
        share = _share(max(own - fit.test.df, 0.0) / (group.n - 1), d)
        out.append(share * sample.sigma + (1.0 - share) * model.sigma)
    return out


def _share(misfit: float, d: Floats) -> float:
    """Return the share of the sample at which the normal discrepancy is ``misfit`` (it grows with the share)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        spread = middle * d + 1.0 - middle
        low, high = (middle, high) if float((spread - np.log(spread) - 1.0).sum()) < misfit else (low, middle)
    return (low + high) / 2


def _power(matrix: Floats, exponent: float) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**exponent) @ vectors.T)
