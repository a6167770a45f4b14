"""Reliability of the sums of items of a fitted model, as a table."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.after.ordinal_scores import ordinal_reliability
from alliancekit.structural.after.reliability import (
    alpha,
    average_variance_extracted,
    factor_items,
    heterotrait_monotrait,
    higher_omega,
    level_omegas,
    omega,
)
from alliancekit.structural.after.whole import block_titles, wholes
from alliancekit.structural.arguments import check_flag
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.twolevel.estimate import ClusteredFit


def reliability_table(fit: StructuralEstimates) -> pd.DataFrame:
    """Return one row per factor; see ``StructuralFit.reliability``."""
    if not any(block.latent for block in fit.model.blocks):
        raise SpecError(message("the model has no latent variables", do="Use ak.reliability(data, items)"))
    if isinstance(fit.source, ClusteredFit):
        return _of_levels(fit, fit.source)
    if fit.ordinal is not None:
        return _of_ordinal(fit)
    rows = []
    parts = zip(block_titles(fit.table), fit.model.blocks, wholes(fit), fit.saturated, fit.implied, strict=True)
    for title, block, at, sample, model in parts:
        items = factor_items(block)
        found, implied = omega(block, at, sample.sigma), omega(block, at, model.sigma)
        alphas, extracted = alpha(block, sample.sigma), average_variance_extracted(block, at, sample.sigma)
        for name in block.latent:
            if name in items:
                row = {"omega": found[name], "omega_implied": implied[name], "alpha": alphas[name]}
                row |= {"ave": extracted[name], "items": float(items[name].size)}
            else:
                row = {"omega": higher_omega(block, at, sample.sigma, name)}
                row |= {"omega_implied": higher_omega(block, at, model.sigma, name), "alpha": np.nan, "ave": np.nan}
                below = at.B[: len(block.observed), len(block.observed) + block.latent.index(name)]
                row["items"] = float(np.count_nonzero(below))
            rows.append({**title, "factor": name, **row})
    frame = pd.DataFrame(rows)
    return frame.astype({"items": int})


def _of_ordinal(fit: StructuralEstimates) -> pd.DataFrame:
    """Return the reliabilities of factors whose items are ordinal or mixed."""
    rows = []
    for g, title in enumerate(block_titles(fit.table)):
        rows += [{**title, "factor": name, **found} for name, found in ordinal_reliability(fit, g).items()]
    return pd.DataFrame(rows).astype({"items": int})


def _of_levels(fit: StructuralEstimates, source: ClusteredFit) -> pd.DataFrame:
    """Return the reliabilities of factors that are at both levels, group by group."""
    rows, all_whole = [], wholes(fit)
    for g, group in enumerate(source.data.groups):
        pair = slice(2 * g, 2 * g + 2)
        blocks, levels, saturated = fit.model.blocks[pair], all_whole[pair], fit.saturated[pair]
        size = group.n_clusters / float((1.0 / np.bincount(group.cluster)).sum())
        found = level_omegas(
            (blocks[0], blocks[1]), (levels[0], levels[1]), (saturated[0].sigma, saturated[1].sigma), size
        )
        label = {"group": fit.table.group_labels[g]} if len(fit.table.group_labels) > 1 else {}
        rows += [{**label, "factor": name, **values} for name, values in found.items()]
    if not rows:
        what = "no factor is at both levels with the same items"
        raise SpecError(message(what, do="Give it the same name and the same indicators in both level: blocks"))
    return pd.DataFrame(rows)


def htmt_table(fit: StructuralEstimates, geometric: bool) -> pd.DataFrame:
    """Return heterotrait-monotrait ratios of the factors; see ``StructuralFit.htmt``."""
    check_flag("geometric", geometric)
    if fit.table.n_levels > 1:
        raise SpecError(message("heterotrait-monotrait ratios are for models of one level", do="Look at latent()"))
    frames = []
    for title, block, sample in zip(block_titles(fit.table), fit.model.blocks, fit.saturated, strict=True):
        factors = {name: items for name, items in factor_items(block).items() if items.size > 1}
        if len(factors) < 2:
            what = "heterotrait-monotrait ratios need two factors with two items each"
            raise SpecError(message(what, do="Use reliability() for a single factor"))
        if all(np.intersect1d(a, b).size for a, b in combinations(factors.values(), 2)):
            what = "every two factors share items, and a ratio would hold an item against itself"
            raise SpecError(message(what, do="Take the factors without the general one, or look at reliability()"))
        sd = np.sqrt(sample.sigma.diagonal())
        found = heterotrait_monotrait(sample.sigma / np.outer(sd, sd), factors, geometric)
        frame = pd.DataFrame(found, index=list(factors), columns=list(factors))
        if title:
            frame.insert(0, "group", title["group"])
        frames.append(frame)
    return pd.concat(frames)
