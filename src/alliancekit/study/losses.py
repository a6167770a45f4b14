"""The stages of a sample flow: which rows reach each, and why the others do not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import DesignError, SchemaError, SpecError, check_columns, message
from alliancekit.core.sample import SampleAccount
from alliancekit.study.levels import floats, label_of
from alliancekit.study.types import Study

Mask = NDArray[np.bool_]
MISSING_IN = re.compile(r"missing in '(?P<column>.+)'")
NOT_RECORDED = ("blank", None)


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of the flow.

    Attributes
    ----------
    label : text for people.
    kind : "data", "step", "outcome" or "fit".
    rows : which rows are still in, shape (n,).
    reasons : why a row that was in before is not; text at those rows, None elsewhere.
    """

    label: str
    kind: str
    rows: Mask
    reasons: NDArray[np.object_]


def stages_of(
    data: Study | pd.DataFrame,
    frame: pd.DataFrame,
    unit: str,
    steps: Mapping[str, str | ArrayLike],
    outcome: str | None,
    fit: Any,
) -> list[Stage]:
    """Return the stages in order; each keeps a part of the rows of the one before."""
    stages = [Stage("In the data", "data", np.ones(len(frame), dtype=bool), np.full(len(frame), None, dtype=object))]
    for label, given in steps.items():
        keep = stages[-1].rows & _truth(frame, given, label)
        reasons = _blank(frame)
        reasons[stages[-1].rows & ~keep] = f"Not {label[:1].lower()}{label[1:]}"
        stages.append(Stage(label, "step", keep, reasons))
    if outcome is not None:
        absent = frame[outcome].isna().to_numpy()
        reasons = _blank(frame)
        lost = stages[-1].rows & absent
        reasons[lost] = missing_reasons(data, frame, unit, outcome)[lost]
        stages.append(Stage("Outcome observed", "outcome", stages[-1].rows & ~absent, reasons))
    if fit is not None:
        stages.append(_analysed(data, frame, unit, stages[-1], outcome, fit))
    return stages


def missing_reasons(data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str, column: str) -> NDArray[np.object_]:
    """Return, for each row, why the column is missing there: "<label> missing (reason)", None where it is not."""
    label = label_of(data, column)
    absent = frame[column].isna().to_numpy()
    out = _blank(frame)
    known = recorded_reasons(data, frame, unit, column)
    for i in np.flatnonzero(absent):
        out[i] = f"{label} missing" if known[i] in NOT_RECORDED else f"{label} missing ({known[i]})"
    return out


def recorded_reasons(data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str, column: str) -> NDArray[np.object_]:
    """Return the codebook's reason for each missing cell of a column; None where none was recorded.

    Reasons are kept by table: they reach the analysis frame by the unit where the table has one row per unit, else by
    position where the table has the same rows.
    """
    out = _blank(frame)
    if not isinstance(data, Study):
        return out
    absent = frame[column].isna().to_numpy()
    for name, table in data.tables.items():
        if column not in table.columns or name not in data.missing_codes:
            continue
        told = data.missing_reasons(name)
        if column not in told.columns:
            continue
        key = unit if unit in table.columns else data.codebook.roles(name).get("patient", unit)
        if key in table.columns and table[key].is_unique:
            values = frame[unit].map(dict(zip(table[key], told[column], strict=True))).to_numpy(dtype=object)
        elif len(table) == len(frame) and bool((table[column].isna().to_numpy() == absent).all()):
            values = told[column].to_numpy(dtype=object)
        else:
            continue
        for i in np.flatnonzero(absent):
            out[i] = values[i] if isinstance(values[i], str) else None
        return out
    return out


def _blank(frame: pd.DataFrame) -> NDArray[np.object_]:
    return np.full(len(frame), None, dtype=object)


def _truth(frame: pd.DataFrame, given: str | ArrayLike, label: str) -> Mask:
    """Return a step's truth values; missing counts as no."""
    where = f"step '{label}'"
    if isinstance(given, str):
        check_columns(frame.columns, [given], where=where)
        column = frame[given]
    else:
        values = np.asarray(given)
        if values.shape != (len(frame),):
            raise SpecError(
                message(f"a step has {values.size} values for {len(frame)} rows", where=where, do="Give one per row")
            )
        column = pd.Series(given) if not isinstance(given, pd.Series) else given
    if pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_numeric_dtype(column.dtype):
        numbers = floats(column)
        if np.isin(numbers[np.isfinite(numbers)], (0.0, 1.0)).all():
            return np.asarray(numbers == 1.0)
    elif column.dropna().map(lambda v: isinstance(v, bool | np.bool_)).all():
        return column.map(lambda v: v is True or v is np.True_, na_action="ignore").eq(True).to_numpy(dtype=bool)
    raise SchemaError(
        message(
            "a step must be true or false",
            where=f"{where}, column '{column.name}'",
            do="Give a column of True/False or 1/0, or a condition such as df['sessions'] >= 4",
        )
    )


def _analysed(
    data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str, before: Stage, outcome: str | None, fit: Any
) -> Stage:
    account = getattr(fit, "sample", None)
    if not isinstance(account, SampleAccount):
        raise SpecError(
            message(f"a {type(fit).__name__} has no sample account", do="Hand over a fit, such as one of ak.mixed")
        )
    if account.rows_used.shape != (len(frame),):
        raise DesignError(
            message(
                f"the fit was made from {account.n_rows} rows, the data have {len(frame)}",
                where="ak.sample_flow",
                do="Hand over the data that the fit was given",
            )
        )
    used: Mask = account.rows_used
    against = int((used & ~before.rows).sum())
    if against:
        raise SpecError(
            message(
                f"the fit used {against} rows that are left out before it",
                where=f"stage '{before.label}'",
                do="Fit the model to the rows of the last stage, or leave that stage out",
            )
        )
    reasons = _blank(frame)
    lost = before.rows & ~used
    for text, _ in account.dropped:
        found = MISSING_IN.fullmatch(text)
        if found is None or found["column"] not in frame.columns:
            continue
        told = missing_reasons(data, frame, unit, found["column"])
        for i in np.flatnonzero(lost):
            if reasons[i] is None and told[i] is not None:
                reasons[i] = told[i]
    for i in np.flatnonzero(lost):
        reasons[i] = reasons[i] or "Left out by the model"
    return Stage("Analysed", "fit", used.copy(), reasons)
