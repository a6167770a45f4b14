"""How models are said in other engines, and what happens when one of these fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.peers import mixedlm_peer, statsmodels_mixed
from alliancekit.peers.attempt import attempt
from alliancekit.peers.statsmodels_mixed import fit_statsmodels, make_plan
from alliancekit.peers.verdict import judge


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    patient, session = np.repeat(np.arange(40), 6), np.tile(np.arange(6.0), 40)
    frame = pd.DataFrame(
        {"patient": patient, "therapist": patient // 5, "rater": rng.integers(0, 6, 240), "session": session}
    )
    frame["x"] = rng.normal(size=240)
    frame["y"] = (
        10
        + rng.normal(0, 2, 8)[frame["therapist"]]
        + rng.normal(0, 2, 40)[patient]
        + rng.normal(-1, 0.5, 40)[patient] * session
        + 0.5 * frame["x"]
        + rng.normal(0, 1, 240)
        + rng.normal(0, 1, 6)[frame["rater"]]
    )
    frame["known"] = 0.3 * frame["session"]
    frame["w"] = rng.uniform(0.5, 2, 240)
    return frame


def fitted(data: pd.DataFrame, formula: str, **options: object) -> Any:
    return ak.mixed(formula, data, **options)


def test_one_factor_is_handed_over_with_its_correlated_columns(data: pd.DataFrame) -> None:
    plan = make_plan(fitted(data, "y ~ x + (1 + session | patient)"))
    assert plan.Z is not None
    assert plan.Z.shape == (240, 2)
    assert plan.components == ()
    assert plan.codes.max() == 39


def test_uncorrelated_effects_are_components(data: pd.DataFrame) -> None:
    plan = make_plan(fitted(data, "y ~ x + (1 + session || patient)"))
    assert plan.Z is None
    assert [(c.group, c.place, c.codes) for c in plan.components] == [("patient", 0, None), ("patient", 1, None)]


def test_nested_intercepts_are_components_inside_the_outer_factor(data: pd.DataFrame) -> None:
    plan = make_plan(fitted(data, "y ~ x + (1 | therapist) + (1 | patient)"))
    assert plan.codes.max() == 7
    assert [c.group for c in plan.components] == ["patient"]
    assert plan.group == "therapist"


def test_crossed_intercepts_make_all_rows_one_unit(data: pd.DataFrame) -> None:
    plan = make_plan(fitted(data, "y ~ x + (1 | patient) + (1 | rater) + (1 | therapist)"))
    assert plan.codes.max() == 0
    assert [c.group for c in plan.components] == ["patient", "rater", "therapist"]


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x + session + (1 | patient) + (1 | rater)",
        "y ~ x + session + (1 | rater) + (1 | therapist/patient)",
        "y ~ x + session + (1 + session || patient) + (1 | rater)",
        "y ~ x + (1 | patient) + offset(known)",
    ],
)
def test_both_peers_agree_on_what_they_are_told(data: pd.DataFrame, formula: str) -> None:
    result = ak.crosscheck(fitted(data, formula))
    assert set(result.tidy()["colour"]) == {"green"}, result.glance().to_string()
    assert result.glance()["below_optimum"].max() < 1e-3


def test_covariances_come_back_in_our_order(data: pd.DataFrame) -> None:
    fit = fitted(data, "y ~ x + (1 + session || patient) + (1 | rater)")
    answer = fit_statsmodels(fit)
    ours = fit.covariances()
    assert answer.covariances is not None
    for group, matrix in answer.covariances.items():
        assert np.allclose(matrix, ours[group], rtol=0.01, atol=0.01), group
    assert answer.sigma2 == pytest.approx(fit.sigma**2, rel=1e-3)
    assert answer.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)


@pytest.mark.parametrize(
    ("formula", "options", "reason"),
    [
        (
            "y ~ x + (1 | therapist) + (1 + session | patient)",
            {},
            "no correlated random slope of patient inside therapist",
        ),
        (
            "y ~ x + (1 + session | patient) + (1 | rater)",
            {},
            "no correlated effects of several factors (patient and rater)",
        ),
        ("y ~ x + (1 | patient)", {"weights": "w"}, "no prior weights"),
    ],
)
def test_what_cannot_be_said_has_a_reason(data: pd.DataFrame, formula: str, options: dict, reason: str) -> None:
    answer = fit_statsmodels(fitted(data, formula, **options))
    assert answer.status == "not expressible"
    assert reason in answer.note


def test_a_dense_matrix_that_would_be_too_large_is_not_made(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statsmodels_mixed, "LARGEST", 240 * 46 - 1)
    answer = fit_statsmodels(fitted(data, "y ~ x + (1 | patient) + (1 | rater)"))
    assert answer.status == "not expressible"
    assert "240 rows x 46 units for patient and rater: too large" in answer.note


class Panic(BaseException):
    """What a panic in Rust looks like to Python."""


@pytest.mark.parametrize("failure", [ValueError("no\nmore"), Panic("at line 7"), ZeroDivisionError()])
def test_a_failing_peer_is_a_row_and_no_error(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(mixedlm_peer, "_answer", fail)
    monkeypatch.setattr(statsmodels_mixed.Plan, "model", fail)
    result = ak.crosscheck(fitted(data, "y ~ x + (1 | patient)"))
    engines = result.glance()
    assert engines["colour"].tolist() == ["failed"] * 3
    assert set(result.tidy()["colour"]) == {"failed"}
    assert all(note.startswith(type(failure).__name__) for note in engines["note"])
    assert not result.agrees
    assert "gave no answer" in ak.sentence(result).text
    assert len(ak.table(result).data) == 6


def test_stopping_on_purpose_is_not_swallowed() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(stop)


def test_warnings_of_a_peer_are_kept_by_kind_and_not_passed_on() -> None:
    import warnings

    def call() -> int:
        warnings.warn("at 0x7f3a", UserWarning, stacklevel=1)
        warnings.warn("again", DeprecationWarning, stacklevel=1)
        return 3

    found = attempt(call)
    assert (found.value, found.error, found.note) == (3, "", "warned: DeprecationWarning, UserWarning")


def test_standard_errors_that_a_peer_cannot_compute_are_missing_without_a_warning(data: pd.DataFrame) -> None:
    # A variance at zero: statsmodels' information matrix has a negative diagonal there.
    rng = np.random.default_rng(3)
    noise = rng.normal(size=240)
    flat = data.assign(y=noise - 0.9 * pd.Series(noise).groupby(data["therapist"]).transform("mean").to_numpy())
    with pytest.warns(ak.BoundaryWarning):
        fit = fitted(flat, "y ~ x + (1 | therapist)")
    table = ak.crosscheck(fit, peers=["statsmodels"]).tidy()
    assert np.isfinite(table["difference_in_se"]).all()
    assert "failed" not in set(table["colour"])


def test_a_second_run_says_the_same(data: pd.DataFrame) -> None:
    fit = fitted(data, "y ~ x + session + (1 | patient)")
    first, second = ak.crosscheck(fit), ak.crosscheck(fit)
    pd.testing.assert_frame_equal(first.tidy(), second.tidy(), check_exact=True)
    assert repr(first) == repr(second)


@pytest.mark.parametrize(
    ("difference", "gap", "word"),
    [
        (0.0099, 0.0, "green"),
        (0.0101, 0.0, "amber"),
        (0.0999, 0.0, "amber"),
        (0.1001, 0.0, "red"),
        (0.1001, float("nan"), "red"),
        (0.5, 0.002, "stopped below optimum"),
        (0.5, 0.0005, "red"),
        (0.0, 0.2, "stopped below optimum"),
    ],
)
def test_verdicts(difference: float, gap: float, word: str) -> None:
    assert judge(difference, gap) == word


def test_unknown_peers_are_refused_for_every_kind_of_result(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"patient": range(60), "a": rng.normal(size=60), "b": rng.normal(size=60)})
    frame["y"] = frame["a"] + rng.normal(size=60)
    steps = ak.incremental_validity(frame, "y", {"A": ["a"], "B": ["b"]}, bootstrap=0, seed=1)
    with pytest.raises(ak.SpecError, match="peers='lme4' is not an option"):
        ak.crosscheck(steps, peers=["lme4"])
    table = ak.crosscheck(steps).tidy()
    assert set(table["colour"]) == {"green"}
    assert table["engine"].str.startswith("pingouin").all()
