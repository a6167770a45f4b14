"""Moments given instead of rows: covariances, means and numbers of rows of each group, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_columns, message
from alliancekit.core.sample import SampleAccount
from alliancekit.structural.sample import GroupSample, Sample

Floats = NDArray[np.float64]


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
    covs, counts = each_group(cov), _counts(nobs)
    if len(counts) != len(covs):
        what = f"sample_cov has {len(covs)} groups and sample_nobs {len(counts)}"
        raise SpecError(message(what, do="Give the number of rows of each group"))
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


def _counts(nobs: Any) -> list[int]:
    """Return the numbers of rows, checked."""
    if nobs is None:
        raise SpecError(message("sample_cov needs sample_nobs", do="Give the number of rows of each group"))
    out = []
    for value in each_group(nobs):
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if not number or value != value // 1:
            raise SpecError(message(f"sample_nobs={value!r} is no number of rows", do="Give a whole number"))
        out.append(int(value))
    return out


def each_group(value: Any) -> list[Any]:
    """Return what is given for each group: the items of a list or of a mapping by label, or the value alone."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _covariances(given: Any, own: tuple[str, ...], where: str) -> Floats:
    """Return the covariances of the model's variables, checked."""
    table = _named(given)
    check_columns(table.columns, own, where="sample_cov")
    matrix = _numbers(table.loc[list(own), list(own)], "sample_cov", where)
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
    if not series.index.is_unique:
        raise SpecError(message("sample_mean has a name twice", do="Give each variable once"))
    found = _numbers(series[list(own)], "sample_mean", "")
    if not np.isfinite(found).all():
        what = f"sample_mean of '{own[int(np.argmin(np.isfinite(found)))]}' is missing or infinite"
        raise DesignError(message(what, do="Give a number"))
    return found


def _numbers(given: pd.DataFrame | pd.Series, name: str, where: str) -> Floats:
    """Return numbers; raise SpecError where something is text."""
    try:
        return np.asarray(given.to_numpy(dtype=float), dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(message(f"{name} has entries that are no numbers", where=where, do="Give numbers")) from None


def _named(matrix: Any) -> pd.DataFrame:
    if not isinstance(matrix, pd.DataFrame) or matrix.shape[0] != matrix.shape[1]:
        do = "Give a square DataFrame with the variables' names as columns and as index"
        raise SpecError(message("sample_cov needs names of its variables", do=do))
    if not matrix.columns.is_unique:
        twice = matrix.columns[matrix.columns.duplicated()][0]
        raise SpecError(message(f"sample_cov has '{twice}' twice", do="Give each variable once"))
    if list(matrix.index) == list(range(len(matrix))):
        return pd.DataFrame(matrix.to_numpy(), matrix.columns, matrix.columns)
    if set(matrix.index) != set(matrix.columns):
        raise SpecError(
            message("sample_cov has other names in its rows than in its columns", do="Use one set of names")
        )
    return matrix
