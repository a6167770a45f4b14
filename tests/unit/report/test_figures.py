from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure

from alliancekit.core.errors import ReportError, SpecError
from alliancekit.report import style
from alliancekit.report.figures_io import draw, inline_svg
from alliancekit.report.parts import Figure
from tests.unit.report import demo

DARK_PAGE, LIGHT_PAGE = "#15171a", "#ffffff"
# Machado, Oliveira and Fernandes (2009), severity 1: protanopia, deuteranopia, tritanopia.
VISION = [
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
]


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(first: str, second: str) -> float:
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x = to_xyz @ np.clip(light, 0, 1) / np.array([0.95047, 1, 1.08883])
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("colour", style.SERIES)
def test_series_stand_out_on_both_pages(colour: str) -> None:
    assert contrast(colour, LIGHT_PAGE) >= 3
    assert contrast(colour, DARK_PAGE) >= 3


@pytest.mark.parametrize("vision", range(4))
def test_series_are_told_apart_with_any_colour_vision(vision: int) -> None:
    seen = [lab(VISION[vision] @ linear(c)) for c in style.SERIES]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 20


def test_text_is_readable_in_both_themes() -> None:
    assert contrast(style.INK, LIGHT_PAGE) > 12
    assert contrast(style.MUTED, LIGHT_PAGE) >= 4.5


def test_two_drawings_have_the_same_bytes_and_know_no_time() -> None:
    first, second = draw(demo.course_figure()), draw(demo.course_figure())
    assert first.svg == second.svg
    assert first.png == second.png
    assert not re.search(rb"<metadata|dc:date|DOCTYPE|matplotlib version", first.svg)
    assert b"tIME" not in first.png
    assert b"Software" not in first.png


def test_personal_settings_do_not_reach_a_report() -> None:
    plain = draw(demo.course_figure())
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert draw(demo.course_figure()).svg == plain.svg
        assert matplotlib.rcParams["font.size"] == 20


def test_the_svg_is_well_formed_and_holds_outlines() -> None:
    root = ET.fromstring(draw(demo.course_figure()).svg)
    assert root.tag.endswith("svg")
    assert not [e for e in root.iter() if e.tag.endswith(("}text", "}script", "}image"))]


def test_inline_svg_takes_the_colours_of_the_page_and_ids_of_its_own() -> None:
    svg = draw(demo.course_figure()).svg
    fragment = inline_svg(svg, "f1-", "label")
    assert style.INK not in fragment
    assert "currentColor" in fragment
    assert "var(--series-1)" in fragment
    assert "http" not in fragment
    assert "<!--" not in fragment
    ids = re.findall(r'\bid="([^"]+)"', fragment)
    assert ids
    assert len(ids) == len(set(ids))
    assert all(i.startswith("f1-") for i in ids)
    wanted = set(re.findall(r'href="#([^"]+)"', fragment)) | set(re.findall(r"url\(#([^)]+)\)", fragment))
    assert wanted == set(ids)
    ET.fromstring(fragment)


def test_a_drawing_that_is_no_figure_is_refused() -> None:
    with pytest.raises(ReportError, match="did not draw"):
        draw(Figure("Nothing", lambda: 3))


def test_figures_made_with_pyplot_are_closed() -> None:
    import matplotlib.pyplot as plt

    def with_pyplot() -> object:
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        return figure

    before = plt.get_fignums()
    draw(Figure("Line", with_pyplot))
    assert plt.get_fignums() == before


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_figure_is_written_to_a_file(tmp_path: Path, ending: str, start: bytes) -> None:
    figure = demo.course_figure()
    path = figure.save(tmp_path / f"course.{ending}")
    assert path.read_bytes().startswith(start)
    first = path.read_bytes()
    assert figure.save(path).read_bytes() == first


def test_the_file_has_the_size_asked_for_and_all_of_the_labels(tmp_path: Path) -> None:
    def drawn() -> MplFigure:
        made = MplFigure(figsize=(style.WIDTH, 3), layout="none")
        made.text(-0.2, 0.5, "a label that the figure would cut", ha="right")
        made.text(0.9, 0.5, "end")
        return made

    figure = Figure(title="Wide", draw=drawn)
    widths = [int.from_bytes(figure.save(tmp_path / "a.png", dpi=dpi).read_bytes()[16:20], "big") for dpi in (50, 100)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.05) and widths[1] > 1.2 * 100 * style.WIDTH
    with pytest.raises(SpecError, match="pdf or"):
        figure.save(tmp_path / "a.docx")
    with pytest.raises(SpecError, match="dpi"):
        figure.save(tmp_path / "a.png", dpi=0)


def test_a_figure_is_not_written_to_a_folder_that_is_not_there(tmp_path: Path) -> None:
    figure = Figure("Line", lambda: pytest.fail("it is not drawn"))
    with pytest.raises(SpecError, match="there is no folder"):
        figure.save(tmp_path / "none" / "line.png")
