"""Every figure kind of a fit: drawn, described, without a name of anybody, and changed by the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.figures_io import draw
from alliancekit.report.multilevel_residual_figures import binned, quantiles
from alliancekit.report.multilevel_trajectories import time_of

KINDS = (
    "effects",
    "trajectories",
    "residuals",
    "scale-location",
    "qq",
    "diagnostics",
    "caterpillar",
    "influence",
    "partition",
)


def study(seed: int = 1, spread: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    p = np.repeat(np.arange(36), 6)
    d = pd.DataFrame({"patient": [f"SECRET{i:02d}" for i in p], "therapist": [f"HIDDEN{i // 6}" for i in p]})
    d["session"] = np.tile(np.arange(6.0), 36)
    d["arm"] = np.where(p % 2, "treated", "control")
    d["y"] = (
        20
        + rng.normal(0, 3, 36)[p]
        + rng.normal(-1, 0.8, 36)[p] * d["session"]
        - 0.6 * d["session"] * (p % 2)
        + rng.normal(0, 2, 6)[p // 6]
        + spread * rng.normal(size=p.size)
    )
    return d


MODEL = "y ~ session * arm + (1 + session | patient) + (1 | therapist)"


@pytest.fixture(scope="module")
def fits() -> tuple[Any, Any]:
    return ak.mixed(MODEL, study()), ak.mixed(MODEL, study(2, 1.5))


@pytest.mark.option("figure.kind", "unit")
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_and_names_nobody(fits: tuple[Any, Any], kind: str) -> None:
    figure, other = (ak.figure(fit, kind) for fit in fits)
    drawn = draw(figure)
    assert drawn.svg == draw(ak.figure(fits[0], kind)).svg, "the same fit gives the same bytes"
    assert drawn.svg != draw(other).svg
    assert not figure.data.equals(other.data)
    shown = " ".join([figure.title, figure.caption, figure.alt, figure.data.to_csv()])
    assert "SECRET" not in shown and "HIDDEN" not in shown
    assert figure.caption and figure.alt and figure.source is not None


def test_numbers_drawn_are_those_of_the_fit(fits: tuple[Any, Any]) -> None:
    fit = fits[0]
    modes = fit.random_effects()
    data = ak.figure(fit, "caterpillar").data
    own = modes[(modes["group"] == "therapist")].sort_values("estimate")
    part = data[data["group"] == "therapist"]
    np.testing.assert_array_equal(part["estimate"], own["estimate"])
    np.testing.assert_allclose(part["conf_high"], own["estimate"] + 1.959963984540054 * own["std_error"])
    residual = np.sort(fit.residuals("standardised"))
    qq = ak.figure(fit, "qq").data
    np.testing.assert_array_equal(qq[qq["panel"] == "Standardised residuals"]["observed"], residual)
    courses = ak.figure(fit, "trajectories").data
    first = study().query("arm == 'control' and session == 0")["y"]
    line = courses[(courses["arm"] == "control") & (courses["time"] == 0)].iloc[0]
    assert line["observed_mean"] == pytest.approx(first.mean()) and line["n"] == 18
    ranks = ak.figure(fit, "influence").data
    assert ranks["cooks_distance"].iloc[0] == fit.influence(by="patient").cooks_distance.max()


def test_random_effects_in_quantile_plots_have_variance_one() -> None:
    """Conditional modes over their own SDs are standard normal also where units are of unequal size."""
    rng = np.random.default_rng(9)
    sizes = rng.integers(2, 30, 400)
    g = np.repeat(np.arange(400), sizes)
    d = pd.DataFrame({"g": g, "y": rng.normal(size=400)[g] + rng.normal(0, 2, g.size)})
    data = ak.figure(ak.mixed("y ~ 1 + (1 | g)", d), "qq").data
    values = data[data["panel"] == "g: intercepts"]["observed"]
    assert values.std() == pytest.approx(1.0, abs=0.1)


def test_time_is_found(fits: tuple[Any, Any]) -> None:
    d = study().assign(x=lambda t: np.random.default_rng(1).normal(size=len(t)), nr=lambda t: t["session"] * 7 + 1)
    assert time_of(fits[0]) == "session"
    assert time_of(ak.mixed("y ~ x + nr + (1 | patient)", d)) == "nr", "it only goes up within patients"
    with pytest.raises(ak.SpecError, match="no column of the model tells time"):
        ak.figure(ak.mixed("y ~ x + (1 | patient)", d), "trajectories")


def test_small_means_are_left_out() -> None:
    d = study()
    d = d[(d["session"] < 5) | (d["patient"].isin(["SECRET00", "SECRET02"]))]
    data = ak.figure(ak.mixed(MODEL, d), "trajectories").data
    assert data["n"].min() >= 5 and data["time"].max() == 4


def test_unknown_kinds_are_answered_with_the_nearest(fits: tuple[Any, Any]) -> None:
    with pytest.raises(ak.SpecError, match="Did you mean kind='trajectories'"):
        ak.figure(fits[0], "trajectory")
    with pytest.raises(ak.SpecError, match="Did you mean kind='caterpillar'"):
        ak.figure(fits[0], "catterpillar")
    with pytest.raises(ak.SpecError, match="kind='bars'"):
        ak.figure(fits[0].r2_partition(), "bars")


def test_a_singular_effect_has_no_panel() -> None:
    d = study()
    d["y"] -= d.groupby("therapist")["y"].transform("mean")
    with pytest.warns(ak.BoundaryWarning):
        fit = ak.mixed("y ~ session + (1 | patient) + (1 | therapist)", d)
    assert not ak.figure(fit, "qq").data["panel"].str.startswith("therapist").any()
    assert draw(ak.figure(fit, "caterpillar")).svg and draw(ak.figure(fit, "diagnostics")).svg


def test_bins_hold_all_points() -> None:
    x, y = np.arange(200.0), np.ones(200)
    table = binned(x, y)
    assert table["n"].sum() == 200 and (table["mean"] == 1).all()
    assert quantiles(np.array([3.0, 1.0, 2.0]))[1].tolist() == [1, 2, 3]


def test_table_and_sentence_of_influence_are_by_rank(fits: tuple[Any, Any]) -> None:
    found = fits[0].influence(by="patient")
    table, sentence = ak.table(found), ak.sentence(found)
    assert len(table.data) == 10 and table.data["rank"].tolist() == list(range(1, 11))
    assert table.data["cooks_distance"].iloc[0] == found.cooks_distance.max()
    assert "SECRET" not in table.data.to_csv() + sentence.text + " ".join(table.notes)
    assert (
        "36 patients" in sentence.text and f"{abs(found.tidy()['dfbetas']).max():.2f} standard errors" in sentence.text
    )
    other = ak.sentence(fits[1].influence(by="patient"))
    assert other.text != sentence.text


def test_table_and_sentence_of_the_partition(fits: tuple[Any, Any]) -> None:
    found = fits[0].r2_partition()
    table, sentence = ak.table(found), ak.sentence(found)
    assert table.data["variance"].sum() == pytest.approx(found.frame["variance"].sum())
    assert table.data["r2_total"].sum() == pytest.approx(1.0)
    fixed = found.glance()["r2_f"].iloc[0]
    assert f"fixed effects accounted for {100 * fixed:.1f}% of the variance" in sentence.text
    assert "lay between therapists" in sentence.text
    assert ak.sentence(fits[1].r2_partition()).text != sentence.text
