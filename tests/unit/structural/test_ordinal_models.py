"""Models of ordinal variables by their public call: what must not matter, limits of what is covered, and errors."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

MODEL = "f =~ u1 + u2 + u3 + u4"
ITEMS = ["u1", "u2", "u3", "u4"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Four items with two to four categories, a covariate, two sites, clusters."""
    rng = np.random.default_rng(31)
    n = 1600
    f = rng.normal(size=n)
    cuts = ([0.0], [-0.6, 0.5], [-0.9, 0.0, 0.8], [-0.2, 0.7])
    out = {f"u{i + 1}": 1 + np.searchsorted(c, 0.8 * f + 0.6 * rng.normal(size=n)) for i, c in enumerate(cuts)}
    out |= {"x": 0.5 * f + rng.normal(size=n), "site": np.arange(n) % 2, "therapist": np.arange(n) // 10}
    return pd.DataFrame(out)


def same(first: Any, second: Any, tolerance: float = 1e-7) -> None:
    one, other = first.tidy(), second.tidy()
    for column in ("estimate", "std_error", "std_all"):
        assert other[column].to_numpy() == pytest.approx(one[column].to_numpy(), abs=tolerance, nan_ok=True)
    assert second.fit_measures()["chisq_scaled"] == pytest.approx(first.fit_measures()["chisq_scaled"], abs=1e-5)


@pytest.mark.parametrize("word", ["delta", "theta"])
def test_only_the_order_of_the_categories_matters(data: pd.DataFrame, word: str) -> None:
    plain = ak.cfa(MODEL, data, ordered=True, parameterization=word)
    other = data.assign(u1=data["u1"] == 2, u2=10.0 ** data["u2"], u3=data["u3"] * 7 - 100)
    words = ["never", "often", "always", "not asked"]
    other["u4"] = pd.Categorical.from_codes(data["u4"] - 1, words, ordered=True)
    same(plain, ak.cfa(MODEL, other, ordered=["u1", "u2", "u3"], parameterization=word))


def test_the_order_of_the_rows_does_not_matter(data: pd.DataFrame) -> None:
    same(ak.cfa(MODEL, data, ordered=True), ak.cfa(MODEL, data.sample(frac=1, random_state=1), ordered=True))


def test_turning_an_item_turns_its_loading_and_thresholds(data: pd.DataFrame) -> None:
    plain = ak.cfa(MODEL, data, ordered=True).tidy().set_index(["lhs", "op", "rhs"])
    turned = ak.cfa(MODEL, data.assign(u3=5 - data["u3"]), ordered=True).tidy().set_index(["lhs", "op", "rhs"])
    assert turned.loc[("f", "=~", "u3"), "estimate"] == pytest.approx(-plain.loc[("f", "=~", "u3"), "estimate"])
    for k in (1, 2, 3):
        there = turned.loc[("u3", "|", f"t{4 - k}"), "estimate"]
        assert there == pytest.approx(-plain.loc[("u3", "|", f"t{k}"), "estimate"])


def test_a_residual_variance_is_what_the_factor_leaves(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, ordered=True, std_lv=True)
    table = fit.tidy().set_index(["lhs", "op", "rhs"])["estimate"]
    for item in ITEMS:
        assert table[item, "~~", item] == pytest.approx(1 - table["f", "=~", item] ** 2)
        assert table[item, "~*~", item] == 1.0
    assert fit.r2().set_index("variable")["r2"]["u1"] == pytest.approx(table["f", "=~", "u1"] ** 2)


def test_ordinal_variables_take_weighted_least_squares(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, ordered=True)
    assert (fit._fit.options.estimator, fit._fit.options.se, fit._fit.options.test) == (
        "WLSMV",
        "robust.sem",
        "scaled.shifted",
    )
    same(fit, ak.cfa(MODEL, data, ordered=ITEMS, estimator="WLSMV", parameterization="delta"))


@pytest.mark.parametrize("estimator", ["WLSM", "WLSMV", "WLSMVS", "DWLS"])
def test_words_of_one_estimator_have_one_solution(data: pd.DataFrame, estimator: str) -> None:
    usual = ak.cfa(MODEL, data, ordered=True).tidy()["estimate"]
    assert ak.cfa(MODEL, data, ordered=True, estimator=estimator).tidy()["estimate"].to_numpy() == pytest.approx(
        usual.to_numpy()
    )


def test_the_sum_of_chi_squares_of_groups_is_that_of_both(data: pd.DataFrame) -> None:
    both = ak.cfa(MODEL, data, ordered=True, group="site", estimator="DWLS")._fit
    alone = [ak.cfa(MODEL, data[data["site"] == s], ordered=True, estimator="DWLS")._fit for s in (0, 1)]
    assert both.test.statistic == pytest.approx(sum(f.test.statistic for f in alone), rel=1e-7)
    assert both.test.df == sum(f.test.df for f in alone)


def test_equal_thresholds_are_equal(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, ordered=True, group="site", group_equal=["loadings", "thresholds"])
    table = fit.tidy()
    cuts = table[table["op"] == "|"].groupby(["lhs", "rhs"])["estimate"]
    assert (cuts.nunique() == 1).all() and (cuts.size() == 2).all()
    free = ak.cfa(MODEL, data, ordered=True, group="site")
    assert fit._fit.test.df > free._fit.test.df and fit._fit.test.statistic >= free._fit.test.statistic - 1e-9


def test_estimates_come_near_what_the_data_were_made_with() -> None:
    rng = np.random.default_rng(5)
    f = rng.normal(size=20_000)
    loadings, cuts = [0.8, 0.6, 0.7, 0.5], [-0.5, 0.4]
    noise = rng.normal(size=(20_000, 4))
    made = {
        f"u{i + 1}": np.searchsorted(cuts, a * f + np.sqrt(1 - a * a) * noise[:, i]) for i, a in enumerate(loadings)
    }
    table = ak.cfa(MODEL, pd.DataFrame(made), ordered=True, std_lv=True).tidy()
    found = table[table["op"] == "=~"]
    gap = (found["estimate"].to_numpy() - loadings) / found["std_error"].to_numpy()
    assert np.abs(gap).max() < 3.5
    assert table[table["op"] == "|"]["estimate"].to_numpy() == pytest.approx(np.tile(cuts, 4), abs=0.04)


def test_text_of_a_fit_has_thresholds(data: pd.DataFrame) -> None:
    text = ak.cfa(MODEL, data, ordered=True).summary()
    assert "Thresholds:" in str(text) and "u3|t3" in str(text).replace(" | ", "|")


def test_the_call_for_r_names_the_ordinal_variables(data: pd.DataFrame) -> None:
    call = str(ak.cfa(MODEL, data, ordered=ITEMS, parameterization="theta").as_r())
    assert "ordered" in call and "theta" in call


@pytest.mark.option("cfa.ordered", "bad data")
@pytest.mark.parametrize(
    ("syntax", "options", "what"),
    [
        (MODEL, {"cluster": "therapist"}, r"with cluster= cannot be estimated\. Leave ordered= out, .*MLR"),
        (MODEL, {"missing": "fiml"}, r"not for ordinal variables\. Take missing=.pairwise.; or .*MLR"),
        (MODEL, {"estimator": "MLR"}, "estimator MLR does not take ordinal variables"),
        (MODEL, {"estimator": "GLS"}, "estimator GLS does not take ordinal variables"),
        (MODEL, {"parameterization": "deltas"}, "parameterization"),
        (MODEL + "\nu1 | t1 + t2", {}, r"'u1 \| t2': 'u1' has 2 categories"),
    ],
)
def test_what_is_not_covered_is_said(data: pd.DataFrame, syntax: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(ak.SpecError, match=what):
        ak.cfa(syntax, data, ordered=True, **options)


def test_a_category_that_a_group_does_not_have_is_named(data: pd.DataFrame) -> None:
    lacking = data[(data["site"] == 0) | (data["u3"] < 4)]
    with pytest.raises(ak.DesignError, match="nobody is in category 4 of 'u3'"):
        ak.cfa(MODEL, lacking, ordered=True, group="site")


@pytest.mark.parametrize("kind", ["float64", "Int64", "category"])
def test_a_category_that_is_lost_with_incomplete_rows_is_named(data: pd.DataFrame, kind: str) -> None:
    d = data[ITEMS].astype(float)
    d.loc[:2, "u2"], d.loc[:2, "u3"] = 9.0, np.nan
    d["u2"] = pd.Categorical(d["u2"], ordered=True) if kind == "category" else d["u2"].astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        fit = ak.cfa(MODEL, d, ordered=ITEMS, missing="listwise")
    assert any(re.search(r"no row used has, and that is left out: 9(\.0)? of 'u2'", note) for note in fit.warnings)
    assert fit.tidy().query("op == '|' and lhs == 'u2'")["rhs"].tolist() == ["t1", "t2"]
