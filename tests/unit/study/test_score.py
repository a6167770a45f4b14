"""Scoring: finding the items, checking them, logging, and refusing the key of another form."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.study.codebook import Codebook, ColumnInfo, TableInfo

SR = [f"wai_{i}" for i in range(1, 13)]
ROW = [4, 5, 3, 4, 5, 4, 3, 2, 5, 4, 4, 3]


def ratings(n: int = 60, seed: int = 3, *, top: int = 5, against: tuple[int, ...] = ()) -> pd.DataFrame:
    """Return items that share one factor; those in ``against`` run the other way."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 1))
    middle, spread = (top + 1) / 2, top / 6
    raw = middle + spread * (factor + rng.normal(size=(n, 12)) * 0.7)
    values = np.clip(np.rint(raw), 1, top)
    for item in against:
        values[:, item - 1] = top + 1 - values[:, item - 1]
    return pd.DataFrame(values.astype(int), columns=SR)


def as_study(frame: pd.DataFrame, **info: object) -> ak.Study:
    columns = {c: ColumnInfo(role="item", item=i, **info) for i, c in enumerate(SR, start=1)}  # type: ignore[arg-type]
    book = Codebook({"session": TableInfo("s.csv", columns)})
    return ak.Study({"session": frame}, book)


@pytest.mark.option("score.items", "item means")
@pytest.mark.option("score.prefix", "item means")
def test_items_by_mapping_prefix_and_codebook_agree() -> None:
    frame = ratings()
    by_prefix = ak.score(frame, "WAI-SR", prefix="wai_")
    by_mapping = ak.score(frame, "WAI-SR", items={i: f"wai_{i}" for i in range(1, 13)})
    by_book = ak.score(as_study(frame, instrument="WAI-SR"), "wai-sr").data
    padded = ak.score(frame.rename(columns=lambda c: f"wai_{int(c[4:]):02d}"), "WAI-SR", prefix="wai_")
    added = [f"wai_sr_{part}" for part in ("task", "bond", "goal", "total")]
    for other in (by_mapping, by_book, padded):
        pd.testing.assert_frame_equal(other[added], by_prefix[added])
    task = frame[["wai_1", "wai_2", "wai_10", "wai_12"]].mean(axis=1)
    np.testing.assert_allclose(by_prefix["wai_sr_task"], task, rtol=1e-14)


def test_the_frame_given_is_not_changed() -> None:
    frame = ratings()
    before = frame.copy()
    ak.score(frame, "WAI-SR", prefix="wai_")
    pd.testing.assert_frame_equal(frame, before)


def test_a_study_logs_the_key_and_describes_the_scores() -> None:
    frame = ratings()
    frame.loc[0, "wai_1"] = np.nan
    frame.loc[1] = np.nan
    study = ak.score(as_study(frame, instrument="WAI-SR", level="session"), "WAI-SR")
    entry = study.log[-1]
    assert (entry.function, entry.instrument, entry.key_status, entry.rows_changed) == (
        "score",
        "WAI-SR",
        "verified",
        59,
    )
    assert "1 rows with missing items scored; 1 rows without any score" in entry.detail
    info = study.column_info("wai_sr_task")
    assert (info.label, info.instrument, info.level, info.range) == ("WAI-SR task", "WAI-SR", "session", (1, 5))


def test_an_unverified_key_is_logged_as_such() -> None:
    frame = ratings(top=7, against=(4, 10))
    study = ak.score(ak.Study({"session": frame}), "WAI-S", prefix="wai_")
    assert study.log[-1].key_status == "unverified"
    assert "the key has not been checked against the manual" in study.log[-1].detail


@pytest.mark.option("score.reverse", "scores by hand")
def test_a_key_of_ones_own() -> None:
    frame = pd.DataFrame({"a": [1.0, 2], "b": [3.0, np.nan], "c": [5.0, 5], "d": [7.0, 1]})
    study = ak.score(
        ak.Study({"t": frame}), "WAI", items={"task": ["a", "b"], "bond": ["c", "d"]}, scoring="mean", reverse=["d"]
    )
    assert study.data["wai_task"].tolist()[0] == 2.0
    assert np.isnan(study.data["wai_task"].iloc[1]), "one of two items is under 75 %"
    assert study.data["wai_bond"].tolist() == [3.0, 6.0]
    assert study.data["wai_total"].tolist() == [2.5, pytest.approx((2 + 5 + 7) / 3)]
    assert study.log[-1].key_status == "user"


