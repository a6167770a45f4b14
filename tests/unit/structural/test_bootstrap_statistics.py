"""Bootstrap of statistics of a fit, in parallel, and limits with acceleration."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.intervals import accelerations, summary
from tests.unit.structural.test_bootstrap import MEDIATION
from tests.unit.structural.test_moment_models import THREE, answers
from tests.unit.structural.test_rotation import MODEL, people

ONE = "f =~ w1 + w2 + w3 + w4"


@pytest.mark.option("StructuralFit.bootstrap.executor", "the same replicates")
@pytest.mark.option("StructuralFit.bootstrap.workers", "the same replicates")
def test_processes_give_the_same_samples_to_the_last_bit() -> None:
    frame = answers(300).assign(ward=np.arange(300) % 60)
    nested = answers(300).drop(columns="site") + np.random.default_rng(1).normal(size=(60, 1))[frame["ward"]]
    gaps = frame.mask(frame == frame["w1"].max())
    coded = frame.assign(**{f"w{k}": np.digitize(frame[f"w{k}"], [2.5, 3.5]) for k in range(1, 5)})
    cases: list[tuple[str, pd.DataFrame, dict[str, Any], int]] = [
        (THREE, frame, {}, 300),
        (THREE, gaps, {"missing": "fiml"}, 300),
        (ONE, frame, {"estimator": "WLS"}, 24),
        (ONE, coded, {"ordered": True}, 24),
        (
            f"level: 1\n{ONE}\nlevel: 2\n{ONE.replace('f', 'g')}",
            nested.assign(ward=frame["ward"]),
            {"cluster": "ward"},
            24,
        ),
        (MODEL, people(300), {}, 300),
    ]
    for model, data, options, n in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few clusters
            fit = ak.cfa(model, data, **options)
        one, two = fit.bootstrap(n, seed=3), fit.bootstrap(n, seed=3, executor="joblib", workers=2)
        np.testing.assert_array_equal(one.replicates, two.replicates)
    fit = ak.cfa(ONE, frame)
    one, two = (fit.bootstrap(12, seed=3, statistic="r2", executor=word) for word in ("serial", "joblib"))
    np.testing.assert_array_equal(one.replicates, two.replicates)
    with pytest.raises(ak.SpecError, match="joblib"):
        fit.bootstrap(12, executor="joblip")


@pytest.mark.parametrize("executor", ["serial", "joblib"])
def test_an_interrupt_ends_the_bootstrap_and_leaves_the_fit(executor: str) -> None:
    code = f"""
        import os, signal, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may begin without one
        import alliancekit as ak
        from tests.unit.structural.test_moment_models import answers
        fit = ak.cfa("f =~ w1 + w2 + w3 + w4", answers(), estimator="DWLS")
        first = fit.bootstrap(4, seed=1, executor="{executor}").replicates
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            fit.bootstrap(10**6, seed=1, executor="{executor}")
        except KeyboardInterrupt:
            again = fit.bootstrap(4, seed=1, executor="{executor}").replicates
            print("ended", bool((again == first).all()))
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 0 and done.returncode != -signal.SIGINT, done.stderr
    assert done.stdout.split() == ["ended", "True"]


