"""The analyses whose properties are studied, as a researcher would run them on one simulated study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

import alliancekit as ak
from alliancekit.simulation.types import Simulated

FULL = "sev, change, bond, goal"
NAMES = {"pcl_0": "sev", "change": "change", "bond": "bond", "goal": "goal", "task": "task"}


def analysis_frame(twin: Simulated) -> pd.DataFrame:
    """Return one row per patient: scored early means, change, therapist and the outcome (missing where dropped out)."""
    study = ak.score(twin.study, "WAI-SR", prefix="wai_", name="wai")
    study = ak.early_window(study, ["wai_task", "wai_bond", "wai_goal", "pcl"])
    frame = study.data.drop_duplicates("patient")
    frame = frame.merge(twin.study.tables["outcome"], on="patient", validate="one_to_one")
    short = {"wai_task_early": "task", "wai_bond_early": "bond", "wai_goal_early": "goal"}
    return frame.rename(columns=short).assign(change=frame["pcl_early"] - frame["pcl_0"])


def least_squares(frame: pd.DataFrame, predictors: list[str]) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Return slopes, standard errors, residual df and adjusted R2 of complete cases."""
    used = frame[[*predictors, "pcl_followup"]].dropna()
    y = used["pcl_followup"].to_numpy(dtype=float)
    X = np.column_stack([np.ones(len(used)), used[predictors].to_numpy(dtype=float)])
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y
    residual = y - X @ beta
    df = len(y) - X.shape[1]
    s2 = float(residual @ residual) / df
    adjusted = 1 - s2 / float(y.var(ddof=1))
    return beta[1:], np.sqrt(s2 * np.diag(inverse))[1:], df, adjusted


def row(quantity: str, estimate: float, se: float, df: float) -> dict[str, Any]:
    """Return an estimate with t limits and p value."""
    half = float(stdtrit(df, 0.975)) * se
    p_value = 2 * float(stdtr(df, -abs(estimate / se)))
    limits = {"conf_low": estimate - half, "conf_high": estimate + half}
    return {"quantity": quantity, "estimate": float(estimate), "std_error": se, "p_value": p_value, **limits}


def ols_rows(frame: pd.DataFrame, given: list[str]) -> list[dict[str, Any]]:
    """Return the slope of task over other predictors."""
    beta, se, df, _ = least_squares(frame, [*given, "task"])
    names = ", ".join(NAMES[g] for g in given)
    return [row(f"coef(task | {names})", float(beta[-1]), float(se[-1]), df)]


def by_least_squares(twin: Simulated) -> list[dict[str, Any]]:
    """Slope of task over severity, and over severity, bond and goal (with and without early change), complete cases."""
    frame = analysis_frame(twin)
    sets = (["pcl_0"], ["pcl_0", "bond", "goal"], ["pcl_0", "change", "bond", "goal"])
    return [r for given in sets for r in ols_rows(frame, given)]


def by_mixed_model(twin: Simulated) -> list[dict[str, Any]]:
    """All slopes and variances of the full model with a random therapist intercept, REML and Satterthwaite."""
    frame = analysis_frame(twin)
    fit = ak.mixed("pcl_followup ~ pcl_0 + change + bond + goal + task + (1 | therapist)", frame)
    table = fit.tidy().set_index("term")
    rows = []
    for term, name in NAMES.items():
        others = ", ".join(v for v in NAMES.values() if v != name)
        found = table.loc[term, ["estimate", "std_error", "conf_low", "conf_high", "p_value"]].to_dict()
        rows.append({"quantity": f"coef({name} | {others})", **found})
    missing = {"std_error": np.nan, "conf_low": np.nan, "conf_high": np.nan, "p_value": np.nan}
    residual = "residual_variance(sev, change, bond, goal, task)"
    rows.append({"quantity": residual, "estimate": fit.sigma**2, **missing})
    return rows


def therapist_variance(twin: Simulated) -> list[dict[str, Any]]:
    """Variance between therapists without a bound at zero: analysis of variance of the residuals, nobody lost."""
    frame = everybody(twin).dropna(subset=["task", "change"])
    predictors = list(NAMES)
    beta = least_squares(frame, predictors)[0]
    rest = frame["pcl_followup"] - frame[predictors].to_numpy(dtype=float) @ beta
    groups = rest.groupby(frame["therapist"])
    sizes = groups.size()
    within = float(((rest - groups.transform("mean")) ** 2).sum() / (len(rest) - len(sizes)))
    between = float((sizes * (groups.mean() - rest.mean()) ** 2).sum() / (len(sizes) - 1))
    size = (len(rest) - (sizes**2).sum() / len(rest)) / (len(sizes) - 1)
    return [{"quantity": "therapist_variance", "estimate": float((between - within) / size)}]


def everybody(twin: Simulated) -> pd.DataFrame:
    """Return the analysis frame with the follow-up of those who dropped out put back."""
    followup = np.clip(np.round(50 + 12 * twin.latent["y"]), 0, 80).to_numpy()
    frame = analysis_frame(twin)
    known = frame["pcl_followup"].notna().to_numpy()
    assert np.array_equal(frame["pcl_followup"].to_numpy()[known], followup[known])
    return frame.assign(pcl_followup=followup)


def by_adjusted_r2(twin: Simulated) -> list[dict[str, Any]]:
    """Increments of adjusted R2 (the plain increment is too large in samples), and its parts, nobody lost."""
    frame = everybody(twin).dropna(subset=["task", "change"])
    rows = []
    for given in (["pcl_0"], ["pcl_0", "bond", "goal"], ["pcl_0", "change", "bond", "goal"]):
        less, full = (least_squares(frame, p)[3] for p in (given, [*given, "task"]))
        names = ", ".join(NAMES[g] for g in given)
        rows.append({"quantity": f"delta_r2(task | {names})", "estimate": full - less})
    rows.append({"quantity": "r2(sev)", "estimate": least_squares(frame, ["pcl_0"])[3]})
    rows.append({"quantity": "r(task, goal)", "estimate": float(frame["task"].corr(frame["goal"]))})
    return rows


def error_free(twin: Simulated) -> list[dict[str, Any]]:
    """Slope of task over severity and over severity, bond and goal, on the variables without error, nobody lost."""
    latent = twin.latent.rename(columns={"sev": "pcl_0", "y": "pcl_followup"})
    return [r for given in (["pcl_0"], ["pcl_0", "bond", "goal"]) for r in ols_rows(latent, given)]


def by_incremental_validity(twin: Simulated) -> list[dict[str, Any]]:
    """Increments with bootstrap limits as ``ak.incremental_validity`` gives them, nobody lost."""
    frame = everybody(twin).dropna(subset=["task", "change"])
    steps = {"severity": ["pcl_0"], "task": ["task"], "others": ["bond", "goal", "change"]}
    found = ak.incremental_validity(
        frame, "pcl_followup", steps, focus="task", therapist="therapist", approach="robust", bootstrap=300
    )
    assert found.specificity is not None
    base = found.specificity.delta_r2_base.as_row()
    return [
        {"quantity": "r2(sev)", "estimate": float(found.tidy().loc[0, "r2"])},
        {"quantity": "delta_r2(task | sev)", **base},
        {"quantity": "delta_r2(task | sev, change, bond, goal)", "estimate": found.specificity.delta_r2_all.estimate},
    ]
