"""Bad input to incremental_validity: what is wrong, where, and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak


@pytest.fixture(scope="module")
def df(make_data: Any) -> pd.DataFrame:
    return make_data(60, 10, seed=8)


def run(df: pd.DataFrame, steps: Any, **options: Any) -> Any:
    return ak.incremental_validity(df, "pcl", steps, **{"bootstrap": 0, "approach": "ols", **options})


def test_missing_column_with_the_nearest_name(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.DesignError, match=r"not in the data: 'tsk' \(nearest: 'task'\)"):
        run(df, {"severity": ["severity"], "task": ["tsk"]})
    with pytest.raises(ak.DesignError, match="not in the data: 'pcll'"):
        ak.incremental_validity(df, "pcll", steps)


def test_predictor_in_two_steps(df: pd.DataFrame) -> None:
    with pytest.raises(ak.SpecError, match=r"predictor 'task' is given twice \(step 'b' and step 'a'\)"):
        run(df, {"a": ["severity", "task"], "b": ["task"]})
    with pytest.raises(ak.SpecError, match=r"predictor 'task' is given twice \(step 'a'\)"):
        run(df, {"a": ["task", "task"]})


@pytest.mark.parametrize("steps", [{}, ["task"], {"a": []}, {"a": [3]}, {"a": 3}])
def test_steps_without_names(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.SpecError, match=r"steps must name|has no list of column names"):
        run(df, steps)


def test_focus_that_is_in_no_step(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.SpecError, match=r"focus 'tasks' is not in steps\. Did you mean 'task'\?"):
        run(df, steps, focus="tasks")


def test_focus_that_enters_first_or_is_several(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.SpecError, match="enters at the first step"):
        run(df, steps, focus="severity")
    with pytest.raises(ak.SpecError, match=r"step with several predictors\. Name one of them: bond, goal"):
        run(df, steps, focus="bond and goal")


def test_one_column_in_two_roles(df: pd.DataFrame) -> None:
    with pytest.raises(ak.SpecError, match=r"'pcl' is both outcome and predictor \(step 'a'\)"):
        run(df, {"a": ["pcl"]})
    with pytest.raises(ak.SpecError, match="'therapist' is both therapist and predictor"):
        run(df, {"a": ["therapist"]}, therapist="therapist")
    with pytest.raises(ak.SpecError, match="both outcome and therapist"):
        run(df, {"a": ["task"]}, therapist="pcl")


def test_constant_columns(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.DesignError, match=r"the outcome 'pcl' is constant \(3 in all 60 complete cases\)"):
        run(df.assign(pcl=3.0), steps)
    with pytest.raises(ak.DesignError, match=r"predictor 'task' is constant .*Leave it out"):
        run(df.assign(task=0.0), steps)


def test_small_units_are_not_constant(df: pd.DataFrame, steps: Any) -> None:
    found = run(df.assign(task=df["task"] * 1e-12), steps)
    assert found.tidy()["r2"].tolist() == pytest.approx(run(df, steps).tidy()["r2"].tolist(), rel=1e-9)


def test_collinear_predictors_are_named(df: pd.DataFrame) -> None:
    total = df.assign(total=df["bond"] + df["goal"])
    with pytest.raises(ak.DesignError, match="predictor 'total' is a linear combination of 'bond', 'goal'"):
        run(total, {"a": ["severity"], "b": ["bond", "goal"], "c": ["total"]})


def test_outcome_made_of_predictors(df: pd.DataFrame) -> None:
    made = df.assign(pcl=df["task"] - df["severity"])
    with pytest.raises(ak.DesignError, match="reproduce the outcome 'pcl' exactly"):
        run(made, {"a": ["severity"], "b": ["task"]})


def test_text_predictor(df: pd.DataFrame) -> None:
    text = df.assign(sex=np.where(df["task"] > 0, "f", "m"))
    with pytest.raises(ak.DesignError, match=r"column 'sex' is not numeric \(it holds .*\)\. Give numbers; code a"):
        run(text, {"a": ["severity"], "b": ["sex"]})
    with pytest.raises(ak.DesignError, match="column 'sex' is not numeric"):
        run(text.assign(sex=text["sex"].astype("category")), {"a": ["sex"]})


def test_yes_and_no_are_numbers(df: pd.DataFrame) -> None:
    found = run(df.assign(female=df["task"] > 0), {"a": ["severity"], "b": ["female"]})
    same = run(df.assign(female=(df["task"] > 0) * 1.0), {"a": ["severity"], "b": ["female"]})
    pd.testing.assert_frame_equal(found.tidy(), same.tidy())


def test_infinite_values(df: pd.DataFrame, steps: Any) -> None:
    broken = df.copy()
    broken.loc[4, "task"] = np.inf
    with pytest.raises(ak.DesignError, match="column 'task' holds 1 infinite values"):
        run(broken, steps)


def test_too_few_complete_cases(df: pd.DataFrame, steps: Any) -> None:
    few = df.copy()
    few.loc[5:, "goal"] = np.nan
    with pytest.raises(ak.DesignError, match=r"5 complete cases are too few for 4 predictors: 6 .*55 rows missing"):
        run(few, steps)


def test_one_therapist(df: pd.DataFrame, steps: Any) -> None:
    with pytest.raises(ak.DesignError, match=r"complete cases have one therapist \(column 'therapist', value 'A'\)"):
        run(df.assign(therapist="A"), steps, therapist="therapist", approach="robust")


@pytest.mark.option("incremental_validity(patient)", "unit")
def test_several_rows_per_patient(df: pd.DataFrame, steps: Any) -> None:
    sessions = df.assign(patient=np.arange(60) // 2)
    with pytest.raises(ak.DesignError, match=r"60 rows belong to patients with more than one row .*ak.one_row_per"):
        run(sessions, steps)
    with pytest.raises(ak.DesignError, match=r"more than one row \(column 'id'\)"):
        run(sessions.rename(columns={"patient": "id"}), steps, patient="id")
    with pytest.raises(ak.DesignError, match="not in the data: 'who'"):
        run(df, steps, patient="who")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"approach": "randm"}, r"approach='randm' is not an option\. Did you mean approach='random'\?"),
        ({"approach": "robust"}, "approach='robust' needs the column of the therapists"),
        ({"approach": "random"}, "approach='random' needs the column of the therapists"),
        ({"executor": "dusk"}, "executor='dusk' is not an option"),
        ({"better": "up"}, "better='up' is not an option"),
        ({"bootstrap": 20}, "bootstrap=20 is too few"),
        ({"folds": 1}, "folds=1 is too few"),
        ({"level": 95}, "level=95 is not a confidence level"),
        ({"labels": {"tsk": "Task"}}, "not in the data: 'tsk'"),
    ],
)
def test_wrong_options(df: pd.DataFrame, steps: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ak.AllianceError, match=text):
        run(df, steps, **options)


def test_not_a_frame(steps: Any) -> None:
    with pytest.raises(ak.SpecError, match="a list is not a study"):
        ak.incremental_validity([1, 2], "pcl", steps)


def test_few_therapists_and_robust_errors(df: pd.DataFrame, steps: Any) -> None:
    with pytest.warns(ak.SmallSampleWarning, match="10 therapists are few .*t with 9 degrees of freedom is used"):
        found = run(df, steps, therapist="therapist", approach="robust")
    assert (found.coefficients.tidy()["df"] == 9).all()
    assert found.steps.tidy()["df_error"].tolist() == [9.0, 9.0, 9.0]
    assert "10 therapists are few" in found.warnings[0]
