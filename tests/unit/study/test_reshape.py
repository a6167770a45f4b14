"""Wide to long against pandas, and what the patterns take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak


def wide(n: int = 9, k: int = 6, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": [f"{i:03d}" for i in range(n)], "sex": rng.choice(["F", "M"], n)})
    for name in ("bdi", "rq"):
        for s in range(k):
            frame[f"{name}_s{s}"] = np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 40, n))
    return frame


@pytest.mark.option("wide_to_long", "pandas.wide_to_long")
def test_against_pandas() -> None:
    frame = wide()
    made = ak.wide_to_long(frame, "{variable}_s{session}")
    theirs = pd.wide_to_long(frame, ["bdi_s", "rq_s"], i="id", j="session").reset_index()
    theirs = theirs.rename(columns={"bdi_s": "bdi", "rq_s": "rq"}).sort_values(["id", "session"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(made, theirs[["id", "sex", "session", "bdi", "rq"]])


@pytest.mark.parametrize(
    ("pattern", "columns", "name"),
    [
        ("bdi_s{session}", ["bdi_s0", "bdi_s1"], "bdi"),
        ("bdi{session}", ["bdi0", "bdi1"], "bdi"),
        ("bdi.{week}", ["bdi.0", "bdi.1"], "bdi"),
        ("bdi_w{week}", ["bdi_w0", "bdi_w1"], "bdi"),
        ("wai_1_sess{session}", ["wai_1_sess0", "wai_1_sess1"], "wai_1"),
        ("s{session}_bdi", ["s0_bdi", "s1_bdi"], "s"),
        ("bdi_x{session}", ["bdi_x0", "bdi_x1"], "bdi_x"),
    ],
)
@pytest.mark.option("wide_to_long.name", "hand-made frames")
def test_name_of_the_measure(pattern: str, columns: list[str], name: str) -> None:
    frame = pd.DataFrame([[1, 10, 20]], columns=["id", *columns])
    made = ak.wide_to_long(frame, pattern)
    assert list(made.columns)[2] == name
    assert made[name].tolist() == [10, 20]
    assert ak.wide_to_long(frame, pattern, name="score")["score"].tolist() == [10, 20]


def test_sessions_are_sorted_as_numbers_and_other_columns_stay() -> None:
    frame = pd.DataFrame({"id": [1], "x_s10": [10], "x_s2": [2], "x_fu1": [99], "x_sum": [12]})
    made = ak.wide_to_long(frame, "x_s{session}")
    assert made["session"].tolist() == [2, 10]
    assert made["x"].tolist() == [2, 10]
    assert made["x_fu1"].tolist() == [99, 99]


@pytest.mark.option("wide_to_long.times", "hand-made frame")
def test_words_in_the_place_of_the_number() -> None:
    frame = pd.DataFrame({"id": [1], "bdi.pre": [30], "bdi.2m": [20.5], "bdi.8m": [10]})
    made = ak.wide_to_long(frame, "bdi.{month}", times={"pre": 0, "2m": 2, "8m": 8})
    assert made["month"].tolist() == [0, 2, 8]
    assert made["bdi"].tolist() == [30.0, 20.5, 10.0]
    with pytest.raises(
        ak.SchemaError, match=r"fit with words in the place of the number: bdi\.pre, bdi\.2m, bdi\.8m; give times="
    ):
        ak.wide_to_long(frame, "bdi.{month}")


def test_several_patterns_and_sessions_only_one_measure_has() -> None:
    frame = pd.DataFrame({"id": [1, 2], "a1": ["u", "v"], "b1": [1, 2], "b2": [3, 4]})
    made = ak.wide_to_long(frame, {"first": "a{t}", "second": "b{t}"})
    assert made["second"].tolist() == [1, 3, 2, 4]
    assert made["first"].isna().tolist() == [False, True, False, True]
    listed = ak.wide_to_long(frame, ["a{t}", "b{t}"])
    assert listed["b"].tolist() == [1, 3, 2, 4]


def test_categories_keep_their_order() -> None:
    kind = pd.CategoricalDtype(["low", "high"], ordered=True)
    frame = pd.DataFrame({"id": [1], "c1": pd.Series(["high"], dtype=kind), "c2": pd.Series(["low"], dtype=kind)})
    made = ak.wide_to_long(frame, "c{t}")["c"]
    assert made.dtype == kind
    assert made.tolist() == ["high", "low"]


@pytest.mark.option("wide_to_long.empty", "hand-made frame")
def test_empty_sessions_can_be_dropped() -> None:
    frame = pd.DataFrame({"id": [1, 2], "x1": [1.0, np.nan], "x2": [np.nan, np.nan]})
    assert len(ak.wide_to_long(frame, "x{t}")) == 4
    assert ak.wide_to_long(frame, "x{t}", empty="drop").values.tolist() == [[1, 1, 1.0]]


def test_a_study_keeps_its_codebook_and_its_roles() -> None:
    book = ak.Codebook.from_dict(
        {
            "tables": {
                "w": {
                    "columns": {
                        "id": {"role": "patient"},
                        "bdi_s0": {"instrument": "BDI", "range": [0, 63], "unit": "scale points"},
                    }
                }
            }
        }
    )
    study = ak.wide_to_long(ak.Study({"w": wide()[["id", "bdi_s0", "bdi_s1"]]}, book), "bdi_s{session}")
    info = study.column_info("bdi")
    assert (info.instrument, info.range, info.level, info.label) == ("BDI", (0, 63), "session", "bdi")
    assert (study.role("patient"), study.role("session")) == ("id", "session")
    assert study.log[0].function == "wide_to_long"
    assert "bdi_lag1" in ak.lag(study, "bdi", by="patient", time="session").data


@pytest.mark.parametrize(
    ("pattern", "extra", "kind", "said"),
    [
        ("bdi", {}, "SpecError", "must have one place for the time"),
        ("bdi{a}_{b}", {}, "SpecError", "must have one place for the time"),
        ("{variable}{session}", {}, "SpecError", "must have one place for the time"),
        ("phq_s{session}", {}, "SchemaError", r"no column fits the pattern 'phq_s\{session\}'. Columns are: id, sex"),
        (["bdi_s{session}", "rq_s{visit}"], {}, "SpecError", "several time columns: session, visit"),
        (["bdi_s{session}"], {"name": "x"}, "SpecError", "name= goes with a single pattern"),
        ("bdi_s{sex}", {}, "SchemaError", "the data already have a column 'sex'"),
        ("bdi_s{session}", {"name": "sex"}, "SchemaError", "the data already have a column 'sex'"),
        ("bdi_s{session}", {"empty": "no"}, "SpecError", "empty='no' is not an option"),
    ],
)
def test_wrong_arguments(pattern: object, extra: dict[str, object], kind: str, said: str) -> None:
    with pytest.raises(getattr(ak, kind), match=said):
        ak.wide_to_long(wide(), pattern, **extra)  # type: ignore[arg-type]


def test_two_columns_for_one_session() -> None:
    frame = pd.DataFrame({"id": [1], "x1": [1], "x01": [2]})
    with pytest.raises(ak.SchemaError, match=r"two columns stand for 'x' at t 1 \(x1, x01\)"):
        ak.wide_to_long(frame, "x{t}")


def test_the_shared_words_of_the_labels_become_the_label() -> None:
    study = ak.read_study(Path(__file__).parents[3] / "data" / "btheb")
    months = {"2m": 2, "3m": 3, "5m": 5, "8m": 8}
    long = ak.wide_to_long(study, "bdi.{month}", times=months, name="bdi")
    assert long.column_info("bdi").label == "BDI-II total"
