"""Several tests of one model, none at all, and the bootstrap test beside the estimates."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.structural.test_moment_models import THREE, answers


def fit(**given: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.cfa(THREE, answers(), **given)


def test_every_test_asked_for_is_shown_and_the_first_scaled_one_scales_the_measures() -> None:
    words = ["bollen_stine", "mean.var.adjusted", "SB", "yb", "browne.residual.nt.model"]
    found = fit(test=words, bootstrap=100)
    table = found.model_tests().set_index("test")
    assert list(table.index[:4]) == ["standard", "mean.var.adjusted", "satorra.bentler", "yuan.bentler"]
    assert {"bollen.stine", "browne.residual.nt.model"} < set(table.index)
    measures = found.fit_measures()
    assert measures["chisq_scaled"] == table.loc["mean.var.adjusted", "statistic"]
    for word in ("mean.var.adjusted", "satorra.bentler", "yuan.bentler"):
        alone = fit(test=word).model_tests().set_index("test").loc[word]
        np.testing.assert_allclose(table.loc[word].astype(float), alone.astype(float), rtol=1e-8)
    text = found.summary()
    for line in ("mean and variance adjusted", "Satorra-Bentler", "Yuan-Bentler"):
        assert f"\n    {line} correction\n" in text
    once = f"  Test Statistic{measures['chisq']:38.3f}{table.loc['satorra.bentler', 'statistic']:12.3f}\n  Degrees"
    assert f"\n\n{once}" in text  # each further scaled test stands beside the standard one, as in lavaan
    assert "P-value (Bollen-Stine bootstrap)" in text
    assert "\n\n  Browne's residual (NT model-based) test\n  Test statistic" in text


def test_the_order_of_scaled_tests_decides() -> None:
    one, other = fit(test=["scaled.shifted", "satorra.bentler"]), fit(test=["satorra.bentler", "scaled.shifted"])
    both = one.fit_measures()["chisq_scaled"], other.fit_measures()["chisq_scaled"]
    tests = one.model_tests().set_index("test")["statistic"]
    assert both == (tests["scaled.shifted"], tests["satorra.bentler"])
    assert other.model_tests()["test"].tolist()[1:3] == ["satorra.bentler", "scaled.shifted"]


def test_no_test_leaves_what_needs_none() -> None:
    plain, none = fit(), fit(test="none", se="none")
    measures = none.fit_measures()
    for name in ("logl", "aic", "bic", "srmr", "npar", "df", "gfi"):
        assert measures[name] == plain.fit_measures()[name]
    assert measures[["chisq", "pvalue", "cfi", "tli", "rmsea", "baseline_chisq", "mfi"]].isna().all()
    assert none.vcov().isna().all().all()
    assert none.model_tests()["test"].tolist() == ["browne.residual.nt", "browne.residual.adf"]
    assert "No test of the model was asked for." in none.summary(fit_measures=True)
    assert "RMSEA" not in none.summary(fit_measures=True)
    assert "No test of the model was asked for." in str(ak.sentence(none))


@pytest.mark.option("cfa.bootstrap", "samples of the test")
def test_the_bootstrap_test_of_the_fit_is_that_of_its_answer() -> None:
    found = fit(test="bollen.stine", bootstrap=300, seed=5)
    own = found.model_tests().set_index("test").loc["bollen.stine"]
    later = fit().model_tests(300, seed=5).set_index("test").loc["bollen.stine"]
    pd.testing.assert_series_equal(own, later)
    assert found._fit.drawn_chisq.size == 300
    assert found._fit.replicates is None


def test_replicates_beside_the_bootstrap_test_are_of_turned_rows() -> None:
    found = fit(test="bollen.stine", se="bootstrap", bootstrap=60)
    turned = fit().bootstrap(60, kind="bollen.stine")
    np.testing.assert_allclose(found.tidy()["std_error"].iloc[1:3], turned.tidy()["std_error"].iloc[:2], rtol=1e-8)


@pytest.mark.parametrize("estimator", ["ULS", "DWLS"])
def test_the_bootstrap_test_by_least_squares_holds_a_true_model(estimator: str) -> None:
    found = fit(estimator=estimator, test=["bollen.stine"], bootstrap=100)
    p = found.model_tests().set_index("test").loc["bollen.stine", "p_value"]
    assert 0.02 < p <= 1
    wrong = ak.cfa("one =~ w1 + w2 + w3 + w4 + w5 + w6", answers(), estimator=estimator, test="boot", bootstrap=100)
    assert wrong.model_tests().set_index("test").loc["bollen.stine", "p_value"] < 0.02


def test_tests_that_a_fit_does_not_allow() -> None:
    with pytest.raises(ak.SpecError, match="not for covariances without rows"):
        ak.cfa(THREE, sample_cov=answers().drop(columns="site").cov(), sample_nobs=300, test="browne.residual.adf")
    with pytest.raises(ak.SpecError, match="not for ordinal variables"):
        ak.cfa("f =~ w1 + w2 + w3 + w4", answers().drop(columns="site").round(), ordered=True, test="rls")
    with pytest.raises(ak.SpecError, match="needs complete rows that are independent"):
        ak.cfa("level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3", answers(), cluster="site", test="browne")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"test": 5}, "test=5 is neither a word nor a list of words"),
        ({"information": 3}, "information=3 is neither"),
        ({"observed_information": True}, "observed_information=True is neither"),
        ({"h1_information": ()}, "0 words"),
        ({"test": "bollen.stine", "bootstrap": "many"}, "is not a number of samples"),
        ({"test": "bollen.stine", "bootstrap": 1}, "is not a number of samples"),
    ],
    ids=str,
)
def test_what_is_no_word(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        fit(**given)


def test_two_words_for_information() -> None:
    mixed = fit(estimator="MLR", information=["expected", "observed"], observed_information=["hessian", "hessian"])
    plain, expected = fit(estimator="MLR"), fit(estimator="MLR", information="expected")
    assert mixed.fit_measures()["chisq_scaled"] == pytest.approx(plain.fit_measures()["chisq_scaled"], rel=1e-9)
    np.testing.assert_allclose(mixed.vcov(), expected.vcov(), rtol=1e-9)
    text = mixed.as_r()
    assert 'information = c("expected", "observed")' in text
