"""The description of the sample: numbers, shares, standardised differences, small counts, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest

import alliancekit as ak
from alliancekit.study.codebook import Codebook
from alliancekit.study.describe import mean_difference, share_difference
from alliancekit.study.types import Study


@pytest.fixture
def patients() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"patient": np.arange(80), "arm": ["a", "b"] * 40, "age": rng.normal(40, 9, 80)})
    frame["sex"] = rng.choice(["f", "m"], 80)
    frame["grade"] = pd.Categorical(rng.choice(["low", "high"], 80), categories=["low", "middle", "high"], ordered=True)
    frame["trauma"] = rng.uniform(size=80) < 0.5
    frame.loc[[2, 5], "age"] = np.nan
    frame.loc[7, "sex"] = None
    return frame


def cell(result: object, variable: str, group: str = "Overall", category: str | None = None) -> pd.Series:
    table = result.tidy()  # type: ignore[attr-defined]
    table = table[(table["variable"] == variable) & (table["group"] == group)]
    return (table if category is None else table[table["category"] == category]).iloc[0]


@pytest.mark.option("describe(by)", "unit")
def test_numbers_are_those_of_pandas(patients: pd.DataFrame) -> None:
    result = ak.describe(patients, ["age"], by="arm")
    for group, part in [("Overall", patients), ("a", patients[patients["arm"] == "a"])]:
        found, age = cell(result, "age", group), part["age"]
        assert found["n"] == age.notna().sum()
        assert found["n_missing"] == age.isna().sum()
        assert found["mean"] == pytest.approx(age.mean())
        assert found["sd"] == pytest.approx(age.std())
        assert [found["median"], found["minimum"], found["maximum"]] == [age.median(), age.min(), age.max()]


def test_shares_are_of_the_values_that_are_there(patients: pd.DataFrame) -> None:
    result = ak.describe(patients, ["sex", "grade", "trauma"], by="arm")
    women = cell(result, "sex", category="f")
    assert women["n"] == (patients["sex"] == "f").sum()
    assert women["percent"] == pytest.approx(100 * women["n"] / 79)
    assert women["n_missing"] == 1
    grades = result.tidy().query("variable == 'grade' and group == 'Overall'")
    assert grades["category"].tolist() == ["low", "middle", "high"]
    assert grades["n"].tolist() == [(patients["grade"] == g).sum() for g in ("low", "middle", "high")]
    assert cell(result, "trauma", "b", "yes")["n"] == patients.query("arm == 'b'")["trauma"].sum()


def test_difference_of_means_agrees_with_pingouin_in_equal_arms() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, 40), rng.normal(0.5, 2, 40)
    assert mean_difference(x, y) == pytest.approx(pingouin.compute_effsize(y, x, eftype="cohen"), abs=1e-12)


def test_difference_of_two_shares_by_hand() -> None:
    # Austin's formula for a binary variable: (p2 - p1) / sqrt((p1 q1 + p2 q2) / 2), without its sign.
    expected = 0.2 / np.sqrt((0.3 * 0.7 + 0.5 * 0.5) / 2)
    assert share_difference(np.array([0.7, 0.3]), np.array([0.5, 0.5])) == pytest.approx(expected)
    assert share_difference(np.array([0.5, 0.3, 0.2]), np.array([0.5, 0.3, 0.2])) == 0
    assert np.isnan(share_difference(np.array([1.0, 0.0]), np.array([0.0, 1.0])))


def test_the_order_of_categories_does_not_change_the_difference() -> None:
    first, second = np.array([0.2, 0.5, 0.3]), np.array([0.35, 0.25, 0.4])
    turned = share_difference(first[[2, 0, 1]], second[[2, 0, 1]])
    assert share_difference(first, second) == pytest.approx(turned, abs=1e-12)


def test_with_three_arms_the_largest_pair_counts() -> None:
    df = pd.DataFrame({"patient": range(9), "arm": list("aaabbbccc"), "x": [0.0, 1, 2, 1, 2, 3, 5, 6, 7]})
    found = ak.describe(df, ["x"], by="arm").differences.iloc[0]
    assert (found["comparison"], found["smd"]) == ("c - a", pytest.approx(5.0))


def test_nothing_is_tested_by_default(patients: pd.DataFrame) -> None:
    result = ak.describe(patients, ["age", "sex"], by="arm")
    assert "p_value" not in result.tidy().columns
    text = " ".join(ak.table(result).notes)
    assert "Arms are not compared by tests" in text
    assert "p_value" not in ak.table(result).data.columns


@pytest.mark.option("describe(level)", "unit")
def test_a_patient_counts_once_and_sessions_count_as_rows(patients: pd.DataFrame) -> None:
    long = pd.concat([patients.assign(pcl=40.0), patients.assign(pcl=50.0)])
    result = ak.describe(long, ["age", "pcl"], by="arm")
    assert result.sizes == {"Overall": 80, "a": 40, "b": 40}
    assert cell(result, "age")["unit"] == "patient"
    assert cell(result, "age")["n"] == 78
    assert cell(result, "pcl")["unit"] == "row"
    assert cell(result, "pcl")["n"] == 160
    assert np.isnan(result.differences.set_index("variable").loc["pcl", "smd"])
    assert ak.describe(long, ["age"], level="row").sizes == {"Overall": 160}


@pytest.mark.option("describe(categories)", "unit")
def test_numbers_may_be_categories() -> None:
    df = pd.DataFrame({"patient": range(6), "stage": [1, 1, 2, 2, 2, 3]})
    table = ak.describe(df, ["stage"], categories=["stage"]).tidy()
    assert table["category"].tolist() == ["1", "2", "3"]
    assert table["n"].tolist() == [2, 3, 1]


def test_labels_of_the_codebook_are_categories() -> None:
    columns = {"patient": {"role": "patient"}, "sex": {"label": "Gender", "values": {"0": "men", "1": "women"}}}
    book = Codebook.from_dict({"tables": {"patient": {"columns": columns}}})
    study = Study({"patient": pd.DataFrame({"patient": [1, 2, 3], "sex": [1, 0, 1]})}, book)
    table = ak.describe(study, ["sex"]).tidy()
    assert table["label"].unique().tolist() == ["Gender"]
    assert dict(zip(table["category"], table["n"], strict=True)) == {"men": 1, "women": 2}


def test_patients_without_an_arm_have_a_column(patients: pd.DataFrame) -> None:
    patients["arm"] = patients["arm"].where(patients.index > 3)
    assert ak.describe(patients, ["age"], by="arm").sizes == {"Overall": 80, "a": 38, "b": 38, "arm missing": 4}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"columns": []}, ak.SpecError, "ak.describe needs a column"),
        ({"columns": ["agee"]}, ak.DesignError, "'agee' (nearest: 'age')"),
        ({"columns": ["age"], "by": "grup"}, ak.SchemaError, "there is no column 'grup'"),
        ({"columns": ["arm"], "by": "arm"}, ak.SpecError, "'arm' cannot be described by itself"),
        ({"columns": ["age"], "level": "person"}, ak.SchemaError, "there is no column 'person'"),
        ({"columns": ["sex"], "by": "age", "level": "row"}, ak.SpecError, "'age' has 79 groups"),
    ],
)
def test_bad_input(patients: pd.DataFrame, options: dict, error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        ak.describe(patients, **options)
    assert words in str(caught.value)


def test_a_patient_in_two_arms_is_named(patients: pd.DataFrame) -> None:
    long = pd.concat([patients, patients.head(1).assign(arm="b")])
    with pytest.raises(ak.SchemaError, match=r"'arm' changes inside 1 of 80 units \(patient 0\)"):
        ak.describe(long, ["age"], by="arm")