def test_a_statistic_is_that_of_the_fit_of_each_sample() -> None:
    frame = answers(250)
    fit = ak.cfa(THREE, frame, group="site", estimator="MLR")
    parts = [frame[frame["site"] == s] for s in fit.table.group_labels]
    words = ("fit_measures", "standardized", "r2", "reliability")
    found = {word: fit.bootstrap(2, seed=5, statistic=word) for word in words}
    for r, source in enumerate(spawn(5, 2)):
        rng = np.random.default_rng(source)
        rows = pd.concat([part.iloc[rng.integers(0, len(part), len(part))] for part in parts])
        alone = ak.cfa(THREE, rows, group="site", estimator="MLR")
        measures = alone.fit_measures()
        ours = pd.Series(found["fit_measures"].replicates[r], found["fit_measures"].names)
        for name in ("chisq", "cfi", "rmsea", "srmr", "chisq_scaled", "cfi_robust", "aic"):
            assert ours[name] == pytest.approx(measures[name], rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(found["standardized"].replicates[r], alone.standardized()["estimate"], atol=1e-4)
        np.testing.assert_allclose(found["r2"].replicates[r], alone.r2()["r2"], atol=1e-4)
        np.testing.assert_allclose(found["reliability"].replicates[r][:6], alone.reliability()["omega"], atol=1e-4)
    assert found["r2"].names[0] == "w1 (south)"
    assert found["reliability"].names[0] == "omega bond (south)"


def test_functions_return_numbers_in_several_forms() -> None:
    fit = ak.cfa(ONE, answers(200))
    omega = fit.bootstrap(30, seed=2, statistic=lambda one: one.reliability()["omega"].item())
    assert omega.names == ("statistic",)
    assert omega.estimates[0] == pytest.approx(fit.reliability()["omega"].item())
    pair = fit.bootstrap(5, seed=2, statistic=lambda one: one.reliability()[["omega", "alpha"]].iloc[0].tolist())
    assert pair.names == ("statistic 1", "statistic 2")
    named = fit.bootstrap(5, seed=2, statistic=lambda one: {"rmsea": one.fit_measures()["rmsea"]})
    assert named.names == ("rmsea",) and named.replicates.shape == (5, 1)
    limits = omega.tidy("bca")
    assert limits["conf_low"].item() < omega.estimates[0] < limits["conf_high"].item()
    plain = fit.bootstrap(30, seed=2)
    same = fit.bootstrap(30, seed=2, statistic=lambda one: dict(zip(plain.names, one._fit.x, strict=True)))
    np.testing.assert_allclose(same.replicates, plain.replicates, atol=2e-4)
    np.testing.assert_allclose(same.acceleration, plain.acceleration, atol=2e-4)


def test_statistics_of_rotated_factors_keep_their_places() -> None:
    fit = ak.cfa(MODEL, people(300), rotation="oblimin")
    whole = fit.bootstrap(6, seed=2, statistic=lambda one: dict(zip(one.table.names(), one._fit.x, strict=True)))
    np.testing.assert_allclose(whole.replicates, fit.bootstrap(6, seed=2).replicates, atol=1e-3)
    found = fit.bootstrap(100, seed=2, statistic="standardized").tidy().set_index("term")
    exact = fit.standardized()
    exact.index = exact["lhs"] + exact["op"] + exact["rhs"]
    loads = exact["op"] == "=~"
    np.testing.assert_allclose(found["std_error"][loads], exact["std_error"][loads], rtol=0.4)


def test_statistics_of_samples_from_the_model() -> None:
    frame = answers(300)
    fit = ak.cfa(THREE, frame)
    drawn = fit.bootstrap(60, seed=4, kind="parametric", statistic="fit_measures")
    chisq = drawn.replicates[:, drawn.names.index("chisq")]
    assert abs(chisq.mean() / fit.fit_measures()["df"] - 1) < 0.15
    with pytest.raises(ak.SpecError, match=r"bca\.simple"):
        drawn.tidy("bca")
    assert drawn.tidy("bca.simple")["conf_low"].notna().any()


def test_what_is_no_statistic_is_refused() -> None:
    fit = ak.cfa(ONE, answers(200))
    with pytest.raises(ak.SpecError, match="Did you mean statistic='reliability'"):
        fit.bootstrap(5, statistic="reliabilty")
    with pytest.raises(ak.SpecError, match="neither a word nor a function"):
        fit.bootstrap(5, statistic=3)
    with pytest.raises(ak.SpecError, match="not numbers"):
        fit.bootstrap(5, statistic=lambda one: one.table)
    with pytest.raises(ak.SpecError, match="number of samples"):
        fit.bootstrap(1, statistic="r2")


def test_the_acceleration_of_means_is_a_sixth_of_their_skewness() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"y": rng.exponential(size=60), "x": rng.normal(size=60), "g": ["a"] * 20 + ["b"] * 40})
    fit = ak.sem("y ~ c(m, n)*1\nx ~ 1\ngap := m - n", frame, group="g", meanstructure=True)
    found = fit.bootstrap(50, seed=1)
    pulls = []
    for sign, label in ((1.0, "a"), (-1.0, "b")):
        own = frame.loc[frame["g"] == label, "y"].to_numpy()
        pulls.append(sign * (own - own.mean()) / len(own))
        at = found.names.index("m" if label == "a" else "n")
        expected = (pulls[-1] ** 3).sum() / (6 * (pulls[-1] ** 2).sum() ** 1.5) * sign
        assert found.acceleration[at] == pytest.approx(expected, rel=1e-5)
    both = np.concatenate(pulls)
    expected = (both**3).sum() / (6 * (both**2).sum() ** 1.5)
    assert found.acceleration[found.names.index("gap")] == pytest.approx(expected, rel=1e-5)


