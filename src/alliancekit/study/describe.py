"""Who was studied: means, spreads and shares, overall and by arm, with standardised differences and without tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, SpecError, check_columns, message
from alliancekit.study.levels import arms_of, column_info, label_of, list_of, require_ids, value_per_unit
from alliancekit.study.types import Study, frame_of, resolve_column

OVERALL = "Overall"
NUMBERS = ("mean", "sd", "median", "minimum", "maximum")


@dataclass(frozen=True, eq=False)
class Description:
    """A description of the sample.

    Attributes
    ----------
    rows : one row per variable, category and group: variable, label, category (None for a numeric variable), group,
        n (values there are; for a category the units in it), n_missing, mean, sd, median, minimum, maximum, percent
        (of the values there are).
    differences : one row per variable where there are groups: variable, comparison, smd.
    sizes : group -> number of units, "Overall" first; units without a group come last, as "<by> missing".
    level : what one unit is ("patient", or "row").
    by : column of the groups, or None.
    """

    rows: pd.DataFrame
    differences: pd.DataFrame
    sizes: Mapping[str, int]
    level: str
    by: str | None

    def tidy(self) -> pd.DataFrame:
        """Return one row per variable, category and group."""
        return self.rows.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: units, level, variables, groups, and the largest absolute standardised difference."""
        largest = self.differences["smd"].abs().max() if len(self.differences) else np.nan
        return pd.DataFrame(
            {
                "n": [self.sizes[OVERALL]],
                "level": [self.level],
                "n_variables": [self.rows["variable"].nunique()],
                "by": [self.by],
                "largest_smd": [float(largest)],
            }
        )

    def __repr__(self) -> str:
        groups = f" by '{self.by}'" if self.by else ""
        return f"Description of {self.sizes[OVERALL]} units ({self.level}){groups}\n{self.rows.to_string(index=False)}"


