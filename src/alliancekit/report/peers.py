"""The second opinion as a table: our estimates beside other engines', coloured by the size of the difference."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.core.frames import rows
from alliancekit.peers.crosscheck import CrossCheck
from alliancekit.report.parts import Sentence, Table

MARKS = {"green": "good", "amber": "warn", "red": "bad", "stopped below optimum": "warn", "failed": "warn"}
WORDS = {"green": "agrees", "amber": "close", "red": "differs"}


def make_table(*results: Any) -> Table:
    """Return the table of one second opinion."""
    if len(results) != 1 or not isinstance(results[0], CrossCheck):
        raise ReportError(message("a second opinion is shown on its own", do="Call ak.table(ak.crosscheck(fit))"))
    result = results[0]
    frame = result.tidy()
    unable = frame["colour"].isin(["not expressible", "not installed"])
    shown = pd.concat(
        [frame[~unable], frame[unable].drop_duplicates("engine").assign(term="whole model")], ignore_index=True
    )
    shown.loc[shown["term"] == "whole model", ["estimate_ours", "std_error_ours"]] = float("nan")
    shown["colour"] = [WORDS.get(v, v) for v in shown["colour"]]
    marks = {
        (i, "colour"): MARKS[v]
        for i, v in enumerate([*frame.loc[~unable, "colour"], *(["none"] * (len(shown) - int((~unable).sum())))])
        if v in MARKS
    }
    columns = ["engine", "term", "estimate_ours", "std_error_ours", "estimate_peer", "std_error_peer"]
    notes = [
        "Differences are in units of our standard error: under .01 agrees, under .1 close, else differs. Before that "
        "our likelihood is evaluated at the other engine's estimates; where it is lower than at ours, that engine "
        "stopped below the optimum."
    ]
    notes += [f"{r.engine}: {r.note}." for r in rows(result.glance()) if r.note]
    notes += [f"{text}." for text in dict.fromkeys(result.glance()["other_errors"]) if text]
    below = [r for r in rows(result.glance()) if r.colour == "stopped below optimum"]
    notes += [f"{r.engine} stopped {r.below_optimum:.3g} log-likelihood units below the optimum." for r in below]
    return Table(
        title="Second Opinion: The Same Model in Other Engines",
        data=shown[[*columns, "difference_in_se", "colour"]],
        group="engine",
        stub=("term",),
        labels={
            "engine": "Engine",
            "term": "",
            "estimate_ours": "Ours",
            "std_error_ours": "SE",
            "estimate_peer": "Theirs",
            "std_error_peer": "Their SE",
            "difference_in_se": "Difference / SE",
            "colour": "Verdict",
        },
        kinds={**dict.fromkeys(columns[2:], "estimate"), "difference_in_se": "p"},
        marks=marks,
        notes=tuple(notes),
        source=result,
    )


def make_sentence(result: Any) -> Sentence:
    """Return what the other engines say, in words."""
    parts = []
    for r in rows(result.glance()):
        if r.colour in ("not expressible", "not installed"):
            parts.append(f"{r.engine}: {r.colour} ({r.note}).")
        elif r.colour == "stopped below optimum":
            parts.append(f"{r.engine} stopped {r.below_optimum:.3g} log-likelihood units below our optimum.")
        elif r.colour == "failed":
            parts.append(f"{r.engine} gave no answer.")
        else:
            words = {"green": "agrees to within .01", "amber": "agrees to within .1", "red": "differs by more than .1"}
            parts.append(f"{r.engine} {words[r.colour]} of a standard error in every coefficient.")
    return Sentence(text=" ".join(parts), source=result)
