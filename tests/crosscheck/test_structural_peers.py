"""Structural models beside semopy, on what it can do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.peers import semopy_peer
from alliancekit.peers.semopy_peer import beyond_semopy, gap_to, semopy_answer
from alliancekit.peers.verdict import PeerEstimate

MODEL = "bond =~ w1 + w2 + w3\ntask =~ w4 + w5 + w6"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    factors = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 400)
    frame = pd.DataFrame(
        np.repeat(factors, 3, axis=1) + rng.normal(size=(400, 6)), columns=[f"w{i}" for i in range(1, 7)]
    )
    return frame.assign(
        post=0.4 * factors[:, 0] + rng.normal(size=400),
        pre=rng.normal(size=400),
        half=np.repeat(["a", "b"], 200),
    )


@pytest.mark.option("crosscheck", "semopy 2.3.11")
@pytest.mark.parametrize("extra", ["", "\nw1 ~~ w4", "\npost ~ bond + pre", "\nbond ~~ 0*task"])
def test_semopy_agrees_to_a_hundredth_or_two_of_a_standard_error(data: pd.DataFrame, extra: str) -> None:
    fit = ak.sem(MODEL + extra, data)
    answer, gap = semopy_answer(fit)
    assert 0 <= gap < 1e-3
    found = ak.crosscheck(fit).tidy()
    assert len(found) == (fit.tidy()["std_error"] > 0).sum()
    assert (found["difference_in_se"] < 0.03).all()
    assert set(found["colour"]) <= {"green", "amber"}
    assert answer.status == ""


@pytest.mark.parametrize("estimator", ["GLS", "ULS"])
@pytest.mark.parametrize("extra", ["", "\nw1 ~~ w4", "\npost ~ bond + pre"])
def test_semopy_agrees_by_least_squares(data: pd.DataFrame, estimator: str, extra: str) -> None:
    fit = ak.sem(MODEL + extra, data, estimator=estimator)
    answer, gap = semopy_answer(fit)
    assert 0 <= gap < 1e-3
    assert "normal data" in answer.other_errors
    found = ak.crosscheck(fit)
    assert (found.tidy()["difference_in_se"] < 0.03).all() and found.agrees


EQUAL = [
    "bond =~ w1 + a*w2 + a*w3\ntask =~ w4 + b*w5 + b*w6",
    MODEL + "\nw1 ~~ v*w1\nw2 ~~ v*w2\nw4 ~~ u*w4\nw5 ~~ u*w5",
]


@pytest.mark.parametrize("model", [*EQUAL, "post ~ a*w1 + a*w4\nw4 ~ w1\nboth := a*a"])
def test_semopy_agrees_on_equal_parameters(data: pd.DataFrame, model: str) -> None:
    found = ak.crosscheck(ak.sem(model, data))
    assert (found.tidy()["difference_in_se"] < 0.05).all() and found.agrees


def test_robust_errors_are_not_compared_with_those_of_normal_data(data: pd.DataFrame) -> None:
    found = ak.crosscheck(ak.cfa(MODEL, data, estimator="MLR"))
    assert "normal data" in found.glance()["other_errors"].item()
    assert found.agrees


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"group": "half"}, "several groups"),
        ({"missing": "fiml"}, "missing"),
        ({"estimator": "WLS"}, "estimator WLS"),
        ({"std_lv": True}, "no loading"),
    ],
)
def test_what_semopy_cannot_say_is_said(data: pd.DataFrame, options: dict[str, object], word: str) -> None:
    holes = data.mask(np.arange(len(data))[:, None] == np.arange(data.shape[1])) if "missing" in options else data
    fit = ak.cfa(MODEL, holes, **options)
    assert word in beyond_semopy(fit)
    found = ak.crosscheck(fit)
    assert found.glance()["colour"].item() == "not expressible"
    assert len(repr(found).splitlines()) == 1 and word in repr(found)


@pytest.mark.parametrize(("model", "se"), [(MODEL, "none"), ("bond =~ w1 + w2", "standard")])
@pytest.mark.filterwarnings("ignore::alliancekit.core.errors.ConvergenceWarning")
def test_a_fit_without_standard_errors_is_beyond_comparison(data: pd.DataFrame, model: str, se: str) -> None:
    found = ak.crosscheck(ak.cfa(model, data, se=se))
    assert set(found.tidy()["colour"]) == {"not expressible"} and not found.agrees
    assert "no standard errors" in repr(found)


def test_full_information_of_complete_rows_is_comparable(data: pd.DataFrame) -> None:
    found = ak.crosscheck(ak.cfa(MODEL, data, missing="fiml"))
    assert found.agrees and found.glance()["other_errors"].item()


@pytest.mark.parametrize("line", ["w2 == 2*w3", "w2 > 0.1", "w2 == w3^2"])
def test_other_constraints_are_beyond_it(data: pd.DataFrame, line: str) -> None:
    model = "bond =~ w1 + a*w2 + b*w3\n" + line.replace("w2", "a").replace("w3", "b")
    found = ak.crosscheck(ak.cfa(model, data))
    assert found.glance()["colour"].item() == "not expressible"
    assert "constraints" in found.glance()["note"].item()


def test_uls_that_weighs_variances_otherwise_is_beyond_it(data: pd.DataFrame) -> None:
    fit = ak.cfa(EQUAL[1], data, estimator="ULS")
    assert "counts a covariance twice" in beyond_semopy(fit)


def test_estimates_below_the_optimum_are_told_from_differences(
    data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = ak.cfa(MODEL, data)
    moved = {row["term"]: row["estimate"] * 1.3 for row in fit.tidy().to_dict("records")}
    wrong = PeerEstimate("semopy", moved, {})
    assert gap_to(fit, wrong) > 1
    monkeypatch.setattr(semopy_peer, "fit_semopy", lambda f: wrong)
    assert ak.crosscheck(fit).glance()["colour"].item() == "stopped below optimum"


def test_a_failing_peer_does_not_raise(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fit: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(semopy_peer, "_answer", fail)
    found = ak.crosscheck(ak.cfa(MODEL, data)).glance()
    assert found["colour"].item() == "failed"
    assert "ValueError" in found["note"].item()
