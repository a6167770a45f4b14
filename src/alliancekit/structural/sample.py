"""The data of a structural model: rows of each group, or their covariances and means."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.errors import DesignError, DesignWarning, check_columns, message
from alliancekit.core.sample import SampleAccount
from alliancekit.structural.categories import check_categories, known_rows, levels, single
from alliancekit.structural.categories import codes as category_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class GroupSample:
    """One group.

    Attributes
    ----------
    label : of the group, empty without groups. names : the observed variables. n : rows used. mean : (p,).
    cov : (p, p), divisor n. rows : (n, p) with NaN where missing, None where only moments were given. clusters : (n,).
    index : of the rows in the data handed in. total : rows of the group that were handed in, None of moments.
    """

    label: str
    names: tuple[str, ...]
    n: int
    mean: Floats
    cov: Floats
    rows: Floats | None
    clusters: NDArray[np.generic] | None = None
    index: pd.Index | None = None
    total: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """All groups, and what became of the rows handed in."""

    groups: tuple[GroupSample, ...]
    account: SampleAccount
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Labels of the categories of each ordinal variable, whose rows hold their numbers from 0."""

    @property
    def n(self) -> int:
        """Rows used."""
        return sum(group.n for group in self.groups)


def group_labels(frame: pd.DataFrame, group: str | None) -> tuple[str, ...]:
    """Return the labels of the groups in the order in which they first appear."""
    if group is None:
        return ("",)
    check_columns(frame.columns, [group], where="group")
    values = pd.unique(single(frame, group).dropna())
    labels = tuple(_text(v) for v in values)
    twins = [label for label in labels if labels.count(label) > 1] if len(set(labels)) < len(labels) else []
    if twins:
        shown = " and ".join(repr(v) for v in values if _text(v) == twins[0])
        what = f"two groups of '{group}' have the same label: {shown}"
        raise DesignError(message(what, do="Make the column all numbers, or all text"))
    if len(labels) < 2:
        raise DesignError(message(f"'{group}' has {len(labels)} group", do="Leave group= out"))
    if len(labels) > 50:
        raise DesignError(message(f"'{group}' has {len(labels)} groups", do="Is it an id? Give it as cluster="))
    return labels


