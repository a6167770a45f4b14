"""Who was studied: means, spreads and shares, overall and by arm, with standardised differences and without tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SchemaError, SpecError, check_columns, message
from alliancekit.study.levels import arms_of, column_info, floats, label_of, list_of, require_ids, value_per_unit
from alliancekit.study.types import Study, frame_of, resolve_column

OVERALL = "Overall"
NUMBERS = ("mean", "sd", "median", "minimum", "maximum")


@dataclass(frozen=True, eq=False)
class Description:
    """A description of the sample.

    Attributes
    ----------
    rows : one row per variable, category and group: variable, label, unit (``level``, or "row" where the variable
        changes inside units), category (missing for a numeric variable), group, n (values there are; for a category
        the units in it), n_missing, mean, sd, median, minimum, maximum, percent (of the values there are).
    differences : one row per variable where there are groups: variable, comparison, smd (missing for a variable that
        changes inside units).
    sizes : group -> number of units, "Overall" first; units without a group come last, as "<by> missing".
    level : what one unit is ("patient", or "row").
    n_rows : rows of the data.
    by : column of the groups, or None.
    """

    rows: pd.DataFrame
    differences: pd.DataFrame
    sizes: Mapping[str, int]
    level: str
    n_rows: int
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
    level : the unit that counts once: "row", or a column or role such as "patient". A variable that changes inside
        units (a symptom score of each session) is described over all rows, and its ``unit`` says "row".
    categories : numeric columns to be described as categories.

    Returns
    -------
    Description

    Raises
    ------
    SchemaError : no column ``level`` or ``by``; the arm changes inside a unit, which is named; a row without unit.
    DesignError : a variable is not in the data. SpecError : no variables, or one named twice.

    Checked against
    ---------------
    pingouin.compute_effsize (equal arms), pandas, numbers worked by hand.

    When not to use
    ---------------
    The spread of a measure that changes from session to session mixes persons and sessions (``ak.correlations`` parts
    them). A difference between arms is no evidence that an arm effect is confounded.

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
    unit = None if level == "row" else resolve_column(data, level, frame)
    clash = [n for n in (arm, unit) if n in names]
    if clash:
        raise SpecError(message(f"'{clash[0]}' cannot be described by itself", do="Leave it out of the columns"))
    whole = frame[[*names, *([arm] if arm else [])]].reset_index(drop=True)
    units = whole if unit is None else _one_row_per_unit(frame, unit, names, arm)
    masks = {"row": _groups(whole, arm), level: _groups(units, arm)}
    rows, differences = [], []
    for name in names:
        place, source = (level, units) if name in units else ("row", whole)
        about = {"variable": name, "label": label_of(data, name), "unit": place}
        groups = [g for g in masks[place] if g != OVERALL]
        measure: Callable[..., float]
        labels = column_info(data, name).values
        if name in categories or labels or not _is_number(source[name]):
            coded = _coded(source[name], labels)
            rows += _count_rows(about, coded, masks[place])
            values, measure = [_shares(coded[masks[place][g]]) for g in groups], share_difference
        else:
            numbers = floats(source[name])
            rows += [_number_row(about, group, numbers[mask]) for group, mask in masks[place].items()]
            known = np.isfinite(numbers)
            values, measure = [numbers[masks[place][g] & known] for g in groups], mean_difference
        if len(groups) > 1:
            differences.append(_largest(name, groups, values if place == level else None, measure))
    counts = {group: int(mask.sum()) for group, mask in masks[level].items()}
    table = pd.DataFrame(differences, columns=["variable", "comparison", "smd"])
    return Description(pd.DataFrame(rows), table, counts, level, len(frame), arm)


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


def _one_row_per_unit(frame: pd.DataFrame, unit: str, names: list[str], arm: str | None) -> pd.DataFrame:
    """Return one row per unit with the columns that do not change inside a unit; the arm must not."""
    require_ids(frame, unit, where="ak.describe")
    if arm is not None:
        advice = "Describe rows with level='row', or give each unit one group"
        collapsed = {arm: value_per_unit(frame, unit, arm, do=advice)}
    else:
        collapsed = {}
    grouped = frame.groupby(unit, sort=False, observed=True)
    for name in names:
        if int(grouped[name].nunique().max()) <= 1:
            collapsed[name] = grouped[name].first()
    index = frame[unit].drop_duplicates().reset_index(drop=True)
    return pd.DataFrame(collapsed, index=index.to_numpy()).reset_index(drop=True)


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
    about: Mapping[str, str], coded: pd.Series, masks: Mapping[str, NDArray[np.bool_]]
) -> list[dict[str, Any]]:
    rows = []
    for category in coded.cat.categories:
        for group, mask in masks.items():
            inside = coded[mask]
            known = int(inside.notna().sum())
            count = int((inside == category).sum())
            rows.append(
                {
                    **about,
                    "category": category,
                    "group": group,
                    "n": count,
                    "n_missing": int(mask.sum()) - known,
                    **dict.fromkeys(NUMBERS, np.nan),
                    "percent": 100 * count / known if known else np.nan,
                }
            )
    return rows


def _number_row(about: Mapping[str, str], group: str, values: NDArray[np.float64]) -> dict[str, Any]:
    if np.isinf(values).any():
        raise SchemaError(message(f"column '{about['variable']}' holds infinite values", do="Mend or remove them"))
    known = values[np.isfinite(values)]
    n = known.size
    return {
        **about,
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


def _largest(
    name: str, groups: list[str], values: list[NDArray[np.float64]] | None, measure: Callable[..., float]
) -> dict[str, Any]:
    best: dict[str, Any] = {"variable": name, "comparison": f"{groups[1]} - {groups[0]}", "smd": float("nan")}
    if values is None:
        return best
    for i, j in combinations(range(len(groups)), 2):
        found = measure(values[i], values[j])
        if np.isfinite(found) and not abs(found) <= abs(best["smd"]):
            best = {"variable": name, "comparison": f"{groups[j]} - {groups[i]}", "smd": found}
    return best
