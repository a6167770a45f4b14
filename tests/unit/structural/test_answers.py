"""What comes after a structural fit: indices against refits, residuals, factor scores, reliability, text, DOT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.group_views import group_views
from alliancekit.structural.result.fit import StructuralFit

MODEL = "f =~ a + b + c\ng =~ d + e + h"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    f, g = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], 500).T
    items = {name: f + rng.normal(size=500) for name in "abc"} | {name: g + rng.normal(size=500) for name in "deh"}
    out = pd.DataFrame(items)
    out["h"] += 0.3 * out["c"]
    return out.assign(half=np.repeat(["one", "two"], 250))


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> StructuralFit:
    return ak.cfa(MODEL, data)


@pytest.mark.option("StructuralFit.modification_indices", "refits")
def test_an_index_foresees_chi_square_and_estimate_of_the_freed_model(fit: StructuralFit, data: pd.DataFrame) -> None:
    found = fit.modification_indices(op="~~")
    top = found[(found["lhs"] == "c") & (found["rhs"] == "h")].iloc[0]
    assert top["mi"] > 5
    freed = ak.cfa(f"{MODEL}\n{top['lhs']} {top['op']} {top['rhs']}", data)
    drop = fit.fit_measures()["chisq"] - freed.fit_measures()["chisq"]
    assert top["mi"] == pytest.approx(drop, rel=0.1)
    row = freed.tidy().query("lhs == 'c' and rhs == 'h'")
    assert top["epc"] == pytest.approx(row["estimate"].item(), rel=0.1)
    assert top["sepc_all"] == pytest.approx(row["std_all"].item(), rel=0.2)


@pytest.mark.option("StructuralFit.modification_indices.minimum", "unit")
@pytest.mark.option("StructuralFit.modification_indices.op", "unit")
def test_indices_are_for_what_is_fixed_and_identified(fit: StructuralFit) -> None:
    found = fit.modification_indices()
    free = set(zip(fit.tidy()["lhs"], fit.tidy()["op"], fit.tidy()["rhs"], strict=True))
    assert not free & set(zip(found["lhs"], found["op"], found["rhs"], strict=True))
    assert (found["mi"] >= 0).all() and found["mi"].is_monotonic_decreasing
    assert set(fit.modification_indices(op="=~")["op"]) == {"=~"}
    assert (fit.modification_indices(minimum=5)["mi"] >= 5).all()
    with pytest.raises(ak.SpecError, match="op"):
        fit.modification_indices(op="=")


def test_scores_of_freed_equalities_foresee_chi_square(data: pd.DataFrame) -> None:
    tied = ak.cfa("f =~ a + k*b + k*c\ng =~ d + e + h", data)
    free = ak.cfa(MODEL, data)
    found = tied.score_tests()
    drop = tied.fit_measures()["chisq"] - free.fit_measures()["chisq"]
    assert found["statistic"].iloc[0] == pytest.approx(drop, rel=0.15)
    assert found["statistic"].iloc[0] == pytest.approx(found["statistic"].iloc[-1])
    assert found[["parameter", "equal_to"]].iloc[0].tolist() == ["f =~ b", "f =~ c"]
    with pytest.raises(ak.SpecError, match="no equality"):
        free.score_tests()


def test_slopes_of_a_view_are_zero_along_free_parameters(data: pd.DataFrame) -> None:
    for options in ({}, {"group": "half"}, {"missing": "fiml"}, {"estimator": "GLS"}):
        views = group_views(ak.cfa(MODEL, data, **options)._fit)
        slope = np.sum([view.slope @ view.jacobian for view in views], axis=0)
        size = np.sum([np.abs(view.slope) @ np.abs(view.jacobian) for view in views], axis=0)
        assert (np.abs(slope) < 1e-5 * size.max()).all()


@pytest.mark.option("StructuralFit.residual_matrix.kind", "by hand")
def test_residuals_by_kind(fit: StructuralFit, data: pd.DataFrame) -> None:
    sample = data[list("abcdeh")].corr().to_numpy()
    implied = fit.implied()["cov"].to_numpy()
    sd = np.sqrt(np.diag(implied))
    found = fit.residual_matrix()["cov"]
    np.testing.assert_allclose(found.to_numpy(), sample - implied / np.outer(sd, sd), atol=1e-9)
    z = fit.residual_matrix("standardized")["cov"].to_numpy()
    assert abs(z[2, 5]) > 3
    assert (np.abs(fit.residual_matrix("normalized")["cov"].to_numpy()) <= np.abs(z) + 1e-9)[
        np.tril_indices(6, -1)
    ].all()
    size = fit.residual_size()
    assert size["size"].item() == pytest.approx(fit.fit_measures()["srmr"])
    assert size["unbiased"].item() < size["size"].item()
    with pytest.raises(ak.SpecError, match="bollen"):
        fit.residual_matrix("cor.bolen")


def test_regression_scores_are_least_squares_of_the_factor(fit: StructuralFit, data: pd.DataFrame) -> None:
    scores = fit.factor_scores()
    assert len(scores) == len(data) and list(scores) == ["f", "g"]
    latent, implied = fit.latent()["cov"].to_numpy(), fit.implied()["cov"].to_numpy()
    table = fit.tidy().query("op == '=~'")
    loadings = (
        table.pivot_table(index="rhs", columns="lhs", values="estimate", fill_value=0.0).loc[list("abcdeh")].to_numpy()
    )
    weights = latent @ loadings.T @ np.linalg.inv(implied)
    rows = data[list("abcdeh")].to_numpy()
    np.testing.assert_allclose(scores.to_numpy(), (rows - rows.mean(axis=0)) @ weights.T, atol=1e-8)


def test_bartlett_scores_are_unbiased_given_the_factors(fit: StructuralFit, data: pd.DataFrame) -> None:
    found = fit.factor_scores("bartlett")
    cov = np.cov(found.to_numpy().T, ddof=0)
    assert cov[0, 1] == pytest.approx(fit.latent()["cov"].loc["f", "g"], rel=0.05)
    again = fit.factor_scores("bartlett", new=data.iloc[:7])
    np.testing.assert_allclose(again, found.iloc[:7], atol=1e-10)


@pytest.mark.option("StructuralFit.factor_scores.new", "the rows themselves")
def test_scores_of_other_rows_and_of_groups(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, group="half")
    scores = fit.factor_scores()
    assert list(scores) == ["group", "f", "g"] and scores["group"].tolist() == data["half"].tolist()
    new = data.iloc[[0, 300]].assign(a=[np.nan, 1.0])
    found = fit.factor_scores(new=new)
    assert found["f"].isna().tolist() == [True, False]
    with pytest.raises(ak.DesignError, match="three"):
        fit.factor_scores(new=data.iloc[:2].assign(half="three"))
    with pytest.raises(ak.SpecError, match="regression"):
        fit.factor_scores("regresion")


def test_incomplete_rows_are_scored_by_what_they_have(data: pd.DataFrame) -> None:
    holes = data.copy()
    holes.loc[:50, "a"] = np.nan
    fit = ak.cfa(MODEL, holes, missing="fiml")
    scores = fit.factor_scores()
    assert len(scores) == len(holes) and scores.notna().all().all()


def test_moments_alone_have_no_scores(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, sample_cov=data[list("abcdeh")].cov(), sample_nobs=500)
    with pytest.raises(ak.SpecError, match="rows"):
        fit.factor_scores()
    assert len(fit.factor_scores(new=data.iloc[:3])) == 3


def test_reliability_of_equal_items_is_alpha(data: pd.DataFrame) -> None:
    fit = ak.cfa("f =~ 1*a + 1*b + 1*c\na ~~ v*a\nb ~~ v*b\nc ~~ v*c", data)
    found = fit.reliability().iloc[0]
    assert found["omega_implied"] == pytest.approx(found["alpha"], rel=1e-4)
    assert found["items"] == 3 and 0 < found["ave"] < 1
    with pytest.raises(ak.SpecError, match="latent"):
        ak.sem("a ~ b", data).reliability()


@pytest.mark.option("StructuralFit.htmt.geometric", "by hand")
def test_ratio_of_correlations_between_and_within(data: pd.DataFrame) -> None:
    ratios = ak.cfa(MODEL, data).htmt(geometric=False)
    r = data[list("abcdeh")].corr().abs().to_numpy()
    own = [r[:3, :3][np.tril_indices(3, -1)].mean(), r[3:, 3:][np.tril_indices(3, -1)].mean()]
    assert ratios.loc["f", "g"] == pytest.approx(r[:3, 3:].mean() / np.sqrt(own[0] * own[1]))
    with pytest.raises(ak.SpecError, match="two factors"):
        ak.cfa("f =~ a + b + c", data).htmt()


@pytest.mark.option("StructuralFit.summary.standardized", "unit")
@pytest.mark.option("StructuralFit.summary.fit_measures", "unit")
@pytest.mark.option("StructuralFit.summary.rsquare", "unit")
@pytest.mark.option("StructuralFit.summary.ci", "unit")
def test_summary_has_the_headings_of_lavaan(fit: StructuralFit, data: pd.DataFrame) -> None:
    text = fit.summary(standardized=True, fit_measures=True, rsquare=True, ci=True)
    for heading in (
        "Model Test User Model:",
        "Model Test Baseline Model:",
        "User Model versus Baseline Model:",
        "Root Mean Square Error of Approximation:",
        "Latent Variables:",
        "Covariances:",
        "Variances:",
        "R-Square:",
    ):
        assert heading in text
    assert "Std.all" in text and "ci.lower" in text
    assert "R-Square" not in repr(fit)
    loading = fit.tidy()["estimate"].iloc[1]
    assert f"{loading:.3f}" in text
    grouped = ak.cfa(MODEL, data, group="half").summary()
    assert "Group 1 [one]:" in grouped and "Group 2 [two]:" in grouped
    assert "<pre>" in fit._repr_html_()


@pytest.mark.option("StructuralFit.dot", "unit")
def test_dot_has_every_variable_and_arrow(fit: StructuralFit, data: pd.DataFrame) -> None:
    text = fit.dot()
    assert text.count("shape=box") == 6 and text.count("shape=ellipse") == 2
    assert text.count("->") == len(fit.tidy())
    assert "subgraph cluster_1" in ak.cfa(MODEL, data, group="half").dot()
    with pytest.raises(ak.SpecError, match="estimate"):
        fit.dot("estimates")


def test_equalities_that_are_not_linear_bind_residuals_and_indices() -> None:
    """modindices and lavResiduals of lavaan 0.6-14 with c == a*b."""
    d = pd.read_csv(Path(__file__).parents[2] / "reference" / "sem" / "hs_cfa3_ml" / "data.csv")
    fit = ak.cfa("visual =~ x1 + a*x2 + b*x3\ntextual =~ x4 + c*x5 + x6\nc == a*b", d)
    found = fit.modification_indices().head(3)
    np.testing.assert_allclose(found["mi"], [17.993, 14.946, 13.075], atol=2e-3)
    np.testing.assert_allclose(found["epc"], [0.286, -0.327, -0.396], atol=1e-3)
    z = fit.residual_matrix("cor.bentler", z=True)["cov"]
    np.testing.assert_allclose(z.loc["x1", ["x1", "x2", "x3", "x4"]], [2.594, -1.092, 2.047, 4.161], atol=2e-3)
    assert fit.score_tests()["statistic"].iloc[-1] == pytest.approx(5.983, abs=2e-3)


def test_indices_of_two_levels_are_those_of_lavaan() -> None:
    d = pd.read_csv(Path(__file__).parents[2] / "reference" / "sem_twolevel" / "demo" / "data.csv")
    fit = ak.cfa("level: 1\nf =~ 1*y1+0.7*y2+0.7*y3\nlevel: 2\ng =~ 1*y1+0.7*y2+0.6*y3", d, cluster="cluster")
    found = fit.modification_indices()
    assert found["level"].tolist()[:6] == ["within"] * 4 + ["between"] * 2
    np.testing.assert_allclose(found["mi"].iloc[[0, 2, 4, 6]], [1.560, 0.779, 0.347, 0.309], atol=2e-3)
    np.testing.assert_allclose(found["sepc_all"].iloc[[0, 1, 5]], [0.035, -0.049, 0.345], atol=2e-3)


@pytest.mark.parametrize("options", [{}, {"estimator": "MLR"}, {"estimator": "GLS"}, {"missing": "fiml"}])
def test_units_of_the_variables_do_not_matter(data: pd.DataFrame, options: dict[str, str]) -> None:
    items = data[list("abcdeh")]
    units = pd.Series([1e4, 1e-4, 1.0, 1e3, 1e-3, 1e2], list("abcdeh"))
    one, other = ak.cfa(MODEL, items, **options), ak.cfa(MODEL, items * units, **options)
    found = [fit.modification_indices().head(8) for fit in (one, other)]
    np.testing.assert_allclose(found[0]["mi"], found[1]["mi"], rtol=1e-5)
    np.testing.assert_allclose(found[0]["sepc_all"], found[1]["sepc_all"], rtol=1e-5)
    z = [fit.residual_matrix(z=True)["cov"].to_numpy()[np.tril_indices(6, -1)] for fit in (one, other)]
    np.testing.assert_allclose(z[0], z[1], atol=1e-5)
    for method in ("regression", "bartlett"):
        scores = [fit.factor_scores(method) for fit in (one, other)]
        np.testing.assert_allclose(*[(s / s.std()).to_numpy() for s in scores], atol=1e-6)
    freer = MODEL + "\na ~~ d"
    if options.get("estimator") == "MLR":
        for method in ("satorra.bentler.2001", "satorra.bentler.2010"):
            pair = [
                ak.compare(fit, ak.cfa(freer, d, **options), method=method).tidy()["chisq_diff"].iloc[1]
                for fit, d in ((one, items), (other, items * units))
            ]
            assert pair[0] == pytest.approx(pair[1], rel=1e-5)
