"""What is said of odd ordinal data, and what can be asked of a fit: scores, reliabilities, moments, residuals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

import alliancekit as ak

MODEL = "f =~ u1 + u2 + u3 + u4"
ITEMS = ["u1", "u2", "u3", "u4"]


def make(n: int = 400, seed: int = 11) -> pd.DataFrame:
    """Four ordinal items and two numeric ones of one factor, a covariate."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    f = 0.4 * x + rng.normal(size=n)
    out = {f"u{k}": np.digitize(0.7 * f + rng.normal(size=n), [-1.0, 0.1, 0.9]) + 1 for k in range(1, 5)}
    return pd.DataFrame(out | {"c1": f + rng.normal(size=n), "c2": 3 * f + rng.normal(size=n) + 1, "x": x})


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return make()


def said(frame: pd.DataFrame, **options: object) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ak.cfa(MODEL, frame, ordered=ITEMS, missing="listwise", **options)
    return " | ".join(str(warning.message) for warning in caught)


def test_nothing_is_said_of_usual_items(data: pd.DataFrame) -> None:
    assert said(data) == ""


def test_a_category_with_one_row_is_named(data: pd.DataFrame) -> None:
    rare = data.assign(u3=data["u3"].clip(upper=3))
    rare.loc[5, "u3"] = 4
    assert "a category with a single row, whose threshold is hardly known: u3" in said(rare)


def test_items_that_are_nearly_the_same_are_named(data: pd.DataFrame) -> None:
    twice = data.assign(u2=data["u1"])
    twice.loc[[0, 1], "u2"] = np.where(twice.loc[[0, 1], "u1"] > 2, twice.loc[[0, 1], "u1"] - 1, 2)
    assert "nearly one: 'u1' with 'u2'" in said(twice)


def test_rows_in_the_opposite_corner_count_and_empty_cells_are_named(data: pd.DataFrame) -> None:
    """The likeliest correlation is .951; lavaan, which drops rows without probability, has .999."""
    twice = data.assign(u2=data["u1"])
    twice.loc[[0, 1], "u2"] = 5 - twice.loc[[0, 1], "u1"]
    assert "cells of tables of two items are empty where rows are expected" in said(twice)
    with pytest.warns(ak.DesignWarning, match="cells of tables"):
        fit = ak.cfa("f =~ u1 + u2 + u3", twice, ordered=["u1", "u2", "u3"], missing="listwise")
    assert fit._fit.ordinal.statistics[0].correlation[0, 1] == pytest.approx(0.95064, abs=1e-4)


def test_a_group_is_named_with_what_is_odd_in_it(data: pd.DataFrame) -> None:
    site = np.where(np.arange(len(data)) % 2 == 0, "north", "south")
    rare = data.assign(site=site)
    top = rare.index[(rare["site"] == "south") & (rare["u1"] == 4)]
    rare.loc[top[1:], "u1"] = 3
    assert "(group 'south')" in said(rare, group="site")


def test_scores_are_modes_of_the_factor_given_the_answers(data: pd.DataFrame) -> None:
    fit = ak.cfa("f =~ u1 + u2 + c1 + c2", data, ordered=["u1", "u2"], missing="listwise")
    table = fit.tidy().set_index("term")["estimate"]
    grid = np.linspace(-4, 4, 160_001)
    row = data.iloc[7]
    log = -(grid**2) / (2 * table["f ~~ f"])
    for item in ("u1", "u2"):
        sd = np.sqrt(table[f"{item} ~~ {item}"])
        cuts = [-np.inf, *(table[f"{item} | t{k}"] for k in (1, 2, 3)), np.inf]
        mean = table[f"f =~ {item}"] * grid
        code = int(row[item])
        log += np.log(ndtr((cuts[code] - mean) / sd) - ndtr((cuts[code - 1] - mean) / sd))
    for item in ("c1", "c2"):
        gap = row[item] - table[f"{item} ~1"] - table[f"f =~ {item}"] * grid
        log -= gap**2 / (2 * table[f"{item} ~~ {item}"])
    assert fit.factor_scores()["f"].iloc[7] == pytest.approx(grid[np.argmax(log)], abs=1e-4)
    assert fit.factor_scores("ebm").equals(fit.factor_scores())
    assert fit.factor_scores(new=data.iloc[[7]])["f"].item() == pytest.approx(fit.factor_scores()["f"].iloc[7])


def test_scores_without_the_distribution_of_the_factor_are_wider(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL + " + c1", data, ordered=ITEMS, missing="listwise")
    assert fit.factor_scores("ml")["f"].std() > 1.1 * fit.factor_scores()["f"].std()


def test_scores_use_the_answers_that_are_there(data: pd.DataFrame) -> None:
    holes = data[ITEMS].astype(float)
    holes.loc[0:9, "u1"] = np.nan
    fit = ak.cfa(MODEL, holes, ordered=ITEMS, missing="pairwise")
    scores = fit.factor_scores()["f"]
    assert scores.notna().all() and len(scores) == 400
    empty = pd.DataFrame([[np.nan] * 4, [4.0, np.nan, 4.0, 4.0]], columns=ITEMS)
    assert fit.factor_scores(new=empty)["f"].isna().tolist() == [True, False]