def test_clusters_are_left_out_whole() -> None:
    rng = np.random.default_rng(3)
    ward = np.repeat(np.arange(25), 4)
    frame = answers(100)[["w1", "w2", "w3"]] + rng.exponential(size=(25, 1))[ward]
    fit = ak.cfa("f =~ w1 + w2 + w3", frame.assign(ward=ward), cluster="ward")
    found = fit.bootstrap(20, seed=1)
    means = frame["w1"].to_numpy().reshape(25, 4).mean(axis=1)
    away = means - means.mean()
    expected = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    assert found.acceleration[found.names.index("w1~1")] == pytest.approx(expected, rel=1e-4)


def test_limits_without_a_correction_have_none() -> None:
    drawn = np.random.default_rng(1).normal(size=999)
    middle = float(np.median(drawn))
    plain = summary(middle, drawn, "percentile", 0.95)
    assert summary(middle, drawn, "bca", 0.95, 0.0)[3:] == pytest.approx(plain[3:], abs=0.02)
    up = summary(middle, drawn, "bca", 0.95, 0.1)
    assert up[3] > plain[3] and up[4] > plain[4]
    assert np.isnan(summary(9.0, drawn, "bca", 0.95, 0.1)[3:]).all()
    assert accelerations([np.ones((5, 2))]).tolist() == [0.0, 0.0]


def test_the_table_of_a_fit_has_limits_with_acceleration() -> None:
    fit = ak.sem(MEDIATION, answers(), se="bootstrap", bootstrap=200, seed=3)
    own = fit.tidy(interval="bca").query("op == ':='").iloc[0]
    given = fit._fit.replicates.tidy("bca").iloc[-1]
    simple = fit.tidy(interval="bca.simple").query("op == ':='").iloc[0]
    assert (own["conf_low"], own["conf_high"]) == (given["conf_low"], given["conf_high"])
    assert (own["conf_low"], own["conf_high"]) != (simple["conf_low"], simple["conf_high"])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: ak.cfa("f =~ w1 + w2 + w3", answers(), se="bootstrap", bootstrap=1.5),
            r"^bootstrap=1\.5 is not a number",
        ),
        (lambda: ak.cfa("f =~ w1 + w2 + w3", answers()).bootstrap(1), "^n=1 is not a number of samples"),
        (
            lambda: ak.cfa("f =~ w1 + w2 + w3", answers()).bootstrap(4, executor="joblib", workers=0),
            "^workers=0 is not",
        ),
        (lambda: ak.cfa("f =~ w1 + w2 + w3", answers()).bootstrap(4, workers="two"), "^workers='two' is not"),
    ],
)
def test_numbers_of_samples_and_of_processes_are_named_as_they_were_given(call: Any, words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        call()
