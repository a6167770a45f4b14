"""Factor scores keep the rows' index; reliabilities and ratios of factors that share items."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

ITEMS = list("abcudehv")
BIFACTOR = "g =~ a + b + c + u + d + e + h + v\nf =~ a + b + c + u\nk =~ d + e + h + v"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 400
    g, f, k = rng.normal(size=(3, n))
    loads = dict(zip(ITEMS, rng.uniform(0.5, 1.3, (8, 2)), strict=True))
    columns = {v: loads[v][0] * g + loads[v][1] * (f if v in "abcu" else k) + 0.8 * rng.normal(size=n) for v in ITEMS}
    frame = pd.DataFrame(columns, index=[f"row {3 * i}" for i in range(n)])
    place = np.repeat(np.arange(40), 10)[rng.permutation(n)]
    return frame.assign(place=[f"p{v}" for v in place], half=np.where(rng.random(n) < 0.5, "one", "two"))


def test_scores_have_the_index_of_the_rows_used(data: pd.DataFrame) -> None:
    holes = data.copy()
    holes.iloc[3, :8] = np.nan
    holes.iloc[10, 0] = np.nan
    model = "f =~ a + b + c\nk =~ d + e + h"
    scores = ak.cfa(model, holes, missing="fiml").factor_scores()
    assert scores.index.tolist() == data.index.drop("row 9").tolist()
    with pytest.warns(ak.DesignWarning, match="2 of 400"):
        fit = ak.cfa(model, holes, group="half")
    scores = fit.factor_scores()
    assert sorted(scores.index) == sorted(data.index.drop(["row 9", "row 30"]))
    assert (scores["group"] == data["half"].loc[scores.index]).all()
    pd.testing.assert_frame_equal(scores[["f", "k"]], fit.factor_scores(new=holes.loc[scores.index]))


def test_scores_of_clusters_have_their_labels(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    shift = pd.Series(rng.normal(size=40), index=data["place"].unique())
    own = {v: 0.5 * pd.Series(rng.normal(size=40), index=shift.index) for v in "abc"}
    moved = data.assign(**{v: data[v] + data["place"].map(shift + own[v]) for v in "abc"})
    model = "level: 1\nf =~ a + b + c\nlevel: 2\nfb =~ a + b + c"
    holes = moved.copy()
    holes.loc[moved["place"] == moved["place"].iloc[0], ["a", "b", "c"]] = np.nan
    holes.iloc[5, 1] = np.nan
    for frame, missing in ((moved, "listwise"), (holes, "fiml")):
        fit = ak.cfa(model, frame, cluster="place", missing=missing)
        upper, lower = fit.factor_scores(level="between"), fit.factor_scores()
        used = frame.loc[frame[["a", "b", "c"]].notna().any(axis=1)]
        assert lower.index.equals(used.index)
        assert upper.index.tolist() == used["place"].unique().tolist() and upper.index.name == "place"
        assert np.corrcoef(upper["fb"], used.groupby("place")["a"].mean().loc[upper.index])[0, 1] > 0.7


def test_factors_that_share_items_have_no_ratio_alpha_or_extracted_variance(data: pd.DataFrame) -> None:
    fit = ak.cfa(BIFACTOR, data, orthogonal=True)
    ratios = fit.htmt()
    assert ratios.loc["g", ["f", "k"]].isna().all()
    assert ratios.loc["f", "k"] == pytest.approx(ak.cfa(BIFACTOR.split("\n", 1)[1], data).htmt().loc["f", "k"])
    with pytest.raises(ak.SpecError, match="share items"):
        ak.cfa(BIFACTOR.rsplit("\n", 1)[0], data, orthogonal=True).htmt()
    found = fit.reliability().set_index("factor")
    assert found[["alpha", "ave"]].isna().all().all()
    table = fit.tidy().set_index(["lhs", "op", "rhs"])["estimate"]
    loads = np.array([table["g", "=~", v] for v in ITEMS])
    total = data[ITEMS].cov(ddof=0).to_numpy().sum()
    assert found.loc["g", "omega"] == pytest.approx(loads.sum() ** 2 * table["g", "~~", "g"] / total)


def test_equalities_are_named_by_what_is_equal(data: pd.DataFrame) -> None:
    equal = ak.cfa("f =~ a + b + c + u", data, group="half", group_equal=["loadings"]).score_tests()
    first, second = data["half"].unique()
    assert equal["parameter"].iloc[0] == f"f =~ b (group {first})"
    assert equal["equal_to"].iloc[0] == f"f =~ b (group {second})"
    labelled = ak.cfa("f =~ a + l*b + l*c + m*u\nm == 0.9*l", data).score_tests()
    assert labelled[["parameter", "equal_to"]].iloc[:2].to_numpy().tolist() == [
        ["f =~ u", "0.9*l"],
        ["f =~ b", "f =~ c"],
    ]


def test_the_bootstrap_of_bollen_and_stine_says_how_to_have_it(data: pd.DataFrame) -> None:
    fit = ak.cfa("f =~ a + b + c + u", data, missing="fiml")
    with pytest.raises(ak.SpecError, match='missing="listwise"'):
        fit.model_tests(bollen_stine=100)


def test_warnings_of_exploratory_models_point_at_the_caller(data: pd.DataFrame) -> None:
    holes = data[ITEMS].copy()
    holes.iloc[0, 0] = np.nan
    with pytest.warns(ak.DesignWarning, match="1 of 400") as found:
        ak.efa(holes, [1, 2])
    assert len(found) == 2 and all(w.filename == __file__ for w in found)


def test_printed_sums_of_squares_stand_as_the_loadings(data: pd.DataFrame) -> None:
    turned = data[["d", "e", "a", "b", "c", "u"]]
    found = ak.efa(turned, 2)
    squares = found.sums_of_squares().set_index("factor")["sum_of_squares"]
    lines = found.summary().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("Sum of sq (obliq)"))
    assert lines[at - 1].split() == ["f1", "f2", "total"]
    assert [float(v) for v in lines[at].split()[-3:-1]] == pytest.approx(squares[["f1", "f2"]].tolist(), abs=6e-4)


def test_residuals_have_no_rounding_noise(data: pd.DataFrame) -> None:
    fit = ak.cfa(BIFACTOR.split("\n", 1)[1], data, missing="fiml")
    found = fit.residual_matrix()
    for part in found.values():
        size = part.abs().to_numpy()
        assert not ((size > 0) & (size < 1e-12)).any()
    assert (np.diag(found["cov"]) == 0).all() and (found["cov"].abs().to_numpy() > 0.001).any()
