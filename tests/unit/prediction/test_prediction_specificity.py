"""The verdict on the focus: rules, data with known truth, and the sentence each verdict gets."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.prediction.specificity import VERDICTS, Bounded, judge

YES, NO = Bounded(0.08, 0.03, 0.14, 0.001), Bounded(0.001, 0.0, 0.02, 0.6)
SHRUNK, OPEN = Bounded(-0.28, -0.40, -0.16), Bounded(-0.10, -0.40, 0.20)


@pytest.mark.parametrize(
    ("base", "everything", "slopes", "drop", "rivals", "verdict"),
    [
        (YES, YES, (-0.3, -0.25), OPEN, 2, "specific"),
        (YES, NO, (-0.3, -0.02), SHRUNK, 2, "not specific"),
        (YES, NO, (-0.3, -0.20), OPEN, 2, "not distinguishable"),
        (YES, YES, (-0.3, -0.10), SHRUNK, 2, "not specific"),
        (YES, YES, (-0.3, -0.10), OPEN, 2, "not distinguishable"),
        (YES, NO, (-0.3, -0.20), SHRUNK, 2, "not distinguishable"),
        (YES, NO, (0.3, 0.02), Bounded(0.28, 0.16, 0.40), 2, "not specific"),
        (YES, NO, (0.3, 0.35), Bounded(-0.05, -0.10, -0.01), 2, "not distinguishable"),
        (YES, YES, (-0.3, 0.25), SHRUNK, 2, "not distinguishable"),
        (YES, YES, (-0.3, -0.3), Bounded(0.0, 0.0, 0.0), 0, "not distinguishable"),
        (NO, YES, (-0.05, -0.4), OPEN, 2, "no increment"),
        (NO, NO, (-0.05, -0.01), OPEN, 2, "no increment"),
        (YES, NO, (-0.3, -0.02), Bounded(-0.28, np.nan, np.nan), 2, "not distinguishable"),
    ],
)
def test_rules(base: Any, everything: Any, slopes: Any, drop: Any, rivals: int, verdict: str) -> None:
    found = judge(
        base=base,
        everything=everything,
        slope_base=slopes[0],
        slope_all=slopes[1],
        drop=drop,
        rivals=rivals,
        level=0.95,
    )
    assert found == verdict
    assert found in VERDICTS


def analyse(df: Any, steps: Any, approach: str = "random", resamples: int = 500) -> Any:
    return ak.incremental_validity(
        df, "pcl", steps, focus="task", therapist="therapist", approach=approach, bootstrap=resamples
    )


@pytest.mark.parametrize("approach", ["ols", "robust", "random"])
def test_the_true_effect_is_specific(make_data: Any, steps: Any, approach: str) -> None:
    found = analyse(make_data(2500, 60), steps, approach)
    assert found.specificity.verdict == "specific"
    text = ak.sentence(found).text
    assert "still did so with bond and goal in the model" in text
    assert "its own" in text


@pytest.mark.option("incremental_validity(focus)", "recovery")
@pytest.mark.parametrize("approach", ["ols", "robust", "random"])
def test_the_trap_is_not_specific(make_data: Any, steps: Any, approach: str) -> None:
    found = analyse(make_data(2500, 60, "trap"), steps, approach)
    specificity = found.specificity
    assert specificity.verdict == "not specific"
    assert specificity.delta_r2_base.p_value < 0.001
    assert specificity.delta_r2_all.p_value > 0.05
    assert specificity.delta_r2_base.estimate == pytest.approx(0.0233, abs=0.012)
    assert abs(specificity.delta_r2_all.estimate) < 0.002
    text = ak.sentence(found).text
    assert "not specific to task" in text
    assert "its own" not in text


def verdicts(make_data: Any, steps: Any, slopes: str, n: int, therapists: int, runs: int) -> list[Any]:
    """Return the analyses of ``runs`` samples, seeds 0, 1, 2 ..."""
    samples = (make_data(n, therapists, slopes, seed=seed) for seed in range(runs))
    return [analyse(df, steps, "ols", resamples=100) for df in samples]


def test_the_null_says_the_opposite_of_the_truth(make_data: Any, steps: Any) -> None:
    found = verdicts(make_data, steps, "null", 400, 40, 100)
    quiet = [f for f in found if f.specificity.verdict == "no increment"]
    # The exact binomial 99.9% interval of 100 samples at a significance level of .05 (one therapist variance of .05
    # that least squares ignores is harmless here: task varies within therapists).
    assert 87 <= len(quiet) <= 100
    assert "Task did not add to the prediction of pcl beyond severity" in ak.sentence(quiet[0]).text
    true = analyse(make_data(2500, 60), steps)
    assert "Task added to the prediction of pcl beyond severity" in ak.sentence(true).text


def test_a_trial_of_120_mostly_cannot_tell(make_data: Any, steps: Any) -> None:
    found = verdicts(make_data, steps, "true", 120, 20, 60)
    undecided = [f for f in found if f.specificity.verdict == "not distinguishable"]
    # The unique increment of .014 is found in about one sample of three.
    assert 30 <= len(undecided) <= 52
    text = ak.sentence(undecided[0]).text
    assert "cannot tell whether it is task that matters" in text
    assert f"VIF = {undecided[0].specificity.vif:.1f}" in text


def test_early_change_is_a_rival(make_data: Any, steps: Any) -> None:
    df = make_data(2500, 60)
    rng = np.random.default_rng(2)
    change = 0.9 * df["task"] + 0.3 * rng.normal(size=len(df))
    df = df.assign(early=change, pcl=50 + 6 * df["severity"] - 3 * change + 8 * rng.normal(size=len(df)))
    found = analyse(df, {**steps, "early change": ["early"]}, "ols")
    assert found.specificity.rivals == ("bond", "goal", "early")
    assert found.specificity.verdict == "not specific"


@pytest.mark.parametrize(
    ("everything", "drop", "words"),
    [
        (NO, OPEN, "nor its standardised slope from what it was before"),
        (NO, SHRUNK, "kept more than half of its size"),
        (YES, OPEN, "something of it was left"),
    ],
)
def test_the_undecided_sentence_says_only_what_was_seen(
    make_data: Any, steps: Any, everything: Any, drop: Any, words: str
) -> None:
    found = analyse(make_data(120, 20), steps, "ols", 100).specificity
    changed = dataclasses.replace(
        found, verdict="not distinguishable", delta_r2_base=YES, delta_r2_all=everything, slope_drop=drop
    )
    assert words in ak.sentence(changed).text


def test_suppression_is_said(make_data: Any) -> None:
    df = make_data(800, 40, "null")
    beta = 5.0
    df = df.assign(pcl=df["pcl"] + beta * (df["goal"] - 0.85 * df["task"] - 0.03 * df["severity"]))
    found = analyse(df, {"severity": ["severity"], "task": ["task"], "goal": ["goal"]}, "ols")
    assert found.specificity.verdict == "no increment"
    assert found.specificity.suppressed
    assert "suppressor pattern" in ak.sentence(found).text


def test_without_rivals_nothing_is_shown_to_be_special(make_data: Any) -> None:
    found = analyse(make_data(400, 40), {"severity": ["severity"], "task": ["task"]}, "ols")
    assert found.specificity.verdict == "not distinguishable"
    assert "No rival of task is in the model" in ak.sentence(found).text
    assert len(found.specificity.correlations) == 0
    assert ak.table(found.specificity).data["estimate"].notna().all()


def test_rivals_in_the_same_step(make_data: Any) -> None:
    steps = {"severity": ["severity"], "alliance": ["task", "bond", "goal"]}
    found = analyse(make_data(400, 40), steps, "ols")
    assert found.specificity.base == ("severity",)
    assert found.specificity.rivals == ("bond", "goal")
    together = analyse(make_data(400, 40), {"s": ["severity"], "t": ["task"], "b": ["bond", "goal"]}, "ols")
    assert found.specificity.delta_r2_base.estimate == pytest.approx(together.tidy().loc[1, "delta_r2"])


def test_rivals_measured_badly_do_not_make_a_scale_special(make_data: Any, steps: Any) -> None:
    df = make_data(6000, 100, "trap", seed=3)
    rng = np.random.default_rng(4)
    noisy = df.assign(**{name: df[name] + 0.5 * rng.normal(size=len(df)) for name in ("bond", "goal")})
    specificity = analyse(noisy, steps, "ols").specificity
    assert specificity.delta_r2_all.p_value < 0.05
    assert specificity.verdict == "not specific"
    text = ak.sentence(specificity).text
    assert "but little of it was left once bond and goal were in the model" in text
    assert "Most of the increment over severity is therefore not specific to task" in text


def test_a_step_name_may_stand_for_its_only_predictor(make_data: Any) -> None:
    steps = {"severity": ["severity"], "Aufgaben": ["task"]}
    found = ak.incremental_validity(make_data(100, 10), "pcl", steps, focus="Aufgaben", bootstrap=0)
    assert found.focus == "task"


def test_correlations_with_rivals(make_data: Any, steps: Any) -> None:
    df = make_data(300, 30)
    table = analyse(df, steps, "ols").specificity.correlations.set_index("rival")
    assert table.loc["goal", "r"] == pytest.approx(df["task"].corr(df["goal"]))
    half = 1.959963984540054 / np.sqrt(297)
    assert table.loc["goal", "conf_low"] == pytest.approx(np.tanh(np.arctanh(table.loc["goal", "r"]) - half))