def read_sample(
    frame: pd.DataFrame,
    names: Sequence[tuple[str, ...]],
    *,
    group: str | None = None,
    labels: tuple[str, ...] = ("",),
    missing: str = "listwise",
    stated: bool = False,
    complete: Sequence[str] = (),
    cluster: str | None = None,
    ordered: Sequence[str] = (),
    instead: str = 'missing="fiml"',
    stacklevel: int = 3,
) -> Sample:
    """Return the rows of each group.

    Parameters
    ----------
    names : per group, its observed variables. missing : "listwise" leaves out rows in which one is missing, and warns
        with their number; "fiml" keeps all rows that have a value in a variable of the model and in all of
        ``complete``, the covariates whose moments are those of the sample; "fiml.x" all that have any value;
        "pairwise" as "fiml", but for rows that have covariates only. stated : whether the user asked for ``missing``.
        instead : what uses incomplete rows.

    Raises
    ------
    DesignError : an unknown column, text where numbers are needed, a variable that does not vary or is missing
        throughout, too few rows.
    """
    wanted = tuple(dict.fromkeys(name for own in names for name in own))
    check_columns(frame.columns, wanted, where="the model")
    if cluster is not None:
        check_columns(frame.columns, [cluster], where="cluster")
        column = single(frame, cluster)
        kinds = {type(value) for value in column.dropna()} if column.dtype == object else set()
        if str in kinds and len(kinds) > 1:
            what = f"'{cluster}' has clusters that are text and others that are not"
            raise DesignError(message(what, do="Make the column all numbers, or all text"))
    if group in wanted:
        what = f"'{group}' is the column of groups and a variable of the model"
        raise DesignError(message(what, do="Within a group it does not vary; leave it out of the model"))
    ordinal = {name: single(frame, name) for name in wanted if name in ordered}
    values = _values(frame, wanted, ordinal)
    if group is None and cluster is None and not ordinal and len(frame) and not np.isnan(values).any():
        return _all_rows(frame, wanted, values)
    place = {name: i for i, name in enumerate(wanted)}
    dropped: list[tuple[str, int]] = []
    inside = _with_places(frame, (group, cluster), dropped)
    codes = None if group is None else frame[group].map(_text, na_action="ignore").to_numpy()
    members = [inside if codes is None else inside & (codes == label) for label in labels]
    lost = np.zeros(len(frame), dtype=bool)
    for own, mine in zip(names, members, strict=True):
        counted = [name for name in own if name not in complete] if missing == "pairwise" else own
        gaps = np.isnan(values if counted == wanted else values[:, [place[name] for name in counted]])
        lost |= mine & (gaps.any(axis=1) if missing == "listwise" else gaps.all(axis=1))
    do = _advice(instead, stated)
    _account_lost(int(lost.sum()), len(frame), missing, dropped, stacklevel + 1, do)
    kept = inside & ~lost
    _check_left(frame, wanted, kept)
    kept = _without_missing_covariates(values, kept, [place[name] for name in complete], missing, dropped, stacklevel)
    whole = len(members) == 1 and bool(kept.all()) and names[0] == wanted
    categories = {name: levels(column, kept) for name, column in ordinal.items()}
    for name, found in categories.items():
        values[:, place[name]] = category_codes(ordinal[name], found)
    groups = []
    for own, label, mine in zip(names, labels, members, strict=True):
        rows = values if whole else values[mine & kept][:, [place[name] for name in own]]
        clusters = frame[cluster].to_numpy()[mine & kept] if cluster else None
        for j, name in enumerate(own):
            if name in categories:
                check_categories(name, rows[:, j], categories[name], f"group '{label}'" if label else "")
        _check_clusters(cluster, clusters, label)
        index = frame.index if whole else frame.index[mine & kept]
        groups.append(_group(label, own, rows, clusters, index, int(mine.sum())))
    counts = {label: group_.n for label, group_ in zip(labels, groups, strict=True) if label}
    if cluster is not None:
        counts[cluster] = sum(len(pd.unique(one.clusters)) for one in groups if one.clusters is not None)
    account = SampleAccount(len(frame), int(kept.sum()), tuple(dropped), counts, kept)
    return Sample(tuple(groups), account, {name: tuple(map(_text, found)) for name, found in categories.items()})


def _all_rows(frame: pd.DataFrame, names: tuple[str, ...], values: Floats) -> Sample:
    """Return the sample of one group without missing values."""
    whole = np.ones(len(frame), dtype=bool)
    account = SampleAccount(len(frame), len(frame), rows_used=whole)
    return Sample((_group("", names, values, index=frame.index, total=len(frame)),), account)


def _with_places(
    frame: pd.DataFrame, columns: Sequence[str | None], dropped: list[tuple[str, int]]
) -> NDArray[np.bool_]:
    """Return the rows whose group and cluster are known; note the others."""
    inside = np.ones(len(frame), dtype=bool)
    for column in columns:
        if column is None:
            continue
        gone = frame[column].isna().to_numpy() & inside
        if gone.any():
            lost = int(gone.sum())
            dropped.append((f"missing in '{column}'", lost))
            what = f"{lost} of {len(frame)} rows {'has' if lost == 1 else 'have'} no value in '{column}' and "
            what += "is left out" if lost == 1 else "are left out"
            warnings.warn(message(what, do="Fill the column in, or leave these rows out"), DesignWarning, stacklevel=3)
            inside &= ~gone
    return inside


def _check_left(frame: pd.DataFrame, wanted: Sequence[str], kept: NDArray[np.bool_]) -> None:
    """Raise DesignError where no rows are left."""
    if not len(frame):
        raise DesignError(message("the data have no rows", do="Was everything filtered out?"))
    if not kept.any():
        empty = [name for name in wanted if frame[name].isna().all()]
        what = f"'{empty[0]}' has no value in any row" if empty else "no row has a value in every variable of the model"
        do = "Leave it out of the model" if empty else 'Take missing="fiml"'
        raise DesignError(message(what, do=do))


