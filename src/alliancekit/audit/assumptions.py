"""``check_assumptions``: every check that concerns a result, with evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alliancekit.audit.context import Asked, make_context
from alliancekit.audit.registry import checks_for
from alliancekit.audit.types import AssumptionReport


def check_assumptions(
    result: Any,
    data: Any = None,
    *,
    therapist: str | None = None,
    patient: str | None = None,
    baseline: Sequence[str] = (),
    measured: Mapping[str, float] | None = None,
    reliability: Mapping[str, float] | None = None,
    early_change: str | None = None,
    items: Sequence[str] = (),
    comparisons: Sequence[Any] = (),
    alternatives: Mapping[str, float] | None = None,
) -> AssumptionReport:
    """Return the checks of what a result takes for granted.

    Parameters
    ----------
    result : a fit of ``ak.mixed`` or a result of ``ak.incremental_validity``.
    data : the Study or frame handed to the analysis. Without it, what needs the rows that were left out (dropout), the
        codebook (timing, ranges) or the log (instrument keys) is reported as "not checked".
    therapist, patient : columns of therapist and patient; None takes the Study's roles, else columns of these names.
    baseline : columns known for everybody before treatment, to compare those lost with those kept.
    measured : column -> when it was measured, all in one unit such as days or sessions.
    reliability : column -> reliability of a predictor's score, such as omega.
    early_change : column of symptom change between intake and the rating of the alliance.
    items : item columns of one questionnaire; an empty list takes the codebook's.
    comparisons : results of ``ak.compare`` (or lists of fits) that the claim rests on.
    alternatives : other ways in which the same question was tested, such as other windows or raters -> p value.

    Returns
    -------
    AssumptionReport : ``checks`` (name, status, evidence, advice), ``refused``, ``tidy()``, ``glance()``. A refusal
        never raises: a report withholds its headline and prints why. What cannot be checked for want of information is
        listed as "not checked" with what is needed.

    Raises
    ------
    SpecError : a result of another kind, or a named column that is not in the data.

    Notes
    -----
    Thresholds stand in the file of each check with their source. They draw attention; none is a proof.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> therapist = np.repeat(np.arange(24), 10)
    >>> df = pd.DataFrame({"therapist": therapist, "x": rng.normal(size=240)})
    >>> df["y"] = df["x"] + rng.normal(size=24)[therapist] + rng.normal(size=240)
    >>> report = ak.check_assumptions(ak.mixed("y ~ x + (1 | therapist)", df), df)
    >>> report.refused, report.check("number of clusters").status
    (False, 'pass')

    Checked against
    ---------------
    For each check a data set that triggers it and one that does not (tests/unit/audit); influence against refits,
    Brown-Forsythe, Koenker and variance inflation against scipy and statsmodels.

    When not to use
    ---------------
    As a licence: a report without warnings says that these checks found nothing, not that the model is right.
    """
    asked = Asked(
        therapist=therapist,
        patient=patient,
        baseline=tuple(baseline),
        measured=dict(measured or {}),
        reliability=dict(reliability or {}),
        early_change=early_change,
        items=tuple(items),
        comparisons=tuple(comparisons),
        alternatives=dict(alternatives or {}),
    )
    context = make_context(result, data, asked)
    return AssumptionReport(result, tuple(check(context) for check in checks_for(context)))
