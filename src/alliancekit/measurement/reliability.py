"""``reliability``: alpha and one-factor omega of one or several scales, with what each item does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import DesignError, DesignWarning, SpecError, check_option, message
from alliancekit.core.provenance import hash_frame
from alliancekit.measurement.answers import Items, check_reversed, read_answers, read_scales, repeated_rows
from alliancekit.measurement.consistency import (
    Floats,
    alpha_without_each,
    cronbach_alpha,
    feldt_interval,
    item_rest_correlations,
    mean_correlation,
    standardised,
)
from alliancekit.measurement.omega import omega_total
from alliancekit.measurement.one_factor import fit_one_factor
from alliancekit.study.types import frame_of


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability of scales; made by :func:`alliancekit.reliability`.

    Attributes
    ----------
    scales : one row per scale: scale, items, n, n_dropped, alpha, conf_low, conf_high, alpha_standardised,
        mean_correlation, omega, omega_std_error, omega_low, omega_high, omega_observed, chisq, df, p_value and srmr
        (of the one-factor model), mean and sd (of the persons' item means), share_missing, floor, ceiling (shares of
        persons with the lowest and the highest possible score).
    items : one row per item: scale, item, reversed, n, mean, sd, item_rest_r, alpha_if_dropped, loading
        (standardised), share_missing, floor, ceiling (shares of answers).
    method : "alpha", "omega" or None for both.
    level, missing : settings.
    data_hash : SHA-256 of the item columns.
    warnings : what was warned of; ``notes`` what a reader should know.
    """

    scales: pd.DataFrame
    items: pd.DataFrame
    method: str | None
    level: float
    missing: str
    data_hash: str
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def tidy(self) -> pd.DataFrame:
        """Return one row per scale."""
        return self.scales.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: number of scales and items, fewest rows, lowest alpha and omega."""
        row = {
            "scales": len(self.scales),
            "items": len(self.items),
            "n": int(self.scales["n"].min()),
            "lowest_alpha": self.scales["alpha"].min() if "alpha" in self.scales else np.nan,
            "lowest_omega": self.scales["omega"].min() if "omega" in self.scales else np.nan,
            "missing": self.missing,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return one row per item."""
        return self.items.copy()


@dataclass(frozen=True)
class _Settings:
    method: str | None
    level: float
    missing: str
    reverse: tuple[str, ...]
    answers: tuple[float, float] | None


