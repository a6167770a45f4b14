"""Which items of the reporting standards a report covers, and where: read from what stands in it.

Sources: JARS-Quant (Appelbaum et al., 2018, American Psychologist 73, 3-25), Table 1; LEVEL (Monsalves et al., 2020,
BMC Medical Research Methodology 20, 3). The points are given in our own words, and only those that a report can be
asked about; a study's methods section needs the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from alliancekit.report import closing
from alliancekit.report.evidence import Evidence, Placement, is_audit, layer_of
from alliancekit.report.parts import Equation, Table

NOT_COVERED = "not covered"
CHECKLIST_TEXT = (
    "What this report shows of the points that the standards ask for. An entry says where the point is covered; it is "
    "found by looking at what stands there. Points about procedure are covered by a section whose heading names them."
)
JARS = "JARS-Quant: every quantitative study"
LEVEL = "LEVEL: multilevel models"
_LONGEST = 4

Rule = Callable[[Evidence, str], list[str]]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a standard, and the rule that finds it: evidence and question in, places out."""

    standard: str
    text: str
    rule: Rule


def checklist_table(evidence: Evidence, question: str = "") -> Table:
    """Return the checklist: each point with where it is covered, or "not covered".

    Parameters
    ----------
    evidence : what was placed in the report.
    question : the report's question, as printed in the summary.

    Notes
    -----
    The points of LEVEL are listed where a multilevel model (a result that counts units of a grouping factor, or a
    structural model with two levels) is in the report. Groups of a structural model are no levels.
    """
    multilevel = any(_has_levels(fit) for fit in evidence.fits)
    asked = [p for p in POINTS if p.standard == JARS or multilevel]
    places = [_joined(p.rule(evidence, question)) for p in asked]
    data = pd.DataFrame({"standard": [p.standard for p in asked], "point": [p.text for p in asked], "covered": places})
    return Table(
        title="Points of the Reporting Standards",
        data=data,
        group="standard",
        stub=("point",),
        labels={"covered": "Covered in"},
        marks={(i, "covered"): "warn" for i, place in enumerate(places) if place == NOT_COVERED},
    )


def _has_levels(fit: Any) -> bool:
    """Return True for a multilevel model; the groups of a structural one stand side by side."""
    if layer_of(fit) == "structural":
        return getattr(getattr(fit, "table", None), "n_levels", 1) > 1
    return bool(getattr(fit.sample, "groups", None))


def _joined(places: list[str]) -> str:
    found = list(dict.fromkeys(places))
    if not found:
        return NOT_COVERED
    return ", ".join(found[:_LONGEST]) + (" and later" if len(found) > _LONGEST else "")


def _where(test: Callable[[Placement], bool]) -> Rule:
    return lambda evidence, question: [p.where for p in evidence.placements if p.kind != "withheld" and test(p)]


def _result(*names: str) -> Rule:
    """Results of these types."""
    return _where(lambda p: any(type(s).__name__ in names for s in p.sources))


def _side_by_side(evidence: Evidence, question: str) -> list[str]:
    """Tables that show several fitted models, which test each against the one before."""
    return _where(lambda p: isinstance(p.item, Table) and sum("Fit" in type(s).__name__ for s in p.sources) > 1)(
        evidence, question
    )


def _heading(pattern: str) -> Rule:
    """Sections whose heading says so."""
    said = re.compile(pattern, re.IGNORECASE)
    return lambda evidence, question: [
        f"Section {p.section.split(' ')[0]}" for p in evidence.placements if said.search(p.section.split(" ", 1)[1])
    ]


def _columns(*groups: tuple[str, ...]) -> Rule:
    """Tables that have, for each group of names, at least one of them with a value, be it with a prefix."""
    return _where(lambda p: isinstance(p.item, Table) and all(_has_column(p.item.data, names) for names in groups))


def _has_column(data: pd.DataFrame, names: tuple[str, ...]) -> bool:
    for column in map(str, data.columns):
        if any(re.search(rf"(^|_){re.escape(n)}(_|$)", column) for n in names) and data[column].notna().any():
            return True
    return False


def _words(pattern: str) -> Rule:
    """Tables whose rows, headings or notes say so."""
    said = re.compile(pattern, re.IGNORECASE)

    def says(placement: Placement) -> bool:
        table = placement.item
        if not isinstance(table, Table):
            return False
        texts = [*table.notes, *table.labels.values(), *map(str, table.data.columns)]
        for column in table.data.columns:
            if table.data[column].dtype.kind not in "iuf":
                texts += [str(v) for v in table.data[column]]
        return any(said.search(text) for text in texts)

    return _where(says)


def _log(**wanted: Any) -> Rule:
    """Steps of the derivation table, by the function or by whether a questionnaire was scored."""

    def found(placement: Placement) -> bool:
        table = placement.item
        if not isinstance(table, Table) or closing.DERIVATION not in placement.section or "function" not in table.data:
            return False
        if "function" in wanted:
            return bool(table.data["function"].isin([wanted["function"]]).any())
        return "instrument" in table.data and bool((table.data["instrument"].astype(str) != "").any())

    return _where(found)


