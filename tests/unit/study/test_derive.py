"""Derived columns against plain loops over persons, and what happens at the edges."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliancekit as ak

NAN = float("nan")


def messy(seed: int = 1, persons: int = 12) -> pd.DataFrame:
    """Return unequal series in random order, with gaps, missing values and a few rows without person or time."""
    rng = np.random.default_rng(seed)
    rows = [
        {"patient": f"p{p}", "therapist": f"t{p % 4}", "session": float(s), "x": rng.normal(50, 10)}
        for p in range(persons)
        for s in sorted(rng.choice(10, size=rng.integers(1, 8), replace=False))
    ]
    frame = pd.DataFrame(rows).sample(frac=1, random_state=seed)
    frame.loc[rng.random(len(frame)) < 0.15, "x"] = np.nan
    frame.iloc[0, 0] = None
    frame.iloc[1, 2] = np.nan
    frame.iloc[2, 1] = None
    return frame


def same(left: pd.Series, right: list[float]) -> None:
    np.testing.assert_allclose(left.to_numpy(dtype=float), np.array(right, dtype=float), rtol=1e-13, atol=1e-13)


# --- within and between -----------------------------------------------------------------------------------------------


@pytest.mark.option("within_between.by", "loop over persons")
def test_within_between_against_a_loop() -> None:
    frame = messy()
    means = {p: np.nanmean(part) if part.notna().any() else NAN for p, part in frame.groupby("patient")["x"]}
    made = ak.within_between(frame, "x", by="patient")
    between = [means.get(p, NAN) for p in frame["patient"]]
    same(made["x_between"], between)
    same(made["x_within"], [x - b for x, b in zip(frame["x"], between, strict=True)])
    assert made.index.equals(frame.index)


def test_within_between_with_therapists_against_a_loop() -> None:
    frame = messy(4, 30)
    frame.loc[frame.index[5], "therapist"] = "t9"
    person = {p: np.nanmean(part) if part.notna().any() else NAN for p, part in frame.groupby("patient")["x"]}
    patients: dict[str, set[str]] = {}
    for p, t in zip(frame["patient"], frame["therapist"], strict=True):
        if isinstance(p, str) and isinstance(t, str):
            patients.setdefault(t, set()).add(p)
    above = {t: np.nanmean([person[p] for p in sorted(members)]) for t, members in patients.items()}
    made = ak.within_between(frame, "x", by=["patient", "therapist"])
    same(made["x_therapist"], [above.get(t, NAN) if isinstance(t, str) else NAN for t in frame["therapist"]])
    mean = np.array([person.get(p, NAN) if isinstance(p, str) else NAN for p in frame["patient"]])
    same(made["x_between"], list(mean - made["x_therapist"].to_numpy()))
    same(made["x_within"], list(frame["x"].to_numpy() - mean))


def test_each_patient_counts_once_for_the_therapist() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1, 2], "therapist": [7, 7, 7, 7], "x": [0.0, 0, 0, 8]})
    made = ak.within_between(frame, "x", by=["patient", "therapist"])
    assert made["x_therapist"].tolist() == [4.0] * 4
    assert made["x_between"].tolist() == [-4.0, -4.0, -4.0, 4.0]


def test_within_parts_of_a_constant_person_are_exactly_zero() -> None:
    frame = pd.DataFrame({"patient": [1] * 7, "x": [0.1] * 7})
    assert ak.within_between(frame, "x", by="patient")["x_within"].tolist() == [0.0] * 7


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1e6, 1e6))
def test_within_between_properties(seed: int, shift: float) -> None:
    frame = messy(seed)
    made = ak.within_between(frame, "x", by="patient")
    moved = ak.within_between(frame.assign(x=frame["x"] + shift), "x", by="patient")
    np.testing.assert_allclose(made["x_within"], moved["x_within"], atol=1e-8)
    known = made.dropna(subset=["x_within"])
    np.testing.assert_allclose(known["x_within"] + known["x_between"], known["x"], rtol=1e-12)
    sums = made.groupby("patient")["x_within"].sum()
    np.testing.assert_allclose(sums, 0, atol=1e-9)
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = ak.within_between(frame.iloc[order], "x", by="patient")
    pd.testing.assert_frame_equal(shuffled, made.iloc[order])


# --- lag and lead -----------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 3))
@pytest.mark.option("lag.n", "dictionary look-up row by row")
@pytest.mark.option("lead.n", "dictionary look-up row by row")
def test_lag_and_lead_against_a_dictionary(seed: int, n: int) -> None:
    frame = messy(seed)
    value = {
        (p, s): x
        for p, s, x in zip(frame["patient"], frame["session"], frame["x"], strict=True)
        if isinstance(p, str) and s == s
    }
    keys = list(zip(frame["patient"], frame["session"], strict=True))
    same(
        ak.lag(frame, "x", by="patient", time="session", n=n)[f"x_lag{n}"],
        [value.get((p, s - n), NAN) for p, s in keys],
    )
    same(
        ak.lead(frame, "x", by="patient", time="session", n=n)[f"x_lead{n}"],
        [value.get((p, s + n), NAN) for p, s in keys],
    )


def test_lag_never_crosses_persons_and_never_bridges_a_gap() -> None:
    frame = pd.DataFrame({"patient": ["a", "a", "a", "b"], "session": [1, 2, 4, 5], "x": [1, 2, 4, 5]})
    assert ak.lag(frame, "x", by="patient", time="session")["x_lag1"].fillna(-1).tolist() == [-1, 1, -1, -1]


def test_lag_at_fractions_of_a_week_and_at_dates() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1], "week": [0.1, 0.2, 0.3], "x": [1.0, 2.0, 3.0]})
    assert ak.lag(frame, "x", by="patient", time="week", n=0.1)["x_lag0.1"].fillna(0).tolist() == [0.0, 1.0, 2.0]
    frame["day"] = pd.to_datetime(["2024-02-28", "2024-02-29", "2024-03-02"])
    assert ak.lead(frame, "x", by="patient", time="day")["x_lead1"].fillna(0).tolist() == [2.0, 0.0, 0.0]


def test_lag_keeps_categories_and_text() -> None:
    frame = pd.DataFrame(
        {"patient": [1, 1], "session": [1, 2], "state": pd.Categorical(["low", "high"], ["low", "high"])}
    )
    lagged = ak.lag(frame, "state", by="patient", time="session")["state_lag1"]
    assert lagged.cat.categories.tolist() == ["low", "high"]
    assert lagged.tolist()[1] == "low"
    assert lagged.isna().tolist() == [True, False]


def test_lag_by_person_and_rater() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1, 1], "rater": list("PTPT"), "session": [1, 1, 2, 2], "x": [1.0, 2, 3, 4]})
    made = ak.lag(frame, "x", by=["patient", "rater"], time="session")["x_lag1"]
    assert made.fillna(0).tolist() == [0.0, 0.0, 1.0, 2.0]


@pytest.mark.parametrize("function", ["lag", "lead"])
def test_duplicate_person_times_are_named(function: str) -> None:
    frame = pd.DataFrame({"patient": ["a", "a", "b"], "session": [3, 3, 1], "x": [1.0, 2.0, 3.0]})
    with pytest.raises(ak.SchemaError, match=r"one person has several rows at one time \(patient a, session 3\)"):
        getattr(ak, function)(frame, "x", by="patient", time="session")


@pytest.mark.parametrize("n", [0, -1, float("nan"), True, "1"])
def test_a_lag_must_be_above_zero(n: object) -> None:
    frame = pd.DataFrame({"patient": [1], "session": [1], "x": [1.0]})
    with pytest.raises(ak.SpecError, match="is not above zero"):
        ak.lag(frame, "x", by="patient", time="session", n=n)  # type: ignore[arg-type]


# --- early window, change, one row per person -------------------------------------------------------------------------


@pytest.mark.option("early_window.window", "means by hand")
@pytest.mark.option("early_window.min_sessions", "means by hand")
def test_early_window() -> None:
    frame = pd.DataFrame(
        {
            "patient": ["a"] * 5 + ["b"] * 2 + ["c"],
            "session": [1, 2, 3, 4, 5, 2, 9, 7],
            "x": [9.0, 1, NAN, 3, 9, 5, 9, 9],
        }
    )
    made = ak.early_window(frame, ["x"])
    assert made["x_early"].fillna(-1).tolist() == [2.0] * 5 + [5.0] * 2 + [-1]
    assert ak.early_window(frame, "x", min_sessions=2)["x_early"].fillna(-1).tolist() == [2.0] * 5 + [-1] * 3
    assert ak.early_window(frame, "x", window=(5, 9))["x_early"].fillna(-1).tolist() == [9.0] * 8


@pytest.mark.option("early_window.by", "means by hand")
@pytest.mark.option("early_window.session", "means by hand")
def test_early_window_of_other_columns() -> None:
    frame = pd.DataFrame({"group": [1, 1, 2], "visit": [2, 3, 9], "x": [2.0, 4.0, 6.0]})
    made = ak.early_window(frame, "x", by="group", session="visit")
    assert made["x_early"].fillna(-1).tolist() == [3.0, 3.0, -1]


def test_early_window_refuses() -> None:
    frame = pd.DataFrame({"patient": ["a", "a"], "session": [2, 2], "x": [1.0, 2.0]})
    with pytest.raises(ak.SchemaError, match="patient a, session 2"):
        ak.early_window(frame, "x")
    with pytest.raises(ak.SpecError, match="ends before it begins"):
        ak.early_window(frame, "x", window=(4, 2))
    with pytest.raises(ak.SpecError, match="min_sessions=0 is below 1"):
        ak.early_window(frame, "x", min_sessions=0)


@pytest.mark.option("change_from_baseline.baseline", "differences by hand")
def test_change_from_baseline() -> None:
    frame = pd.DataFrame({"patient": [1, 1, 1, 2, 2], "week": [6, 0, 12, 6, 12], "x": [18.0, 30, NAN, 9, 7]})
    made = ak.change_from_baseline(frame, "x", by="patient", time="week")["x_change"]
    assert made.fillna(99).tolist() == [-12.0, 0.0, 99, 99, 99]
    first = ak.change_from_baseline(frame, "x", by="patient", time="week", baseline="first")["x_change"]
    assert first.fillna(99).tolist() == [-12.0, 0.0, 99, 0.0, -2.0]
    at6 = ak.change_from_baseline(frame, "x", by="patient", time="week", baseline=6)["x_change"]
    assert at6.fillna(99).tolist() == [0.0, 12.0, 99, 0.0, -2.0]
    with pytest.raises(ak.SchemaError, match=r"no row has 'week' 3 and a 'x'. Set baseline= to one of: 0, 6, 12"):
        ak.change_from_baseline(frame, "x", by="patient", time="week", baseline=3)
    with pytest.raises(ak.SpecError, match="Did you mean baseline='first'"):
        ak.change_from_baseline(frame, "x", by="patient", time="week", baseline="frist")


@pytest.mark.option("one_row_per.by", "hand-made frame")
def test_one_row_per() -> None:
    frame = pd.DataFrame(
        {
            "patient": ["b", "a", "b", None],
            "sex": ["F", None, None, "M"],
            "arm": pd.Categorical(["x", "y", "x", "y"]),
            "x": [1, 2, 3, 4],
        }
    )
    made = ak.one_row_per(frame, "patient", ["sex", "arm"])
    assert made["patient"].tolist() == ["b", "a"]
    assert made["sex"].tolist()[0] == "F"
    assert made["sex"].isna().tolist() == [False, True]
    assert made["arm"].tolist() == ["x", "y"]
    assert made["arm"].cat.categories.tolist() == ["x", "y"]
    with pytest.raises(ak.SchemaError, match=r"1 column varies inside one patient: 'x' \(patient b: 1 and 3\)"):
        ak.one_row_per(frame)


# --- all of them ------------------------------------------------------------------------------------------------------

CALLS = {
    "within_between": lambda d: ak.within_between(d, "x", by="patient"),
    "lag": lambda d: ak.lag(d, "x", by="patient", time="session"),
    "lead": lambda d: ak.lead(d, "x", by="patient", time="session"),
    "early_window": lambda d: ak.early_window(d, "x"),
    "change_from_baseline": lambda d: ak.change_from_baseline(d, "x", by="patient", time="session", baseline="first"),
    "one_row_per": lambda d: ak.one_row_per(d, "patient", ["therapist"]),
}


@pytest.mark.parametrize("name", CALLS)
def test_same_type_and_a_log_entry(name: str) -> None:
    frame = messy().dropna(subset=["therapist"])
    before = frame.copy()
    study = ak.Study({"session": frame})
    made = CALLS[name](study)
    assert isinstance(made, ak.Study)
    assert [e.function for e in made.log] == [name]
    assert made.log[0].rows_changed > 0
    assert study.log == ()
    plain = CALLS[name](frame)
    assert isinstance(plain, pd.DataFrame)
    pd.testing.assert_frame_equal(plain, made.data)
    pd.testing.assert_frame_equal(frame, before)
    for column in set(plain.columns) - set(frame.columns):
        assert made.column_info(column).label


@pytest.mark.parametrize("name", CALLS)
def test_roles_stand_in_for_column_names(name: str) -> None:
    frame = messy().dropna(subset=["therapist"])
    renamed = frame.rename(columns={"patient": "code", "session": "visit"})
    book = ak.Codebook.from_dict(
        {"tables": {"s": {"columns": {"code": {"role": "patient"}, "visit": {"role": "session"}}}}}
    )
    made = CALLS[name](ak.Study({"s": renamed}, book)).data
    plain = CALLS[name](frame).rename(columns={"patient": "code", "session": "visit"})
    pd.testing.assert_frame_equal(made, plain)


@pytest.mark.parametrize("name", CALLS)
def test_empty_and_single_rows(name: str) -> None:
    one = pd.DataFrame({"patient": ["a"], "therapist": ["t"], "session": [2], "x": [1.0]})
    assert len(CALLS[name](one)) == 1
    none = one.iloc[:0]
    assert len(CALLS[name](none)) == 0


def test_unknown_and_wrong_columns() -> None:
    frame = messy()
    with pytest.raises(ak.SchemaError, match=r"there is no column 'y'.*Columns are: patient, therapist, session, x"):
        ak.lag(frame, "y", by="patient", time="session")
    with pytest.raises(ak.SchemaError, match=r"there is no column 'patent'\. Did you mean 'patient'\?"):
        ak.lag(frame, "x", by="patent", time="session")
    with pytest.raises(ak.SchemaError, match=r"the column 'therapist' is not numeric \(row \d+: 't\d'"):
        ak.within_between(frame, "therapist", by="patient")
    with pytest.raises(ak.SchemaError, match="the time column 'stage' holds categories"):
        ak.lag(frame.assign(stage=pd.Categorical(["a"] * len(frame))), "x", by="patient", time="stage")
    with pytest.raises(ak.SpecError, match="a list is not a study"):
        ak.lag([1, 2], "x", by="patient", time="session")  # type: ignore[type-var]
    with pytest.raises(ak.SpecError, match="by= names 3 columns"):
        ak.within_between(frame, "x", by=["patient", "therapist", "session"])
    with pytest.raises(ak.SpecError, match="by= is empty"):
        ak.within_between(frame, "x", by=[])


def test_a_million_rows_are_quick() -> None:
    n = 1_000_000
    frame = pd.DataFrame({"patient": np.repeat(np.arange(n // 10), 10), "session": np.tile(np.arange(10), n // 10)})
    frame["x"] = np.arange(n, dtype=float)
    began = time.perf_counter()
    made = ak.within_between(ak.lag(frame, "x", by="patient", time="session"), "x", by="patient")
    assert time.perf_counter() - began < 10
    assert made["x_lag1"].isna().sum() == n // 10
