"""The cases of tests/reference/mlm as frames and fits, made once each."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import theta_from_covariances
from alliancekit.multilevel.gaussian.objective import eliminate
from tests.reference.comparison import load_case, not_compared

FAMILY = Path(__file__).parent / "mlm"
REASONS = not_compared(FAMILY)


def read_frame(folder: Path) -> pd.DataFrame:
    """Return a case's data with the levels and the order that R gave its factors."""
    model, _ = load_case(folder)
    data = pd.read_csv(folder / "data.csv")
    ordered = {c for c, kind in model.get("contrasts", {}).items() if kind == "contr.poly"}
    for column, levels in model.get("factors", {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels, ordered=column in ordered)
    return data


@cache
def frame(case: str) -> pd.DataFrame:
    return read_frame(FAMILY / case)


@cache
def fit(case: str, method: str) -> Any:
    model, _ = load_case(FAMILY / case)
    return fit_formula(case, model["formula"], method)


@cache
def fit_formula(case: str, formula: str, method: str) -> Any:
    model, _ = load_case(FAMILY / case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        warnings.filterwarnings("ignore", ".*within and between the units", ak.DesignWarning)  # the references pool
        return ak.mixed(formula, frame(case), method=method, weights=model.get("weights"))


def at_variances_of_r(fit_: Any, varcorr: list[dict[str, Any]], sigma: float) -> GaussianFit:
    """Return the estimates at the variances that R found: what is left of a difference is that of a formula."""
    old: GaussianFit = fit_._fit
    blocks: dict[str, list[np.ndarray]] = {}
    for term in varcorr:
        blocks.setdefault(term["group"].split(".")[0], []).append(np.array(term["cov"]["values"], dtype=float))
    matrices = []
    for factor in old.factors:
        whole, at = np.zeros((factor.q, factor.q)), 0
        for block in blocks[factor.group]:
            whole[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        matrices.append(whole)
    theta = theta_from_covariances(old.engine, matrices, sigma)
    state = eliminate(old.engine, theta)
    basis = old.engine.fixed_basis
    return replace(
        old,
        optimum=replace(old.optimum, theta=theta, state=state),
        beta=basis @ state.beta + old.engine.y_shift,
        vcov=sigma**2 * basis @ state.fixed_inverse @ basis.T,
        sigma=sigma,
    )
