"""Path diagrams of the gallery: nothing lies on anything else, and the options change what is drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.report.parts import Figure
from alliancekit.report.structural_drawing import compose
from alliancekit.report.structural_graph import Edge, Graph
from alliancekit.report.structural_layout import lay_out, wrapped
from alliancekit.report.structural_path import PathOptions, graphs_of
from alliancekit.report.style import figure_style
from tests.unit.report.gallery import MODELS, _growth, fitted
from tests.unit.report.touching import _letters, touching


def _texts(figure: Figure, start: str = "number") -> dict[str, str]:
    """Return what is written in a drawing: name of the mark -> text."""
    with figure_style():
        drawn = figure.draw()
    marks = [t for axes in drawn.axes for t in axes.texts if (t.get_gid() or "").startswith(start)]
    return {f"{t.get_gid()} {k}": t.get_text() for k, t in enumerate(marks)}


@pytest.mark.parametrize("name", MODELS)
def test_nothing_touches_in_any_diagram_of_the_gallery(name: str) -> None:
    assert touching(ak.figure(fitted(name))) == []


@pytest.mark.parametrize("name", ["growth_five", "ri_clpm_five", "democracy", "bifactor", "two_level_cfa", "groups"])
def test_nothing_touches_with_stars_raw_values_or_from_top_to_bottom(name: str) -> None:
    fit = fitted(name)
    assert touching(ak.figure(fit, significance="both")) == []
    assert touching(ak.figure(fit, "path-estimates", means=True)) == []
    assert touching(ak.figure(fit, layout="down")) == []


def test_touching_is_noticed() -> None:
    """Numbers larger than the room that was kept for them lie on each other, and the measure says so."""
    figure = ak.figure(fitted("growth_five"))

    def enlarged() -> object:
        drawn = figure.draw()
        for text in drawn.axes[0].texts:
            text.set_fontsize(30)
        return drawn

    found = touching(Figure("Path Diagram", enlarged))  # type: ignore[arg-type]
    assert any("on loading" in line for line in found) and any("wider than" in line for line in found)


def test_every_arrow_of_the_model_is_drawn() -> None:
    for name in ("ri_clpm_three", "democracy", "exploratory"):
        fit = fitted(name)
        (graph,) = graphs_of(fit, "std_all")
        with figure_style():
            patches = ak.figure(fit).draw().axes[0].patches
        drawn = {p.get_gid() for p in patches if p.get_gid() not in (None, "variable")}
        expected = {f"{e.kind} {e.start} {e.end}" for e in graph.edges if e.kind != "variance" or e.value != 1.0}
        assert {g for g in expected if not g.startswith("variance")} <= drawn
        numbers = _texts(ak.figure(fit))
        for e in graph.edges:
            if e.kind == "regression":
                (text,) = [t for g, t in numbers.items() if g.startswith(f"number regression {e.start} {e.end} ")]
                assert abs(float(text.replace("−", "-")) - e.value) <= 0.005 + 1e-9


def test_waves_stand_from_left_to_right_and_random_intercepts_outside() -> None:
    (graph,) = graphs_of(fitted("ri_clpm_five"), "std_all")
    places = lay_out(graph).places
    for v in "xy":
        rows = [places[f"w{v}{t}"] for t in range(1, 6)]
        assert len({p.y for p in rows}) == 1 and (np.diff([p.x for p in rows]) > 1).all()
        assert [places[f"{v}{t}"].x for t in range(1, 6)] == [p.x for p in rows]
    assert places["RIx"].y > places["x1"].y > places["wx1"].y > places["wy1"].y > places["y1"].y > places["RIy"].y


def test_a_model_with_three_random_intercepts_is_a_panel_too() -> None:
    edges = [Edge(f"RI{v}", f"{v}{t}", "loading", 0.6, True) for v in "xyz" for t in (1, 2, 3)]
    edges += [Edge(f"w{v}{t}", f"{v}{t}", "loading", 0.8, True) for v in "xyz" for t in (1, 2, 3)]
    edges += [Edge(f"w{u}{t - 1}", f"w{v}{t}", "regression", 0.2, True) for u in "xyz" for v in "xyz" for t in (2, 3)]
    latent = [e.start for e in edges if e.kind == "loading"]
    graph = Graph("", tuple(dict.fromkeys(e.end for e in edges[:9])), tuple(dict.fromkeys(latent)), tuple(edges))
    places = lay_out(graph).places
    assert places["wx1"].x < places["wx2"].x < places["wx3"].x and places["RIx"].y > places["RIy"].y > places["RIz"].y
    (panel,), _ = compose([graph], PathOptions())
    assert len(panel.routes) == len(edges)


def test_long_names_are_broken_and_odd_ones_written_as_they_are() -> None:
    assert wrapped("agreement_on_tasks_early") == ["agreement_on_", "tasks_early"]
    assert wrapped("workingAllianceTotal") == ["working", "AllianceTotal"]
    assert wrapped("w1") == ["w1"] and "".join(wrapped("a.b_c")) == "a.b_c"
    assert {"größe", "a.b", "_x_", "naïve.f"} <= set(_texts(ak.figure(fitted("odd_names")), "name").values())


@pytest.mark.option("figure.significance", "p values and limits of fit.tidy(), 3 models")
def test_stars_follow_p_and_broken_lines_the_interval() -> None:
    fit = fitted("mediation")
    table = fit.tidy().query("op == '~'").set_index(["rhs", "lhs"])
    stars = _texts(ak.figure(fit, significance="stars"))
    for (start, end), row in table.iterrows():
        (text,) = [t for g, t in stars.items() if g.startswith(f"number regression {start} {end} ")]
        assert text.count("*") == sum(row["p_value"] < bound for bound in (0.05, 0.01, 0.001))
    assert "*** p < .001" in ak.figure(fit, significance="stars").caption
    assert not any("*" in t for t in _texts(ak.figure(fit)).values())
    for words, broken in (("lines", True), ("both", True), ("stars", False), ("none", False)):
        with figure_style():
            patches = ak.figure(fit, significance=words).draw().axes[0].patches
        lines = {p.get_gid(): p.get_linestyle() for p in patches}
        row = table.loc[("x", "y")]
        assert row["conf_low"] < 0 < row["conf_high"]
        assert (lines["regression x y"] != "-") is broken
        assert ("Broken" in ak.figure(fit, significance=words).caption) is broken


@pytest.mark.option("figure.residuals", "variances of fit.tidy()")
def test_residuals_can_be_left_out() -> None:
    figure = ak.figure(fitted("three_factors"), residuals=False)
    assert not any("number variance" in g for g in _texts(figure)) and "(residual) variances" not in figure.caption
    assert any("number variance" in g for g in _texts(ak.figure(fitted("three_factors"))))


@pytest.mark.option("figure.means", "means of fit.tidy()")
def test_means_are_drawn_when_asked_for() -> None:
    fit = fitted("growth")
    numbers = _texts(ak.figure(fit, "path-estimates", means=True), "number mean")
    means = fit.tidy().query("op == '~1' and std_error > 0").set_index("lhs")["estimate"]
    assert {g.split(" ")[2] for g in numbers} == set(means.index) == {"i", "s"}
    for g, text in numbers.items():
        assert float(text.replace("−", "-")) == pytest.approx(means[g.split(" ")[2]], abs=0.005)
    assert "triangles" in ak.figure(fit, means=True).caption and "triangles" not in ak.figure(fit).caption


@pytest.mark.option("figure.group", "estimates of each group in fit.tidy()")
@pytest.mark.option("figure.level", "estimates of each level in fit.tidy()")
def test_one_group_or_level_can_be_chosen() -> None:
    figure = ak.figure(fitted("groups"), group="men")
    assert figure.data is not None and set(figure.data["panel"]) == {"men"}
    own = fitted("groups").tidy().query("group == 'men' and op == '=~'")["std_all"]
    assert figure.data.query("kind == 'loading'")["std_all"].tolist() == own.tolist()
    within = ak.figure(fitted("two_level_cfa"), level="within")
    assert within.data is not None and set(within.data["panel"]) == {"Within"}
    with pytest.raises(ak.SpecError, match="women"):
        ak.figure(fitted("groups"), group="woman")
    with pytest.raises(ak.SpecError, match="several groups"):
        ak.figure(fitted("growth"), group="men")
    with pytest.raises(ak.SpecError, match="two levels"):
        ak.figure(fitted("growth"), level="within")


@pytest.mark.option("figure.layout", "order of causes and effects")
def test_a_diagram_can_be_read_from_top_to_bottom() -> None:
    def heights(way: str) -> dict[str, tuple[float, float]]:
        with figure_style():
            axes = ak.figure(fitted("mediation"), layout=way).draw().axes[0]
        return {t.get_text(): t.get_position() for t in axes.texts if t.get_gid() == "name"}

    right, down = heights("right"), heights("down")
    assert right["x"][0] < right["m1"][0] < right["y"][0] and down["x"][1] > down["m1"][1] > down["y"][1]


def test_a_diagram_of_the_model_has_no_numbers() -> None:
    figure = ak.figure(fitted("democracy"), "path-model")
    assert _texts(figure) == {} and not re.search(r"estimates", figure.caption)


def test_options_that_a_figure_does_not_have_are_answered() -> None:
    fit = fitted("mediation")
    with pytest.raises(ak.SpecError, match="path diagrams of structural models"):
        d = _growth(3).assign(g=np.arange(300) % 30)
        ak.figure(ak.mixed("y ~ w0 + (1 | g)", d.assign(y=d["w1"] + d["g"])), means=True)
    with pytest.raises(ak.SpecError, match="path diagrams"):
        ak.figure(fit, "residuals", residuals=False)
    with pytest.raises(ak.SpecError, match="not True or False"):
        ak.figure(fit, residuals="no")
    with pytest.raises(ak.SpecError, match="lines"):
        ak.figure(fit, significance="line")


def test_the_number_of_a_mean_stands_beside_its_triangle() -> None:
    from matplotlib.patches import Polygon

    with figure_style():
        drawn = ak.figure(fitted("growth"), "path-estimates", means=True).draw()
        drawn.canvas.draw()
        (axes,) = drawn.axes
        numbers = [_letters(t) for t in axes.texts if (t.get_gid() or "").startswith("number mean")]
        triangles = [p.get_window_extent() for p in axes.patches if type(p) is Polygon]
    assert len(numbers) == len(triangles) == 2
    assert not any(number.overlaps(triangle) for number in numbers for triangle in triangles)
