"""Table, figure, sentence and equation of a mixed model come from the fit, and change with it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.multilevel.test_mixed import FORMULA, growth


def test_table_holds_the_numbers_of_the_fit() -> None:
    fit = ak.mixed(FORMULA, growth())
    table = ak.table(fit)
    fixed = table.data[table.data["component"] == "Fixed effects"]
    np.testing.assert_array_equal(fixed["estimate"], fit.tidy()["estimate"])
    np.testing.assert_array_equal(fixed["p_value"], fit.tidy()["p_value"])
    random = table.data[table.data["component"] != "Fixed effects"]
    np.testing.assert_array_equal(random["estimate"], fit.variance_components()["sd_or_correlation"])
    assert any("240 observations of 40 patients, 8 therapists" in note for note in table.notes)


@pytest.mark.option("figure.kind", "unit")
def test_perturbed_data_change_table_sentence_and_figure() -> None:
    d = growth()
    one, two = ak.mixed(FORMULA, d), ak.mixed(FORMULA, d.assign(y=d["y"] + 0.5 * d["time"]))
    assert not np.allclose(ak.table(one).data["estimate"], ak.table(two).data["estimate"])
    assert ak.sentence(one).text != ak.sentence(two).text
    for kind in ("trajectories", "effects", "diagnostics", "caterpillar"):
        first, second = ak.figure(one, kind), ak.figure(two, kind)
        assert kind == "caterpillar" or not first.data.equals(second.data)
        assert first.alt and first.caption


def test_sentence_says_the_opposite_for_no_effect() -> None:
    d = growth()
    rng = np.random.default_rng(8)
    flat = d.assign(y=rng.normal(size=len(d)) + rng.normal(size=40)[d["patient"]])
    assert "coefficient of time was negative" in ak.sentence(ak.mixed("y ~ time + (1 | patient)", d)).text
    assert "no reliable relation with time" in ak.sentence(ak.mixed("y ~ time + (1 | patient)", flat)).text


def test_models_side_by_side() -> None:
    d = growth()
    null, full = ak.mixed("y ~ 1 + (1 | patient)", d), ak.mixed("y ~ time + (1 + time | patient)", d)
    table = ak.table(null, full)
    lines = table.data.set_index("term")
    assert np.isnan(lines.loc["time", "estimate_1"])
    assert lines.loc["time", "estimate_2"] == full.fixed_effects["time"]
    assert lines.loc["Marginal R²", "estimate_2"] == full.r2()["marginal"]
    assert list(table.spans) == ["Model 1", "Model 2"]


def test_equation_names_every_random_effect() -> None:
    equation = ak.equation(ak.mixed(FORMULA, growth()))
    text = " ".join(equation.lines)
    assert "β₁·time" in text and "u₁[patient]·time" in text and "v₀[therapist]" in text
    assert "lmer(" in equation.r_call and "ak.mixed(" in equation.python_call


def test_figures_are_drawn() -> None:
    from alliancekit.report.style import figure_style

    fit = ak.mixed(FORMULA, growth())
    for kind in ("trajectories", "effects", "diagnostics", "caterpillar"):
        with figure_style():
            assert ak.figure(fit, kind).draw().axes


def test_wrong_requests_are_told() -> None:
    fit = ak.mixed("y ~ time + (1 | patient)", growth())
    with pytest.raises(ak.SpecError, match="no column of the model tells time"):
        ak.figure(ak.mixed("y ~ 1 + (1 | patient)", growth()), "trajectories")
    with pytest.raises(ak.SpecError, match="Did you mean kind='effects'"):
        ak.figure(fit, "effect")
    with pytest.raises(ak.ReportError, match="no predictor to draw"):
        ak.figure(ak.mixed("y ~ 1 + (1 | patient)", growth()), "effects")
    with pytest.raises(ak.ReportError, match="DataFrame cannot be presented"):
        ak.table(pd.DataFrame())


def test_labels_of_the_codebook_reach_the_sentence() -> None:
    study = ak.simulate("tfcbt", n=60, seed=3).study
    fit = ak.mixed("pcl ~ session + pcl_0 + (1 | patient)", study)
    assert fit.labels["pcl_0"].startswith("PCL-5 total at intake")
    assert "PCL-5 total at intake" in ak.sentence(fit).text
