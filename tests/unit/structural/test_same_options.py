"""ak.sem and ak.growth hand on every option of ak.cfa: the same model by each gives the same answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

pytestmark = [
    pytest.mark.option("sem.estimator", "ak.cfa"),
    pytest.mark.option("growth.estimator", "ak.sem"),
    pytest.mark.option("sem.missing", "ak.cfa"),
    pytest.mark.option("growth.missing", "ak.sem"),
    pytest.mark.option("sem.se", "ak.cfa"),
    pytest.mark.option("growth.se", "ak.sem"),
    pytest.mark.option("sem.test", "ak.cfa"),
    pytest.mark.option("growth.test", "ak.sem"),
    pytest.mark.option("sem.information", "ak.cfa"),
    pytest.mark.option("growth.information", "ak.sem"),
    pytest.mark.option("sem.observed_information", "ak.cfa"),
    pytest.mark.option("growth.observed_information", "ak.sem"),
    pytest.mark.option("sem.h1_information", "ak.cfa"),
    pytest.mark.option("growth.h1_information", "ak.sem"),
    pytest.mark.option("sem.likelihood", "ak.cfa"),
    pytest.mark.option("growth.likelihood", "ak.sem"),
    pytest.mark.option("sem.group", "ak.cfa"),
    pytest.mark.option("growth.group", "ak.sem"),
    pytest.mark.option("sem.group_equal", "ak.cfa"),
    pytest.mark.option("growth.group_equal", "ak.sem"),
    pytest.mark.option("sem.group_partial", "ak.cfa"),
    pytest.mark.option("growth.group_partial", "ak.sem"),
    pytest.mark.option("sem.cluster", "ak.cfa"),
    pytest.mark.option("growth.cluster", "ak.sem"),
    pytest.mark.option("sem.auxiliary", "ak.cfa"),
    pytest.mark.option("growth.auxiliary", "ak.sem"),
    pytest.mark.option("sem.std_lv", "ak.cfa"),
    pytest.mark.option("growth.std_lv", "ak.sem"),
    pytest.mark.option("sem.orthogonal", "ak.cfa"),
    pytest.mark.option("growth.orthogonal", "ak.sem"),
    pytest.mark.option("sem.meanstructure", "ak.cfa"),
    pytest.mark.option("growth.meanstructure", "ak.sem"),
    pytest.mark.option("sem.fixed_x", "ak.cfa"),
    pytest.mark.option("growth.fixed_x", "ak.sem"),
    pytest.mark.option("sem.effect_coding", "ak.cfa"),
    pytest.mark.option("growth.effect_coding", "ak.sem"),
    pytest.mark.option("sem.bounds", "ak.cfa"),
    pytest.mark.option("growth.bounds", "ak.sem"),
    pytest.mark.option("sem.bootstrap", "ak.cfa"),
    pytest.mark.option("growth.bootstrap", "ak.sem"),
    pytest.mark.option("sem.seed", "ak.cfa"),
    pytest.mark.option("growth.seed", "ak.sem"),
    pytest.mark.option("sem.sample_cov", "ak.cfa"),
    pytest.mark.option("growth.sample_cov", "ak.sem"),
    pytest.mark.option("sem.sample_mean", "ak.cfa"),
    pytest.mark.option("growth.sample_mean", "ak.sem"),
    pytest.mark.option("sem.sample_nobs", "ak.cfa"),
    pytest.mark.option("growth.sample_nobs", "ak.sem"),
    pytest.mark.option("cfa.likelihood", "rescaled covariances"),
    pytest.mark.option("cfa.bootstrap", "ak.sem"),
    pytest.mark.option("cfa.seed", "ak.sem"),
]
FACTOR = "f =~ y1 + y2 + y3 + y4\ng =~ z1 + z2 + z3"
LINE = "i =~ 1*y1 + 1*y2 + 1*y3 + 1*y4\ns =~ 0*y1 + 1*y2 + 2*y3 + 3*y4\ni ~ x"
SAME_LINE = f"{LINE}\ni + s ~ 1\ny1 + y2 + y3 + y4 ~ 0"
OPTIONS: dict[str, dict[str, Any]] = {
    "estimator": {"estimator": "MLR"},
    "missing": {"missing": "fiml"},
    "se": {"se": "robust"},
    "test": {"test": "satorra.bentler"},
    "information": {"information": "observed"},
    "observed_information": {"information": "observed", "observed_information": "h1"},
    "h1_information": {"h1_information": "unstructured"},
    "likelihood": {"likelihood": "wishart"},
    "group": {"group": "site"},
    "group_equal": {"group": "site", "group_equal": ["loadings", "lv.variances"]},
    "group_partial": {"group": "site", "group_equal": "lv.variances", "group_partial": "s ~~ s"},
    "cluster": {"cluster": "ward"},
    "auxiliary": {"missing": "fiml", "auxiliary": "w"},
    "std_lv": {"std_lv": True},
    "orthogonal": {"orthogonal": True},
    "meanstructure": {"meanstructure": True},
    "fixed_x": {"fixed_x": False},
    "effect_coding": {"effect_coding": True, "meanstructure": True},
    "bounds": {"bounds": "pos.var"},
    "bootstrap": {"se": "bootstrap", "bootstrap": 20, "seed": 5},
    "seed": {"se": "bootstrap", "bootstrap": 20, "seed": 6},
}


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20240703)
    x, level, slope = rng.normal(size=(3, 400))
    level = level + 0.5 * x
    other = 0.4 * level + rng.normal(size=400)
    frame = pd.DataFrame({f"y{t + 1}": 5 + level + t * (0.4 + 0.3 * slope) + rng.normal(size=400) for t in range(4)})
    for k in (1, 2, 3):
        frame[f"z{k}"] = 0.8 * other + rng.normal(size=400)
    frame["w"] = frame["y4"] + rng.normal(size=400)
    return frame.assign(x=x, site=np.repeat(["north", "south"], 200), ward=np.arange(400) % 40)


def same(one: Any, other: Any, terms: int) -> None:
    """Assert that two fits have the same test and, as far as both list them, the same parameters."""
    left, right = one.tidy().set_index(["term", *(["group"] if len(one.table.group_labels) > 1 else [])]), other.tidy()
    right = right.set_index(left.index.names).loc[left.index]
    assert len(left) >= terms
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(left[column], right[column], rtol=2e-4, atol=2e-5)
    ours, theirs = one.fit_measures(), other.fit_measures()
    for name in ("chisq", "df", "chisq_scaled", "npar"):
        if name in ours:
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("option", OPTIONS)
def test_sem_is_cfa_for_factor_models(option: str) -> None:
    given = dict(OPTIONS[option])
    if "group_partial" in given:
        given["group_partial"] = "f ~~ f"
    same(ak.sem(FACTOR, data(), **given), ak.cfa(FACTOR, data(), **given), 10)


@pytest.mark.parametrize("option", [name for name in OPTIONS if name not in ("std_lv", "effect_coding")])
def test_growth_is_sem_with_means_of_latent_variables(option: str) -> None:
    given = OPTIONS[option]
    means = SAME_LINE if option != "fixed_x" else f"{SAME_LINE}\nx ~ 0"  # growth: observed means are zero
    same(ak.growth(LINE, data(), **given), ak.sem(means, data(), **given), 15)


def test_scales_of_growth_models() -> None:
    free = LINE.replace("1*y1 + 1*y2", "y1 + y2")
    std = ak.growth(free, data(), std_lv=True).table
    assert std.start[std.find("i", "~~", "i")] == 1.0
    assert std.free[std.find("i", "=~", "y1")] > 0
    coded = ak.parameter_table("i =~ y1 + y2 + y3", "growth", effect_coding="loadings")
    assert coded.rhs[-1] == "3-.p2.-.p3."


@pytest.mark.parametrize("function", [ak.sem, ak.growth])
def test_moments_are_what_the_rows_say(function: Any) -> None:
    model = FACTOR if function is ak.sem else LINE.replace("\ni ~ x", "")
    frame = data()[["y1", "y2", "y3", "y4", "z1", "z2", "z3"]]
    given = {"meanstructure": True}
    moments = function(model, sample_cov=frame.cov(), sample_mean=frame.mean(), sample_nobs=400, **given)
    same(moments, function(model, frame, **given), 10)


def test_the_wishart_likelihood_is_that_of_covariances_with_divisor_n_less_one() -> None:
    frame = data()[["y1", "y2", "y3", "y4"]]
    model = "f =~ y1 + y2 + y3 + y4"
    wishart = ak.cfa(model, frame, likelihood="wishart")
    normal = ak.cfa(model, sample_cov=frame.cov() * 400 / 399, sample_nobs=400)
    np.testing.assert_allclose(wishart.tidy()["estimate"], normal.tidy()["estimate"], rtol=1e-5, atol=1e-7)
    ratio = wishart.fit_measures()["chisq"] / normal.fit_measures()["chisq"]
    assert ratio == pytest.approx(399 / 400, rel=1e-6)
