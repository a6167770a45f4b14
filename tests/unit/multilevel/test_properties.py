"""What must not change, and what must change exactly, whatever the data: properties over random studies and models."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliancekit as ak

FORMULAS = (
    "y ~ time + x + (1 | patient)",
    "y ~ time * arm + (time | patient) + (1 | therapist)",
    "y ~ x + (time || patient)",
    "y ~ x + (1 | patient) + (1 | rater)",
    "y ~ arm + x + (0 + x | therapist) + (1 | patient)",
)
models = st.tuples(st.sampled_from(FORMULAS), st.sampled_from(["REML", "ML"]), st.integers(0, 10_000))


def study(seed: int) -> pd.DataFrame:
    """Return 24 patients of 6 therapists with 3 to 6 sessions, raters crossed with patients."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(3, 7, 24)
    patient = np.repeat(np.arange(24), counts)
    time = np.concatenate([np.arange(c) for c in counts]).astype(float)
    rater, x = rng.integers(0, 5, patient.size), rng.normal(size=patient.size)
    y = 3 + 0.4 * x - 0.5 * time + rng.normal(0, 1, 24)[patient] + rng.normal(0, 0.3, 24)[patient] * time
    y = y + rng.normal(0, 0.6, 6)[patient % 6] + rng.normal(0, 0.5, 5)[rater] + rng.normal(size=patient.size)
    return pd.DataFrame(
        {
            "y": y,
            "time": time,
            "x": x,
            "arm": np.where(patient % 2, "new", "usual"),
            "patient": [f"p{i:02d}" for i in patient],
            "therapist": [f"t{i}" for i in patient % 6],
            "rater": [f"r{i}" for i in rater],
            "w": rng.uniform(0.5, 2.0, patient.size),
        }
    )


