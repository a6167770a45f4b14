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

from alliancekit.core.errors import DesignError, DesignWarning, SpecError, check_columns, message
from alliancekit.core.sample import SampleAccount
from alliancekit.structural.categories import check_categories, known_rows, levels
from alliancekit.structural.categories import codes as category_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class GroupSample:
    """One group.

    Attributes
    ----------
    label : of the group, empty without groups. names : the observed variables. n : rows used. mean : (p,).
    cov : (p, p), divisor n. rows : (n, p) with NaN where missing, None where only moments were given. clusters : (n,).
    """

    label: str
    names: tuple[str, ...]
    n: int
    mean: Floats
    cov: Floats
    rows: Floats | None
    clusters: NDArray[np.generic] | None = None


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
    labels = tuple(_text(v) for v in pd.unique(frame[group].dropna()))
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
    complete: Sequence[str] = (),
    cluster: str | None = None,
    ordered: Sequence[str] = (),
    stacklevel: int = 3,
) -> Sample:
    """Return the rows of each group.

    Parameters
    ----------
    names : per group, its observed variables. missing : "listwise" leaves out rows in which one is missing, and warns
        with their number; "fiml" keeps all rows that have a value in a variable of the model and in all of
        ``complete``, the covariates whose moments are those of the sample; "fiml.x" all that have any value;
        "pairwise" as "fiml", but for rows that have covariates only.

    Raises
    ------
    DesignError : an unknown column, text where numbers are needed, a variable that does not vary or is missing
        throughout, too few rows.
    """
    wanted = tuple(dict.fromkeys(name for own in names for name in own))
    check_columns(frame.columns, wanted, where="the model")
    if cluster:
        check_columns(frame.columns, [cluster], where="cluster")
    ordinal = {name: _single(frame, name) for name in wanted if name in ordered}
    values = _values(frame, wanted, ordinal)
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
    _account_lost(int(lost.sum()), len(frame), missing, dropped, stacklevel + 1, "pairwise" if ordered else "fiml")
    kept = inside & ~lost
    _check_left(frame, wanted, kept, cluster)
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
        groups.append(_group(label, own, rows, clusters))
    counts = {label: group_.n for label, group_ in zip(labels, groups, strict=True) if label}
    account = SampleAccount(len(frame), int(kept.sum()), tuple(dropped), counts, kept)
    return Sample(tuple(groups), account, {name: tuple(map(_text, found)) for name, found in categories.items()})


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
            dropped.append((f"missing in '{column}'", int(gone.sum())))
            inside &= ~gone
    return inside


def _check_left(frame: pd.DataFrame, wanted: Sequence[str], kept: NDArray[np.bool_], cluster: str | None) -> None:
    """Raise DesignError where no rows are left, or all rows are in one cluster."""
    if not len(frame):
        raise DesignError(message("the data have no rows", do="Was everything filtered out?"))
    if not kept.any():
        empty = [name for name in wanted if frame[name].isna().all()]
        what = f"'{empty[0]}' has no value in any row" if empty else "no row has a value in every variable of the model"
        do = "Leave it out of the model" if empty else 'Take missing="fiml"'
        raise DesignError(message(what, do=do))
    if cluster is not None and frame[cluster][kept].nunique() < 2:
        what = f"all rows used are in one cluster of '{cluster}'"
        raise DesignError(message(what, do="Leave cluster= out, or name the column of clusters"))


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
    lost: int, total: int, missing: str, dropped: list[tuple[str, int]], stacklevel: int, instead: str
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
    do = f'Give missing="{instead}" to use all rows, or missing="listwise" with a reason'
    warnings.warn(message(what, do=do), DesignWarning, stacklevel=stacklevel)


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
    dropped.append(("missing in a covariate", int(gone.sum())))
    what = f"{int(gone.sum())} rows have a missing value in a covariate and are left out"
    do = 'Give missing="fiml.x" to use them' if missing == "fiml" else "Impute them to use these rows"
    warnings.warn(message(what, do=do), DesignWarning, stacklevel=stacklevel + 1)
    return np.asarray(kept & ~gone)


def _group(label: str, names: tuple[str, ...], rows: Floats, clusters: NDArray[np.generic] | None) -> GroupSample:
    where = f"group '{label}'" if label else ""
    n, p = rows.shape
    if not n or np.isnan(rows).any():
        _check_varying(names, rows, where)
        return GroupSample(label, names, n, np.nanmean(rows, axis=0), np.full((p, p), np.nan), rows, clusters)
    mean = rows.mean(axis=0)
    centred = rows - mean
    cov = centred.T @ centred / n
    if (cov.diagonal() <= 1e-20 * mean**2).any():
        _check_varying(names, rows, where)
    if n <= p:
        what = f"{n} rows for {p} variables: their covariance matrix is singular"
        raise DesignError(message(what, where=where, do="More rows or fewer variables are needed"))
    _check_rank(names, cov, where)
    return GroupSample(label, names, n, mean, cov, rows, clusters)


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


def _check_rank(names: tuple[str, ...], cov: Floats, where: str) -> None:
    scale = np.sqrt(np.diag(cov))
    correlations = cov / np.outer(scale, scale)
    factor, failed = lapack.dpotrf(correlations, lower=1)
    if not failed and factor.diagonal().min() > 1e-3:
        return
    values, vectors = np.linalg.eigh(correlations)
    if values.size and values[0] < 1e-10:
        taking = [names[i] for i in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-3)]
        what = f"the variables {', '.join(taking)} are linearly dependent: one is a sum or a copy of the others"
        raise DesignError(message(what, where=where, do="Leave one of them out"))


