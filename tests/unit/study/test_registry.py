"""Each TOML file is complete and consistent, and each key gives the scores worked out by hand."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study import registry as module
from alliancekit.study.registry import find_instrument, parse_instrument, registry
from alliancekit.study.score import score_range

FILES = sorted((Path(module.__file__).parent / "instruments").glob("*.toml"))
CASES = tomllib.loads((Path(__file__).parent / "scoring_cases.toml").read_text(encoding="utf-8"))["case"]

# Counts, ranges and reversed items as the literature gives them, apart from the files.
KNOWN = {
    "WAI-SR": (12, 1, 5, ()),
    "WAI-S": (12, 1, 7, (4, 10)),
    "WAI": (36, 1, 7, ()),
    "SAI": (6, None, None, ()),
    "CALPAS-P": (24, 1, 7, ()),
    "GCQ-S": (12, 0, 6, ()),
    "GQ": (30, None, None, ()),
    "GCS": (7, None, None, ()),
    "SOFTA-s": (16, None, None, ()),
    "TASC-r": (12, 1, 4, (2, 5, 7, 8, 11)),
    "TASCP": (12, 1, 4, (2, 5, 7, 8, 11)),
    "WAI-GP": (12, None, None, ()),
    "CARE": (10, 1, 5, ()),
    "STAR-P": (12, None, None, ()),
    "PCL-5": (20, 0, 4, ()),
    "BDI": (21, 0, 3, ()),
    "BDI-II": (21, 0, 3, ()),
    "PHQ-9": (9, 0, 3, ()),
    "GAD-7": (7, 0, 3, ()),
    "PCL-C": (17, 1, 5, ()),
    "BSL-23": (23, 0, 4, ()),
    "ACT": (5, 1, 5, ()),
    "C-ACT": (7, 0, 5, ()),
    "CPSS-5": (20, 0, 4, ()),
    "MEQ30": (30, 0, 5, ()),
    "EBI": (8, 0, 100, ()),
    "QIDS-SR16": (16, 0, 3, ()),
}
TOTALS = {
    "TASC-r": (12, 48),
    "TASCP": (12, 48),
    "CARE": (10, 50),
    "PCL-5": (0, 80),
    "BDI": (0, 63),
    "BDI-II": (0, 63),
    "PHQ-9": (0, 27),
    "GAD-7": (0, 21),
    "PCL-C": (17, 85),
    "ACT": (5, 25),
    "C-ACT": (0, 27),
    "CPSS-5": (0, 80),
}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_structure_of_a_file(path: Path) -> None:
    made = parse_instrument(path.read_text(encoding="utf-8"), path.name)
    assert path.stem == made.id.lower().replace("-", "_")
    assert len(made.title) > 5
    assert len(made.source) > 20
    members = [i for items in made.subscales.values() for i in items]
    assert len(members) == len(set(members)), "an item is in two subscales"
    if made.subscales and made.total:
        assert sorted(members) == list(made.total), "the subscales do not make up the total"
    if not made.scorable:
        assert made.key_status == "unverified"
    assert set(made.direction) <= {"", *made.subscales, *made.unkeyed, "total"}
    for other in made.not_with:
        assert made.id in registry()[other].not_with
    for cutoff in made.cutoffs:
        limits = score_range(made, cutoff.score, made.scoring)
        assert limits is not None
        assert limits[0] <= cutoff.at <= limits[1]
        assert cutoff.to is None or cutoff.at < cutoff.to <= limits[1]


def test_the_registry_is_complete() -> None:
    assert {i.id: (i.n_items, i.min, i.max, i.reverse) for i in registry().values()} == KNOWN


@pytest.mark.parametrize(("name", "limits"), TOTALS.items())
def test_range_of_the_total(name: str, limits: tuple[int, int]) -> None:
    assert score_range(registry()[name], "total", "sum") == limits


def test_every_key_has_a_scoring_case() -> None:
    assert {i.id for i in registry().values() if i.scorable} == {case["instrument"] for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['instrument']}: {c['why'][:40]}")
@pytest.mark.option("score.scoring", "scores by hand")
@pytest.mark.option("score.name", "scores by hand")
def test_scoring_case(case: dict[str, Any]) -> None:
    made = find_instrument(case["instrument"])
    assert len(case["items"]) == made.n_items
    frame = pd.DataFrame([case["items"]], columns=[f"q{i}" for i in range(1, made.n_items + 1)])
    scored = ak.score(frame, made.id, prefix="q", name="s", scoring=case.get("scoring"))
    assert [c for c in scored.columns if c.startswith("s_")] == [f"s_{part}" for part in case["expected"]]
    for part, value in case["expected"].items():
        got = scored[f"s_{part}"].iloc[0]
        assert math.isnan(got) if math.isnan(value) else got == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("name", [i.id for i in registry().values() if not i.scorable])
def test_an_instrument_without_key_is_refused(name: str) -> None:
    made = find_instrument(name)
    frame = pd.DataFrame([[1] * made.n_items], columns=[f"q{i}" for i in range(1, made.n_items + 1)])
    with pytest.raises(
        ak.SpecError, match=rf"which items of {name} belong to which scale is not known.*{made.n_items} items"
    ):
        ak.score(frame, name, prefix="q")


def test_frame_of_the_registry() -> None:
    frame = ak.instruments().set_index("id")
    assert len(frame) == len(FILES)
    assert list(frame.index) == sorted(frame.index)
    assert frame.loc["WAI-SR", "subscales"] == "task, bond, goal"
    assert frame.loc["STAR-P", "subscales"] == "[collaboration], [clinician_input], [non_supportive]"
    assert frame.loc["WAI-S", "reverse"] == "4, 10"
    assert frame.loc["WAI-S", "key_status"] == "unverified"
    assert frame.loc["GCQ-S", "prorate"] == "at most 4 items of the form missing"
    assert frame.loc["ACT", "prorate"] == "every item of the scale"
    assert frame.loc["WAI-SR", "prorate"] == "at least 75% of the scale's items"


def test_an_unknown_instrument_is_answered_with_the_nearest() -> None:
    with pytest.raises(ak.SpecError, match=r"the instrument 'WAISR' is not registered\. Did you mean 'WAI-SR'\?"):
        find_instrument("WAISR")


GOOD = """
id = "X"
title = "An example"
construct = "alliance"
n_items = 4
min = 1
max = 5
scoring = "mean"
direction = "better"
key_status = "unverified"
source = "nowhere in particular"
"""


def test_an_instrument_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(GOOD + "[subscales]\nfirst = [1, 2]\n", encoding="utf-8")
    frame = pd.DataFrame({"a1": [1], "a2": [4]})
    assert ak.score(frame, str(path), prefix="a")["x_first"].tolist() == [2.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace('title = "An example"\n', ""), "entries are missing: title"),
        (GOOD + "subscale = 3\n", "the entry 'subscale' is not known .*Did you mean 'subscales'"),
        (GOOD.replace('"mean"', '"average"'), "scoring='average' is not an option"),
        (GOOD.replace('"better"', '"up"'), "direction='up' is not an option"),
        (GOOD.replace("n_items = 4", "n_items = 0"), "n_items is 0"),
        (GOOD.replace("min = 1\n", ""), "min and max must come together"),
        (GOOD.replace("max = 5", "max = 1"), "min and max must come together, the smaller first"),
        (GOOD + "reverse = [5]\n", r"items \[5\] are not between 1 and 4"),
        (GOOD + "[subscales]\na = [1, 1]\n", "the scale 'a' is empty or names an item twice"),
        (GOOD.replace("min = 1\nmax = 5\n", "") + "reverse = [1]\n", "items cannot be reversed without min and max"),
        (GOOD + '[[cutoffs]]\nscore = "sum"\nlabel = "x"\nat = 1\n', "cutoffs.score='sum' is not an option"),
        (GOOD + '[prorate]\nrule = "most"\n', "prorate.rule='most' is not an option"),
        ("id = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_named(text: str, said: str) -> None:
    with pytest.raises(ak.SpecError, match=said):
        parse_instrument(text, "x.toml")


def test_a_missing_file_of_ones_own() -> None:
    with pytest.raises(ak.ReadError, match=r"there is no instrument file 'mine\.toml'"):
        find_instrument("mine.toml")
