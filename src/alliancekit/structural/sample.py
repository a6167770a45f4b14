"""The data of a structural model: rows of each group, or their covariances and means."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import lapack

from alliancekit.core.errors import DesignError, DesignWarning, SpecError, check_columns, message
from alliancekit.core.sample import SampleAccount

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
    stacklevel: int = 3,
) -> Sample:
    """Return the rows of each group.

    Parameters
    ----------
    names : per group, its observed variables. missing : "listwise" leaves out rows in which one is missing, and warns
        with their number; "fiml" keeps all rows that have a value in a variable of the model and in all of
        ``complete``, the covariates whose moments are those of the sample; "fiml.x" all that have any value.

    Raises
    ------
    DesignError : an unknown column, text where numbers are needed, a variable that does not vary or is missing
        throughout, too few rows.
    """
    wanted = tuple(dict.fromkeys(name for own in names for name in own))
    check_columns(frame.columns, [*wanted, *([cluster] if cluster else [])], where="the model")
    values = _matrix(frame, wanted)
    place = {name: i for i, name in enumerate(wanted)}
    inside = np.ones(len(frame), dtype=bool)
    dropped: list[tuple[str, int]] = []
    outside = [(group, "group"), (cluster, "cluster")]
    for column, _ in [pair for pair in outside if pair[0]]:
        gone = frame[column].isna().to_numpy() & inside
        if gone.any():
            dropped.append((f"missing in '{column}'", int(gone.sum())))
            inside &= ~gone
    lost = np.isnan(values).any(axis=1) if missing == "listwise" else np.isnan(values).all(axis=1)
    lost &= inside
    if lost.any():
        dropped.append(("missing in a variable of the model" if missing == "listwise" else "empty", int(lost.sum())))
        if missing == "listwise":
            what = f"{int(lost.sum())} of {len(frame)} rows have a missing value and are left out"
            do = 'Give missing="fiml" to use all rows, or missing="listwise" with a reason'
            warnings.warn(message(what, do=do), DesignWarning, stacklevel=stacklevel)
    kept = inside & ~lost
    kept = _without_missing_covariates(values, kept, [place[name] for name in complete], missing, dropped, stacklevel)
    codes = None if group is None else frame[group].map(_text, na_action="ignore").to_numpy()
    groups = []
    for own, label in zip(names, labels, strict=True):
        mine = kept if codes is None else kept & (codes == label)
        rows = values[mine][:, [place[name] for name in own]]
        clusters = frame[cluster].to_numpy()[mine] if cluster else None
        groups.append(_group(label, own, rows, clusters))
    counts = {label: group_.n for label, group_ in zip(labels, groups, strict=True) if label}
    account = SampleAccount(len(frame), int(kept.sum()), tuple(dropped), counts, kept)
    return Sample(tuple(groups), account)


def _without_missing_covariates(
    values: Floats,
    kept: NDArray[np.bool_],
    places: Sequence[int],
    missing: str,
    dropped: list[tuple[str, int]],
    stacklevel: int,
) -> NDArray[np.bool_]:
    """Leave out rows without a value of a covariate that is held at its sample moments, and warn with their number."""
    if missing != "fiml" or not places:
        return kept
    gone = kept & np.isnan(values[:, places]).any(axis=1)
    if not gone.any():
        return kept
    dropped.append(("missing in a covariate", int(gone.sum())))
    what = f"{int(gone.sum())} rows have a missing value in a covariate and are left out"
    warnings.warn(message(what, do='Give missing="fiml.x" to use them'), DesignWarning, stacklevel=stacklevel + 1)
    return np.asarray(kept & ~gone)


def _group(label: str, names: tuple[str, ...], rows: Floats, clusters: NDArray[np.generic] | None) -> GroupSample:
    where = f"group '{label}'" if label else ""
    known = np.isfinite(rows).sum(axis=0)
    for j, name in enumerate(names):
        if not known[j]:
            what = f"'{name}' has no value in the rows used"
            raise DesignError(message(what, where=where, do="Leave it out of the model, or check the data"))
        column = rows[:, j][np.isfinite(rows[:, j])]
        if column.min() == column.max():
            what = f"'{name}' has the same value in every row"
            raise DesignError(message(what, where=where, do="What does not vary has no covariances"))
    n, p = rows.shape
    complete = not np.isnan(rows).any()
    if complete and n <= p:
        what = f"{n} rows for {p} variables: their covariance matrix is singular"
        raise DesignError(message(what, where=where, do="More rows or fewer variables are needed"))
    mean = rows.mean(axis=0) if complete else np.nanmean(rows, axis=0)
    centred = rows - mean
    cov = centred.T @ centred / n if complete else np.full((p, p), np.nan)
    if complete:
        _check_rank(names, cov, where)
    return GroupSample(label, names, n, mean, cov, rows, clusters)


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


def moments_sample(cov: Any, mean: Any, nobs: Any, names: Sequence[tuple[str, ...]], labels: tuple[str, ...]) -> Sample:
    """Return a sample known by its moments (covariances with divisor n - 1, as programs print them)."""
    covs = list(cov) if isinstance(cov, (list, tuple)) else [cov]
    counts = [int(v) for v in (nobs if isinstance(nobs, (list, tuple)) else [nobs] * len(covs))] if nobs else []
    if not counts or len(counts) != len(covs):
        raise SpecError(message("sample_cov needs sample_nobs", do="Give the number of rows of each group"))
    means = list(mean) if isinstance(mean, (list, tuple)) and len(covs) > 1 else [mean] * len(covs)
    groups = []
    for own, label, one, m, n in zip(names, labels, covs, means, counts, strict=True):
        table = _named(one)
        check_columns(table.columns, own, where="sample_cov")
        matrix = table.loc[list(own), list(own)].to_numpy(dtype=float) * (n - 1) / n
        if not np.allclose(matrix, matrix.T, rtol=1e-6):
            raise DesignError(message("sample_cov is not symmetric"))
        if np.linalg.eigvalsh(matrix)[0] <= 0:
            raise DesignError(
                message("sample_cov is not positive definite", do="Check how it was computed (pairwise?)")
            )
        middle = np.zeros(len(own)) if m is None else pd.Series(m)[list(own)].to_numpy(dtype=float)
        groups.append(GroupSample(label, own, n, middle, matrix, None))
    total = sum(counts)
    return Sample(tuple(groups), SampleAccount(total, total))


def _named(matrix: Any) -> pd.DataFrame:
    if not isinstance(matrix, pd.DataFrame):
        do = "Give a DataFrame with the variables' names as columns and as index"
        raise SpecError(message("sample_cov needs names of its variables", do=do))
    if list(matrix.index) != list(matrix.columns):
        return pd.DataFrame(matrix.to_numpy(), matrix.columns, matrix.columns)
    return pd.DataFrame(matrix)


def _matrix(frame: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    """Return columns as numbers, (rows, names)."""
    if len(set(frame.columns)) == frame.shape[1]:
        chosen = frame[list(names)]
        if (chosen.dtypes == np.float64).all():
            values = chosen.to_numpy()
            if not np.isinf(values).any():
                return np.asarray(values)
    return np.column_stack([_numbers(frame, name) for name in names]) if names else np.zeros((len(frame), 0))


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    column = frame[name]
    if isinstance(column, pd.DataFrame):
        raise DesignError(message(f"the data have {column.shape[1]} columns named '{name}'", do="Rename them"))
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(values).any():
            raise DesignError(message(f"'{name}' has infinite values", do="Correct these rows"))
        return np.asarray(values)
    as_numbers = pd.to_numeric(column.astype(object), errors="coerce")
    bad = column.notna() & as_numbers.isna()
    shown = ", ".join(repr(v) for v in column[bad].head(3))
    what = f"'{name}' is text" + (f": {shown} are no numbers" if bad.any() else "")
    raise DesignError(message(what, where="the model", do="Convert it with pandas.to_numeric, or score it first"))


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
