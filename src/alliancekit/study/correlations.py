"""Correlations of repeated measures: within persons, between persons, and how much of each variable lies between.

One correlation of all rows mixes two questions: do sessions with a better alliance have fewer symptoms (within a
person), and do persons with a better alliance have fewer symptoms (between persons)? The two may have opposite signs.

Symbols: N rows, k persons, n_i rows of person i, SSW and SSB the sums of squares within and between persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from alliancekit.core.errors import SchemaError, SpecError, check_columns, check_option, message
from alliancekit.core.frames import rows as rows_of
from alliancekit.study.levels import floats, label_of, list_of, require_ids
from alliancekit.study.types import Study, frame_of, resolve_column

Floats = NDArray[np.float64]

#: A variable whose variation inside persons is below this share of its total variation counts as constant there.
CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Correlations:
    """Within-person and between-person correlations of several variables.

    Attributes
    ----------
    pairs : one row per pair and level: term_1, term_2, level ("within", "between"), estimate, conf_low, conf_high,
        df, statistic, p_value, nobs (rows used), n_units (persons used).
    variables : one row per variable: term, label, nobs, n_units, mean, sd, sd_within, sd_between, icc, icc_mean.
    by : column of the person.
    method : "pearson" or "spearman".
    repeated : False where each person has one row, so that only correlations between persons exist.
    level : confidence level of the intervals.
    notes : what a reader must know.
    """

    pairs: pd.DataFrame
    variables: pd.DataFrame
    by: str
    method: str
    repeated: bool
    level: float
    notes: tuple[str, ...] = field(default=())

    def tidy(self) -> pd.DataFrame:
        """Return one row per pair of variables and level."""
        return self.pairs.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: rows, persons, method, whether measures are repeated."""
        return pd.DataFrame(
            {
                "nobs": [int(self.variables["nobs"].max())],
                "n_units": [int(self.variables["n_units"].max())],
                "by": [self.by],
                "method": [self.method],
                "repeated": [self.repeated],
            }
        )

    def matrix(self, level: str = "within") -> pd.DataFrame:
        """Return the symmetric matrix of one level ("within" or "between"), ones on its diagonal."""
        check_option("level", level, ["within", "between"])
        if level == "within" and not self.repeated:
            raise SpecError(
                message("there is no within-person matrix: each person has one row", do="Use matrix('between')")
            )
        names = self.variables["term"].tolist()
        full = pd.DataFrame(np.eye(len(names)), index=names, columns=names)
        for row in rows_of(self.pairs[self.pairs["level"] == level]):
            full.loc[row.term_1, row.term_2] = row.estimate
            full.loc[row.term_2, row.term_1] = row.estimate
        return full

    def __repr__(self) -> str:
        what = "within and between" if self.repeated else "between"
        return f"Correlations {what} '{self.by}' ({self.method})\n{self.pairs.to_string(index=False)}"


