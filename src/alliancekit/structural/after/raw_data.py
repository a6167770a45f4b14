"""What the data themselves show before a model: patterns of missing values, coverage, intraclass correlations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alliancekit.core.errors import message
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.twolevel.estimate import ClusteredFit


def missing_patterns(source: IncompleteFit) -> pd.DataFrame:
    """Return one row per pattern: (group,) n, and for each variable whether it is there; the frequent ones first."""
    frames = []
    labels = source.table.group_labels
    for label, block, patterns in zip(labels, source.model.blocks, source.data.groups, strict=True):
        frame = pd.DataFrame(patterns.observed, columns=list(block.observed))
        frame.insert(0, "n", patterns.size.astype(int))
        if len(labels) > 1:
            frame.insert(0, "group", label)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def coverage(source: IncompleteFit) -> pd.DataFrame:
    """Return the share of rows in which two variables are there: (group,) variable, and a column per variable."""
    frames = []
    labels = source.table.group_labels
    for label, block, patterns in zip(labels, source.model.blocks, source.data.groups, strict=True):
        names = list(block.observed)
        frame = pd.DataFrame(patterns.coverage(), columns=names)
        frame.insert(0, "variable", names)
        if len(labels) > 1:
            frame.insert(0, "group", label)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def intraclass(source: ClusteredFit) -> pd.DataFrame:
    """Return (group,) variable, icc, n_clusters and mean_size: the share of variance between clusters."""
    rows = []
    labels = source.table.group_labels
    for label, found, group in zip(labels, source.icc(), source.data.groups, strict=True):
        for name, value in found.items():
            row: dict[str, object] = {"group": label} if len(labels) > 1 else {}
            row |= {"variable": name, "icc": value, "n_clusters": group.n_clusters}
            rows.append(row | {"mean_size": group.n / group.n_clusters})
    return pd.DataFrame(rows)


def data_notices(source: IncompleteFit | ClusteredFit) -> tuple[str, ...]:
    """Return what is wrong with the saturated model that the chi-square rests on, in words."""
    out = []
    if isinstance(source, ClusteredFit):
        if any(one.boundary for one in source.searches):
            what = "the unrestricted between-level covariances are singular (on the boundary)"
            out.append(message(what, do="There are few clusters, or a variable hardly varies between them"))
        return (*out, *_units_notice(source))
    clusters = source.saturated.clusters
    if clusters is not None and all(own.size == int(own.max(initial=-1)) + 1 for own in clusters):
        what = "every cluster has a single row, so that clusters change nothing"
        out.append(message(what, do="Is cluster= the column of clusters, or an id of rows?"))
    for block, found in zip(source.model.blocks, source.searches, strict=True):
        pairs = [f"{block.observed[i]} and {block.observed[j]}" for i, j in found.unseen]
        if pairs:
            shown = "; ".join(pairs[:3]) + (f"; {len(pairs) - 3} more" if len(pairs) > 3 else "")
            what = f"never observed together: {shown}"
            out.append(message(what, do="Their covariance rests on the model alone, and chi-square does not test it"))
        if not found.converged:
            what = "the unrestricted means and covariances could not be estimated: too few rows for the variables"
            out.append(message(what, do="There is no chi-square; use fewer variables or more rows"))
    return tuple(out)


def _units_notice(source: ClusteredFit) -> list[str]:
    """Return a notice where the SRMR between clusters rests on eigenvalues that are raised, and thus on units."""
    raised, plain = source.srmr()[1], source.srmr(raised=False)[1]
    if np.isnan(raised) or abs(raised - plain) < 1e-3:
        return []
    other = "not defined" if np.isnan(plain) else f"{plain:.3f}"
    what = f"srmr_between is {raised:.3f} by lavaan's rule, and depends on the units of the variables: the covariances "
    what += f"that the model implies between clusters are not positive definite. Without units it is {other}"
    return [message(what, do="Bring the variables to similar units; look at negative variances between clusters")]
