"""Factor scores of the rows that a model was fitted to, or of new rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_columns, check_option, message
from alliancekit.structural.after.answers import latent_means
from alliancekit.structural.after.ordinal_scores import code_rows, ordinal_rows_scores
from alliancekit.structural.after.raw_scores import incomplete_scores, level_scores
from alliancekit.structural.after.scores import METHODS, SAME, score_rows, score_weights
from alliancekit.structural.after.whole import wholes
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.twolevel.estimate import ClusteredFit
from alliancekit.structural.twolevel.incomplete import IncompleteClusters
from alliancekit.structural.twolevel.statistics import number_clusters

Floats = NDArray[np.float64]


def score_frame(
    fit: StructuralEstimates, method: str, level: str = "within", new: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return factor scores; see ``StructuralFit.factor_scores``."""
    method = check_option("method", method.lower() if isinstance(method, str) else method, METHODS)
    check_option("level", level, ("within", "between"))
    method = method if fit.ordinal is not None else SAME.get(method, method)
    if isinstance(fit.source, ClusteredFit):
        return _of_levels(fit, fit.source, method, level, new)
    if not any(block.latent for block in fit.model.blocks):
        raise SpecError(message("the model has no latent variables", do="Factor scores need a =~ line"))
    if new is not None:
        return _of_new(fit, method, new)
    if isinstance(fit.source, IncompleteFit) and fit.options.missing != "listwise":
        parts = incomplete_scores(fit.source, method)
    else:
        parts = tuple(_rows(fit, b, _required(group.rows), method) for b, group in enumerate(fit.sample.groups))
    return _join(fit, list(parts), _kept_indices(fit))


def _kept_indices(fit: StructuralEstimates) -> list[pd.Index]:
    """Return the index of the rows of each group that have scores."""
    out = []
    for g, group in enumerate(fit.sample.groups):
        index = pd.RangeIndex(group.n) if group.index is None else group.index
        kept = None
        if isinstance(fit.source, IncompleteFit):
            kept = fit.source.data.groups[g].kept
        elif isinstance(fit.source, ClusteredFit):
            own = fit.source.data.groups[g]
            kept = own.patterns.kept if isinstance(own, IncompleteClusters) else None
        out.append(index if kept is None else index[kept])
    return out


def _required(rows: Floats | None) -> Floats:
    if rows is None:
        what = "factor scores need the rows of the data; the model was fitted to covariances"
        raise SpecError(message(what, do="Hand the rows in as new="))
    return rows


def _rows(fit: StructuralEstimates, b: int, rows: Floats, method: str) -> Floats:
    """Return the scores of rows of one group."""
    if fit.ordinal is not None:
        return ordinal_rows_scores(fit, b, rows, method)
    block, at = fit.model.blocks[b], wholes(fit)[b]
    p = len(block.observed)
    centre = at.mean[:p] if fit.model.means else fit.sample.groups[b].mean
    return score_rows(rows, centre, score_weights(block, at, method), latent_means(fit, b, at)[p:])


def _of_new(fit: StructuralEstimates, method: str, new: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of new rows; NaN for a row with a missing value."""
    group, labels = fit.options.group, fit.table.group_labels
    names = list(dict.fromkeys(name for block in fit.model.blocks for name in block.observed))
    check_columns(new.columns, [*names, *([group] if group else [])], where="new")
    latent = _names(fit)
    out = pd.DataFrame(np.nan, index=new.index, columns=latent)
    known = np.zeros(len(new), dtype=bool)
    for b, (block, label) in enumerate(zip(fit.model.blocks, labels, strict=True)):
        mine = new[group].astype(str).to_numpy() == label if group else np.ones(len(new), dtype=bool)
        known |= mine
        part = new.loc[mine]
        rows = code_rows(fit, part, list(block.observed)) if fit.ordinal is not None else _numbers(part, block.observed)
        out.loc[mine, list(block.latent)] = _rows(fit, b, rows, method)
    if group and not known.all():
        other = ", ".join(str(v) for v in new.loc[~known, group].unique()[:3])
        raise DesignError(message(f"new rows belong to groups that the model does not have: {other}", where=group))
    return out


def _numbers(new: pd.DataFrame, names: Sequence[str]) -> Floats:
    return np.asarray(new[list(names)].to_numpy(dtype=np.float64))


def _names(fit: StructuralEstimates) -> list[str]:
    return list(dict.fromkeys(name for block in fit.model.blocks for name in block.latent))


def _join(fit: StructuralEstimates, parts: list[Floats], indices: list[pd.Index]) -> pd.DataFrame:
    """Return the scores of all groups, one after the other; rows that were not used are left out."""
    labels = fit.table.group_labels
    frames = [
        pd.DataFrame(part, columns=list(block.latent), index=index)
        for part, block, index in zip(parts, fit.model.blocks, indices, strict=True)
    ]
    if len(labels) > 1:
        for frame, label in zip(frames, labels, strict=True):
            frame.insert(0, "group", label)
    return pd.concat(frames)


def _of_levels(
    fit: StructuralEstimates, source: ClusteredFit, method: str, level: str, new: pd.DataFrame | None
) -> pd.DataFrame:
    """Return scores of one level of a two-level model."""
    if method != "regression":
        raise SpecError(message("two-level models have regression scores only", do="Leave method= out"))
    if new is not None:
        raise SpecError(message("two-level models score the rows they were fitted to", do="Leave new= out"))
    at = 1 if level == "between" else 0
    frames = []
    indices = _cluster_labels(fit, source) if at else _kept_indices(fit)
    for g, part in enumerate(level_scores(source, level)):
        frame = pd.DataFrame(part, columns=list(fit.model.blocks[2 * g + at].latent), index=indices[g])
        if len(fit.table.group_labels) > 1:
            frame.insert(0, "group", fit.table.group_labels[g])
        frames.append(frame)
    return pd.concat(frames)


def _cluster_labels(fit: StructuralEstimates, source: ClusteredFit) -> list[pd.Index]:
    """Return the labels of the clusters of each group that have scores, in order of first appearance."""
    out = []
    for own, group in zip(source.data.groups, fit.sample.groups, strict=True):
        assert group.clusters is not None
        labels = pd.Index(pd.unique(group.clusters), name=fit.options.cluster)
        if isinstance(own, IncompleteClusters):
            labels = labels[np.unique(number_clusters(group.clusters)[own.patterns.kept])]
        out.append(labels)
    return out
