"""Difference tests of nested structural models, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.numerics.distributions import chi2_upper

HERE = Path(__file__).parents[2] / "reference" / "sem" / "hs_cfa3_ml"
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
OF_R = {
    ("MLM", "one", "satorra.2000"): 62.69870932,
    ("MLM", "one", "satorra.bentler.2001"): 55.89949952,
    ("MLM", "one", "satorra.bentler.2010"): 55.32559264,
    ("MLM", "two", "satorra.2000"): 7.725672813,
    ("MLM", "two", "satorra.bentler.2001"): 7.135912012,
    ("MLM", "two", "satorra.bentler.2010"): 7.852062651,
    ("MLR", "one", "satorra.2000"): 49.85201223,
    ("MLR", "one", "satorra.bentler.2001"): 44.62495933,
    ("MLR", "one", "satorra.bentler.2010"): 15.63239288,
    ("MLR", "two", "satorra.2000"): 6.450970332,
    ("MLR", "two", "satorra.bentler.2001"): 6.567201737,
    ("MLR", "two", "satorra.bentler.2010"): 5.322657557,
}
"""lavTestLRT of lavaan 0.6-14: orthogonal factors in one group, equal loadings in two."""
FREE, EQUAL = "f =~ a + b + c + d", "f =~ a + k*b + k*c + k*d"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    f = rng.normal(size=(400, 1))
    return pd.DataFrame(f + rng.standard_t(5, size=(400, 4)), columns=list("abcd")).assign(
        half=np.repeat(["x", "y"], 200)
    )


@pytest.mark.option("compare.method", "lavaan 0.6-14")
@pytest.mark.parametrize(("estimator", "groups", "method"), list(OF_R))
def test_scaled_differences_are_those_of_lavaan(estimator: str, groups: str, method: str) -> None:
    d = pd.read_csv(HERE / "data.csv")
    own = {"group": "school"} if groups == "two" else {}
    tied = {"group_equal": "loadings"} if groups == "two" else {"orthogonal": True}
    free = ak.cfa(THREE, d, estimator=estimator, **own)
    equal = ak.cfa(THREE, d, estimator=estimator, **own, **tied)
    found = ak.compare(free, equal, method=method).tidy()["chisq_diff"].iloc[1]
    assert found == pytest.approx(OF_R[estimator, groups, method], rel=2e-5)


@pytest.mark.option("compare.names", "unit")
def test_plain_difference_is_that_of_chi_squares(data: pd.DataFrame) -> None:
    free, equal = ak.cfa(FREE, data), ak.cfa(EQUAL, data)
    found = ak.compare(equal, free, names=["equal", "free"])
    table = found.tidy()
    assert table["model"].tolist() == ["free", "equal"]
    difference = equal.fit_measures()["chisq"] - free.fit_measures()["chisq"]
    assert table["chisq_diff"].iloc[1] == pytest.approx(difference)
    assert table["p_value"].iloc[1] == pytest.approx(float(chi2_upper(difference, 2)))
    assert found.glance()["method"].item() == "standard"
    assert "chisq_diff" in repr(found)


def test_scaled_models_take_the_scaled_difference(data: pd.DataFrame) -> None:
    free, equal = (ak.cfa(model, data, estimator="MLR") for model in (FREE, EQUAL))
    by = {
        m: ak.compare(free, equal, method=m).tidy()["chisq_diff"].iloc[1]
        for m in ("satorra.bentler.2001", "satorra.bentler.2010", "satorra.2000", "standard")
    }
    assert ak.compare(free, equal).method == "satorra.bentler.2001"
    c0, c1 = (fit.fit_measures()["chisq_scaling_factor"] for fit in (equal, free))
    factor = (4 * c0 - 2 * c1) / 2
    assert by["satorra.bentler.2001"] == pytest.approx(by["standard"] / factor)
    assert by["satorra.bentler.2010"] == pytest.approx(by["satorra.bentler.2001"], rel=0.1)
    assert by["satorra.2000"] == pytest.approx(by["satorra.bentler.2001"], rel=0.2)
    assert "ignores" in " ".join(ak.compare(free, equal, method="standard").notes)


def test_tests_scaled_to_mean_and_variance_take_the_difference_of_2000(data: pd.DataFrame) -> None:
    free, equal = (ak.cfa(model, data, estimator="MLMV") for model in (FREE, EQUAL))
    assert ak.compare(free, equal).method == "satorra.2000"


def test_the_order_of_variables_does_not_matter(data: pd.DataFrame) -> None:
    free = ak.cfa(FREE, data, estimator="MLM")
    found = [
        ak.compare(free, ak.cfa(model, data, estimator="MLM"), method="satorra.2000").tidy()["chisq_diff"].iloc[1]
        for model in ("f =~ a + k*b + k*c + d", "f =~ d + c + b + a\nc ~~ 0*c")
        if "0*" not in model
    ]
    turned = ak.cfa("f =~ NA*d + k*c + k*b + 1*a", data, estimator="MLM")
    again = ak.compare(free, turned, method="satorra.2000").tidy()["chisq_diff"].iloc[1]
    assert again == pytest.approx(found[0], rel=1e-4)


def test_models_with_as_many_df_are_not_tested(data: pd.DataFrame) -> None:
    found = ak.compare(ak.cfa("f =~ a + b + c + d", data), ak.cfa("f =~ b + a + c + d", data))
    assert np.isnan(found.tidy()["p_value"].iloc[1])
    assert "not nested" in found.notes[0]


def test_what_cannot_be_compared_is_refused(data: pd.DataFrame) -> None:
    free, equal = ak.cfa(FREE, data), ak.cfa(EQUAL, data)
    mixed = ak.mixed("a ~ b + (1 | half)", data)
    for fits, options, word in (
        ((free,), {}, "at least two"),
        ((free, mixed), {}, "one kind"),
        ((free, equal), {"method": "satorra.2001"}, "satorra.bentler.2001"),
        ((free, equal), {"method": "satorra.2000"}, "scaled"),
        ((free, equal), {"names": ["one"]}, "1 names"),
        ((free, ak.cfa(EQUAL, data.iloc[:300])), {}, "different rows"),
        ((free, ak.cfa(EQUAL, data, estimator="GLS")), {}, "estimator"),
        ((free, ak.cfa(EQUAL, data, meanstructure=True)), {}, "means"),
    ):
        with pytest.raises(ak.SpecError, match=word):
            ak.compare(*fits, **options)


def test_mixed_models_are_compared_as_before(data: pd.DataFrame) -> None:
    d = pd.DataFrame({"g": np.repeat(np.arange(20), 5), "x": np.tile(np.arange(5.0), 20)})
    rng = np.random.default_rng(1)
    d["y"] = d["x"] + 3 * rng.normal(size=20)[d["g"]] + rng.normal(size=100)
    found = ak.compare(ak.mixed("y ~ 1 + (1 | g)", d), ak.mixed("y ~ x + (1 | g)", d))
    assert type(found).__name__ == "Comparison" and found.tidy()["df"].iloc[1] == 1


@pytest.mark.parametrize(("spread", "words"), [(0.6, r"is 0.0194, of the models 0.\d+ or more"), (0.3, "is negative")])
def test_a_scaling_factor_near_zero_is_named(spread: float, words: str) -> None:
    rng = np.random.default_rng(1)
    f = np.where(rng.random(300) < 0.5, 1.0, -1.0)
    g = np.where(rng.random(300) < 0.02, -f, f)
    rows = np.column_stack([f, f, f, g, g, g]) + spread * rng.normal(size=(300, 6))
    two = "f =~ a + b + c\ng =~ d + e + h"
    free, apart = (
        ak.cfa(m, pd.DataFrame(rows, columns=list("abcdeh")), estimator="MLM") for m in (two, two + "\nf ~~ 0*g")
    )
    with pytest.warns(ak.DesignWarning, match=rf"'model 2'.*{words}.*satorra\.2000") as caught:
        found = ak.compare(free, apart, method="satorra.bentler.2001")
    assert caught[0].filename == __file__ and str(caught[0].message) in found.notes
    statistic = found.tidy()["chisq_diff"].iloc[1]
    assert np.isnan(statistic) if spread == 0.3 else statistic > 20_000
    assert ak.compare(free, apart, method="satorra.2000").tidy()["chisq_diff"].iloc[1] < 20_000