def _check_clusters(name: str | None, clusters: NDArray[np.generic] | None, label: str) -> None:
    """Raise DesignError where all rows of a group are in one cluster."""
    if clusters is not None and len(pd.unique(clusters)) < 2:
        where = f"group '{label}'" if label else ""
        what = f"all rows used are in one cluster of '{name}'"
        raise DesignError(message(what, where=where, do="Leave cluster= out, or name the column of clusters"))


def _values(frame: pd.DataFrame, wanted: tuple[str, ...], ordinal: Mapping[str, pd.Series]) -> Floats:
    """Return the columns as numbers; of ordinal ones, only where they are missing."""
    if not ordinal:
        return _matrix(frame, wanted)
    others = tuple(name for name in wanted if name not in ordinal)
    values = np.empty((len(frame), len(wanted)))
    values[:, [wanted.index(name) for name in others]] = _matrix(frame, others)
    for name, column in ordinal.items():
        values[:, wanted.index(name)] = np.where(known_rows(column), 0.0, np.nan)
    return values


def _account_lost(
    lost: int, total: int, missing: str, dropped: list[tuple[str, int]], stacklevel: int, do: str
) -> None:
    """Note rows that are left out for their missing values, and warn of them where they are incomplete."""
    if not lost:
        return
    if missing != "listwise":
        dropped.append(("empty", lost))
        return
    dropped.append(("missing in a variable of the model", lost))
    have = "has a missing value and is" if lost == 1 else "have a missing value and are"
    what = f"{lost} of {total} rows {have} left out"
    warnings.warn(message(what, do=do), DesignWarning, stacklevel=stacklevel)


def _advice(instead: str, stated: bool) -> str:
    """Return what to do about incomplete rows; stated: the user asked for complete rows."""
    if stated:
        return f"{instead} uses them"
    return f'Give {instead} to use all rows, or missing="listwise" if they are meant to be left out'


def _without_missing_covariates(
    values: Floats,
    kept: NDArray[np.bool_],
    places: Sequence[int],
    missing: str,
    dropped: list[tuple[str, int]],
    stacklevel: int,
) -> NDArray[np.bool_]:
    """Leave out rows without a value of a covariate that is held at its sample moments, and warn with their number."""
    if missing not in ("fiml", "pairwise") or not places:
        return kept
    gone = kept & np.isnan(values[:, places]).any(axis=1)
    if not gone.any():
        return kept
    if gone.sum() == kept.sum():
        what = "no row has a value in every covariate of the model"
        raise DesignError(message(what, do="Look for a covariate without values, or leave it out"))
    dropped.append(("missing in a covariate", int(gone.sum())))
    what = f"{int(gone.sum())} rows have a missing value in a covariate and are left out"
    do = 'Give missing="fiml.x" to use them' if missing == "fiml" else "Impute them to use these rows"
    warnings.warn(message(what, do=do), DesignWarning, stacklevel=stacklevel + 1)
    return np.asarray(kept & ~gone)


