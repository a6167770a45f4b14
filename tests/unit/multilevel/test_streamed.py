"""A parquet file read in chunks gives the estimates of the same rows in memory."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.multilevel.streamed import source

FORMULAS = [
    ("symptoms ~ time*arm + x + (1 + time | patient) + (1 | therapist)", None),
    ("symptoms ~ time + x + (time || patient) + (1 | therapist)", "w"),
    ("symptoms ~ x + (1 | patient) + (1 | site)", None),
    ("log(symptoms) ~ factor(therapist) + sqrt(w) + (1 | patient)", None),
    ("symptoms ~ x + (1 | therapist/arm) + (1 + x | site)", None),
    ("symptoms ~ time + offset(x) + (1 | arm:therapist) + (0 + x | patient)", None),
    ("symptoms ~ arm*x + stage + (0 + x | arm:site) + (1 | patient)", "w"),
]


def make_rows(seed: int = 1, patients: int = 120, sessions: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = patients * sessions
    patient = np.repeat(np.arange(patients), sessions)
    therapist = rng.integers(0, 12, patients)[patient]
    time = np.tile(np.arange(float(sessions)), patients)
    site = rng.integers(0, 5, n)
    frame = pd.DataFrame(
        {
            "patient": [f"p{i:03d}" for i in patient],
            "therapist": therapist,
            "time": time,
            "arm": np.where(patient % 3 == 0, "b", np.where(patient % 3 == 1, "a", "c")),
            "x": rng.normal(size=n),
            "site": pd.Categorical.from_codes(site, categories=list("edcba")),
            "stage": pd.Categorical.from_codes(patient % 3, categories=["low", "mid", "high"], ordered=True),
            "w": rng.gamma(4, 0.25, n),
        }
    )
    effects = rng.normal(0, 1, patients)[patient] + rng.normal(0, 0.3, patients)[patient] * time
    between = rng.normal(0, 0.7, 12)[therapist] + rng.normal(0, 0.6, 5)[site]
    frame["symptoms"] = 40 + 0.3 * time + 0.5 * frame["x"] + effects + between + rng.normal(0, 1, n)
    frame.loc[rng.integers(0, n, 15), "x"] = np.nan
    return frame


@pytest.fixture(params=["as recorded", "shuffled"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[pd.DataFrame, Path]:
    monkeypatch.setattr(source, "CHUNK", 170)
    frame = make_rows()
    if request.param == "shuffled":
        frame = frame.sample(frac=1, random_state=3)
    path = tmp_path / "sessions.parquet"
    frame.to_parquet(path, row_group_size=100)
    return pd.read_parquet(path), path


def fit_quietly(formula: str, data: object, **options: object) -> tuple[object, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ak.mixed(formula, data, **options)
    return fit, sorted(str(w.message) for w in caught)


@pytest.mark.parametrize(("formula", "weights"), FORMULAS)
@pytest.mark.parametrize("method", ["REML", "ML"])
def test_same_answer_as_in_memory(
    files: tuple[pd.DataFrame, Path], formula: str, weights: str | None, method: str
) -> None:
    frame, path = files
    whole, said = fit_quietly(formula, frame, weights=weights, method=method)
    parts, said_too = fit_quietly(formula, path, weights=weights, method=method)
    assert said_too == said
    one, other = whole.tidy(), parts.tidy()
    assert other["term"].tolist() == one["term"].tolist()
    scale = one["std_error"].to_numpy()
    np.testing.assert_allclose(other["estimate"] / scale, one["estimate"] / scale, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(other["std_error"], one["std_error"], rtol=1e-10)
    np.testing.assert_allclose(other["df"], one["df"], rtol=1e-6)
    np.testing.assert_allclose(parts.theta, whole.theta, rtol=1e-8, atol=1e-8)
    assert parts.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    assert parts.sample.dropped == whole.sample.dropped
    assert parts.sample.groups == whole.sample.groups
    pd.testing.assert_frame_equal(parts.random_effects(), whole.random_effects(), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(parts.r2(), whole.r2(), rtol=1e-8)
    np.testing.assert_allclose(parts.icc(), whole.icc(), rtol=1e-8, atol=1e-12)


def test_the_origin_of_time_does_not_matter(files: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    late = files[0].assign(time=files[0]["time"] + 2000)
    late.to_parquet(tmp_path / "late.parquet")
    one = ak.mixed("symptoms ~ time + x + (time || patient)", files[1]).tidy()
    other = ak.mixed("symptoms ~ time + x + (1 + time | patient)", tmp_path / "late.parquet").tidy()
    whole = ak.mixed("symptoms ~ time + x + (1 + time | patient)", late).tidy()
    np.testing.assert_allclose(other["estimate"], whole["estimate"], rtol=1e-10)
    np.testing.assert_allclose(other["estimate"].iloc[1:], one["estimate"].iloc[1:], rtol=0.05)


def test_one_chunk_and_many_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sessions.parquet"
    make_rows().to_parquet(path)
    estimates = []
    for rows in (10_000, 37):
        monkeypatch.setattr(source, "CHUNK", rows)
        estimates.append(ak.mixed("symptoms ~ x + (1 | patient) + (1 | site)", path).tidy()["estimate"])
    np.testing.assert_allclose(estimates[0], estimates[1], rtol=1e-12)


def test_a_folder_of_files_is_one_data_set(tmp_path: Path) -> None:
    frame = make_rows()
    for i, part in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[part].to_parquet(tmp_path / f"part{i}.parquet")
    formula = "symptoms ~ x + arm + (1 | patient)"
    np.testing.assert_allclose(
        ak.mixed(formula, tmp_path).tidy()["estimate"], ak.mixed(formula, frame).tidy()["estimate"]
    )


def test_redundant_columns_are_dropped_and_named(files: tuple[pd.DataFrame, Path]) -> None:
    with pytest.warns(ak.DesignWarning, match=r"'I\(2 \* x\)' = 2\*x"):
        fit = ak.mixed("symptoms ~ x + I(2 * x) + (1 | patient)", files[1])
    assert fit.tidy()["term"].tolist() == ["(Intercept)", "x"]


def test_a_pooled_predictor_is_noticed(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frame = make_rows()
    frame["alliance"] = rng.normal(0, 1, 120)[np.arange(720) // 6] + rng.normal(0, 1, 720)
    path = tmp_path / "sessions.parquet"
    frame.to_parquet(path)
    with pytest.warns(ak.DesignWarning, match=r"within and between the units of 'patient'.*alliance_within"):
        ak.mixed("symptoms ~ alliance + (1 | patient)", path)


def test_nested_models_are_compared(files: tuple[pd.DataFrame, Path]) -> None:
    frame, path = files
    formulas = ("symptoms ~ x + (1 | patient)", "symptoms ~ x + (1 | patient) + (1 | therapist)")
    parts = ak.compare(*(ak.mixed(f, path) for f in formulas)).tidy()
    whole = ak.compare(*(ak.mixed(f, frame) for f in formulas)).tidy()
    np.testing.assert_allclose(parts["chisq"], whole["chisq"], rtol=1e-9)


@pytest.mark.parametrize("call", ["residuals", "predict", "augment", "anova", "simulate", "influence", "means", "data"])
def test_what_needs_rows_says_so(files: tuple[pd.DataFrame, Path], call: str) -> None:
    fit = ak.mixed("symptoms ~ x + arm + (1 | patient)", files[1])
    arguments = {"simulate": (2, 1), "influence": ("patient",), "means": ("arm",)}.get(call, ())
    with pytest.raises(ak.FitError, match=r"kept no rows.*pd.read_parquet"):
        getattr(fit, call)(*arguments) if call != "data" else fit.data


def test_print_table_and_sentence_need_no_rows(files: tuple[pd.DataFrame, Path]) -> None:
    fit = ak.mixed("symptoms ~ x + (1 | patient)", files[1])
    assert "read in chunks" in repr(fit)
    assert "Scaled residuals" not in repr(fit)
    assert "x" in str(ak.sentence(fit))
    assert len(fit.confint(method="profile")) == 4


def test_models_of_a_file_stand_side_by_side(files: tuple[pd.DataFrame, Path]) -> None:
    frame, path = files
    formulas = ("symptoms ~ 1 + (1 | therapist/patient)", "symptoms ~ arm + (1 | therapist/patient)")
    parts, whole = ([ak.mixed(f, data) for f in formulas] for data in (path, frame))
    ours, theirs = ak.table(*parts).data, ak.table(*whole).data
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-8)
    assert "p" in set(ours["term"])
    assert "therapists" in ak.sentence(parts[1]).text
    with pytest.raises(ak.SpecError, match="one model was fitted to a file in chunks and another to rows"):
        ak.compare(parts[0], whole[1])


def test_wrong_files_and_models_are_refused(files: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    path = files[1]
    with pytest.raises(ak.ReadError, match="no such file"):
        ak.mixed("symptoms ~ x + (1 | patient)", tmp_path / "nothing.parquet")
    (tmp_path / "broken.parquet").write_text("not parquet")
    with pytest.raises(ak.ReadError, match="not a readable parquet"):
        ak.mixed("symptoms ~ x + (1 | patient)", tmp_path / "broken.parquet")
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ak.SpecError, match="only parquet"):
        ak.mixed("a ~ b + (1 | a)", tmp_path / "rows.csv")
    with pytest.raises(ak.SpecError, match=r"scale\(\) needs a whole column"):
        ak.mixed("symptoms ~ scale(x) + (1 | patient)", path)
    with pytest.raises(ak.SpecError, match="only linear models"):
        ak.mixed("symptoms ~ x + (1 | patient)", path, family="poisson")
    with pytest.raises(ak.DesignError, match="'symptom'"):
        ak.mixed("symptom ~ x + (1 | patient)", path)
    with pytest.raises(ak.DesignError, match="not numeric"):
        ak.mixed("arm ~ x + (1 | patient)", path)
    with pytest.raises(ak.DesignError, match="no level has a second row"):
        frame = files[0].assign(row=np.arange(len(files[0])))
        frame.to_parquet(tmp_path / "rows.parquet")
        ak.mixed("symptoms ~ time + (1 | row)", tmp_path / "rows.parquet")


def test_bad_values_are_refused(tmp_path: Path) -> None:
    frame = make_rows()
    path = tmp_path / "sessions.parquet"
    frame.assign(symptoms=1.0).to_parquet(path)
    with pytest.raises(ak.DesignError, match="same value in every row"):
        ak.mixed("symptoms ~ x + (1 | patient)", path)
    frame.assign(x=np.nan).to_parquet(path)
    with pytest.raises(ak.DesignError, match="no row is complete"):
        ak.mixed("symptoms ~ x + (1 | patient)", path)
    frame.assign(x=frame["x"].where(frame.index != 3, np.inf)).to_parquet(path)
    with pytest.raises(ak.DesignError, match="infinite"):
        ak.mixed("symptoms ~ x + (1 | patient)", path)
    frame.assign(w=-1.0).to_parquet(path)
    with pytest.raises(ak.DesignError, match="not positive"):
        ak.mixed("symptoms ~ x + (1 | patient)", path, weights="w")