def fitted(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        warnings.simplefilter("ignore", ak.DesignWarning)
        return ak.mixed(formula, data, **options)


def sds(fit: Any) -> np.ndarray:
    table = fit.variance_components()
    return table.loc[table["term_2"].isna(), "sd_or_correlation"].to_numpy()


@settings(max_examples=25, deadline=None)
@given(models)
def test_order_and_names_do_not_matter(model: tuple[str, str, int]) -> None:
    formula, method, seed = model
    d = study(seed)
    changed = d.sample(frac=1.0, random_state=seed).reset_index(drop=True)
    for column in ("patient", "therapist", "rater"):
        names = {v: f"{(i * 7) % 23}-{v[::-1]}" for i, v in enumerate(sorted(set(d[column])))}
        changed[column] = changed[column].map(names)
    one, two = fitted(formula, d, method=method), fitted(formula, changed, method=method)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(two.fixed_effects, one.fixed_effects, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(sds(two), sds(one), rtol=1e-4, atol=2e-3)


@settings(max_examples=25, deadline=None)
@given(models, st.floats(0.01, 100.0), st.floats(-2000.0, 2000.0))
def test_a_rescaled_predictor_rescales_its_slope_only(model: tuple[str, str, int], scale: float, origin: float) -> None:
    formula, method, seed = model
    d = study(seed)
    one = fitted(formula, d, method=method)
    two = fitted(formula, d.assign(x=d["x"] * scale), method=method)
    jacobian = -2 * np.log(scale) if method == "REML" and "x" in one.fixed_effects.index else 0.0
    assert -2 * two.log_likelihood == pytest.approx(-2 * one.log_likelihood - jacobian, abs=1e-6)
    if "x" in one.fixed_effects.index:
        assert two.fixed_effects["x"] * scale == pytest.approx(one.fixed_effects["x"], rel=2e-5, abs=1e-6)
    if "||" not in formula:  # uncorrelated slopes depend on where time's origin lies, by their definition
        three = fitted(formula, d.assign(time=d["time"] + origin), method=method)
        assert three.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(models, st.floats(0.05, 50.0))
def test_all_weights_times_a_constant(model: tuple[str, str, int], c: float) -> None:
    formula, method, seed = model
    d = study(seed)
    one = fitted(formula, d, method=method, weights="w")
    two = fitted(formula, d.assign(w=d["w"] * c), method=method, weights="w")
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    np.testing.assert_allclose(two.fixed_effects, one.fixed_effects, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(sds(two)[:-1], sds(one)[:-1], rtol=1e-4, atol=2e-3)
    assert two.sigma**2 == pytest.approx(c * one.sigma**2, rel=2e-5)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([f for f in FORMULAS if "rater" not in f]), st.integers(0, 10_000))
def test_every_cluster_copied_doubles_the_log_likelihood(formula: str, seed: int) -> None:
    d = study(seed)
    copy = d.assign(patient=d["patient"] + "*", therapist=d["therapist"] + "*")
    one, two = fitted(formula, d, method="ML"), fitted(formula, pd.concat([d, copy]), method="ML")
    assert two.log_likelihood == pytest.approx(2 * one.log_likelihood, abs=2e-6)
    np.testing.assert_allclose(two.fixed_effects, one.fixed_effects, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(sds(two), sds(one), rtol=1e-4, atol=2e-3)


@settings(max_examples=15, deadline=None)
@given(models)
def test_levels_that_nobody_has_change_nothing(model: tuple[str, str, int]) -> None:
    formula, method, seed = model
    d = study(seed)
    with_empty = d.assign(
        **{c: pd.Categorical(d[c], categories=[*sorted(set(d[c])), "nobody"]) for c in ("arm", "patient", "rater")}
    )
    one, two = fitted(formula, d, method=method), fitted(formula, with_empty, method=method)
    pd.testing.assert_frame_equal(two.tidy(), one.tidy())


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1e4, 1e9])
def test_units_of_the_outcome_change_neither_df_nor_intervals(unit: float) -> None:
    # a score in thousandths, costs in cents: the information on variances is compared without regard to units
    data = study(11)
    plain, scaled = (
        fitted("y ~ time + x + (time | patient) + (1 | therapist)", data.assign(y=data["y"] * factor))
        for factor in (1.0, unit)
    )
    np.testing.assert_allclose(scaled.tidy()["df"], plain.tidy()["df"], rtol=1e-6)
    sds_of = [fit.variance_components().query("term_2.isna()")[["conf_low", "conf_high"]] for fit in (plain, scaled)]
    np.testing.assert_allclose(sds_of[1] / unit, sds_of[0], rtol=1e-6)


@pytest.mark.parametrize("origin", [2000.0, 45_000.0])
@pytest.mark.parametrize("case", ["linear", "weights", "ar1", "poisson", "file"])
def test_the_origin_of_time_in_an_interaction_changes_nothing(origin: float, case: str, tmp_path: Path) -> None:
    # time:arm of the year 2000 is nearly 2000 times arm: columns that would otherwise lose the digits of their products
    data = study(7).assign(time=lambda d: d["time"] / 52, count=lambda d: np.round(np.exp(d["y"] / 3)).astype(int))
    options: dict[str, Any] = {
        "weights": {"weights": "w"},
        "ar1": {"residual_structure": ak.ar1(time="session", by="patient")},
        "poisson": {"family": "poisson"},
    }.get(case, {})
    outcome = "count" if case == "poisson" else "y"
    fits = []
    for shift in (0.0, origin):
        rows: Any = data.assign(session=np.round(data["time"] * 52), time=data["time"] + shift)
        if case == "file":
            rows.to_parquet(tmp_path / f"{shift}.parquet")
            rows = tmp_path / f"{shift}.parquet"
        fits.append(fitted(f"{outcome} ~ time * arm + x + (1 | patient) + (1 | therapist)", rows, **options))
    assert fits[1].log_likelihood == pytest.approx(fits[0].log_likelihood, rel=1e-9)
    near, far = (fit.tidy().set_index("term").loc[["time", "x", "time:armusual"]] for fit in fits)
    for column in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(far[column], near[column], rtol=1e-6)
    assert fits[1].warnings == fits[0].warnings
