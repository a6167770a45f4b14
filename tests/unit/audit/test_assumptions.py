"""``ak.check_assumptions``: the report, what it refuses, and its presentation."""

from __future__ import annotations

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.audit.registry import CHECKS
from alliancekit.audit.types import AssumptionReport, Check
from alliancekit.audit.words import number, p_text

from .support import fit, persons, sessions, validity

RANDOM = "(1 | patient) + (1 | therapist)"


def test_every_check_reports_once_for_its_kind() -> None:
    data = sessions()
    report = ak.check_assumptions(fit(f"y ~ time + alliance_within + alliance_between + {RANDOM}", data), data)
    kinds = [k for _, k in CHECKS]
    assert len(report.checks) == sum("multilevel" in k for k in kinds)
    assert len({c.name for c in report.checks}) == len(report.checks)
    other = ak.check_assumptions(validity(persons()), persons())
    assert len(other.checks) == sum("prediction" in k for k in kinds)
    for check in [*report.checks, *other.checks]:
        assert check.evidence.endswith(".") and (check.advice == "" or check.advice.endswith("."))
        assert (check.advice == "") == (check.status == "pass"), check


@pytest.mark.parametrize("approach", ["random", "robust", "ols"])
def test_every_approach_of_incremental_validity_is_covered(approach: str) -> None:
    data = persons()
    report = ak.check_assumptions(validity(data, approach=approach), data)
    assert report.check("therapist effect").status == "pass"
    assert report.check("number of clusters").numbers["n_therapist"] == 24
    assert not report.refused


def test_a_pooled_slope_is_refused_without_an_error() -> None:
    data = sessions()
    model = fit(f"y ~ time + alliance + {RANDOM}", data)
    report = ak.check_assumptions(model, data)
    assert report.refused and report.subject is model
    assert report.check("within and between parts").status == "refuse"
    assert report.glance()["n_refuse"].item() == 1 and bool(report.glance()["refused"].item())
    assert not ak.check_assumptions(fit(f"y ~ time + {RANDOM}", data), data).refused


def test_random_slopes_and_uncorrelated_terms_are_read() -> None:
    data = sessions()
    for formula in ("y ~ time + (1 + time | patient)", "y ~ time + (1 + time || patient) + (1 | therapist)"):
        report = ak.check_assumptions(fit(formula, data), data)
        assert report.check("influence").status == "pass"


def test_transforms_and_factors_are_read() -> None:
    data = sessions()
    data["arm"] = np.where(data["patient"] % 2 == 0, "a", "b")
    report = ak.check_assumptions(fit(f"log(y + 50) ~ log(time + 1) * arm + {RANDOM}", data), data)
    assert report.check("timing").status == "not checked"
    assert not report.refused


def test_the_simulated_study_is_checked_end_to_end() -> None:
    twin = ak.simulate("tfcbt", n=120, seed=1)
    study = ak.score(twin.study, "WAI-SR", prefix="wai_", name="wai")
    study = ak.early_window(study, ["wai_task", "wai_bond", "wai_goal", "pcl"])
    study = study.join("outcome", on="patient")
    early = ["wai_task_early", "wai_bond_early", "wai_goal_early", "pcl_early"]
    study = ak.one_row_per(study, "patient", ["therapist", "pcl_0", *early, "pcl_followup"])
    study = study.with_data(study.data.assign(early_change=lambda d: d["pcl_early"] - d["pcl_0"]))
    steps = {"severity": ["pcl_0"], "early": ["early_change"], "task": ["wai_task_early"]}
    result = ak.incremental_validity(
        study, "pcl_followup", steps, focus="wai_task_early", therapist="therapist", bootstrap=0
    )
    report = ak.check_assumptions(result, study)
    assert report.check("early symptom change").status == "pass"
    assert not report.refused
    assert report.check("dropout").status == "warn"
    assert report.check("dropout").numbers["share"] == pytest.approx(0.30)
    assert report.check("instrument keys").status == "pass"
    assert report.check("careless answers").status == "pass"


def test_numbers_in_words() -> None:
    assert number(-0.404) == "\u22120.40" and number(-0.001) == "0.00"
    assert [p_text(p) for p in (0.0004, 0.05, 0.99999)] == ["p < .001", "p = .050", "p > .999"]


def test_other_results_are_refused_by_name() -> None:
    with pytest.raises(ak.SpecError, match="a str has no assumption checks"):
        ak.check_assumptions("fit")


def test_report_names_its_checks() -> None:
    report = AssumptionReport(
        "fit", (Check("timing", "pass", "In order."), Check("influence", "warn", "One.", "Look."))
    )
    assert report.tidy()["check"].tolist() == ["timing", "influence"]
    assert "warn        influence" in repr(report)
    with pytest.raises(ak.SpecError, match="Did you mean 'timing'"):
        report.check("timming")
    with pytest.raises(ak.SpecError, match="status="):
        Check("timing", "fine", "In order.")


def test_table_and_sentence_follow_the_statuses() -> None:
    checks = (
        Check("timing", "pass", "In order."),
        Check("influence", "warn", "One unit.", "Look at it."),
        Check("convergence", "refuse", "Stopped.", "Rescale."),
        Check("multiplicity", "not checked", "Unknown.", "Say so."),
    )
    report = AssumptionReport("fit", checks)
    table = ak.table(report)
    assert table.data["check"].tolist() == ["convergence", "influence", "multiplicity", "timing"]
    assert table.marks == {(0, "status"): "bad", (1, "status"): "warn", (3, "status"): "good"}
    text = ak.sentence(report).text
    assert "1 refuses the claim (convergence)" in text and "No claim can be made" in text
    clean = AssumptionReport("fit", checks[:1])
    assert ak.sentence(clean).text == "Of 1 assumption check, 1 passed."
    with pytest.raises(ak.ReportError):
        ak.table(report, clean)