def reliability(
    data: Any,
    items: Items,
    *,
    method: str | None = None,
    level: float = 0.95,
    reverse: Sequence[str] = (),
    missing: str = "complete",
    answers: tuple[float, float] | None = None,
) -> Reliability:
    """Return Cronbach's alpha and one-factor omega of a scale, or of each of several subscales.

    Parameters
    ----------
    data : Study or frame with one row per person (or per rating).
    items : list of item columns; or the prefix of columns that end in a number ("wai_" for wai_1, wai_2 ...); or
        subscale name -> either of these, for one row per subscale.
    method : "alpha", "omega", or None for both.
    level : confidence level.
    reverse : items to turn round before anything is computed: smallest + largest possible answer - answer.
    missing : "complete", persons with every item of the scale; "pairwise", every pair of items by the persons who
        have both (n is then the number of rows with any answer, as in R's psych).
    answers : smallest and largest possible answer, in scale points. None: the codebook's range in a Study, else the
        smallest and largest answer seen in the scale.

    Returns
    -------
    Reliability, with ``tidy()`` one row per scale and ``augment()`` one row per item. Alpha has Feldt's limits, omega
    those of the delta method on its logit.

    Raises
    ------
    SpecError : fewer than two items, an item given twice, a reversed item that is in no scale, a wrong option.
    DesignError : a column that is missing, not numeric or constant; an answer outside the possible ones; fewer than
        three persons.
    FitError : the one-factor model cannot be fitted (use method="alpha").

    Warns
    -----
    DesignWarning : an item correlates negatively with the rest of its scale (is it reversed?), or its uniqueness is
        at zero (Heywood case).

    Notes
    -----
    Omega needs three items. It is the share of the sum score's variance due to one factor fitted by maximum
    likelihood; it means little where one factor does not fit (see srmr, and omega_observed, which then differs).

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> bond = rng.normal(size=300)
    >>> df = pd.DataFrame({f"bond_{j}": bond + rng.normal(size=300) for j in range(1, 5)})
    >>> found = ak.reliability(df, "bond_")
    >>> found.tidy()[["items", "n"]].to_numpy().tolist()
    [[4, 300]]
    >>> round(found.tidy()["alpha"].item(), 2)
    0.74

    Checked against
    ---------------
    R's psych 2.2.9 (alpha, Feldt's limits, item statistics, pairwise covariances) to 1e-8, lavaan 0.6-14 with
    semTools 0.5-6 (one-factor model, omega) and pingouin; tests/reference/psych and tests/crosscheck.

    When not to use
    ---------------
    Several sessions of a person in one column: persons' levels and sessions' fluctuations are then mixed, and the
    reliability of change within persons is another number. Scales of several factors: see their subscales. Alpha of
    items with unequal loadings is a lower bound only.
    """
    settings = _check_options(method, level, reverse, missing, answers)
    frame = frame_of(data)
    scales = read_scales(items, frame)
    check_reversed(settings.reverse, scales)
    rows, item_frames, found, notes = [], [], [], repeated_rows(data, frame)
    for scale, columns in scales.items():
        values, limits = read_answers(data, frame, scale, columns, settings.reverse, settings.answers)
        row, item_frame, warned = _one_scale(scale, columns, values, limits, settings)
        rows.append(row)
        item_frames.append(item_frame)
        found.extend(warned)
    for text in found:
        warnings.warn(DesignWarning(text), stacklevel=2)
    used = list(dict.fromkeys(name for columns in scales.values() for name in columns))
    return Reliability(
        scales=pd.DataFrame(rows),
        items=pd.concat(item_frames, ignore_index=True),
        method=method,
        level=level,
        missing=missing,
        data_hash=hash_frame(frame[used]),
        warnings=tuple(found),
        notes=tuple(notes),
    )


def _check_options(
    method: str | None, level: float, reverse: Sequence[str], missing: str, answers: tuple[float, float] | None
) -> _Settings:
    if method is not None:
        check_option("method", method, ["alpha", "omega"])
    check_option("missing", missing, ["complete", "pairwise"])
    if not 0.5 <= level < 1.0:
        raise SpecError(message(f"level={level} is not a confidence level", do="Use a share such as 0.95"))
    if answers is not None and not (len(answers) == 2 and answers[0] < answers[1]):
        raise SpecError(message(f"answers={answers!r} is not a range", do="Give (smallest, largest), such as (1, 5)"))
    reversed_items = (reverse,) if isinstance(reverse, str) else tuple(reverse)
    return _Settings(method, level, missing, reversed_items, None if answers is None else (answers[0], answers[1]))