def test_a_covariate_moves_the_scores(data: pd.DataFrame) -> None:
    fit = ak.sem(f"{MODEL}\nf ~ x", data, ordered=ITEMS, missing="listwise")
    pair = pd.concat([data.iloc[[3]], data.iloc[[3]].assign(x=data["x"].iloc[3] + 2)])
    low, high = fit.factor_scores(new=pair)["f"]
    assert high > low


def test_no_scores_where_ordinal_variables_predict(data: pd.DataFrame) -> None:
    fit = ak.sem("f =~ u1 + u2 + u3\nc1 ~ u4\nu4 ~ f", data, ordered=ITEMS, missing="listwise")
    with pytest.raises(ak.SpecError, match="ordinal variables predict"):
        fit.factor_scores()


def test_reliability_of_the_sum_as_scored_is_below_that_of_the_responses(data: pd.DataFrame) -> None:
    found = ak.cfa(MODEL, data, ordered=ITEMS, missing="listwise").reliability().iloc[0]
    assert found["omega"] < found["omega_responses"] < 1
    observed = data[ITEMS].cov().to_numpy()
    alpha = 4 / 3 * (1 - np.trace(observed) / observed.sum())
    assert found["omega"] == pytest.approx(alpha, abs=0.03)


def test_both_parameterisations_have_the_same_answers(data: pd.DataFrame) -> None:
    text = "f =~ u1 + u2 + u3\nu4 ~ f + x\nc1 ~ u4 + x\nf ~ x"
    one, other = (
        ak.sem(text, data, ordered=ITEMS, missing="listwise", parameterization=word) for word in ("delta", "theta")
    )
    for key in ("chisq_scaled", "cfi_scaled", "rmsea_scaled", "srmr"):
        assert one.fit_measures()[key] == pytest.approx(other.fit_measures()[key], rel=1e-5)
    np.testing.assert_allclose(one.tidy()["std_all"], other.tidy()["std_all"], atol=2e-5)
    errors = [fit.standardized("std_all")["std_error"] for fit in (one, other)]
    np.testing.assert_allclose(*errors, atol=2e-5)
    np.testing.assert_allclose(one.r2()["r2"], other.r2()["r2"], atol=2e-5)
    np.testing.assert_allclose(one.reliability()["ave"], other.reliability()["ave"], atol=2e-5)


def test_moments_have_names(data: pd.DataFrame) -> None:
    fit = ak.sem("f =~ u1 + u2 + c1 + c2\nf ~ x", data, ordered=["u1", "u2"], missing="listwise")
    found = fit.implied()
    assert set(found) == {"cov", "mean", "threshold", "slope"}
    assert found["threshold"].index.tolist() == [f"u{i} | t{k}" for i in (1, 2) for k in (1, 2, 3)]
    assert found["slope"].columns.tolist() == ["x"] and found["mean"].index.tolist() == ["c1", "c2"]
    assert found["cov"].loc["u1", "u1"] == 1.0
    for kind in ("raw", "cor.bentler", "cor.bollen", "normalized", "standardized"):
        assert set(fit.residual_matrix(kind)) == set(found)
    with pytest.raises(ak.SpecError, match="all variables are ordinal"):
        fit.residual_matrix("cor.bollen", z=True)
    with pytest.raises(ak.SpecError, match="size of residuals"):
        fit.residual_size()


def test_normalised_residuals_use_standard_errors_of_the_statistics(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, ordered=ITEMS, missing="listwise")
    gamma = fit._fit.ordinal.statistics[0].gamma
    error = np.sqrt(gamma.diagonal()[12:] / fit.nobs)
    raw, found = (fit.residual_matrix(kind)["cov"].to_numpy()[np.triu_indices(4, 1)] for kind in ("raw", "normalized"))
    np.testing.assert_allclose(found, raw / error, rtol=1e-10)


def test_rows_without_answers_do_not_count(data: pd.DataFrame) -> None:
    holes = data.astype(float)
    holes.loc[0:4, ITEMS] = np.nan
    holes.loc[5:6, "x"] = np.nan
    with pytest.warns(ak.DesignWarning, match="2 rows have a missing value in a covariate"):
        fit = ak.sem(f"{MODEL}\nf ~ x", holes, ordered=ITEMS, missing="pairwise")
    assert fit.nobs == 393


def test_ordered_columns_outside_the_model_are_ignored(data: pd.DataFrame) -> None:
    fit = ak.cfa("f =~ u1 + u2 + u3", data, ordered=ITEMS, missing="listwise")
    assert fit._fit.test.df == 0
    with pytest.raises(ak.SpecError, match="u9"):
        ak.cfa("f =~ u1 + u2 + u3", data, ordered=["u9"], missing="listwise")