def _any(*rules: Rule) -> Rule:
    return lambda evidence, question: [place for rule in rules for place in rule(evidence, question)]


def _summary_of_fits(evidence: Evidence, question: str) -> list[str]:
    return ["Summary"] if evidence.fits else []


def _summary_of_levels(evidence: Evidence, question: str) -> list[str]:
    counted = [f for f in evidence.fits if _has_levels(f) and getattr(f.sample, "groups", None)]
    return ["Summary"] if counted else []


def _question(evidence: Evidence, question: str) -> list[str]:
    return ["Summary"] if question else []


def _headline(evidence: Evidence, question: str) -> list[str]:
    return [p.where for p in evidence.placements if p.kind == "sentence" and p.item.headline]


def _audit(evidence: Evidence, question: str) -> list[str]:
    return [p.where for p in evidence.placements if any(is_audit(s) for s in p.sources)]


def _audit_of(pattern: str) -> Rule:
    """Audits that ran a check of this name."""
    said = re.compile(pattern, re.IGNORECASE)
    return _where(lambda p: any(is_audit(s) and any(said.search(str(c.name)) for c in s.checks) for s in p.sources))


def _rerun(evidence: Evidence, question: str) -> list[str]:
    codes = [p for p in evidence.placements if closing.SOFTWARE in p.section and p.kind == "code"]
    return [p.where for p in codes if p.item.caption.startswith("To make")]


_equation = _where(lambda p: isinstance(p.item, Equation))
_limits = _heading(f"^{closing.LIMITS}$|limitation")

POINTS: tuple[Point, ...] = (
    Point(JARS, "Research question or hypothesis", _question),
    Point(JARS, "Primary answer told apart from secondary and exploratory results", _headline),
    Point(JARS, "Registration or analysis plan, and departures from it", _heading(r"regist|analysis plan")),
    Point(JARS, "Ethics and consent", _heading(r"ethic|consent")),
    Point(JARS, "Who could take part, and how they were recruited", _heading(r"eligib|inclusion|recruit|participants")),
    Point(JARS, "Flow of participants: how many, and why some left", _result("SampleFlow")),
    Point(JARS, "Characteristics of the sample", _result("Description")),
    Point(JARS, "Planned sample size or power", _any(_result("Power"), _heading(r"power|sample size"))),
    Point(JARS, "How the measures were scored", _log(instrument=True)),
    Point(JARS, "Reliability of the scores in this sample", _any(_result("Reliability"), _columns(("omega",)))),
    Point(
        JARS, "Means, standard deviations and correlations", _any(_columns(("mean",), ("sd",)), _result("Correlations"))
    ),
    Point(JARS, "Amount of missing data", _any(_columns(("missing", "n_missing")), _words(r"\bmissing\b"))),
    Point(JARS, "Cases that the models used and left out", _summary_of_fits),
    Point(JARS, "Estimates with confidence intervals", _columns(("estimate",), ("conf_low",), ("conf_high",))),
    Point(
        JARS,
        "Test statistics with degrees of freedom and exact p values",
        _columns(("statistic", "chisq"), ("df",), ("p_value", "p_diff")),
    ),
    Point(
        JARS,
        "Effect sizes",
        _any(_columns(("r2", "delta_r2", "f2", "cohen_d", "hedges_g", "effect_size", "std_all")), _words(r"R²")),
    ),
    Point(JARS, "Assumptions of the analyses", _audit),
    Point(JARS, "Limits of the study", _limits),
    Point(JARS, "Software with versions", _heading(f"^{closing.SOFTWARE}$")),
    Point(JARS, "Script and data identified, so that the analysis can be repeated", _rerun),
    Point(LEVEL, "Levels of the data and number of units at each", _summary_of_levels),
    Point(LEVEL, "Model equation with its random effects", _equation),
    Point(LEVEL, "Centring of predictors, and the level each effect belongs to", _log(function="within_between")),
    Point(LEVEL, "Estimation method", _words(r"REML|maximum likelihood")),
    Point(LEVEL, "Method for degrees of freedom", _words(r"Satterthwaite|Kenward|degrees of freedom by|df by")),
    Point(
        LEVEL,
        "Variance components",
        _any(_columns(("variance_or_covariance", "sd_or_correlation")), _words(r"random effect|variance component")),
    ),
    Point(LEVEL, "Intraclass correlation", _any(_columns(("icc",)), _words(r"\bICC\b|intraclass"))),
    Point(LEVEL, "Comparison of models", _any(_result("Comparison"), _side_by_side)),
    Point(LEVEL, "Explained variance", _words(r"R²")),
    Point(LEVEL, "Convergence of the estimation", _audit_of(r"converge|singular|boundary")),
    Point(LEVEL, "Distribution of residuals and random effects", _audit_of(r"residual|normal|random effect|varian")),
)
