"""Table and sentence of the assumption checks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alliancekit.audit.types import NOT_CHECKED, PASS, REFUSE, STATUSES, WARN, AssumptionReport
from alliancekit.core.errors import ReportError, message
from alliancekit.report.parts import Sentence, Table

MARKS = {PASS: "good", WARN: "warn", REFUSE: "bad"}
WORDS = {
    PASS: ("passed", "passed"),
    WARN: ("asks for caution", "ask for caution"),
    REFUSE: ("refuses the claim", "refuse the claim"),
    NOT_CHECKED: ("could not be done for want of information", "could not be done for want of information"),
}


def make_table(*results: Any) -> Table:
    """Return the table of the checks of one result, what refuses first, statuses coloured.

    Raises
    ------
    ReportError : more than one report, or something else.
    """
    if len(results) != 1 or not isinstance(results[0], AssumptionReport):
        raise ReportError(message("assumption checks are shown one result at a time", do="Call ak.table for each"))
    report: AssumptionReport = results[0]
    frame = report.tidy()
    order = frame["status"].map({REFUSE: 0, WARN: 1, NOT_CHECKED: 2, PASS: 3}).sort_values(kind="stable").index
    frame = frame.loc[order].reset_index(drop=True)
    frame = pd.DataFrame({c: frame[c].astype(object) for c in frame.columns})
    marks = {(i, "status"): MARKS[s] for i, s in enumerate(frame["status"]) if s in MARKS}
    return Table(
        title="Assumption Checks",
        data=frame,
        kinds=dict.fromkeys(frame.columns, "text"),
        labels={"check": "Check", "status": "Status", "evidence": "Evidence", "advice": "What to do"},
        stub=("check",),
        marks=marks,
        notes=(
            "pass: nothing found; warn: read the result with the advice; refuse: the claim is withheld; not checked: "
            "information is lacking.",
        ),
        source=report,
    )


def make_sentence(result: Any) -> Sentence:
    """Return how many checks passed, and which warn or refuse, made from the report's own table.

    Raises
    ------
    ReportError : not a report of assumption checks.
    """
    if not isinstance(result, AssumptionReport):
        raise ReportError(message(f"a {type(result).__name__} is not a report of assumption checks"))
    frame = result.tidy()
    total = len(frame)
    parts = []
    for status in STATUSES:
        names = frame.loc[frame["status"] == status, "check"].tolist()
        if not names:
            continue
        word = WORDS[status][len(names) > 1]
        shown = "" if status == PASS else f" ({', '.join(names)})"
        parts.append(f"{len(names)} {word}{shown}")
    ending = " No claim can be made from this result." if result.refused else ""
    text = f"Of {total} assumption {'check' if total == 1 else 'checks'}, {_joined(parts)}.{ending}"
    return Sentence(text=text, source=result)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
