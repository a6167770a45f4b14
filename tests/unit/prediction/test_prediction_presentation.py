"""Tables, figures and sentences of the prediction layer."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.report.parts import Figure, Table
from alliancekit.report.prediction import make_equation

LABELS = {"task": "task agreement", "severity": "baseline severity", "pcl": "PCL-5"}


@pytest.fixture(scope="module")
def found(make_data: Any, steps: Any) -> Any:
    return ak.incremental_validity(
        make_data(120, 24),
        "pcl",
        steps,
        focus="task",
        therapist="therapist",
        approach="robust",
        bootstrap=300,
        labels=LABELS,
        better="lower",
    )


def numbers(text: str) -> list[float]:
    return [float(x.replace("\u2212", "-")) for x in re.findall(r"[\u2212-]?\d*\.\d+", text)]


def test_every_part_has_a_table_whose_numbers_are_the_result_s(found: Any) -> None:
    assert ak.table(found).data["delta_r2"].tolist() == found.tidy()["delta_r2"].tolist()
    assert ak.table(found.steps).data["p_value"].tolist() == found.tidy()["p_value"].tolist()
    assert ak.table(found.coefficients).data["estimate"].tolist() == found.coefficients.tidy()["estimate"].tolist()
    shares = ak.table(found.weights).data
    assert shares["share"].sum() == pytest.approx(100.0)
    assert (np.diff(shares["general"]) <= 0).all()
    assert ak.table(found.specificity).data["estimate"].iloc[0] == found.specificity.delta_r2_base.estimate


def test_tables_can_be_laid_out(found: Any) -> None:
    from alliancekit.report.grid import lay_out

    for part in (found, found.steps, found.coefficients, found.weights, found.specificity):
        table = ak.table(part)
        assert isinstance(table, Table)
        assert table.notes
        assert lay_out(table).rows
    headings = [c.heading for c in lay_out(ak.table(found)).columns]
    assert headings[:5] == ["Step", "Predictors added", "R²", "ΔR²", "95% CI of ΔR²"]


def test_labels_stand_for_columns(found: Any) -> None:
    assert ak.table(found).data["predictors"].tolist() == ["baseline severity", "task agreement", "bond and goal"]
    assert ak.table(found.coefficients).data["term"].tolist()[1:3] == ["baseline severity", "task agreement"]
    assert "PCL-5" in ak.table(found).title


def test_notes_say_what_was_done(found: Any) -> None:
    notes = " ".join(ak.table(found).notes)
    assert "n = 120; every step uses the same complete cases" in notes
    assert "24 therapists" in notes
    assert "300 resamples of therapists" in notes
    assert "no therapist in both parts" in notes
    assert "positive = better" in " ".join(ak.table(found.coefficients).notes)
    assert "number of therapists − 1" in " ".join(ak.table(found.coefficients).notes)


def test_rows_left_out_are_named(make_data: Any, steps: Any) -> None:
    df = make_data(120, 24)
    df.loc[:9, "task"] = np.nan
    found = ak.incremental_validity(df, "pcl", steps, bootstrap=0)
    assert "Of 120 rows were left out: 10 missing in 'task'." in ak.table(found).notes
    assert "conf_low" not in ak.table(found).data


def test_outcomes_under_one_another(make_data: Any, steps: Any, found: Any) -> None:
    df = make_data(120, 24).assign(phq=lambda d: d["pcl"] + d["bond"])
    other = ak.incremental_validity(df, "phq", steps, bootstrap=300)
    table = ak.table(found, other)
    assert table.group == "outcome"
    assert table.data["outcome"].tolist() == ["PCL-5"] * 3 + ["phq"] * 3
    with pytest.raises(ak.ReportError, match="cannot share a table"):
        ak.table(found.weights, found.coefficients)


@pytest.mark.parametrize("kind", [None, "steps", "dominance", "partial", "specificity"])
def test_figures_can_be_drawn_twice_and_are_the_same(found: Any, kind: str | None) -> None:
    figure = ak.figure(found, kind)
    assert isinstance(figure, Figure)
    assert figure.alt
    assert figure.caption
    assert figure.data is not None
    images = []
    for _ in range(2):
        stream = io.BytesIO()
        figure.draw().savefig(stream, format="png", dpi=60, metadata={"Software": None})
        images.append(stream.getvalue())
    assert images[0] == images[1]
    assert len(images[0]) > 2000


def test_the_plotted_line_is_the_coefficient(found: Any) -> None:
    line = ak.figure(found, "partial").data
    slope = (line["estimate"].iloc[-1] - line["estimate"].iloc[0]) / (line["focus"].iloc[-1] - line["focus"].iloc[0])
    table = found.coefficients.tidy().set_index("term")
    assert slope == pytest.approx(table.loc["task", "estimate"], rel=1e-9)
    plain = found.fits["bond and goal"]
    assert found.added_variable.std_error == pytest.approx(plain.bse[2], rel=1e-9)
    assert len(line) == 60  # a grid, no rows of people


def test_parts_have_their_own_figures(found: Any) -> None:
    assert ak.figure(found.weights).title == ak.figure(found, "dominance").title
    assert ak.figure(found.specificity).title == ak.figure(found, "specificity").title
    assert ak.figure(found.added_variable).title == ak.figure(found, "partial").title
    with pytest.raises(ak.SpecError, match="Use one of: dominance"):
        ak.figure(found.weights, "steps")
    with pytest.raises(ak.SpecError, match="kind='pie' is not an option"):
        ak.figure(found, "pie")
    with pytest.raises(ak.ReportError, match="CoefficientTable has no such presentation"):
        ak.figure(found.coefficients)


def test_figures_that_need_a_focus_or_weights(make_data: Any) -> None:
    found = ak.incremental_validity(make_data(60, 10), "pcl", {"a": ["task"]}, bootstrap=0)
    with pytest.raises(ak.ReportError, match="'partial' needs a focus"):
        ak.figure(found, "partial")
    with pytest.raises(ak.ReportError, match="no dominance weights"):
        ak.figure(found, "dominance")


def test_the_sentence_shows_the_numbers_of_the_table(found: Any) -> None:
    sentence = ak.sentence(found)
    assert sentence.headline
    assert sentence.source is found
    row = found.tidy().iloc[1]
    assert row["delta_r2"] == pytest.approx(numbers(sentence.text)[0], abs=5e-4)
    assert f"F(1, 23) = {row['statistic']:.2f}" in sentence.text
    assert sentence.text.startswith("Task agreement added to the prediction of PCL-5 beyond baseline severity")


def test_other_data_change_table_sentence_and_figure(make_data: Any, steps: Any, found: Any) -> None:
    df = make_data(120, 24)
    df["pcl"] = df["pcl"] + 5 * df["task"] ** 2
    other = ak.incremental_validity(
        df, "pcl", steps, focus="task", therapist="therapist", approach="robust", bootstrap=300, labels=LABELS
    )
    assert ak.sentence(other).text != ak.sentence(found).text
    assert not ak.table(other).data["delta_r2"].equals(ak.table(found).data["delta_r2"])
    assert not ak.figure(other).data["delta_r2"].equals(ak.figure(found).data["delta_r2"])


def test_sentences_of_the_parts(found: Any, make_data: Any) -> None:
    steps = ak.sentence(found.steps)
    assert not steps.headline
    assert steps.text.startswith("Baseline severity predicted PCL-5, R² = ")
    assert "Bond and goal did not add to the prediction, ΔR² = " in steps.text
    assert "(cross-validated)" in steps.text
    weights = ak.sentence(found.weights).text
    assert "general dominance gives baseline severity (" in weights
    assert "Dominance is complete for baseline severity over" in weights
    slopes = ak.sentence(found.coefficients).text
    assert "task agreement, b = " in slopes
    assert "t(23) = " in slopes
    without = ak.incremental_validity(make_data(60, 10), "pcl", {"a": ["severity"]}, bootstrap=0)
    assert ak.sentence(without).text == ak.sentence(without.steps).text
    assert "CI" not in ak.sentence(without).text


def test_a_mixed_model_says_which_r2_and_test(make_data: Any, steps: Any) -> None:
    found = ak.incremental_validity(
        make_data(120, 24), "pcl", steps, focus="task", therapist="therapist", bootstrap=300
    )
    text = ak.sentence(found).text
    assert "marginal ΔR² = " in text
    assert "χ²(1) = " in text
    table = ak.table(found)
    assert table.labels["r2"] == "Marginal R²"
    assert table.labels["statistic"] == "χ²"
    assert "df_error" not in table.data
    assert "Nakagawa" in " ".join(table.notes)


def test_equations(found: Any, make_data: Any, steps: Any) -> None:
    equation = make_equation(found)
    assert equation.lines == ("PCL-5ᵢ = β₀ + β₁ baseline severityᵢ + β₂ task agreementᵢ + β₃ bondᵢ + β₄ goalᵢ + εᵢ",)
    assert "sandwich::vcovCL" in equation.r_call
    assert "focus='task'" in equation.python_call
    mixed = ak.incremental_validity(make_data(120, 24), "pcl", steps, therapist="therapist", bootstrap=0)
    assert "(1 | therapist)" in make_equation(mixed).r_call
    with pytest.raises(ak.ReportError, match="has no equation"):
        make_equation(found.steps)
