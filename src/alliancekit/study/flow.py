"""Who was in the study, who was analysed, and why others were not: the numbers of a CONSORT flow diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import SpecError, check_columns, message
from alliancekit.study.levels import arms_of, label_of, list_of, require_ids, value_per_unit
from alliancekit.study.losses import NOT_RECORDED, Stage, recorded_reasons, stages_of
from alliancekit.study.types import Study, frame_of, resolve_column

OVERALL = "Overall"
HIGHER = ("site", "therapist", "group", "family")
MOST_OCCASIONS = 60

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SampleFlow:
    """The way of a sample from the data to the analysis.

    Attributes
    ----------
    stages : one row per stage, group and level: stage, group ("Overall" or an arm), level (a unit's column, or "row"),
        n, n_lost (since the stage before).
    exclusions : one row per stage, reason and group: stage (not reached), reason, group, n_units (units of ``by`` with
        no row left), n_rows (rows lost, also of units that stay).
    missing : one row per variable and group: variable, label, unit ("row", or ``by`` where the variable does not
        change inside a unit), group, n, n_missing, percent.
    reasons : why values are missing, as recorded: variable, label, unit, reason, n. Empty where nothing was recorded.
    retention : one row per occasion and group: time, group, n_expected, n_observed, percent. Empty without ``time``.
    by : the unit that is followed. arm : column of the arms, or None. outcome, time : as asked for, or None.
    labels : column -> text for people.
    """

    stages: pd.DataFrame
    exclusions: pd.DataFrame
    missing: pd.DataFrame
    reasons: pd.DataFrame
    retention: pd.DataFrame
    by: str
    arm: str | None
    outcome: str | None
    time: str | None
    labels: Mapping[str, str]

    def tidy(self) -> pd.DataFrame:
        """Return one row per stage, group and level."""
        return self.stages.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: units and rows at the start and at the end, and the share of units that stayed."""
        whole = self.stages[self.stages["group"] == OVERALL]
        ends = {level: whole.loc[whole["level"] == level, "n"].tolist() for level in (self.by, "row")}
        units, rows = ends[self.by], ends["row"]
        return pd.DataFrame(
            {
                "n_start": [units[0]],
                "n_end": [units[-1]],
                "rows_start": [rows[0]],
                "rows_end": [rows[-1]],
                "percent": [100 * units[-1] / units[0] if units[0] else np.nan],
            }
        )

    @property
    def groups(self) -> list[str]:
        """The arms in order, without "Overall"."""
        return [g for g in self.stages["group"].drop_duplicates().tolist() if g != OVERALL]

    def __repr__(self) -> str:
        return f"Sample flow of '{self.by}'\n{self.stages.to_string(index=False)}"


def sample_flow(
    data: Study | pd.DataFrame,
    *,
    by: str = "patient",
    fit: Any = None,
    outcome: str | None = None,
    steps: Mapping[str, str | ArrayLike] | None = None,
    arm: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
) -> SampleFlow:
    """Return who went on from stage to stage, who did not and why, what is missing, and who was seen when.

    Stages are: in the data, each of ``steps``, outcome observed, analysed. A unit is at a stage as long as one of its
    rows is. After Hopewell et al. (2010) and Moher et al. (2010), CONSORT 2010, BMJ 340, c332 and c869, item 13.

    Parameters
    ----------
    data : Study or frame, as it was handed to the fit.
    by : column or role of the unit that is followed.
    fit : a result with a sample account, such as one of ``ak.mixed`` or ``ak.incremental_validity``.
    outcome : column of the outcome; the units with a value form a stage.
    steps : label of a stage -> column of truth values (True/False or 1/0; missing is no), or one truth value per
        row. The order is the order of the stages.
    arm : column of the arms, one value per unit; None takes a column "arm" where there is one.
    time : column or role of the occasion; with ``outcome`` it gives the retention at each occasion.
    columns : variables whose missing values are counted; None takes those of the fit, else outcome, else all columns.

    Returns
    -------
    SampleFlow

    Raises
    ------
    SchemaError : no column ``by`` or ``arm``; a unit in two arms; a row without unit; a step that is not true/false.
    DesignError : an unknown column; a fit of other data. SpecError : ``time`` without outcome or with more than 60
        values; a fit that used rows that the steps leave out.

    Checked against
    ---------------
    Numbers counted by hand, and the sample account of each fit.

    When not to use
    ---------------
    The data hold only who entered them: people screened, refused or never entered must be added as rows, else the
    first stage is not "assessed for eligibility".

    Examples
    --------
    >>> import pandas as pd
    >>> import alliancekit as ak
    >>> df = pd.DataFrame({"patient": [1, 1, 2, 3], "started": [1, 1, 1, 0], "pcl": [40.0, 30.0, None, 20.0]})
    >>> flow = ak.sample_flow(df, outcome="pcl", steps={"Started treatment": "started"})
    >>> flow.tidy()[["stage", "level", "n"]]
                   stage    level  n
    0        In the data  patient  3
    1        In the data      row  4
    2  Started treatment  patient  2
    3  Started treatment      row  3
    4   Outcome observed  patient  1
    5   Outcome observed      row  2
    """
    frame = frame_of(data)
    unit = resolve_column(data, by, frame)
    require_ids(frame, unit, where="ak.sample_flow")
    check_columns(frame.columns, [*([outcome] if outcome else []), *(columns or [])], where="ak.sample_flow")
    arms = _arm_column(data, frame, unit, arm)
    occasion = _occasion(data, frame, time, outcome)
    stages = stages_of(data, frame, unit, steps or {}, outcome, fit)
    groups = _groups(frame, unit, arms)
    levels = _levels(data, frame, unit)
    eligible = [stage.rows for stage in stages if stage.kind in ("data", "step")][-1]
    variables = _variables(fit, outcome, columns, frame, [*levels, *([arms] if arms else [])])
    return SampleFlow(
        stages=_count_stages(frame, stages, groups, levels),
        exclusions=_count_exclusions(frame, unit, stages, groups),
        missing=_count_missing(data, frame, unit, variables, eligible, groups),
        reasons=_count_reasons(data, frame, unit, variables, eligible),
        retention=_count_retention(frame, unit, outcome, occasion, eligible, groups),
        by=unit,
        arm=arms,
        outcome=outcome,
        time=occasion,
        labels={name: label_of(data, name) for name in dict.fromkeys([*levels, *variables, *filter(None, [occasion])])},
    )


def _arm_column(data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str, arm: str | None) -> str | None:
    if arm is None:
        changes = "arm" not in frame.columns or int(frame.groupby(unit, observed=True)["arm"].nunique().max()) > 1
        return None if changes or frame["arm"].nunique() < 2 or unit == "arm" else "arm"
    return resolve_column(data, arm, frame)


def _occasion(data: Study | pd.DataFrame, frame: pd.DataFrame, time: str | None, outcome: str | None) -> str | None:
    if time is None:
        return None
    column = resolve_column(data, time, frame)
    if outcome is None:
        raise SpecError(message("retention needs an outcome", where=f"time='{time}'", do="Give outcome= as well"))
    values = int(frame[column].nunique())
    if values > MOST_OCCASIONS:
        raise SpecError(
            message(
                f"'{column}' has {values} different values",
                where="retention by occasion",
                do="Give the number of the session or occasion, not days",
            )
        )
    return column


def _groups(frame: pd.DataFrame, unit: str, arm: str | None) -> dict[str, Mask]:
    """Return group -> mask over the rows, the whole sample first."""
    masks: dict[str, Mask] = {OVERALL: np.ones(len(frame), dtype=bool)}
    if arm is None:
        return masks
    per_unit = value_per_unit(
        frame, unit, arm, do="A unit belongs to one arm: correct the data, or name another column"
    )
    values = frame[unit].map(dict(zip(per_unit.index, per_unit, strict=True)))
    for value in arms_of(frame[arm]):
        masks[str(value)] = (values == value).fillna(False).to_numpy(dtype=bool)
    if values.isna().any():
        masks[f"{arm} missing"] = values.isna().to_numpy()
    return masks


def _levels(data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str) -> list[str]:
    """Return the columns of the units to be counted, larger units first."""
    found = []
    for role in HIGHER:
        column = data.role(role) if isinstance(data, Study) else role
        if column in frame.columns and column != unit:
            found.append(str(column))
    return [*found, unit]


def _variables(
    fit: Any, outcome: str | None, columns: Sequence[str] | None, frame: pd.DataFrame, ids: list[str]
) -> list[str]:
    if columns is not None:
        return list_of(columns, where="ak.sample_flow")
    used: list[str] = []
    design = getattr(fit, "design", None)
    if design is not None:
        used = list(getattr(design, "variables", ()))
    elif hasattr(fit, "entered"):
        used = [str(fit.outcome), *(name for names in fit.entered.values() for name in names)]
    elif hasattr(fit, "variables"):
        used = list(fit.variables)
    wanted = dict.fromkeys([*([outcome] if outcome else []), *used])
    names = [c for c in (wanted or frame.columns) if c in frame.columns and c not in ids]
    return [str(c) for c in names]


def _count_stages(
    frame: pd.DataFrame, stages: list[Stage], groups: Mapping[str, Mask], levels: list[str]
) -> pd.DataFrame:
    codes = {level: pd.factorize(frame[level])[0] for level in levels}
    rows = []
    for position, stage in enumerate(stages):
        for group, inside in groups.items():
            for level in [*levels, "row"]:
                now, before = (
                    _units_in(codes.get(level), at.rows & inside) for at in (stage, stages[max(position - 1, 0)])
                )
                rows.append((stage.label, group, level, now, before - now))
    return pd.DataFrame(rows, columns=["stage", "group", "level", "n", "n_lost"])


def _units_in(codes: NDArray[np.intp] | None, rows: Mask) -> int:
    if codes is None:
        return int(rows.sum())
    found = codes[rows]
    return int(np.unique(found[found >= 0]).size)


def _count_exclusions(frame: pd.DataFrame, unit: str, stages: list[Stage], groups: Mapping[str, Mask]) -> pd.DataFrame:
    codes = pd.factorize(frame[unit])[0]
    out = []
    for before, stage in pairwise(stages):
        lost = before.rows & ~stage.rows
        gone = lost & ~np.isin(codes, codes[stage.rows])
        told = pd.DataFrame({"unit": codes[gone], "reason": stage.reasons[gone]})
        why = told.groupby("unit")["reason"].agg(lambda r: r.iloc[0] if r.nunique() == 1 else "Several reasons")
        order = dict.fromkeys([*stage.reasons[lost].tolist(), *why.tolist()])
        for reason in order:
            for group, inside in groups.items():
                members = set(codes[gone & inside].tolist())
                units = sum(1 for u, r in why.items() if r == reason and u in members)
                rows = int((stage.reasons[lost & inside] == reason).sum())
                out.append((stage.label, reason, group, units, rows))
    return pd.DataFrame(out, columns=["stage", "reason", "group", "n_units", "n_rows"])


def _once_per_unit(frame: pd.DataFrame, unit: str, column: str) -> bool:
    """Return True where a column is a property of the unit: one value in each, in all its rows or in none."""
    grouped = frame.groupby(unit, observed=True)[column]
    if int(grouped.nunique().max()) > 1:
        return False
    filled = grouped.count()
    return bool(((filled == 0) | (filled == grouped.size())).all())


def _count_missing(
    data: Study | pd.DataFrame,
    frame: pd.DataFrame,
    unit: str,
    variables: list[str],
    eligible: Mask,
    groups: Mapping[str, Mask],
) -> pd.DataFrame:
    out = []
    first = ~frame[unit].where(eligible).duplicated().to_numpy() & eligible
    for name in variables:
        level = unit if _once_per_unit(frame, unit, name) and not first[eligible].all() else "row"
        counted = first if level == unit else eligible
        absent = frame[name].isna().to_numpy()
        for group, inside in groups.items():
            n, lost = int((counted & inside).sum()), int((counted & inside & absent).sum())
            share = 100 * lost / n if n else np.nan
            out.append((name, label_of(data, name), level, group, n, lost, share))
    return pd.DataFrame(out, columns=["variable", "label", "unit", "group", "n", "n_missing", "percent"])


def _count_reasons(
    data: Study | pd.DataFrame, frame: pd.DataFrame, unit: str, variables: list[str], eligible: Mask
) -> pd.DataFrame:
    out = []
    first = ~frame[unit].where(eligible).duplicated().to_numpy() & eligible
    for name in variables if isinstance(data, Study) else []:
        told = recorded_reasons(data, frame, unit, name)
        if all(t in NOT_RECORDED for t in told):
            continue
        level = unit if _once_per_unit(frame, unit, name) and not first[eligible].all() else "row"
        counted = (first if level == unit else eligible) & frame[name].isna().to_numpy()
        texts = ["not recorded" if t in NOT_RECORDED else str(t) for t in told[counted]]
        for reason in sorted(set(texts), key=lambda t: (-texts.count(t), t)):
            out.append((name, label_of(data, name), level, reason, texts.count(reason)))
    return pd.DataFrame(out, columns=["variable", "label", "unit", "reason", "n"])


def _count_retention(
    frame: pd.DataFrame,
    unit: str,
    outcome: str | None,
    time: str | None,
    eligible: Mask,
    groups: Mapping[str, Mask],
) -> pd.DataFrame:
    out = []
    if time is not None and outcome is not None:
        codes = pd.factorize(frame[unit])[0]
        there = eligible & frame[outcome].notna().to_numpy()
        for occasion in arms_of(frame.loc[eligible, time]):
            now = there & (frame[time] == occasion).fillna(False).to_numpy(dtype=bool)
            for group, inside in groups.items():
                expected, seen = _units_in(codes, eligible & inside), _units_in(codes, now & inside)
                out.append((occasion, group, expected, seen, 100 * seen / expected if expected else np.nan))
    return pd.DataFrame(out, columns=["time", "group", "n_expected", "n_observed", "percent"])