def _one_scale(
    scale: str, columns: tuple[str, ...], values: Floats, limits: tuple[float, float], settings: _Settings
) -> tuple[dict[str, Any], pd.DataFrame, list[str]]:
    answered = np.isfinite(values)
    used = answered.all(axis=1) if settings.missing == "complete" else answered.any(axis=1)
    n = int(used.sum())
    if n < 3:
        raise DesignError(
            message(
                f"{n} persons are too few",
                where=f"scale '{scale}', missing='{settings.missing}'",
                do="Look at the items with missing answers, or use missing='pairwise'",
            )
        )
    kept = pd.DataFrame(values[used], columns=list(columns))
    _check_spread(kept, scale, n)
    C = kept.cov().to_numpy()
    if not np.isfinite(C).all():
        raise DesignError(message("two items were never answered together", where=f"scale '{scale}'"))
    row: dict[str, Any] = {"scale": scale, "items": len(columns), "n": n, "n_dropped": len(values) - n}
    item_frame = pd.DataFrame(
        {
            "scale": scale,
            "item": list(columns),
            "reversed": [name in settings.reverse for name in columns],
            "n": kept.notna().sum().to_numpy(),
            "mean": kept.mean().to_numpy(),
            "sd": kept.std().to_numpy(),
            "item_rest_r": item_rest_correlations(C),
        }
    )
    found = _negative_items(item_frame, scale)
    if settings.method != "omega":
        row.update(_alpha_columns(C, n, settings.level))
        item_frame["alpha_if_dropped"] = alpha_without_each(C)
    if settings.method != "alpha":
        columns_of_omega, loadings, heywood = _omega_columns(C, n, settings.level, scale, columns)
        row.update(columns_of_omega)
        item_frame["loading"] = loadings
        found.extend(heywood)
    person = kept.mean(axis=1)
    row["mean"], row["sd"] = float(person.mean()), float(person.std())
    row["share_missing"] = float(1.0 - answered.mean())
    complete = values[answered.all(axis=1)]
    low, high = limits
    row["floor"], row["ceiling"] = _share(complete.max(axis=1) <= low), _share(complete.min(axis=1) >= high)
    item_frame["share_missing"] = 1.0 - answered.mean(axis=0)
    item_frame["floor"] = [_share(kept[name].dropna().to_numpy() <= low) for name in columns]
    item_frame["ceiling"] = [_share(kept[name].dropna().to_numpy() >= high) for name in columns]
    return row, item_frame, found


def _share(condition: np.ndarray[Any, Any]) -> float:
    return float(condition.mean()) if condition.size else np.nan


def _check_spread(kept: pd.DataFrame, scale: str, n: int) -> None:
    for name in kept.columns:
        values = kept[name].dropna()
        if len(values) < 2 or values.max() - values.min() <= 1e-12 * abs(values).max():
            shown = f"{values.iloc[0]:g} in all {len(values)} answers" if len(values) else f"no answers in {n} rows"
            raise DesignError(
                message(f"item '{name}' is constant", where=f"scale '{scale}': {shown}", do="Leave it out of the scale")
            )


def _negative_items(item_frame: pd.DataFrame, scale: str) -> list[str]:
    wrong = item_frame.loc[item_frame["item_rest_r"] < 0.0, ["item", "item_rest_r", "reversed"]]
    return [
        message(
            f"item '{name}' correlates {r:.2f} with the rest of its scale",
            where=f"scale '{scale}'",
            do="It was turned round: take it out of reverse="
            if turned
            else f"If it is worded the other way round, use reverse=['{name}']; else check its scoring",
        )
        for name, r, turned in wrong.itertuples(index=False)
    ]


def _alpha_columns(C: Floats, n: int, level: float) -> dict[str, float]:
    alpha = cronbach_alpha(C)
    low, high = feldt_interval(alpha, n, len(C), level)
    return {
        "alpha": alpha,
        "conf_low": low,
        "conf_high": high,
        "alpha_standardised": cronbach_alpha(standardised(C)),
        "mean_correlation": mean_correlation(C),
    }


def _omega_columns(
    C: Floats, n: int, level: float, scale: str, columns: Sequence[str]
) -> tuple[dict[str, float], Floats, list[str]]:
    names = ("omega", "omega_std_error", "omega_low", "omega_high", "omega_observed", "chisq", "df", "p_value", "srmr")
    if len(C) < 3:
        return dict.fromkeys(names, np.nan), np.full(len(C), np.nan), []
    fit = fit_one_factor(C, n)
    omega = omega_total(fit, C, level)
    numbers = (omega.estimate, omega.std_error, omega.conf_low, omega.conf_high, omega.observed)
    row = dict(zip(names, (*numbers, fit.chisq, float(fit.df), fit.p_value, fit.srmr), strict=True))
    heywood = [
        message(
            f"item '{columns[i]}' has no unique variance left (Heywood case)",
            where=f"scale '{scale}'",
            do="One factor does not fit, or the sample is small; read omega with care",
        )
        for i in fit.boundary
    ]
    return row, fit.loadings / np.sqrt(np.diag(C)), heywood