def _group(
    label: str,
    names: tuple[str, ...],
    rows: Floats,
    clusters: NDArray[np.generic] | None = None,
    index: pd.Index | None = None,
    total: int | None = None,
) -> GroupSample:
    where = f"group '{label}'" if label else ""
    n, p = rows.shape
    if n == 1 and p > 1:
        raise DesignError(message("there is only one row", where=where, do="One row has no covariances"))
    if not n or np.isnan(rows).any():
        _check_varying(names, rows, where)
        return GroupSample(
            label, names, n, np.nanmean(rows, axis=0), np.full((p, p), np.nan), rows, clusters, index, total
        )
    mean = rows.mean(axis=0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        centred = rows - mean
        cov = centred.T @ centred / n
    if (cov.diagonal() <= 1e-20 * mean**2).any():
        _check_varying(names, rows, where)
    _check_size(names, cov, where)
    if n <= p:
        what = f"{n} rows for {p} variables: their covariance matrix is singular"
        raise DesignError(message(what, where=where, do="More rows or fewer variables are needed"))
    _check_rank(names, cov, where)
    return GroupSample(label, names, n, mean, cov, rows, clusters, index, total)


def _check_varying(names: tuple[str, ...], rows: Floats, where: str) -> None:
    """Raise DesignError where a variable has no value, or the same in all rows."""
    known = np.isfinite(rows).any(axis=0) if len(rows) else np.zeros(len(names), dtype=bool)
    if not known.all():
        what = f"'{names[int(np.argmin(known))]}' has no value in the rows used"
        raise DesignError(message(what, where=where, do="Leave it out of the model, or check the data"))
    constant = np.nanmin(rows, axis=0) == np.nanmax(rows, axis=0)
    if constant.any():
        what = f"'{names[int(np.argmax(constant))]}' has the same value in every row"
        raise DesignError(message(what, where=where, do="What does not vary has no covariances"))


def _check_size(names: tuple[str, ...], cov: Floats, where: str) -> None:
    """Raise DesignError where a variance is beyond the numbers that a computer has."""
    fine = (cov.diagonal() > 1e-150) & (cov.diagonal() < 1e150)
    if not fine.all():
        what = f"the variance of '{names[int(np.argmin(fine))]}' is too small or too large to compute with"
        raise DesignError(message(what, where=where, do="Give it in other units"))


def _check_rank(names: tuple[str, ...], cov: Floats, where: str) -> None:
    scale = np.sqrt(np.diag(cov))
    correlations = cov / scale / scale[:, None]
    factor, failed = lapack.dpotrf(correlations, lower=1)
    if not failed and factor.diagonal().min() > 1e-3:
        return
    values, vectors = np.linalg.eigh(correlations)
    if values.size and values[0] < 1e-10:
        taking = [names[i] for i in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-3)]
        what = f"the variables {', '.join(taking)} are linearly dependent: one is a sum or a copy of the others"
        raise DesignError(message(what, where=where, do="Leave one of them out"))


def _matrix(frame: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    """Return columns as numbers, (rows, names)."""
    if not names:
        return np.zeros((len(frame), 0))
    if frame.columns.is_unique:
        values = _floats(frame, names)
        if values is not None and not np.isinf(values).any():
            return values
    return np.array([numbers(frame, name) for name in names]).T


def _floats(frame: pd.DataFrame, names: tuple[str, ...]) -> Floats | None:
    """Return columns of double precision, in memory one column after the other; None where some are of other kinds."""
    types = frame.dtypes.to_numpy()
    if len(types) <= 2 * len(names) and all(kind == np.float64 for kind in types):
        places = np.array([frame.columns.get_loc(name) for name in names], dtype=np.intp)
        return np.asarray(frame.to_numpy().T[places].T)
    columns = [frame[name].to_numpy() for name in names]
    return np.array(columns).T if all(column.dtype == np.float64 for column in columns) else None


def numbers(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as numbers, (rows,), NaN where missing; raise DesignError where it has none."""
    column = single(frame, name)
    complex_ = isinstance(column.dtype, np.dtype) and column.dtype.kind == "c"
    if not complex_ and (pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype)):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            raise DesignError(message(f"'{name}' has infinite values", do="Correct these rows"))
        return np.asarray(values)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "cmM":
        what = f"'{name}' is a column of {column.dtype}, not of numbers"
        raise DesignError(message(what, where="the model", do="Make it numbers, for example days since a date"))
    if isinstance(column.dtype, pd.CategoricalDtype):
        what = f"'{name}' is a column of categories ({', '.join(map(str, column.dtype.categories[:4]))})"
        do = "Make it numbers, dummy variables (0 and 1), or an ordered Categorical if it is an outcome"
        raise DesignError(message(what, where="the model", do=do))
    as_numbers = pd.to_numeric(column.astype(object), errors="coerce")
    bad = column.notna() & as_numbers.isna()
    shown = ", ".join(repr(v) for v in column[bad].head(3))
    what = f"'{name}' is text" + (f": {shown} are no numbers" if bad.any() else "")
    known = column.dropna()
    if len(known) and not bad.any() and not any(isinstance(v, str) for v in known):
        what = f"'{name}' is a column of objects that are numbers"
    raise DesignError(message(what, where="the model", do="Convert it with pandas.to_numeric, or score it first"))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