def describe(
    data: Study | pd.DataFrame,
    columns: Sequence[str],
    *,
    by: str | None = None,
    level: str = "patient",
    categories: Sequence[str] = (),
) -> Description:
    """Return means, standard deviations, medians, ranges, shares and missing values, overall and by arm.

    Differences between arms are given as standardised mean differences, never as tests: after randomisation a baseline
    test has nothing to test (CONSORT 2010, Moher et al., BMJ 340, c869, item 15). Numeric variables: difference of
    means over the root of the mean of the variances (Austin, 2009, Statistics in Medicine 28, 3083, equation 1), second
    arm minus first. Categories: Yang & Dalton (2012, SAS Global Forum 335), never negative. With more than two arms the
    largest in size of all pairs, and which pair it is.

    Parameters
    ----------
    data : Study or frame.
    columns : variables to describe. Text, categories, truth values and columns with value labels in the codebook
        are described by counts and percentages, other numbers by mean and spread.
    by : column of the arm or group; None describes the whole sample only.
    level : the unit that counts once: "row", or a column or role such as "patient". A variable must not change inside
        a unit.
    categories : numeric columns to be described as categories.

    Returns
    -------
    Description

    Raises
    ------
    SchemaError : no column ``level`` or ``by``; a variable (or the arm) changes inside a unit, which is named.
    DesignError : a variable is not in the data. SpecError : no variables, or one named twice.

    Checked against
    ---------------
    pingouin.compute_effsize (equal arms), pandas, numbers worked by hand.

    When not to use
    ---------------
    Not for measures that change from session to session (``ak.correlations`` separates persons from sessions), and not
    as evidence that an arm effect is confounded.

    Examples
    --------
    >>> import pandas as pd
    >>> import alliancekit as ak
    >>> df = pd.DataFrame({"patient": [1, 1, 2, 3, 4], "arm": ["a", "a", "a", "b", "b"],
    ...                    "age": [30.0, 30, 40, 50, 60]})
    >>> ak.describe(df, ["age"], by="arm").tidy()[["group", "n", "mean"]]
         group  n  mean
    0  Overall  4  45.0
    1        a  2  35.0
    2        b  2  55.0
    """
    names = list_of(columns, where="ak.describe")
    frame = frame_of(data)
    check_columns(frame.columns, [*names, *categories], where="ak.describe")
    arm = None if by is None else resolve_column(data, by, frame)
    if arm in names:
        raise SpecError(message(f"'{arm}' cannot be described by itself", do="Leave it out of the columns"))
    units = _one_row_per_unit(data, frame, [*names, *([arm] if arm else [])], level)
    masks = _groups(units, arm)
    rows, differences = [], []
    for name in names:
        label = label_of(data, name)
        labels = column_info(data, name).values
        if name in categories or labels or not _is_number(units[name]):
            coded = _coded(units[name], labels)
            rows += _count_rows(name, label, coded, masks)
            sizes = [_shares(coded[mask]) for group, mask in masks.items() if group != OVERALL]
            measure = share_difference
        else:
            numbers = units[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
            rows += [_number_row(name, label, group, numbers[mask]) for group, mask in masks.items()]
            sizes = [numbers[mask & np.isfinite(numbers)] for group, mask in masks.items() if group != OVERALL]
            measure = mean_difference
        if len(sizes) > 1:
            differences.append(_largest(name, [g for g in masks if g != OVERALL], sizes, measure))
    counts = {group: int(mask.sum()) for group, mask in masks.items()}
    table = pd.DataFrame(differences, columns=["variable", "comparison", "smd"])
    return Description(pd.DataFrame(rows), table, counts, level, arm)


def mean_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the standardised difference of two samples' means, second minus first; NaN where it has no scale."""
    if first.size < 2 or second.size < 2:
        return float("nan")
    spread = np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    gap = second.mean() - first.mean()
    if spread == 0:
        return 0.0 if gap == 0 else float("nan")
    return float(gap / spread)


def share_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return Yang and Dalton's standardised difference of two sets of shares (each sums to one); never negative."""
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("nan")
    gap = (second - first)[1:]
    if not np.abs(gap).max(initial=0.0):
        return 0.0
    mean = [np.diag(p[1:]) - np.outer(p[1:], p[1:]) for p in (first, second)]
    covariance = (mean[0] + mean[1]) / 2
    inverse = np.linalg.pinv(covariance, hermitian=True)
    if not np.allclose(covariance @ inverse @ gap, gap):
        return float("nan")
    return float(np.sqrt(gap @ inverse @ gap))


def _one_row_per_unit(
    data: Study | pd.DataFrame, frame: pd.DataFrame, wanted: list[str], level: str
) -> pd.DataFrame:
    if level == "row":
        return frame[wanted].reset_index(drop=True)
    unit = resolve_column(data, level, frame)
    require_ids(frame, unit, where="ak.describe")
    advice = f"Describe rows with level='row', give each {unit} one value, or leave the column out"
    collapsed = {name: value_per_unit(frame, unit, name, do=advice) for name in wanted if name != unit}
    if unit in wanted:
        raise SpecError(message(f"'{unit}' names the units and is not described", do="Leave it out of the columns"))
    return pd.DataFrame(collapsed).reset_index(drop=True)


def _groups(units: pd.DataFrame, arm: str | None) -> dict[str, NDArray[np.bool_]]:
    masks = {OVERALL: np.ones(len(units), dtype=bool)}
    if arm is None:
        return masks
    for value in arms_of(units[arm]):
        if str(value) in masks:
            raise SchemaError(
                message(f"'{arm}' has a group named '{value}' twice, or '{OVERALL}'", do="Give groups distinct names")
            )
        masks[str(value)] = (units[arm] == value).fillna(False).to_numpy(dtype=bool)
    if units[arm].isna().any():
        masks[f"{arm} missing"] = units[arm].isna().to_numpy()
    if len(masks) > 13:
        raise SpecError(
            message(f"'{arm}' has {len(masks) - 1} groups", do="Give a column with at most 12 groups, such as the arm")
        )
    return masks


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _coded(column: pd.Series, labels: Mapping[str, str]) -> pd.Series:
    """Return a categorical: codebook order where there are labels, else category order or sorted values."""
    if labels and _is_number(column):
        from alliancekit.study.codebook import code_text

        texts = column.map(lambda v: labels.get(code_text(v), code_text(v)), na_action="ignore")
        present = list(dict.fromkeys([*labels.values(), *sorted(map(str, texts.dropna().unique()))]))
        return pd.Series(pd.Categorical(texts, categories=present), index=column.index)
    if pd.api.types.is_bool_dtype(column.dtype):
        texts = column.map({True: "yes", False: "no"}, na_action="ignore")
        return pd.Series(pd.Categorical(texts, categories=["yes", "no"]), index=column.index)
    if column.dtype == object and column.map(lambda v: isinstance(v, list | dict | set), na_action="ignore").any():
        raise SchemaError(message(f"column '{column.name}' holds lists", do="Describe plain values"))
    levels = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else arms_of(column)
    texts = column.map(str, na_action="ignore")
    return pd.Series(pd.Categorical(texts.astype(object), categories=[str(v) for v in levels]), index=column.index)


def _count_rows(
    name: str, label: str, coded: pd.Series, masks: Mapping[str, NDArray[np.bool_]]
) -> list[dict[str, Any]]:
    rows = []
    for category in coded.cat.categories:
        for group, mask in masks.items():
            inside = coded[mask]
            known = int(inside.notna().sum())
            count = int((inside == category).sum())
            rows.append(
                {
                    "variable": name,
                    "label": label,
                    "category": category,
                    "group": group,
                    "n": count,
                    "n_missing": int(mask.sum()) - known,
                    **dict.fromkeys(NUMBERS, np.nan),
                    "percent": 100 * count / known if known else np.nan,
                }
            )
    return rows


def _number_row(name: str, label: str, group: str, values: NDArray[np.float64]) -> dict[str, Any]:
    if np.isinf(values).any():
        raise SchemaError(message(f"column '{name}' holds infinite values", do="Mend or remove them"))
    known = values[np.isfinite(values)]
    n = known.size
    return {
        "variable": name,
        "label": label,
        "category": None,
        "group": group,
        "n": int(n),
        "n_missing": int(values.size - n),
        "mean": float(known.mean()) if n else np.nan,
        "sd": float(known.std(ddof=1)) if n > 1 else np.nan,
        "median": float(np.median(known)) if n else np.nan,
        "minimum": float(known.min()) if n else np.nan,
        "maximum": float(known.max()) if n else np.nan,
        "percent": np.nan,
    }


def _shares(coded: pd.Series) -> NDArray[np.float64]:
    counts = coded.value_counts(sort=False).reindex(coded.cat.categories).to_numpy(dtype=np.float64)
    total = counts.sum()
    shares: NDArray[np.float64] = counts / total if total else np.full(counts.shape, np.nan)
    return shares


def _largest(name: str, groups: list[str], values: list[NDArray[np.float64]], measure: Any) -> dict[str, Any]:
    best: dict[str, Any] = {"variable": name, "comparison": f"{groups[1]} - {groups[0]}", "smd": float("nan")}
    for i, j in combinations(range(len(groups)), 2):
        found = measure(values[i], values[j])
        if np.isfinite(found) and not abs(found) <= abs(best["smd"]):
            best = {"variable": name, "comparison": f"{groups[j]} - {groups[i]}", "smd": found}
    return best
