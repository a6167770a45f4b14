"""Instrument keys: scores made with an unverified key, and items that run against their questionnaire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context, listed
from alliancekit.audit.questionnaires import answered_forms
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "instrument keys"
AGAINST = -0.10


def check(context: Context) -> Check:
    """Read the key status of every scored questionnaire from the Study's log, and correlate each item with the rest."""
    if context.study is None:
        need = "The scoring is not recorded: the analysis frame is no Study."
        return Check(NAME, NOT_CHECKED, need, "Score with ak.score on a Study and hand that Study over.")
    scored = {e.instrument: e.key_status for e in context.study.log if e.instrument is not None}
    unverified = [str(i) for i, status in scored.items() if status != "verified"]
    against = {name: _against(a) for name, a in answered_forms(context).items() if len(a) > 2 and a.shape[1] > 2}
    against = {name: items for name, items in against.items() if items}
    if not scored and not against:
        need = "The Study's log shows no scored questionnaire."
        return Check(NAME, NOT_CHECKED, need, "Score with ak.score; totals that came scored need their source stated.")
    parts = [f"'{i}' was scored with a {s} key" for i, s in scored.items()]
    parts += [
        f"{name}: item {listed([str(i) for i in items])} runs against the rest" for name, items in against.items()
    ]
    evidence = "; ".join(parts)
    evidence = evidence[0].upper() + evidence[1:] + "."
    advice = []
    if unverified:
        advice.append(f"Compare the key of {listed(unverified)} with the manual before anything is published")
    if against:
        advice.append("Check whether these items must be reversed, or another form of the questionnaire was used")
    numbers = {"unverified": float(len(unverified)), "against": float(sum(map(len, against.values())))}
    if advice:
        return Check(NAME, WARN, evidence, ". ".join(advice) + ".", numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def _against(answers: NDArray[np.float64]) -> list[int]:
    """Return the numbers (from 1) of items whose correlation with the sum of the others is clearly negative."""
    total = answers.sum(axis=1)
    found = []
    for j in range(answers.shape[1]):
        rest = total - answers[:, j]
        if np.ptp(answers[:, j]) > 0 and np.ptp(rest) > 0 and np.corrcoef(answers[:, j], rest)[0, 1] < AGAINST:
            found.append(j + 1)
    return found