def test_a_key_of_ones_own_is_checked() -> None:
    frame = pd.DataFrame({"a": [1.0, 8.0], "b": [3.0, 3.0]})
    with pytest.raises(ak.SpecError, match=r"how the items of WAI are combined is not known\. Give scoring="):
        ak.score(frame, "WAI", items={"task": ["a", "b"]})
    with pytest.raises(ak.SpecError, match=r"reverse= names \['z'\], which items= does not"):
        ak.score(frame, "WAI", items={"task": ["a", "b"]}, scoring="sum", reverse=["z"])
    with pytest.raises(ak.SchemaError, match=r"1 cell is outside the range 1 to 7 of WAI \(row 1, a: 8\)"):
        ak.score(frame, "WAI", items={"task": ["a", "b"]}, scoring="sum")
    with pytest.raises(ak.SchemaError, match="columns are not in the data: 'x'"):
        ak.score(frame, "WAI", items={"task": ["a", "x"]}, scoring="sum")
    with pytest.raises(ak.SpecError, match="ACT has 5 items, but items= names 6 columns"):
        ak.score(frame, "ACT", items={"task": list("abcdef")}, scoring="sum")


def test_cells_out_of_range_are_listed() -> None:
    frame = ratings()
    frame.loc[7, "wai_3"] = 9
    frame.loc[2, "wai_5"] = -9
    with pytest.raises(
        ak.SchemaError,
        match=r"2 cells are outside the range 1 to 5 of \S+ \(row 2, wai_5: -9; row 7, wai_3: 9\)\. .*declare the code",
    ):
        ak.score(frame, "WAI-SR", prefix="wai_")


def test_text_among_the_items_is_named() -> None:
    frame = ratings().astype(object)
    frame.loc[4, "wai_2"] = "often"
    with pytest.raises(ak.SchemaError, match=r"the column 'wai_2' is not numeric \(row 4: 'often'\)"):
        ak.score(frame, "WAI-SR", prefix="wai_")


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"prefix": "wia_"}, "SchemaError", r"no column is called 'wia_1'.*The nearest column is 'wai_1'"),
        ({}, "SpecError", "which columns hold the items of WAI-SR is not said. Give prefix='wai_' or items="),
        ({"items": {1: "wai_1"}}, "SchemaError", "no column for items 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 of WAI-SR"),
        ({"items": {13: "wai_1"}}, "SpecError", r"items= names \[13\]. Use the item numbers 1 to 12"),
        ({"items": {1: "wai_1"}, "prefix": "wai_"}, "SpecError", "items= and prefix= were both given"),
        ({"items": dict.fromkeys(range(1, 13), "wai_1")}, "SpecError", "one column stands for several items: wai_1"),
        ({"items": {i: f"wia_{i}" for i in range(1, 13)}}, "SchemaError", r"item 1: 'wia_1' \(nearest: 'wai_1'\)"),
        ({"prefix": "wai_", "scoring": "average"}, "SpecError", "scoring='average' is not an option"),
        ({"prefix": "wai_", "reverse": [13]}, "SpecError", r"reverse= names \[13\]. Name item numbers from 1 to 12"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], kind: str, said: str) -> None:
    with pytest.raises(getattr(ak, kind), match=said):
        ak.score(ratings(), "WAI-SR", **arguments)  # type: ignore[arg-type]


def test_more_items_than_the_form_has() -> None:
    frame = ratings().assign(wai_13=3)
    with pytest.raises(ak.SchemaError, match="WAI-SR has 12 items, but there is a column 'wai_13'"):
        ak.score(frame, "WAI-SR", prefix="wai_")


def test_nothing_is_overwritten() -> None:
    once = ak.score(ratings(), "WAI-SR", prefix="wai_")
    again = ak.score(once, "WAI-SR", prefix="wai_")
    pd.testing.assert_frame_equal(once, again)
    with pytest.raises(ak.SchemaError, match="already have a column 'wai_sr_task' with other values"):
        ak.score(once.assign(wai_sr_task=1.0), "WAI-SR", prefix="wai_")