def moments_sample(
    cov: Any, mean: Any, nobs: Any, names: Sequence[tuple[str, ...]], labels: tuple[str, ...], *, means: bool = False
) -> Sample:
    """Return a sample known by its moments (covariances with divisor n - 1, as programs print them).

    Parameters
    ----------
    cov : (p, p) frame with the variables' names, or one for each group (list, or label -> frame). mean : Series,
        mapping or frame with the names, or one for each group. nobs : rows, or rows of each group.
    means : whether the model has means.

    Raises
    ------
    SpecError : something is not given. DesignError : the covariances are none.
    """
    covs, counts = each_group(cov), [int(v) for v in each_group(nobs)] if nobs is not None else []
    if len(counts) != len(covs):
        raise SpecError(message("sample_cov needs sample_nobs", do="Give the number of rows of each group"))
    if means and mean is None:
        what = "the model has means and sample_mean is not given"
        raise SpecError(message(what, do="Give sample_mean=, or meanstructure=False"))
    middles = [None] * len(covs) if mean is None else each_group(mean) if len(covs) > 1 else [mean]
    if len(middles) != len(covs):
        raise SpecError(message(f"{len(middles)} sets of means are given for {len(covs)} groups"))
    groups = []
    for own, label, one, middle, n in zip(names, labels, covs, middles, counts, strict=True):
        where = f"group '{label}'" if label else ""
        if n <= len(own):
            what = f"sample_nobs={n} for {len(own)} variables: the covariance matrix would be singular"
            raise DesignError(message(what, where=where))
        matrix = _covariances(one, own, where) * (n - 1) / n
        groups.append(GroupSample(label, own, n, _means(middle, own), matrix, None))
    total = sum(counts)
    return Sample(tuple(groups), SampleAccount(total, total))


def each_group(value: Any) -> list[Any]:
    """Return what is given for each group: the items of a list or of a mapping by label, or the value alone."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _covariances(given: Any, own: tuple[str, ...], where: str) -> Floats:
    """Return the covariances of the model's variables, checked."""
    table = _named(given)
    check_columns(table.columns, own, where="sample_cov")
    matrix = table.loc[list(own), list(own)].to_numpy(dtype=float)
    scale = np.sqrt(np.abs(np.outer(np.diag(matrix), np.diag(matrix))))
    if not np.isfinite(matrix).all():
        raise DesignError(message("sample_cov has missing values", where=where, do="Fill both halves of the matrix"))
    if (np.abs(matrix - matrix.T) > 1e-6 * scale).any():
        i, j = np.argwhere(np.abs(matrix - matrix.T) > 1e-6 * scale)[0]
        what = f"sample_cov is not symmetric: {own[i]} with {own[j]} is {matrix[i, j]:g} and {matrix[j, i]:g}"
        raise DesignError(message(what, where=where))
    if (np.diag(matrix) <= 0).any() or np.linalg.eigvalsh(matrix / scale)[0] <= 0:
        do = "Check how it was computed: covariances by pairs of variables may not be those of any data"
        raise DesignError(message("sample_cov is not positive definite", where=where, do=do))
    return np.asarray((matrix + matrix.T) / 2)


def _means(given: Any, own: tuple[str, ...]) -> Floats:
    if given is None:
        return np.zeros(len(own))
    if isinstance(given, pd.DataFrame):
        given = given.iloc[0] if given.shape[0] == 1 else given.iloc[:, 0]
    if not isinstance(given, (pd.Series, Mapping)):
        do = "Give a pandas Series or a mapping, name -> mean"
        raise SpecError(message("sample_mean needs names of its variables", do=do))
    series = pd.Series(given)
    check_columns(series.index, own, where="sample_mean")
    return np.asarray(series[list(own)].to_numpy(dtype=float))


def _named(matrix: Any) -> pd.DataFrame:
    if not isinstance(matrix, pd.DataFrame) or matrix.shape[0] != matrix.shape[1]:
        do = "Give a square DataFrame with the variables' names as columns and as index"
        raise SpecError(message("sample_cov needs names of its variables", do=do))
    if list(matrix.index) == list(range(len(matrix))):
        return pd.DataFrame(matrix.to_numpy(), matrix.columns, matrix.columns)
    if set(matrix.index) != set(matrix.columns):
        raise SpecError(
            message("sample_cov has other names in its rows than in its columns", do="Use one set of names")
        )
    return matrix


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


def _single(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column; raise DesignError where several have the name."""
    column = frame[name]
    if isinstance(column, pd.DataFrame):
        raise DesignError(message(f"the data have {column.shape[1]} columns named '{name}'", do="Rename them"))
    return column


def numbers(frame: pd.DataFrame, name: str) -> Floats:
    """Return a column as numbers, (rows,), NaN where missing; raise DesignError where it has none."""
    column = _single(frame, name)
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            raise DesignError(message(f"'{name}' has infinite values", do="Correct these rows"))
        return np.asarray(values)
    if isinstance(column.dtype, pd.CategoricalDtype):
        what = f"'{name}' is a column of categories ({', '.join(map(str, column.dtype.categories[:4]))})"
        do = "Make it numbers, dummy variables (0 and 1), or an ordered Categorical if it is an outcome"
        raise DesignError(message(what, where="the model", do=do))
    as_numbers = pd.to_numeric(column.astype(object), errors="coerce")
    bad = column.notna() & as_numbers.isna()
    shown = ", ".join(repr(v) for v in column[bad].head(3))
    what = f"'{name}' is text" + (f": {shown} are no numbers" if bad.any() else "")
    raise DesignError(message(what, where="the model", do="Convert it with pandas.to_numeric, or score it first"))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
