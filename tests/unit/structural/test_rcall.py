"""The call of lavaan that ``as_r`` writes; each was run in R 4.2 with lavaan 0.6-14 and gave the same chi-square."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

MODEL = "f =~ x1 + x2 + x3 + x4"


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20240701)
    f = rng.normal(size=400)
    frame = pd.DataFrame({f"x{i}": 0.8 * f + rng.normal(size=400) for i in (1, 2, 3, 4, 5)})
    return frame.assign(school=np.repeat(["a", "b"], 200), ward=np.arange(400) % 40)


CALLS: list[tuple[dict[str, Any], str]] = [
    ({}, "cfa(model, data = data)"),
    ({"estimator": "MLR"}, 'cfa(model, data = data, estimator = "MLR")'),
    ({"estimator": "MLM"}, 'cfa(model, data = data, estimator = "MLM")'),
    (
        {"estimator": "MLM", "test": "scaled_shifted"},
        'cfa(model, data = data, se = "robust.sem", test = c("scaled.shifted", "satorra.bentler"))',
    ),
    ({"se": "robust"}, 'cfa(model, data = data, se = "robust.sem")'),
    ({"estimator": "WLSMV"}, 'cfa(model, data = data, estimator = "WLSMV")'),
    ({"information": "observed"}, 'cfa(model, data = data, information = "observed")'),
    ({"missing": "fiml"}, 'cfa(model, data = data, missing = "ml")'),
    ({"likelihood": "wishart"}, 'cfa(model, data = data, likelihood = "wishart")'),
    ({"bounds": "pos_var"}, 'cfa(model, data = data, bounds = "pos.var")'),
    ({"cluster": "ward"}, 'cfa(model, data = data, cluster = "ward")'),
    ({"std_lv": True, "meanstructure": True}, "cfa(model, data = data, std.lv = TRUE, meanstructure = TRUE)"),
    (
        {"effect_coding": True, "meanstructure": True},
        'cfa(model, data = data, effect.coding = c("loadings", "intercepts"), meanstructure = TRUE)',
    ),
    (
        {"group": "school", "group_equal": ["loadings"], "group_partial": "f =~ x2"},
        'cfa(model, data = data, group = "school", group.equal = c("loadings"), group.partial = c("f =~ x2"))',
    ),
]


@pytest.mark.option("cfa.group", "the same call in lavaan")
@pytest.mark.parametrize(("given", "call"), CALLS, ids=[call for _, call in CALLS])
def test_calls(given: dict[str, Any], call: str) -> None:
    assert (
        ak.cfa(MODEL, data(), **given).as_r() == f"library(lavaan)\nmodel <- '\n{MODEL}\n'\nfit <- {call}\nsummary(fit)"
    )


def test_other_functions_and_covariates() -> None:
    assert "fit <- sem(model, data = data, fixed.x = FALSE)" in ak.sem("x1 ~ x2", data(), fixed_x=False).as_r()
    line = "i =~ 1*x1 + 1*x2 + 1*x3\ns =~ 0*x1 + 1*x2 + 2*x3"
    with pytest.warns(ak.ConvergenceWarning):
        assert "fit <- growth(model, data = data)" in ak.growth(line, data()).as_r()


def numbers(text: str) -> list[float]:
    return [float(value) for value in text.split()]


def test_moments_are_written_out() -> None:
    frame = data()[["x1", "x2", "x3", "x4"]]
    lines = ak.cfa(MODEL, sample_cov=frame.cov(), sample_nobs=400).as_r().split("\n")
    start = lines.index("S <- getCov('")
    triangle = frame.cov().to_numpy()[np.tril_indices(4)]
    np.testing.assert_allclose(numbers(" ".join(lines[start + 1 : start + 5])), triangle, rtol=1e-15)
    assert lines[start + 5 :] == [
        """', names = c("x1", "x2", "x3", "x4"))""",
        "n <- 400",
        "fit <- cfa(model, sample.cov = S, sample.nobs = n)",
        "summary(fit)",
    ]
    fit = ak.cfa(MODEL, sample_cov=frame.cov(), sample_mean=frame.mean(), sample_nobs=400)
    assert f"m <- c({', '.join(map(repr, frame.mean().tolist()))})" in fit.as_r().split("\n")
    assert "sample.nobs = n, sample.mean = m, meanstructure = TRUE)" in fit.as_r()