# --- the key of another form ------------------------------------------------------------------------------------------


def test_right_keys_are_not_refused() -> None:
    ak.score(ratings(), "WAI-SR", prefix="wai_")
    ak.score(ratings(top=7, against=(4, 10)), "WAI-S", prefix="wai_")
    few = pd.DataFrame([[5, 5, 4, 2, 5, 4, 4, 5, 4, 1, 5, 4]], columns=SR)
    ak.score(few, "WAI-S", prefix="wai_")


def test_wai_s_key_on_ratings_from_1_to_5() -> None:
    with pytest.raises(
        ak.SchemaError, match="none of the 720 ratings is above 5, but WAI-S runs to 7: these look like WAI-SR"
    ):
        ak.score(ratings(), "WAI-S", prefix="wai_")


def test_wai_s_key_on_items_that_all_run_one_way() -> None:
    with pytest.raises(
        ak.SchemaError, match=r"WAI-S reverses item 4, but 'wai_4' runs with the other items \(r = 0\.\d\d"
    ):
        ak.score(ratings(top=7), "WAI-S", prefix="wai_")


def test_wai_sr_key_on_ratings_from_1_to_7() -> None:
    with pytest.raises(ak.SchemaError, match=r"every value fits WAI-S \(1 to 7\), so this may be that form"):
        ak.score(ratings(top=7, against=(4, 10)), "WAI-SR", prefix="wai_")


def test_wai_sr_key_on_items_that_run_against_each_other() -> None:
    with pytest.raises(
        ak.SchemaError, match=r"WAI-SR reverses no item, but 'wai_4' \(item 4\) runs against the others"
    ):
        ak.score(ratings(against=(4, 10)), "WAI-SR", prefix="wai_")


@pytest.mark.parametrize(("key", "truth"), [("WAI-S", "WAI-SR"), ("WAI-SR", "WAI-S")])
def test_the_codebook_says_another_instrument(key: str, truth: str) -> None:
    study = as_study(pd.DataFrame([ROW], columns=SR), instrument=truth)
    with pytest.raises(
        ak.SchemaError, match=f"the codebook says that 'wai_1' belongs to {truth}, so the key of {key} is refused"
    ):
        ak.score(study, key, prefix="wai_")


@pytest.mark.parametrize(("key", "limits", "other"), [("WAI-S", (1, 5), "WAI-SR"), ("WAI-SR", (1, 7), "WAI-S")])
def test_the_codebook_says_another_range(key: str, limits: tuple[int, int], other: str) -> None:
    study = as_study(pd.DataFrame([ROW], columns=SR), range=limits)
    with pytest.raises(
        ak.SchemaError, match=f"range {limits[0]} to {limits[1]}, but {key} has .*that is the range of {other}"
    ):
        ak.score(study, key, prefix="wai_")


def test_the_user_has_the_last_word() -> None:
    low = ratings(against=(4, 10))
    stated = ak.score(as_study(low, range=(1, 7)), "WAI-S", prefix="wai_")
    assert stated.log[-1].key_status == "unverified"
    done = ak.score(ak.Study({"s": ratings(top=7)}), "WAI-S", prefix="wai_", reverse=[])
    assert done.log[-1].key_status == "user"
    plain = ratings(top=7)
    np.testing.assert_allclose(done.data["wai_s_goal"], plain[["wai_4", "wai_6", "wai_10", "wai_11"]].mean(axis=1))


def test_a_codebook_file_drives_the_scoring(folder_of) -> None:
    columns = {
        c: {"role": "item", "instrument": "WAI-SR", "item": i, "missing": {"-9": "skipped"}}
        for i, c in enumerate(SR, 1)
    }
    rows = [ROW, [*ROW[:11], -9]]
    text = ",".join(SR) + "\n" + "\n".join(",".join(map(str, r)) for r in rows) + "\n"
    folder = folder_of(
        {"s.csv": text, "codebook.json": json.dumps({"tables": {"s": {"file": "s.csv", "columns": columns}}})}
    )
    scored = ak.score(ak.read_study(folder), "WAI-SR").data
    assert scored["wai_sr_task"].tolist() == [4.0, pytest.approx(13 / 3)]
