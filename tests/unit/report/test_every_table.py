"""Every result of a mixed model can be laid out as a table, and shows itself in a console and a notebook."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.grid import lay_out
from alliancekit.report.multilevel_words import units_text
from alliancekit.report.parts import Table
from alliancekit.report.text import table_html, table_text


@cache
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    patient, session = np.repeat(np.arange(40), 6), np.tile(np.arange(1.0, 7), 40)
    level = rng.normal(0, 2, 40)[patient] + rng.normal(0, 1.5, 8)[patient % 8]
    y = 20 + level - 0.5 * session * (1 + patient % 2) + rng.normal(size=240)
    return pd.DataFrame(
        {
            "patient": patient,
            "therapist": patient % 8,
            "room": np.arange(240) % 5,
            "session": session,
            "arm": np.where(patient % 2, "b", "a"),
            "y": y,
            "well": (y < 17).astype(int),
        }
    )


@cache
def fit(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ak.BoundaryWarning, ak.DesignWarning))
        if name == "binomial":
            return ak.mixed("well ~ session * arm + (1 | patient)", data(), family="binomial")
        return ak.mixed("y ~ session * arm + (1 | patient) + (1 | therapist)", data())


RESULTS: dict[str, Callable[[Any], Any]] = {
    "fit": lambda f: f,
    "means": lambda f: f.means("arm", at={"session": [1, 6]}),
    "overall mean": lambda f: f.means([]),
    "means by": lambda f: f.means("arm", by="session", at={"session": [1, 6]}),
    "contrasts": lambda f: f.contrasts("arm"),
    "slopes": lambda f: f.slopes("session", by="arm"),
    "one slope": lambda f: f.slopes("session"),
    "F tests": lambda f: f.anova(),
    "profile": lambda f: f.profile(parameters=["session"]),
    "bootstrap": lambda f: f.bootstrap(n=20, seed=1),
    "comparison": lambda f: ak.compare(f.with_method("ML"), f),
    "random terms": lambda f: f.ranova(),
    "robust": lambda f: f.robust(),
    "influence": lambda f: f.influence(by="therapist"),
    "partition": lambda f: f.r2_partition(),
    "effect size": lambda f: f.effect_size(arm="arm"),
}
GAUSSIAN_ONLY = ("random terms", "robust", "influence", "partition", "effect size")
CASES = [(family, name) for family in ("gaussian", "binomial") for name in RESULTS]


@pytest.mark.parametrize(("family", "name"), [c for c in CASES if c[0] == "gaussian" or c[1] not in GAUSSIAN_ONLY])
def test_a_result_becomes_a_table_and_a_sentence(family: str, name: str) -> None:
    result = RESULTS[name](fit(family))
    table = ak.table(result)
    assert lay_out(table).rows
    assert repr(table).startswith(f"{table.title}\n---")
    assert str(ak.sentence(result)) == ak.sentence(result).text


def plain() -> Table:
    frame = pd.DataFrame(
        {
            "part": ["Fixed", "Fixed", "Sample"],
            "term": ["(Intercept)", "a name of more than forty-four characters that must go on below", "Rows"],
            "estimate_1": [12.5, np.nan, 240.0],
            "estimate_2": [11.25, -0.5, 240.0],
        }
    )
    return Table(
        "Models",
        frame,
        group="part",
        stub=("term",),
        labels={"term": "", "estimate_1": "Estimate", "estimate_2": "Estimate"},
        spans={"A model with quite a long name": ("estimate_1",), "B": ("estimate_2",)},
        row_kinds={2: "integer"},
        missing="",
        marks={(1, "estimate_2"): "bad"},
        notes=("Made up.",),
    )


def test_a_table_in_a_console() -> None:
    lines = table_text(plain()).split("\n")
    assert lines[0] == "Models" and "A model with quite a long name" in lines[2]
    body = lines[5:-3]
    assert body[0] == "Fixed" and body[1].startswith("  (Intercept)") and body[1].endswith("11.25")
    assert body[3].strip() == "that must go on below"
    assert lines[-1] == "(a) Not as it should be." and lines[-2] == "Note. Made up."
    assert len({len(line) for line in lines if set(line) == {"-"}}) == 1
    assert all(len(line) <= len(lines[1]) for line in lines[:-2])


def test_a_table_in_a_notebook_is_escaped() -> None:
    table = ak.table(fit("gaussian"))
    nasty = Table("<script>", table.data.assign(term="<b>x</b>"), stub=("term",), notes=("<i>n</i>",))
    html = table_html(nasty)
    assert "<script>" not in html and "<b>x" not in html and "&lt;b&gt;x" in html and "<i>n" not in html
    parser = HTMLParser()
    parser.feed(table_html(plain()))
    assert table_html(plain()).count("<tr>") == 7
    assert plain()._repr_html_() == table_html(plain())


def test_a_figure_says_what_it_is_and_draws_itself() -> None:
    figure = ak.figure(fit("gaussian"), "effects")
    assert repr(figure).startswith(f"Figure: {figure.title}\n")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_units_that_are_crossed_are_not_said_to_be_nested() -> None:
    assert units_text(fit("gaussian")) == "40 patients in 8 therapists"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        crossed = ak.mixed("y ~ session + (1 | patient) + (1 | therapist) + (1 | room)", data())
    assert units_text(crossed) == "40 patients in 8 therapists, crossed with 5 rooms"
    assert "in 8 therapists, crossed with 5 rooms" in ak.sentence(crossed).text


def test_a_model_without_random_effects_is_not_called_mixed() -> None:
    marginal = ak.mixed("y ~ session", data(), residual_structure=ak.ar1(time="session", by="patient"))
    text = ak.sentence(marginal).text
    assert text.startswith("A linear model with correlated residuals (generalised least squares) of y was fitted")
    assert re.search(r"Fixed effects explained [\d.]+% of the variance\.$", text)