def test_moments_of_groups_are_lists() -> None:
    frame = data()[["x1", "x2", "x3", "x4"]]
    parts = {'the "first"': frame[:150], "second": frame[150:]}
    fit = ak.cfa(
        MODEL,
        sample_cov={label: part.cov() for label, part in parts.items()},
        sample_mean={label: part.mean() for label, part in parts.items()},
        sample_nobs=[150, 250],
        group_equal="loadings",
    )
    text = fit.as_r()
    assert """S <- list("the \\"first\\"" = getCov('""" in text
    assert """', names = c("x1", "x2", "x3", "x4")), "second" = getCov('""" in text
    assert 'n <- list("the \\"first\\"" = 150, "second" = 250)' in text
    assert text.count("c(" + ", ".join(map(repr, parts["second"].mean().tolist())) + ")") == 1


def test_auxiliary_variables() -> None:
    helped = ak.cfa(MODEL, data(), missing="fiml", auxiliary=["x5"])
    assert 'fit <- cfa.auxiliary(model, data = data, missing = "ml", aux = c("x5"))' in helped.as_r()


def test_a_table_is_written_out() -> None:
    table = ak.parameter_table("f =~ x1 + a*x2 + a*x3", "cfa")
    text = ak.cfa(table, data()).as_r()
    assert '  lhs = c("f", "f", "f", "x1", "x2", "x3", "f", ".p2."),' in text
    assert "  ustart = c(1.0, NA, NA, NA, NA, NA, NA, NA)," in text
    assert "fit <- lavaan(model, data = data)" in text


def test_quotes_and_backslashes_are_kept() -> None:
    text = ak.cfa('f =~ x1 + x2 + equal("f=~x2")*x3 # a \\ b', data()).as_r()
    assert 'equal("f=~x2")*x3 # a \\\\ b' in text


@pytest.mark.filterwarnings("ignore::alliancekit.core.errors.ConvergenceWarning")
@pytest.mark.option("FactorSolutions.as_r", "the same chi-squares in lavaan's efa")
def test_exploratory_solutions() -> None:
    frame = data().drop(columns=["school", "ward"])
    found = ak.efa(data(), [1, 2], items=["x1", "x2", "x3", "x4", "x5"], rotation="oblimin").as_r()
    call = 'efa(data = data, nfactors = 1:2, ov.names = c("x1", "x2", "x3", "x4", "x5"), rotation = "oblimin")'
    assert found == f"library(lavaan)\nfit <- {call}\nsummary(fit)"
    more = {"estimator": "MLR", "bounds": "none", "rotation_args": {"geomin_epsilon": 0.01}, "rotation_se": "delta"}
    words = ak.efa(frame, 2, **more).as_r()  # type: ignore[arg-type]
    assert "nfactors = 2, ov.names" in words
    assert 'estimator = "MLR", rotation.args = list(geomin.epsilon = 0.01), rotation.se = "delta"' in words
    assert words.endswith(', bounds = "none")\nsummary(fit)')
    given = ak.efa(sample_cov=frame.cov(), sample_nobs=400, nfactors=[2, 1]).as_r()
    assert "efa(sample.cov = S, sample.nobs = n, nfactors = c(2, 1), ov.names = " in given
    assert given.startswith("library(lavaan)\nS <- getCov('\n")


def test_information_that_does_not_go_with_the_errors_asked_for_is_written() -> None:
    line = ak.cfa(MODEL, data(), se="robust.huber.white", information="expected").as_r()
    assert 'fit <- cfa(model, data = data, se = "robust.huber.white", information = "expected")' in line
    assert "information" not in ak.cfa(MODEL, data(), se="robust.huber.white").as_r()
    mixed = ak.cfa(MODEL, data(), se="first.order", test="satorra.bentler", information=["first.order", "expected"])
    assert 'information = c("first.order", "expected")' in mixed.as_r()


@pytest.mark.filterwarnings("ignore::alliancekit.core.errors.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::alliancekit.core.errors.DesignWarning")
def test_levels_in_groups_are_written_as_a_table_or_in_blocks() -> None:
    levels = "level: 1\nf =~ x1 + x2 + x3\nlevel: 2\nf =~ x1 + x2 + x3\n"
    d = data().assign(ward=np.repeat(np.arange(40), 10))
    line = ak.cfa(levels, d, group="school", cluster="ward", group_equal="loadings").as_r()
    assert "model <- data.frame(" in line and "level = c(1, " in line
    assert line.split("\n")[-2] == 'fit <- lavaan(model, data = data, group = "school", cluster = "ward")'
    blocks = f"group: a\n{levels}group: b\n{levels}"
    assert "group: a\nlevel: 1" in ak.cfa(blocks, d, group="school", cluster="ward").as_r()
