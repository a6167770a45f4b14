"""Timing: what predicts must have been measured before what it predicts."""

from __future__ import annotations

import re

from alliancekit.audit.context import Context, listed, source_of
from alliancekit.audit.types import NOT_CHECKED, PASS, REFUSE, WARN, Check

NAME = "timing"
WITHIN_SESSION = {"before": 0.0, "during": 0.25, "after": 0.5}
"""Place in the time from one session to the next, in sessions."""


def check(context: Context) -> Check:
    """Compare when outcome and predictors were measured.

    Times come from ``measured=``; else, in a model of sessions, from the codebook's ``when`` (before or after the
    session) and from leads and lags in the columns' names.
    """
    if context.asked.measured:
        return _by_times(context)
    if all(p in context.is_time for p in context.predictors):
        return Check(NAME, PASS, "Time is the only predictor.")
    if context.kind == "multilevel":
        return _by_codebook(context)
    return _unknown(context, list(context.predictors))


def _by_times(context: Context) -> Check:
    times = dict(context.asked.measured)
    outcome = next((c for c in context.outcome_columns if c in times), None)
    if outcome is None:
        return _unknown(context, list(context.outcome_columns))
    known = [p for p in context.predictors if p in times]
    unknown = [p for p in context.predictors if p not in times and p not in context.is_time]
    late = [p for p in known if times[p] > times[outcome]]
    same = [p for p in known if times[p] == times[outcome]]
    shown = "; ".join(f"'{p}' at {times[p]:g}" for p in [*known, outcome])
    if late:
        evidence = f"Measured after the outcome: {listed(late)} ({shown})."
        return Check(NAME, REFUSE, evidence, "A predictor measured after the outcome predicts nothing; leave it out.")
    if context.focus in unknown or not known:
        return _unknown(context, unknown)
    if same:
        advice = "Call this an association, or take the predictor from an earlier occasion (ak.lag)."
        return Check(NAME, WARN, f"Measured at the same time as the outcome: {listed(same)} ({shown}).", advice)
    rest = f" Not known for: {listed(unknown)}." if unknown else ""
    return Check(NAME, PASS, f"Every dated predictor was measured before the outcome ({shown}).{rest}")


def _by_codebook(context: Context) -> Check:
    if not context.outcome_columns:
        return _unknown(context, [context.outcome])
    outcome = _position(context, context.outcome_columns[0])
    if outcome is None:
        return _unknown(context, [context.outcome_columns[0]])
    places = {
        p: _position(context, p)
        for p in context.predictors
        if p not in context.is_time and not p.endswith(("_between", "_therapist")) and _in_session(context, p)
    }
    unknown = [p for p, place in places.items() if place is None]
    late = [p for p, place in places.items() if place is not None and place > outcome]
    same = [p for p, place in places.items() if place is not None and place == outcome]
    if late:
        evidence = f"In the rows of the model {listed(late)} is rated after '{context.outcome}' is."
        return Check(
            NAME, REFUSE, evidence, "Predict the next session: ak.lead on the outcome or ak.lag on the predictor."
        )
    if unknown:
        return _unknown(context, unknown)
    if same:
        evidence = f"{listed(same)} and '{context.outcome}' are rated at the same moment."
        return Check(NAME, WARN, evidence, "Call this an association, or lag the predictor (ak.lag).")
    return Check(NAME, PASS, "Every predictor of a session was rated before the outcome of its row.")


def _in_session(context: Context, column: str) -> bool:
    """Return False for what does not change from session to session, such as age."""
    level = context.info(column).level
    return level in (None, "session")


def _position(context: Context, column: str) -> float | None:
    """Return when a column was rated, in sessions relative to its row; None where the codebook does not say."""
    shift = 0.0
    base = column
    found = re.search(r"_(lag|lead)(\d*)$", column)
    if found:
        n = float(found.group(2) or 1)
        shift, base = (n if found.group(1) == "lead" else -n), column[: found.start()]
    when = _when(context, base)
    return None if when is None else shift + WITHIN_SESSION[when]


def _when(context: Context, column: str) -> str | None:
    info = context.info(column)
    if info.when:
        return info.when
    if context.study is None:
        return None
    instrument = info.instrument or context.info(source_of(column)).instrument
    rated = {
        c.when
        for table in context.study.codebook.tables.values()
        for c in table.columns.values()
        if instrument and c.instrument == instrument and c.role == "item" and c.when
    }
    return next(iter(rated)) if len(rated) == 1 else None


def _unknown(context: Context, columns: list[str]) -> Check:
    names = listed(columns) if columns else context.outcome
    need = f"It is not known when these were measured: {names}."
    return Check(
        NAME, NOT_CHECKED, need, "Give measured={column: day} for outcome and predictors, or 'when' in the codebook."
    )
