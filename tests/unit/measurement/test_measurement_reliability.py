"""ak.reliability: numbers by hand, missing answers, reversed items, bad input, presentation."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.codebook import Codebook, ColumnInfo, TableInfo
from alliancekit.study.types import Study


@pytest.fixture(scope="module")
def df(make_items: Any) -> pd.DataFrame:
    answers = make_items(200, (0.8, 0.7, 0.6, 0.5), seed=4)
    return (3 + 1.2 * answers).round().clip(1, 5)


def test_alpha_by_hand(df: pd.DataFrame) -> None:
    row = ak.reliability(df, "i_").tidy().iloc[0]
    alpha = 4 / 3 * (1 - df.var().sum() / df.sum(axis=1).var())
    assert row["alpha"] == pytest.approx(alpha, rel=1e-12)
    assert row["mean_correlation"] == pytest.approx(df.corr().to_numpy()[np.triu_indices(4, 1)].mean(), rel=1e-12)
    assert row["conf_low"] < alpha < row["conf_high"]
    assert row["omega_low"] < row["omega"] < row["omega_high"]
    assert row["mean"] == pytest.approx(df.mean(axis=1).mean())
    assert (row["scale"], row["items"], row["n"]) == ("i", 4, 200)


def test_items_by_hand(df: pd.DataFrame) -> None:
    items = ak.reliability(df, list(df.columns)).augment().set_index("item")
    for name in df.columns:
        rest = df.drop(columns=name)
        assert items.loc[name, "item_rest_r"] == pytest.approx(df[name].corr(rest.sum(axis=1)), rel=1e-12)
        dropped = ak.reliability(rest, list(rest.columns), method="alpha").tidy()["alpha"].item()
        assert items.loc[name, "alpha_if_dropped"] == pytest.approx(dropped, rel=1e-12)
        assert items.loc[name, "floor"] == pytest.approx((df[name] == 1).mean())
        assert items.loc[name, "ceiling"] == pytest.approx((df[name] == 5).mean())


def test_subscales_give_one_row_each(df: pd.DataFrame, make_items: Any) -> None:
    both = df.join(make_items(200, (0.9, 0.9, 0.9), seed=8, prefix="bond"))
    found = ak.reliability(both, {"task": "i_", "bond": ["bond_1", "bond_2", "bond_3"]})
    assert found.tidy()["scale"].tolist() == ["task", "bond"]
    assert found.tidy()["items"].tolist() == [4, 3]
    assert len(found.augment()) == 7
    alone = ak.reliability(df, {"task": "i"}).tidy().iloc[0]
    pd.testing.assert_series_equal(found.tidy().iloc[0], alone, check_names=False)


def test_prefix_takes_numbered_columns_in_order_of_number(make_items: Any) -> None:
    wide = make_items(100, [0.7] * 11, prefix="wai")
    shuffled = wide[sorted(wide.columns)].assign(wai_total=wide.sum(axis=1))
    found = ak.reliability(shuffled, "wai_")
    assert found.augment()["item"].tolist() == [f"wai_{j}" for j in range(1, 12)]


@pytest.mark.option("reliability(method)", "unit")
@pytest.mark.parametrize(("method", "absent"), [("alpha", "omega"), ("omega", "alpha")])
def test_method(df: pd.DataFrame, method: str, absent: str) -> None:
    both, one = ak.reliability(df, "i_").tidy(), ak.reliability(df, "i_", method=method).tidy()
    assert absent not in one
    assert one[method].item() == both[method].item()


def test_two_items_have_no_omega(df: pd.DataFrame) -> None:
    row = ak.reliability(df, ["i_1", "i_2"]).tidy().iloc[0]
    r = df["i_1"].corr(df["i_2"])
    assert row["alpha_standardised"] == pytest.approx(2 * r / (1 + r))
    assert np.isnan(row["omega"])
    assert "omega" not in ak.table(ak.reliability(df, ["i_1", "i_2"])).data


@pytest.mark.option("reliability(missing)", "unit")
def test_complete_and_pairwise(df: pd.DataFrame) -> None:
    holes = df.copy()
    holes.loc[:19, "i_1"] = np.nan
    holes.loc[10:29, "i_2"] = np.nan
    complete = ak.reliability(holes, "i_").tidy().iloc[0]
    assert (complete["n"], complete["n_dropped"]) == (170, 30)
    assert complete["share_missing"] == pytest.approx(40 / 800)
    dropped = ak.reliability(holes.dropna(), "i_").tidy().iloc[0]
    assert complete["alpha"] == dropped["alpha"]
    pairwise = ak.reliability(holes, "i_", missing="pairwise").tidy().iloc[0]
    C = holes.cov().to_numpy()
    assert pairwise["alpha"] == pytest.approx(4 / 3 * (1 - np.trace(C) / C.sum()), rel=1e-12)
    assert (pairwise["n"], pairwise["n_dropped"]) == (200, 0)


@pytest.mark.option("reliability(reverse)", "unit")
def test_negative_item_is_named_and_reversing_cures_it(df: pd.DataFrame) -> None:
    turned = df.assign(i_3=6 - df["i_3"])
    with pytest.warns(ak.DesignWarning, match=r"item 'i_3' correlates -0\.\d\d with the rest .*reverse=\['i_3'\]"):
        wrong = ak.reliability(turned, "i_")
    right = ak.reliability(turned, "i_", reverse=["i_3"], answers=(1, 5))
    assert wrong.tidy()["alpha"].item() < right.tidy()["alpha"].item()
    pd.testing.assert_frame_equal(right.tidy(), ak.reliability(df, "i_", answers=(1, 5)).tidy())
    assert right.augment()["reversed"].tolist() == [False, False, True, False]
    assert "Item i_3 correlated −" in ak.sentence(wrong).text
    assert "Reversed items: i_3." in ak.table(right).notes


def test_an_item_turned_round_for_nothing_is_told_so(df: pd.DataFrame) -> None:
    with pytest.warns(ak.DesignWarning, match="It was turned round: take it out of reverse="):
        ak.reliability(df, "i_", reverse=["i_2"])


def test_heywood_case_warns(make_items: Any) -> None:
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 500))
    items = pd.DataFrame({"x": a + b, "y": a + 0.05 * rng.normal(size=500), "z": b + 0.05 * c})
    with pytest.warns(ak.DesignWarning, match=r"item 'x' has no unique variance left \(Heywood case\)"):
        ak.reliability(items, ["x", "y", "z"], method="omega")


@pytest.mark.option("reliability(answers)", "unit")
def test_a_study_gives_the_possible_answers(df: pd.DataFrame) -> None:
    columns = {name: ColumnInfo(role="item", range=(0, 6)) for name in df.columns}
    study = Study(tables={"s": df}, codebook=Codebook(tables={"s": TableInfo(columns=columns)}))
    row = ak.reliability(study, "i_").tidy().iloc[0]
    assert (row["floor"], row["ceiling"]) == (0.0, 0.0)
    with pytest.raises(ak.DesignError, match=r"answers to 'i_1' lie outside 2 to 4: 1, 5 \(scale 'i'\)"):
        ak.reliability(df, "i_", answers=(2, 4))


def test_floor_and_ceiling_of_the_score() -> None:
    rng = np.random.default_rng(1)
    df = pd.DataFrame(rng.integers(1, 3, size=(60, 3)).astype(float), columns=["a", "b", "c"])
    with pytest.warns(ak.DesignWarning):
        row = ak.reliability(df, ["a", "b", "c"], method="alpha").tidy().iloc[0]
    assert row["floor"] == (df.sum(axis=1) == 3).mean()
    assert row["ceiling"] == (df.sum(axis=1) == 6).mean()


def test_several_rows_per_patient_are_noted(df: pd.DataFrame) -> None:
    found = ak.reliability(df.assign(patient=np.arange(200) // 4), "i_")
    assert found.notes[0].startswith("50 patients have several rows")
    assert not ak.reliability(df.assign(patient=np.arange(200)), "i_").notes


@pytest.mark.parametrize(
    ("items", "options", "text"),
    [
        (["i_1"], {}, "a scale needs two items or more, not 1"),
        (["i_1", "i_1"], {}, "item 'i_1' is given twice"),
        (["i_1", "i_9"], {}, r"not in the data: 'i_9' \(nearest: 'i_"),
        ("wai_", {}, "no column is called 'wai_' and a number"),
        ({}, {}, "no scale was given"),
        ("i_", {"method": "omga"}, r"Did you mean method='omega'\?"),
        ("i_", {"missing": "listwise"}, "missing='listwise' is not an option"),
        ("i_", {"level": 1.5}, "level=1.5 is not a confidence level"),
        ("i_", {"answers": (5, 1)}, r"answers=\(5, 1\) is not a range"),
        ("i_", {"reverse": ["i_7"]}, "reversed items that are in no scale: 'i_7'"),
        (["i_1", "word"], {}, "item 'word' is not numeric"),
        (["i_1", "same"], {}, r"item 'same' is constant \(scale 'scale': 2 in all 200 answers\)"),
        (["i_1", "endless"], {}, "item 'endless' holds infinite values"),
        (["i_1", "empty"], {}, "0 persons are too few"),
    ],
)
def test_bad_input(df: pd.DataFrame, items: Any, options: dict[str, Any], text: str) -> None:
    odd = df.assign(word="a", same=2.0, endless=np.inf, empty=np.nan)
    with pytest.raises(ak.AllianceError, match=text):
        ak.reliability(odd, items, **options)


def test_items_never_answered_together(df: pd.DataFrame) -> None:
    holes = df[["i_1", "i_2"]].copy()
    holes.loc[:99, "i_1"] = np.nan
    holes.loc[100:, "i_2"] = np.nan
    with pytest.raises(ak.DesignError, match="two items were never answered together"):
        ak.reliability(holes, ["i_1", "i_2"], missing="pairwise")


def test_presentation(df: pd.DataFrame) -> None:
    found = ak.reliability(df, {"task": "i_"})
    table = ak.table(found)
    assert table.data["alpha"].tolist() == found.tidy()["alpha"].tolist()
    sentence = ak.sentence(found).text
    assert sentence.startswith(
        f"The reliability of task (4 items, n = 200) was α = {found.tidy()['alpha'].item():.2f}"[:50]
    )
    for kind in (None, "scales", "items"):
        figure = ak.figure(found, kind)
        stream = io.BytesIO()
        figure.draw().savefig(stream, format="png", dpi=60)
        assert len(stream.getvalue()) > 2000
        assert figure.alt
    assert len(ak.table(found, ak.reliability(df, {"again": "i_"})).data) == 2
    with pytest.raises(ak.SpecError, match="kind='steps' is not an option"):
        ak.figure(found, "steps")
    with pytest.raises(ak.ReportError, match="different confidence levels"):
        ak.table(found, ak.reliability(df, "i_", level=0.9))
