"""Careless answers: forms on which every item got the same answer.

Source: Johnson (2005, Journal of Research in Personality 39, 103-129), the longstring index; Meade & Craig (2012,
Psychological Methods 17, 437-455) find about 10% careless respondents in common samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.audit.context import Context
from alliancekit.audit.questionnaires import answered_forms
from alliancekit.audit.types import NOT_CHECKED, PASS, WARN, Check

NAME = "careless answers"
SHARE, LEAST_ITEMS = 0.10, 6


def check(context: Context) -> Check:
    """Report the share of forms with one answer throughout, and the usual longest run of equal answers."""
    forms = {n: a for n, a in answered_forms(context).items() if a.shape[1] >= LEAST_ITEMS and len(a) > 0}
    if not forms:
        need = f"No questionnaire with {LEAST_ITEMS} items or more is at hand."
        return Check(NAME, NOT_CHECKED, need, "Hand over the Study with its items, or items=[...].")
    parts: list[str] = []
    numbers: dict[str, float] = {}
    for name, answers in forms.items():
        runs = longstring(answers)
        same = float((runs == answers.shape[1]).mean())
        numbers |= {f"same_{name}": same, f"median_run_{name}": float(np.median(runs))}
        parts.append(
            f"{name}: {100 * same:.1f}% of {len(answers)} forms have one answer throughout, usual longest run "
            f"{np.median(runs):g} of {answers.shape[1]}"
        )
    evidence = "; ".join(parts) + "."
    if max(v for k, v in numbers.items() if k.startswith("same_")) > SHARE:
        advice = "Repeat the analysis without these forms; equal answers at the top may also be true satisfaction."
        return Check(NAME, WARN, evidence, advice, numbers)
    return Check(NAME, PASS, evidence, numbers=numbers)


def longstring(answers: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the longest run of equal neighbouring answers in each row.

    Examples
    --------
    >>> longstring(np.array([[1.0, 1.0, 2.0], [3.0, 3.0, 3.0]])).tolist()
    [2, 3]
    """
    longest = np.ones(len(answers), dtype=np.intp)
    run = np.ones(len(answers), dtype=np.intp)
    for j in range(1, answers.shape[1]):
        run = np.where(answers[:, j] == answers[:, j - 1], run + 1, 1)
        longest = np.maximum(longest, run)
    return longest
