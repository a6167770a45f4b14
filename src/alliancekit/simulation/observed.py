"""The truth on scored variables: one run of a million cases, frozen in ``truth/``, and the code that makes it again.

Each file holds the values, their Monte Carlo standard errors, the seed and the number of cases. ``freeze`` writes it,
``load`` reads it; a test reruns a smaller run and compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import ReadError, message
from alliancekit.core.files import write_text
from alliancekit.core.seeds import spawn

Array = NDArray[np.float64]

CASES, CHUNK, SEED = 1_000_000, 50_000, 20240617
"""Size, chunk size and seed of the frozen runs."""


@dataclass(frozen=True)
class Sample:
    """One chunk of a run: scored variables (the outcome last), the cluster of each row, and other shares to average."""

    values: Array
    cluster: NDArray[np.intp]
    shares: dict[str, float]


def run(
    sample: Callable[[np.random.SeedSequence, int], Sample],
    quantities: Callable[[Array], dict[str, float]],
    *,
    cases: int = CASES,
    chunk: int = CHUNK,
    seed: int = SEED,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return (values, Monte Carlo standard errors) of the quantities on scored variables.

    Parameters
    ----------
    sample : draws one chunk from a seed and a number of cases.
    quantities : from a covariance matrix to named numbers.
    cases, chunk, seed : size of the run, cases drawn at a time (memory), root seed; every chunk has its own child seed.

    Notes
    -----
    Cross-products are added up over chunks, so the values are those of the whole run; the standard errors come from the
    spread of the chunks' own values. The cluster variance is the analysis-of-variance estimate on the residuals of the
    regression on all predictors (Searle, Casella & McCulloch, 1992, section 3.6).
    """
    seeds = spawn(seed, max(1, cases // chunk))
    sums: list[_Sums] = []
    shares: list[dict[str, float]] = []
    for child in seeds:
        drawn = sample(child, chunk)
        kept = ~np.isnan(drawn.values).any(axis=1)
        sums.append(_add_up(drawn.values[kept], drawn.cluster[kept]))
        shares.append(drawn.shares)
    whole = sums[0]
    for more in sums[1:]:
        whole = whole + more
    values = _describe(whole, quantities)
    parts = [_describe(s, quantities) for s in sums]
    for name in shares[0]:
        values[name] = float(np.mean([s[name] for s in shares]))
        for part, share in zip(parts, shares, strict=True):
            part[name] = share[name]
    spread = {k: float(np.std([p[k] for p in parts], ddof=1) / np.sqrt(len(parts))) for k in values if len(parts) > 1}
    return values, spread


@dataclass(frozen=True)
class _Sums:
    """Sums over cases: count, clusters, sum, cross-products, cross-products within clusters, sum of squared sizes."""

    n: int
    clusters: int
    total: Array
    cross: Array
    within: Array
    squared_sizes: float

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.n + other.n,
            self.clusters + other.clusters,
            self.total + other.total,
            self.cross + other.cross,
            self.within + other.within,
            self.squared_sizes + other.squared_sizes,
        )


def _add_up(values: Array, cluster: NDArray[np.intp]) -> _Sums:
    size = np.bincount(cluster).astype(float)
    means = np.column_stack([np.bincount(cluster, weights=v) for v in values.T]) / np.maximum(size, 1)[:, None]
    deviations = values - means[cluster]
    return _Sums(
        n=len(values),
        clusters=int((size > 0).sum()),
        total=values.sum(axis=0),
        cross=values.T @ values,
        within=deviations.T @ deviations,
        squared_sizes=float((size**2).sum()),
    )


def _describe(sums: _Sums, quantities: Callable[[Array], dict[str, float]]) -> dict[str, float]:
    mean = sums.total / sums.n
    covariance = (sums.cross - sums.n * np.outer(mean, mean)) / (sums.n - 1)
    values = quantities(covariance)
    slopes = np.linalg.solve(covariance[:-1, :-1], covariance[:-1, -1])
    contrast = np.append(-slopes, 1.0)
    within = float(contrast @ sums.within @ contrast) / (sums.n - sums.clusters)
    total = float(contrast @ (covariance * (sums.n - 1)) @ contrast)
    between = (total - within * (sums.n - sums.clusters)) / (sums.clusters - 1)
    size = (sums.n - sums.squared_sizes / sums.n) / (sums.clusters - 1)
    values["therapist_variance"] = (between - within) / size
    values["residual_variance(sev, change, bond, goal, task)"] = within
    return values


def freeze(path: str | Path, head: dict[str, object], values: dict[str, float], spread: dict[str, float]) -> Path:
    """Write the truth of one run: ``head`` (what made it), values and Monte Carlo standard errors, to 8 digits."""
    content = {
        **head,
        "values": {k: float(f"{v:.8g}") for k, v in values.items()},
        "monte_carlo_se": {k: float(f"{v:.2g}") for k, v in spread.items()},
    }
    return write_text(path, json.dumps(content, indent=2) + "\n")


@cache
def load(name: str) -> dict[str, object]:
    """Return the frozen file ``truth/<name>.json`` as a dict with values, monte_carlo_se, seed, cases.

    Raises
    ------
    ReadError : no such file.
    """
    file = resources.files("alliancekit.simulation") / "truth" / f"{name}.json"
    if not file.is_file():
        raise ReadError(
            message(
                f"no truth was frozen for '{name}'",
                where="alliancekit/simulation/truth",
                do="Install the package again",
            )
        )
    content: dict[str, object] = json.loads(file.read_text(encoding="utf-8"))
    return content