def correlations(
    data: Study | pd.DataFrame,
    columns: Sequence[str],
    *,
    by: str = "patient",
    method: str = "pearson",
    level: float = 0.95,
) -> Correlations:
    """Return within-person and between-person correlations, intraclass correlations and spreads.

    Within: both variables as deviations from the person's mean over the rows that have both, pooled over persons,
    with N - k - 1 degrees of freedom (Bland & Altman, 1995, BMJ 310, 446; Bakdash & Marusich, 2017, Frontiers in
    Psychology 8, 456). Between: persons' means over all rows that have the variable, each person counting once, with
    k - 2 degrees of freedom. ICC: share of variance between persons, (MSB - MSW) / (MSB + (n0 - 1) MSW) with
    n0 = (N - sum n_i^2 / N) / (k - 1) (Shrout & Fleiss, 1979, ICC(1,1), with Donner's n0 for unequal n_i). Intervals
    by Fisher's z with standard error 1 / sqrt(df - 1); for "spearman" times sqrt(1 + r^2 / 2) (Bonett & Wright, 2000).

    Parameters
    ----------
    data : Study or frame, one row per person and occasion (N rows).
    columns : two or more numeric columns.
    by : the person's column, or its role in a Study.
    method : "pearson", or "spearman": Pearson's correlation of the ranks of the deviations (within) and of the ranks
        of the means (between).
    level : confidence level.

    Returns
    -------
    Correlations; where each person has one row, the ordinary correlations, and its notes say so.

    Raises
    ------
    DesignError : a column is not in the data. SchemaError : there is no column ``by``, a column is not numeric, or a
    row has no person.
    SpecError : fewer than two columns, an unknown method, or a level outside (0, 1).

    Checked against
    ---------------
    pingouin.rm_corr (estimate, df, p) and pingouin.intraclass_corr (balanced data), scipy.stats.pearsonr (one row per
    person), numbers worked by hand.

    When not to use
    ---------------
    Not as a test of an effect: the degrees of freedom take a person's rows as independent given the mean, and sessions
    follow each other in time (a shared trend alone correlates two variables). Means of few sessions carry session
    error, so between-person correlations are pulled toward the within-person ones where ``icc_mean`` is low. Use
    ``ak.within_between`` and ``ak.mixed``.

    Examples
    --------
    >>> import pandas as pd
    >>> import alliancekit as ak
    >>> df = pd.DataFrame({"patient": [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4],
    ...                    "alliance": [1.0, 2, 3, 3, 4, 5, 5, 6, 7, 6, 7, 8],
    ...                    "distress": [3.0, 2, 1, 5, 4, 3, 7, 6, 5, 8, 7, 6]})
    >>> ak.correlations(df, ["alliance", "distress"]).tidy()[["level", "estimate"]].round(2)
         level  estimate
    0   within      -1.0
    1  between       1.0
    """
    check_option("method", method, ["pearson", "spearman"])
    if not 0 < level < 1:
        raise SpecError(message(f"level={level!r} is no confidence level", do="Give a number between 0 and 1"))
    names = list_of(columns, where="ak.correlations", least=2)
    frame = frame_of(data)
    unit = resolve_column(data, by, frame)
    check_columns(frame.columns, names, where="ak.correlations")
    require_ids(frame, unit, where="ak.correlations")
    values = {name: _numbers(frame, name) for name in names}
    codes = pd.factorize(frame[unit])[0].astype(np.intp)
    repeated = bool(codes.size and np.bincount(codes).max() > 1)
    variables = pd.DataFrame([_spread(name, label_of(data, name), values[name], codes) for name in names])
    if not repeated:
        variables[["sd_within", "icc", "icc_mean"]] = np.nan
    rows = []
    for first, second in combinations(names, 2):
        if repeated:
            rows.append(_within(first, second, values, codes, method, level))
        rows.append(_between(first, second, values, codes, method, level))
    notes = () if repeated else (f"Each {unit} has one row: ordinary correlations between persons.",)
    return Correlations(pd.DataFrame(rows), variables, unit, method, repeated, level, notes)


def _numbers(frame: pd.DataFrame, name: str) -> Floats:
    column = frame[name]
    if not (pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype)):
        raise SchemaError(
            message(
                f"column '{name}' is not numeric",
                where=f"dtype {column.dtype}",
                do="Correlate numbers: score or recode the column first",
            )
        )
    numbers = floats(column)
    if np.isinf(numbers).any():
        where = f"row {int(np.flatnonzero(np.isinf(numbers))[0]) + 1}"
        raise SchemaError(message(f"column '{name}' holds infinite values", where=where, do="Mend or remove them"))
    return numbers


