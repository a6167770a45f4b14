"""Reliability of sum scores from a factor model: omega, alpha, average variance extracted, by factor.

Raykov (1997, Appl Psychol Meas 21, 173-184); McDonald (1999); Fornell & Larcker (1981, J Mark Res 18, 39-50);
Lai (2021, Psychol Methods 26, 90-102) for two levels. As ``compRelSEM`` and ``AVE`` of semTools.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.whole import Whole
from alliancekit.structural.model import BlockModel

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def factor_items(block: BlockModel) -> dict[str, Integers]:
    """Return the observed indicators of each factor that has some."""
    p = len(block.observed)
    out = {}
    for k, name in enumerate(block.latent):
        items = np.flatnonzero(block.loadings[:p, p + k])
        if items.size:
            out[name] = items
    return out


def shared_factors(block: BlockModel) -> set[str]:
    """Return the factors that have an item in common with another: their alpha and extracted variance mean nothing."""
    items = factor_items(block)
    return {a for a in items for b in items if a != b and np.intersect1d(items[a], items[b]).size}


def omega(block: BlockModel, at: Whole, cov: Floats) -> dict[str, float]:
    """Return omega of each factor with indicators: true variance of the sum of its items over its variance.

    cov : (p, p) of the observed variables, of the sample or as implied.
    """
    out = {}
    for name, items in factor_items(block).items():
        k = len(block.observed) + block.latent.index(name)
        true = float(at.A[items, k].sum()) ** 2 * at.cov[k, k]
        out[name] = float(true / cov[np.ix_(items, items)].sum())
    return out


def higher_omega(block: BlockModel, at: Whole, cov: Floats, factor: str) -> float:
    """Return omega of a factor of higher order: what it explains of the sum of all items below it."""
    p = len(block.observed)
    k = p + block.latent.index(factor)
    total = at.B[:p, k]
    items = np.flatnonzero(total)
    return float(total.sum() ** 2 * at.cov[k, k] / cov[np.ix_(items, items)].sum())


def alpha(block: BlockModel, cov: Floats) -> dict[str, float]:
    """Return Cronbach's alpha of the items of each factor, from covariances; NaN where it shares some with another."""
    out, shared = {}, shared_factors(block)
    for name, items in factor_items(block).items():
        part, k = cov[np.ix_(items, items)], items.size
        known = k > 1 and name not in shared
        out[name] = float(k / (k - 1) * (1 - np.trace(part) / part.sum())) if known else float("nan")
    return out


def average_variance_extracted(block: BlockModel, at: Whole, cov: Floats) -> dict[str, float]:
    """Return the average variance extracted of each factor: explained over total variance of its items.

    NaN where a factor shares items with another.
    """
    out, shared = {}, shared_factors(block)
    for name, items in factor_items(block).items():
        k = len(block.observed) + block.latent.index(name)
        explained = float((at.A[items, k] ** 2).sum()) * at.cov[k, k]
        total = float(np.trace(cov[np.ix_(items, items)]))
        out[name] = float("nan") if name in shared else explained / total
    return out


def level_omegas(
    blocks: tuple[BlockModel, BlockModel],
    levels: tuple[Whole, Whole],
    saturated: tuple[Floats, Floats],
    cluster_size: float,
) -> dict[str, dict[str, float]]:
    """Return reliabilities of two-level scores for each factor that is at both levels with the same items.

    Parameters
    ----------
    saturated : within and between covariances of the sample. cluster_size : harmonic mean of the clusters' sizes.

    Returns
    -------
    factor -> omega_within (deviations from cluster means), omega_two_level (raw scores of a configural construct),
    omega_between (cluster means of a shared construct), interrater (its agreement of raters).
    """
    within, between = (factor_items(block) for block in blocks)
    out = {}
    for name in within:
        if name not in between:
            continue
        names = [blocks[0].observed[i] for i in within[name]]
        upper = np.array([blocks[1].observed.index(v) for v in names if v in blocks[1].observed], dtype=np.intp)
        if upper.size < len(names):
            continue
        lower = within[name]
        w, b = (len(block.observed) + block.latent.index(name) for block in blocks)
        true_w = float(levels[0].A[lower, w].sum()) ** 2 * levels[0].cov[w, w]
        true_b = float(levels[1].A[upper, b].sum()) ** 2 * levels[1].cov[b, b]
        total_w = float(saturated[0][np.ix_(lower, lower)].sum())
        total_b = float(saturated[1][np.ix_(upper, upper)].sum())
        mean = total_b + total_w / cluster_size
        out[name] = {
            "omega_within": true_w / total_w,
            "omega_two_level": (true_w + true_b) / (total_w + total_b),
            "omega_between": true_b / mean,
            "interrater": total_b / mean,
        }
    return out


def heterotrait_monotrait(correlations: Floats, factors: dict[str, Integers], geometric: bool = True) -> Floats:
    """Return the heterotrait-monotrait ratios (k, k) of factors' correlations, from those of their items.

    geometric : geometric means (HTMT2: Roemer, Schuberth & Henseler 2021, Ind Manag Data Syst 121, 2637-2650), else
    arithmetic ones (Henseler, Ringle & Sarstedt 2015, J Acad Mark Sci 43, 115-135). Absolute correlations are taken.
    NaN where two factors share items.
    """
    size = np.abs(correlations)
    groups = list(factors.values())
    own = np.array([_mean(size[np.ix_(g, g)][np.tril_indices(g.size, -1)], geometric) for g in groups])
    out = np.eye(len(groups))
    for i in range(len(groups)):
        for j in range(i):
            if np.intersect1d(groups[i], groups[j]).size:
                out[i, j] = out[j, i] = np.nan
                continue
            between = _mean(size[np.ix_(groups[i], groups[j])].ravel(), geometric)
            out[i, j] = out[j, i] = between / np.sqrt(own[i] * own[j])
    return out


def _mean(values: Floats, geometric: bool) -> float:
    if not values.size:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values).mean())) if geometric else float(values.mean())
