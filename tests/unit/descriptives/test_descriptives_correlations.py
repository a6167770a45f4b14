"""Within-person and between-person correlations: worked examples, peers, one row per person, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

import alliancekit as ak
from alliancekit.study.types import Study


@pytest.fixture(scope="module")
def sessions() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    person = np.repeat(np.arange(30), 6)
    level = rng.normal(size=(30, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    noise = rng.normal(size=(180, 2)) @ np.array([[1.0, -0.5], [0.0, 0.9]])
    frame = pd.DataFrame(level[person] + noise, columns=["alliance", "distress"]).assign(patient=person)
    frame["session"] = np.tile(np.arange(6), 30)
    return frame


@pytest.fixture(scope="module")
def gaps(sessions: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(21)
    frame = sessions.copy()
    frame.loc[rng.uniform(size=180) < 0.2, "alliance"] = np.nan
    frame.loc[rng.uniform(size=180) < 0.1, "distress"] = np.nan
    return frame


def pair(result: object, level: str) -> pd.Series:
    table = result.tidy()  # type: ignore[attr-defined]
    return table[table["level"] == level].iloc[0]


def test_by_hand() -> None:
    # Deviations: a = (-1, 1, -1, 1), b = (-2, 2, 1, -1): sum ab = 2, sum aa = 4, sum bb = 10. Means: (2, 5), (4, 7).
    df = pd.DataFrame({"patient": [1, 1, 2, 2], "a": [1.0, 3, 4, 6], "b": [2.0, 6, 8, 6]})
    result = ak.correlations(df, ["a", "b"])
    assert pair(result, "within")["estimate"] == pytest.approx(2 / np.sqrt(40), abs=1e-14)
    assert pair(result, "within")["df"] == 1
    assert pair(result, "between")["estimate"] == pytest.approx(1.0)
    spread = result.variables.set_index("term")
    assert spread.loc["a", "mean"] == 3.5
    assert spread.loc["a", "sd_within"] == pytest.approx(np.sqrt(4 / 2))
    assert spread.loc["a", "sd_between"] == pytest.approx(np.sqrt(4.5))
    assert spread.loc["a", "icc"] == pytest.approx((9 - 2) / (9 + 2))


@pytest.mark.parametrize("data", ["sessions", "gaps"])
def test_within_agrees_with_repeated_measures_correlation(data: str, request: pytest.FixtureRequest) -> None:
    frame = request.getfixturevalue(data)
    ours = pair(ak.correlations(frame, ["alliance", "distress"]), "within")
    theirs = pingouin.rm_corr(frame, x="alliance", y="distress", subject="patient").iloc[0]
    assert ours["estimate"] == pytest.approx(theirs["r"], abs=1e-10)
    assert ours["df"] == theirs["dof"]
    assert ours["p_value"] == pytest.approx(theirs["pval"], rel=1e-6)
    assert [ours["conf_low"], ours["conf_high"]] == pytest.approx(list(theirs["CI95"]), abs=0.006)


def test_between_is_the_correlation_of_means(gaps: pd.DataFrame) -> None:
    ours = pair(ak.correlations(gaps, ["alliance", "distress"]), "between")
    means = gaps.groupby("patient")[["alliance", "distress"]].mean()
    theirs = stats.pearsonr(means["alliance"], means["distress"])
    interval = theirs.confidence_interval(0.95)
    assert ours["estimate"] == pytest.approx(theirs.statistic, abs=1e-12)
    assert ours["p_value"] == pytest.approx(theirs.pvalue, rel=1e-8)
    assert (ours["conf_low"], ours["conf_high"]) == pytest.approx((interval.low, interval.high), abs=1e-10)
    assert ours["nobs"] == int(gaps[["alliance", "distress"]].notna().any(axis=1).sum())


def test_intraclass_correlations_agree_with_pingouin(sessions: pd.DataFrame) -> None:
    spread = ak.correlations(sessions, ["alliance", "distress"]).variables.set_index("term")
    for name in ("alliance", "distress"):
        table = pingouin.intraclass_corr(sessions, targets="patient", raters="session", ratings=name)
        table = table.set_index("Type")["ICC"]
        assert spread.loc[name, "icc"] == pytest.approx(table["ICC(1,1)"], abs=1e-10)
        assert spread.loc[name, "icc_mean"] == pytest.approx(table["ICC(1,k)"], abs=1e-10)


@pytest.mark.option("correlations(method)", "unit")
def test_spearman_is_pearson_of_ranks(sessions: pd.DataFrame) -> None:
    result = ak.correlations(sessions, ["alliance", "distress"], method="spearman")
    means = sessions.groupby("patient")[["alliance", "distress"]].transform("mean")
    deviations = sessions[["alliance", "distress"]] - means
    assert pair(result, "within")["estimate"] == pytest.approx(stats.spearmanr(deviations).statistic, abs=1e-12)
    expected = stats.spearmanr(sessions.groupby("patient")[["alliance", "distress"]].mean()).statistic
    assert pair(result, "between")["estimate"] == pytest.approx(expected, abs=1e-12)
    plain = ak.correlations(sessions, ["alliance", "distress"])
    wide, narrow = pair(result, "between"), pair(plain, "between")
    r = wide["estimate"]
    gap = np.arctanh(wide["conf_high"]) - np.arctanh(r)
    assert gap / (np.arctanh(narrow["conf_high"]) - np.arctanh(narrow["estimate"])) == pytest.approx(
        np.sqrt(1 + r**2 / 2)
    )


@pytest.mark.option("correlations(level)", "unit")
def test_level_of_the_interval(sessions: pd.DataFrame) -> None:
    wide = pair(ak.correlations(sessions, ["alliance", "distress"], level=0.99), "within")
    half = np.arctanh(wide["conf_high"]) - np.arctanh(wide["estimate"])
    assert half == pytest.approx(stats.norm.ppf(0.995) / np.sqrt(wide["df"] - 1))


def test_one_row_per_person_falls_back_and_says_so(sessions: pd.DataFrame) -> None:
    first = sessions[sessions["session"] == 0]
    result = ak.correlations(first, ["alliance", "distress"])
    assert not result.repeated
    assert result.notes == ("Each patient has one row: ordinary correlations between persons.",)
    assert result.tidy()["level"].tolist() == ["between"]
    assert pair(result, "between")["estimate"] == pytest.approx(first["alliance"].corr(first["distress"]))
    assert result.variables["icc"].isna().all()
    with pytest.raises(ak.SpecError, match="there is no within-person matrix: each person has one row"):
        result.matrix("within")


def test_a_constant_trait_has_no_within_correlation(sessions: pd.DataFrame) -> None:
    frame = sessions.assign(trait=sessions["patient"] * 0.1 + 7)
    result = ak.correlations(frame, ["alliance", "trait"])
    assert np.isnan(pair(result, "within")["estimate"])
    assert np.isfinite(pair(result, "between")["estimate"])
    trait = result.variables.set_index("term").loc["trait"]
    assert trait["icc"] == pytest.approx(1.0)


def test_order_of_rows_and_labels_does_not_matter(gaps: pd.DataFrame) -> None:
    shuffled = gaps.sample(frac=1, random_state=1).assign(patient=lambda d: "p" + (99 - d["patient"]).astype(str))
    ours = ak.correlations(gaps, ["alliance", "distress"]).tidy()
    again = ak.correlations(shuffled, ["alliance", "distress"]).tidy()
    assert np.allclose(ours.select_dtypes("number"), again.select_dtypes("number"), atol=1e-12)


def test_matrix_and_glance(sessions: pd.DataFrame) -> None:
    result = ak.correlations(sessions, ["alliance", "distress"])
    matrix = result.matrix("between")
    assert matrix.loc["alliance", "distress"] == matrix.loc["distress", "alliance"]
    assert matrix.loc["alliance", "distress"] == pair(result, "between")["estimate"]
    assert np.diag(matrix).tolist() == [1.0, 1.0]
    assert result.glance().iloc[0].to_dict() == {
        "nobs": 180,
        "n_units": 30,
        "by": "patient",
        "method": "pearson",
        "repeated": True,
    }
    assert "Correlations within and between 'patient' (pearson)" in repr(result)


@pytest.mark.option("correlations(by)", "unit")
def test_a_study_names_the_person_by_role(sessions: pd.DataFrame) -> None:
    from alliancekit.study.codebook import Codebook

    book = Codebook.from_dict(
        {"tables": {"session": {"columns": {"id": {"role": "patient"}, "alliance": {"label": "WAI"}}}}}
    )
    study = Study({"session": sessions.rename(columns={"patient": "id"})}, book)
    result = ak.correlations(study, ["alliance", "distress"])
    assert result.by == "id"
    assert result.variables["label"].tolist() == ["WAI", "distress"]


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({}, {"columns": ["alliance"]}, ak.SpecError, "needs at least 2 columns"),
        ({}, {"columns": ["alliance", "alliance"]}, ak.SpecError, "columns are named twice: alliance"),
        ({}, {"columns": ["alliance", "distres"]}, ak.DesignError, "'distres' (nearest: 'distress')"),
        ({}, {"by": "patent"}, ak.SchemaError, "Did you mean 'patient'?"),
        ({}, {"method": "kendall"}, ak.SpecError, "method='kendall' is not an option"),
        ({}, {"level": 95}, ak.SpecError, "level=95 is no confidence level"),
        ({"alliance": "high"}, {}, ak.SchemaError, "column 'alliance' is not numeric"),
        ({"alliance": np.inf}, {}, ak.SchemaError, "column 'alliance' holds infinite values (row 1)"),
        ({"patient": None}, {}, ak.SchemaError, "180 rows have no value in 'patient'"),
    ],
)
def test_bad_input(sessions: pd.DataFrame, change: dict, options: dict, error: type, words: str) -> None:
    arguments = {"columns": ["alliance", "distress"], **options}
    with pytest.raises(error) as caught:
        ak.correlations(sessions.assign(**change), **arguments)
    assert words in str(caught.value)


def test_no_frame_at_all() -> None:
    with pytest.raises(ak.SpecError, match="a list is not a study"):
        ak.correlations([1, 2], ["a", "b"])  # type: ignore[arg-type]