def person_means(values: Floats, codes: NDArray[np.intp], persons: int) -> tuple[Floats, Floats]:
    """Return each person's mean of the values that are there (NaN where none) and how many those are."""
    there = np.isfinite(values)
    counts = np.bincount(codes[there], minlength=persons).astype(np.float64)
    sums = np.bincount(codes[there], weights=values[there], minlength=persons)
    means = np.full(persons, np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means, counts


def pooled_within(x: Floats, y: Floats, codes: NDArray[np.intp], method: str) -> tuple[float, int, int]:
    """Return the pooled within-person correlation of complete rows, and the numbers of rows and of persons.

    NaN where a variable does not vary inside persons.
    """
    rows, persons = x.size, int(np.unique(codes).size)
    deviations = []
    for values in (x, y):
        means, _ = person_means(values, codes, int(codes.max()) + 1 if rows else 0)
        inside = values - means[codes]
        total = values - values.mean() if rows else values
        if rows == 0 or inside @ inside <= CONSTANT * max(float(total @ total), np.finfo(float).tiny):
            return float("nan"), rows, persons
        deviations.append(_ranks(inside, total) if method == "spearman" else inside)
    a, b = deviations
    return _bounded(float(a @ b) / float(np.sqrt((a @ a) * (b @ b)))), rows, persons


def intraclass(values: Floats, codes: NDArray[np.intp]) -> tuple[float, float, float]:
    """Return ICC(1), the reliability of a person's mean (ICC(2)), and the pooled within-person SD.

    One-way analysis of variance of complete values (N,); NaN where no person has two values. The estimate of an ICC
    may fall below zero; it is handed back as it is.
    """
    persons = int(codes.max()) + 1 if codes.size else 0
    means, counts = person_means(values, codes, persons)
    seen = counts > 0
    rows, groups = float(counts.sum()), int(seen.sum())
    if groups < 2 or rows <= groups:
        return float("nan"), float("nan"), float("nan")
    inside = values - means[codes]
    grand = values.mean()
    within = float(inside @ inside) / (rows - groups)
    between = float((counts[seen] * (means[seen] - grand) ** 2).sum()) / (groups - 1)
    size = (rows - float((counts**2).sum()) / rows) / (groups - 1)
    if between == 0 and within == 0:
        return float("nan"), float("nan"), 0.0
    single = (between - within) / (between + (size - 1) * within)
    averaged = (between - within) / between if between > 0 else float("-inf")
    return single, averaged, float(np.sqrt(within))


def _spread(name: str, label: str, values: Floats, codes: NDArray[np.intp]) -> dict[str, object]:
    there = np.isfinite(values)
    x: Floats = values[there]
    who = codes[there]
    means, _ = person_means(x, who, int(codes.max()) + 1 if codes.size else 0)
    means = means[np.isfinite(means)]
    icc, icc_mean, sd_within = intraclass(x, who)
    return {
        "term": name,
        "label": label,
        "nobs": int(x.size),
        "n_units": int(means.size),
        "mean": float(x.mean()) if x.size else np.nan,
        "sd": float(x.std(ddof=1)) if x.size > 1 else np.nan,
        "sd_within": sd_within,
        "sd_between": float(means.std(ddof=1)) if means.size > 1 else np.nan,
        "icc": icc,
        "icc_mean": icc_mean,
    }


def _within(
    first: str, second: str, values: dict[str, Floats], codes: NDArray[np.intp], method: str, level: float
) -> dict[str, object]:
    both = np.isfinite(values[first]) & np.isfinite(values[second])
    r, rows, persons = pooled_within(values[first][both], values[second][both], codes[both], method)
    return _pair(first, second, "within", r, rows - persons - 1, rows, persons, method, level)


def _between(
    first: str, second: str, values: dict[str, Floats], codes: NDArray[np.intp], method: str, level: float
) -> dict[str, object]:
    persons = int(codes.max()) + 1 if codes.size else 0
    x, _ = person_means(values[first], codes, persons)
    y, _ = person_means(values[second], codes, persons)
    both = np.isfinite(x) & np.isfinite(y)
    used = both[codes] & (np.isfinite(values[first]) | np.isfinite(values[second]))
    a, b = x[both], y[both]
    n = int(both.sum())
    r = float("nan")
    if n > 1:
        a, b = a - a.mean(), b - b.mean()
        if method == "spearman":
            a, b = _ranks(a, a), _ranks(b, b)
        size = float((a @ a) * (b @ b))
        r = _bounded(float(a @ b) / float(np.sqrt(size))) if size > 0 else r
    return _pair(first, second, "between", r, n - 2, int(used.sum()), n, method, level)


def _ranks(values: Floats, scale: Floats) -> Floats:
    """Return centred mid-ranks; values equal but for rounding error share a rank."""
    step = max(float(np.abs(scale).max()), np.finfo(float).tiny) * 1e-12
    _, codes, counts = np.unique(np.round(values / step), return_inverse=True, return_counts=True)
    upper = np.cumsum(counts)
    ranks = (upper - (counts - 1) / 2)[codes]
    centred: Floats = ranks - ranks.mean()
    return centred


def _bounded(r: float) -> float:
    return float(min(1.0, max(-1.0, r)))


def _pair(
    first: str, second: str, where: str, r: float, df: int, rows: int, persons: int, method: str, level: float
) -> dict[str, object]:
    low = high = statistic = p_value = float("nan")
    if df > 0 and np.isfinite(r):
        rest = 1 - r * r
        statistic = r * np.sqrt(df / rest) if rest > 0 else float(np.copysign(np.inf, r))
        p_value = 2 * float(special.stdtr(df, -abs(statistic)))
    if df > 1 and np.isfinite(r):
        width = float(special.ndtri((1 + level) / 2)) / np.sqrt(df - 1)
        width *= np.sqrt(1 + r * r / 2) if method == "spearman" else 1.0
        z = np.arctanh(r) if abs(r) < 1 else np.copysign(np.inf, r)
        low, high = float(np.tanh(z - width)), float(np.tanh(z + width))
    return {
        "term_1": first,
        "term_2": second,
        "level": where,
        "estimate": r,
        "conf_low": low,
        "conf_high": high,
        "df": df,
        "statistic": statistic,
        "p_value": p_value,
        "nobs": rows,
        "n_units": persons,
    }
