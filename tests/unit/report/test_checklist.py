from __future__ import annotations

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.report.assembly import Document
from alliancekit.report.checklist import LEVEL, NOT_COVERED, POINTS
from alliancekit.report.parts import Equation, Sentence, Table
from tests.unit.report import demo


def covered(document: Document) -> dict[str, str]:
    table = document.tables[-1].table.data
    return dict(zip(table["point"], table["covered"], strict=True))


def test_an_empty_report_covers_almost_nothing() -> None:
    found = covered(ak.Report("T").assemble())
    assert {p for p, place in found.items() if place != NOT_COVERED} <= {
        "Software with versions",
        "Script and data identified, so that the analysis can be repeated",
    }
    assert not any(p.text in found for p in POINTS if p.standard == LEVEL)


def test_the_demo_says_where_each_point_stands() -> None:
    found = covered(demo.report().assemble())
    assert found["Research question or hypothesis"] == "Summary"
    assert found["Primary answer told apart from secondary and exploratory results"] == "Section 2"
    assert found["How the measures were scored"] == "Table 8"
    assert found["Estimates with confidence intervals"] == "Table 3"
    assert found["Assumptions of the analyses"] == "Table 5"
    assert found["Model equation with its random effects"] == "Section 2"
    assert found["Limits of the study"] == "Section 6"
    assert found["Ethics and consent"] == NOT_COVERED
    assert found["Comparison of models"] == NOT_COVERED
    assert found["Convergence of the estimation"] == NOT_COVERED


def test_what_is_taken_out_is_no_longer_covered() -> None:
    found = covered(demo.report(with_study=False, refuse=True).assemble())
    assert found["How the measures were scored"] == NOT_COVERED
    assert found["Centring of predictors, and the level each effect belongs to"] == NOT_COVERED
    assert found["Primary answer told apart from secondary and exploratory results"] == NOT_COVERED  # withheld


def test_every_point_can_be_covered_and_can_be_missing() -> None:
    def result(name: str, **attributes: object) -> object:
        made = type(name, (), {"tidy": lambda self: pd.DataFrame({"x": [1.0]}), **attributes})
        made.__module__ = "alliancekit.demo.results"
        return made()

    fit = demo.Fit()
    checks = (demo.Check("convergence", "pass", "", ""), demo.Check("normal residuals", "pass", "", ""))
    numbers = pd.DataFrame(
        {
            "term": ["R²", "ICC"],
            "estimate": [1.0, 2.0],
            "conf_low": [0.0, 1.0],
            "conf_high": [2.0, 3.0],
            "statistic": [1.0, 1.0],
            "df": [3.0, 3.0],
            "p_value": [0.1, 0.2],
            "mean": [1.0, 1.0],
            "sd": [1.0, 1.0],
            "sd_or_correlation": [1.0, 1.0],
            "missing": [0.0, 1.0],
        }
    )
    report = ak.Report("T", study=demo.study(), question="Why?")
    for heading in ("Registration", "Ethics", "Participants", "Power"):
        report.section(heading, "Text.")
    report.section("Results", Table("N", numbers, notes=("REML; df by Satterthwaite's method.",), source=fit))
    report.section("Answer", Sentence("So.", headline=True, source=fit), Equation(("y = x",)))
    report.section("Checks", demo.AssumptionReport(fit, checks))
    for name in ("SampleFlow", "Description", "Reliability", "Correlations", "Comparison"):
        report.section(name, result(name))
    report.limits("Some.")
    document = report.assemble()
    found = covered(document)
    assert len(found) == len(POINTS)
    assert [p for p, place in found.items() if place == NOT_COVERED] == []
    places = {str(s.number) for s in document.sections}
    for place in found.values():
        for part in place.removesuffix(" and later").split(", "):
            kind, _, number = part.partition(" ")
            assert kind in ("Summary", "Section", "Table")
            assert kind != "Section" or number in places


def test_missing_points_are_marked() -> None:
    table = demo.report().assemble().tables[-1].table
    marked = {i for (i, column), mark in table.marks.items() if mark == "warn"}
    assert marked == {i for i, place in enumerate(table.data["covered"]) if place == NOT_COVERED}


def test_groups_of_a_structural_model_are_no_levels() -> None:
    rng = np.random.default_rng(4)
    factor = rng.normal(size=(200, 1))
    data = pd.DataFrame(factor + rng.normal(size=(200, 4)), columns=list("abcd")).assign(half=["x", "y"] * 100)
    fits = [
        ak.cfa("g =~ a + b + c + d", data, group="half", group_equal=equal, missing="listwise")
        for equal in ((), "loadings")
    ]
    report = ak.Report("T").section("Invariance", ak.compare(*fits), fits[0], fits[0].reliability())
    found = covered(report.assemble())
    assert not any(p.text in found for p in POINTS if p.standard == LEVEL)
    assert found["Reliability of the scores in this sample"] == "Table 3"
    assert found["Effect sizes"] == "Table 2"
    assert found["Test statistics with degrees of freedom and exact p values"] == "Table 1"
    side = ak.Report("T").section("Fit", ak.table(*fits)).assemble()
    assert covered(side)["Test statistics with degrees of freedom and exact p values"] == "Table 1"


def test_two_levels_of_a_structural_model_are_levels() -> None:
    rng = np.random.default_rng(5)
    between = np.repeat(rng.normal(size=(60, 1)) + 0.7 * rng.normal(size=(60, 3)), 5, axis=0)
    data = pd.DataFrame(between + rng.normal(size=(300, 1)) + rng.normal(size=(300, 3)), columns=list("abc"))
    lines = "level: 1\nw =~ a + b + c\nlevel: 2\nv =~ a + b + c"
    fit = ak.cfa(lines, data.assign(who=np.repeat(np.arange(60), 5)), cluster="who", missing="listwise")
    assert any(p.text in covered(ak.Report("T").section("M", fit).assemble()) for p in POINTS if p.standard == LEVEL)
