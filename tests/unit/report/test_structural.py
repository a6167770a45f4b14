"""Presentation of structural models: tables, sentences, figures, and that all follow the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.figures_io import draw
from alliancekit.report.structural_graph import graph_of
from alliancekit.report.structural_layout import lay_out
from alliancekit.report.structural_path import graphs_of
from alliancekit.structural.result.fit import StructuralFit
from tests.unit.report.gallery import bifactor

MODEL = "\n".join(f"f{k} =~ " + " + ".join(f"w{i}" for i in range(3 * k - 2, 3 * k + 1)) for k in range(1, 5))


GROWTH = "i =~ 1*w1 + 1*w2 + 1*w3 + 1*w4\ns =~ 0*w1 + 1*w2 + 2*w3 + 3*w4"


def _occasions() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    pre, i, s = rng.normal(size=(3, 400))
    d = pd.DataFrame({f"w{t + 1}": i + 0.5 * pre + t * s + rng.normal(size=400) for t in range(4)})
    return d.assign(pre=pre, post=rng.normal(size=400))


def simulate(seed: int = 3, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cov = np.full((4, 4), 0.4) + 0.6 * np.eye(4)
    f = rng.multivariate_normal(np.zeros(4), cov, n)
    d = pd.DataFrame(np.repeat(f, 3, axis=1) + rng.normal(size=(n, 12)), columns=[f"w{i}" for i in range(1, 13)])
    return d.assign(
        pre=rng.normal(size=n),
        post=f[:, 0] + rng.normal(size=n),
        half=np.repeat(["a", "b"], n // 2),
        cluster=np.arange(n) // 10,
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulate()


@pytest.fixture(scope="module")
def fit(data: pd.DataFrame) -> StructuralFit:
    return ak.cfa(MODEL, data)


def test_table_holds_every_parameter_in_sections(fit: StructuralFit) -> None:
    table = ak.table(fit)
    assert len(table.data) == len(fit.tidy())
    assert list(dict.fromkeys(table.data["component"])) == ["Loadings", "Covariances", "Variances"]
    assert "CFI" in table.notes[0] and "300 rows" in table.notes[1]
    loading = table.data.query("term == 'f1 → w2'")
    assert loading["estimate"].item() == fit.tidy().query("rhs == 'w2'")["estimate"].iloc[0]


def test_groups_and_levels_head_their_sections(data: pd.DataFrame) -> None:
    grouped = ak.table(ak.cfa("f =~ w1 + w2 + w3", data, group="half"))
    assert grouped.data["component"].iloc[0] == "a: Loadings"
    levels = ak.table(
        ak.cfa("level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3", _clustered(), cluster="cluster")
    )
    assert {"Within: Loadings", "Between: Variances"} <= set(levels.data["component"])


def _clustered() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    c = np.repeat(np.arange(60), 8)
    up, low = rng.normal(size=60)[c], rng.normal(size=480)
    d = pd.DataFrame({f"w{i}": up + low + rng.normal(size=480) + 0.4 * rng.normal(size=60)[c] for i in (1, 2, 3)})
    return d.assign(cluster=c)


def test_models_side_by_side_and_their_tests(data: pd.DataFrame) -> None:
    free, equal = ak.cfa("f =~ w1 + w2 + w3 + w4", data), ak.cfa("f =~ w1 + k*w2 + k*w3 + k*w4", data)
    side = ak.table(free, equal, names=["free", "equal"])
    assert side.data["model"].tolist() == ["free", "equal"]
    assert side.data["chisq"].iloc[1] == equal.fit_measures()["chisq"]
    compared = ak.compare(free, equal, names=["free", "equal"])
    tested = ak.table(compared)
    assert tested.data["chisq_diff"].iloc[1] == compared.tidy()["chisq_diff"].iloc[1]
    assert tested.data["cfi_diff"].iloc[1] == pytest.approx(tested.data["cfi"].diff().iloc[1])
    assert "“equal”" in ak.sentence(compared).text
    with pytest.raises(ak.SpecError, match="all different"):
        ak.table(free, equal, names=["one", "one"])
    with pytest.raises(ak.ReportError, match="cannot share"):
        ak.table(free, compared)
    with pytest.raises(ak.ReportError, match="no figure"):
        ak.figure(compared)


def test_sentence_follows_the_numbers(data: pd.DataFrame) -> None:
    model = "f =~ w1 + w2 + w3\npost ~ f + pre"
    text = ak.sentence(ak.sem(model, data)).text
    assert "The effect of f on post was positive" in text
    assert "The effect of pre on post was not reliably different from zero" in text
    turned = ak.sentence(ak.sem(model, data.assign(post=-data["post"]))).text
    assert "The effect of f on post was negative" in turned
    robust = ak.sentence(ak.sem(model, data, estimator="MLR")).text
    assert "scaled χ²" in robust and "robust CFI" in robust


def test_saturated_models_have_no_fit(data: pd.DataFrame) -> None:
    assert "saturated" in ak.sentence(ak.sem("post ~ pre", data)).text
    assert ak.sentence(ak.growth(GROWTH, _occasions())).text.startswith("A latent growth")


@pytest.mark.parametrize("kind", [None, "path-estimates", "residuals", "modification"])
def test_figures_are_drawn(fit: StructuralFit, kind: str | None) -> None:
    figure = ak.figure(fit, kind)
    assert draw(figure).png.startswith(b"\x89PNG")
    assert figure.alt and figure.data is not None and len(figure.data)


def test_a_figure_of_another_kind_is_answered_with_the_kinds(fit: StructuralFit) -> None:
    with pytest.raises(ak.SpecError, match="residuals"):
        ak.figure(fit, "residual")
    with pytest.raises(ak.ReportError, match="saturated"):
        ak.figure(ak.cfa("f =~ w1 + w2 + w3", simulate()), "modification")


def test_a_path_diagram_has_room_for_twelve_items_and_four_factors(fit: StructuralFit) -> None:
    (graph,) = graphs_of(fit, "std_all")
    places = lay_out(graph).places
    assert set(places) == set(graph.observed) | set(graph.latent)
    boxes = list(places.values())
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart = abs(one.x - other.x) - one.half_width - other.half_width
            above = abs(one.y - other.y) - one.half_height - other.half_height
            assert apart > 0.02 or above > 0.02, "two variables overlap"


def test_levels_and_groups_have_panels() -> None:
    levels = ak.cfa("level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3", _clustered(), cluster="cluster")
    figure = ak.figure(levels)
    assert figure.data is not None and list(dict.fromkeys(figure.data["panel"])) == ["Between", "Within"]
    assert len(draw(figure).png) > 1000


def test_what_predicts_stands_left_and_loops_end() -> None:
    rows = [("y", "~", "x"), ("z", "~", "y"), ("x", "~", "z"), ("f", "=~", "a"), ("f", "=~", "b"), ("z", "~", "f")]
    table = pd.DataFrame(rows, columns=["lhs", "op", "rhs"]).assign(
        std_error=0.1, estimate=0.5, p_value=0.01, std_all=0.5
    )
    layout = lay_out(graph_of(table, ["a", "b", "x", "y", "z"], ["f"], "std_all"))
    assert layout.places["f"].x < layout.places["z"].x
    assert layout.outside["a"] == "left"


def test_growth_with_covariates_of_each_occasion_is_drawn() -> None:
    fit = ak.growth(f"{GROWTH}\ni ~ pre\ns ~ pre\nw2 ~ post", _occasions())
    (graph,) = graphs_of(fit, "std_all")
    places = lay_out(graph).places
    assert places["post"].x > places["w2"].x > places["i"].x > places["pre"].x
    assert places["i"].y != places["s"].y
    assert len(draw(ak.figure(fit)).svg) > 1000


def test_equation_is_the_syntax_and_the_call_for_r(fit: StructuralFit) -> None:
    found = ak.equation(fit)
    assert found.lines[0].startswith("f1 =~") and "cfa(model, data" in found.r_call


def test_a_report_wants_to_know_about_missing_values(data: pd.DataFrame) -> None:
    model, report = "f =~ w1 + w2 + w3 + w4", ak.Report("Factors")
    unsaid, said = ak.cfa(model, data), ak.cfa(model, data, missing="listwise")
    equal = ak.cfa("f =~ w1 + k*w2 + k*w3 + k*w4", data)
    for item in (unsaid, ak.table(unsaid), ak.compare(unsaid, equal), [unsaid]):
        with pytest.raises(ak.ReportError, match='missing="fiml"'):
            report.section("Model", item)
    assert report.section("Model", said, ak.figure(said)) is report
    moments = ak.cfa(model, sample_cov=data[["w1", "w2", "w3", "w4"]].cov(), sample_nobs=300)
    report.section("Moments", moments)


def test_the_table_of_ordinal_items_leaves_out_scales_and_says_what_follows() -> None:
    rng = np.random.default_rng(5)
    f = rng.normal(size=300)
    d = pd.DataFrame({f"u{i}": np.digitize(f + rng.normal(size=300), [-0.8, 0.3, 1.1]) for i in range(4)})
    fit = ak.cfa("f =~ u0 + u1 + u2 + u3", d, ordered=True)
    table = ak.table(fit)
    assert set(table.data["component"]) == {"Loadings", "Thresholds", "Variances"}
    assert "follow from the others" in " ".join(table.notes)
    assert "robust RMSEA" in str(ak.sentence(fit)) or "scaled RMSEA" in str(ak.sentence(fit))
    kinds = [edge.kind for edge in graphs_of(fit, "std_all")[0].edges]
    assert kinds.count("loading") == 4 and kinds.count("variance") >= 4
    text = fit.summary()
    lines = {line[2:42].strip(): line[42:].split() for line in text.splitlines()}
    standard, scaled = (float(v) for v in lines["Test Statistic"])
    factor, shift = float(lines["Scaling correction factor"][0]), float(lines["Shift parameter"][0])
    assert scaled == pytest.approx(standard / factor + shift, abs=0.02)


def test_no_p_is_given_for_the_unscaled_statistic_of_least_squares() -> None:
    rng = np.random.default_rng(6)
    f = rng.normal(size=200)
    d = pd.DataFrame({f"y{i}": f + rng.normal(size=200) for i in range(4)})
    words = str(ak.sentence(ak.cfa("f =~ y0 + y1 + y2 + y3", d, estimator="ULS")))
    assert "p =" not in words and "χ²(2, N = 200)" in words


def test_exploratory_diagrams_show_large_loadings_and_each_item(data: pd.DataFrame) -> None:
    fit = ak.efa(data, 4, items=[f"w{i}" for i in range(1, 13)])[4]
    (graph,) = graphs_of(fit, "std_all")
    drawn = [e for e in graph.edges if e.kind == "loading"]
    every = fit.standardized().query("op == '=~'")
    assert len(drawn) < len(every) == 48 and {e.end for e in drawn} == set(graph.observed)
    largest = every.assign(size=every["estimate"].abs()).groupby("rhs")["size"].max()
    assert all(abs(e.value) > 0.3 or abs(e.value) == pytest.approx(largest[e.end]) for e in drawn)
    assert int((every["estimate"].abs() > 0.3).sum()) <= len(drawn)
    owner = lay_out(graph).owner
    first = every.loc[every["estimate"].abs().groupby(every["rhs"]).idxmax()].set_index("rhs")["lhs"]
    assert owner == first.to_dict()
    assert "|.3|" in ak.figure(fit).caption


def test_the_general_factor_stands_beyond_the_items() -> None:
    (graph,) = graphs_of(bifactor(), "std_all")
    layout = lay_out(graph)
    items = {layout.places[v].x for v in graph.observed}
    assert max(layout.places[f].x for f in ("fa", "fb")) < min(items) <= max(items) < layout.places["g"].x
    assert set(layout.owner.values()) == {"fa", "fb"}


def test_estimates_have_three_decimals_where_errors_are_not_tiny() -> None:
    from alliancekit.report.grid import lay_out as cells_of

    d = simulate()
    for scale, decimals in ((1.0, 3), (0.002, 0)):
        table = ak.table(ak.cfa("f =~ w1 + w2 + w3 + w4", d.assign(w2=scale * d["w2"])))
        assert table.decimals.get("estimate", 0) == decimals
        assert cells_of(table).rows
    shown = str(ak.table(ak.cfa("f =~ w1 + w2 + w3 + w4", d)))
    value = ak.cfa("f =~ w1 + w2 + w3 + w4", d).tidy().query("term == 'f =~ w2'")
    assert f"{value['estimate'].item():.3f}" in shown and f"{value['std_all'].item():.2f}".lstrip("0") in shown


def _two_level(between: str = "g =~ w1 + w2 + w3") -> StructuralFit:
    model = f"level: 1\nf =~ w1 + k*w2 + k*w3\nlevel: 2\n{between}"
    return ak.cfa(model, _clustered(), cluster="cluster", missing="listwise")


def test_two_levels_have_a_residual_measure_each_and_their_clusters() -> None:
    fit, equal = _two_level(), _two_level("g =~ w1 + m*w2 + m*w3")
    m = fit.fit_measures()
    shown = [f"SRMR {name} = {m[f'srmr_{name}']:.3f}".replace("0.", ".") for name in ("within", "between")]
    notes = ak.table(fit).notes
    assert ", ".join(shown) in notes[0] and "SRMR =" not in notes[0]
    assert "480 rows in 60 clusters" in notes[1]
    assert fit.sample.groups == {"cluster": 60}
    for side in (ak.table(fit, equal, names=["free", "equal"]), ak.table(ak.compare(fit, equal))):
        assert side.data["srmr_between"].iloc[0] == m["srmr_between"] and "srmr" not in side.data
        assert side.spans["SRMR"] == ("srmr_within", "srmr_between")
    report = ak.Report("Two Levels", data="simulated", question="Are there clusters?")
    report.section("Estimates", fit)
    assert [line.lines for line in report.assemble().summary if line.label == "Sample"] == [("480 rows; cluster: 60",)]


@pytest.mark.parametrize(
    ("function", "model", "title"),
    [
        (ak.cfa, "f =~ w1 + w2 + w3", "Confirmatory Factor Analysis"),
        (ak.sem, "post ~ pre", "Structural Equation Model"),
        (ak.growth, GROWTH, "Growth Model"),
    ],
)
def test_the_title_of_the_estimates_is_that_of_the_function(function: Any, model: str, title: str) -> None:
    assert ak.table(function(model, _occasions())).title == f"Estimates of the {title}"


def test_comparisons_show_information_criteria_where_there_is_a_likelihood(data: pd.DataFrame) -> None:
    models = ("f =~ w1 + w2 + w3 + w4", "f =~ w1 + k*w2 + k*w3 + k*w4")
    for estimator in ("ML", "ULS"):
        fits = [ak.cfa(model, data, estimator=estimator) for model in models]
        table = ak.table(ak.compare(*fits)).data
        if estimator == "ULS":
            assert not {"aic", "bic"} & set(table)
            continue
        for name in ("aic", "bic"):
            assert table[name].tolist() == [fit.fit_measures()[name] for fit in fits]
