"""lme4 1.1-31 about rows and units: leverages, residuals, prediction errors, influence. Every number is walked."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close, load_case

FAMILY = Path(__file__).parent / "rows"


@cache
def frame(case: str) -> pd.DataFrame:
    model, _ = load_case(FAMILY / case)
    return pd.read_csv(FAMILY / case / model["data"])


@cache
def fit(case: str) -> Any:
    model, _ = load_case(FAMILY / case)
    return ak.mixed(model["formula"], frame(case), weights=model.get("weights"))


@cache
def influence(case: str, by: str) -> Any:
    return fit(case).influence(by=by)


def without(case: str, by: str, unit: str) -> float:
    """Our log-likelihood of the model without a unit, fitted from the start."""
    model, _ = load_case(FAMILY / case)
    data = frame(case)
    return ak.mixed(model["formula"], data[data[by].astype(str) != unit]).log_likelihood


def asked(case: str) -> pd.DataFrame:
    """The rows that run_rows.R predicts: some rows, moved, every third with units that nobody has seen."""
    model, _ = load_case(FAMILY / case)
    new = frame(case).iloc[:: model["step"]].copy()
    for column, shift in model["shift"].items():
        new[column] = new[column] + shift
    for group in model["groups"]:
        new[group] = new[group].astype(object)
        new.iloc[::3, new.columns.get_loc(group)] = "never seen"
    return new


def compare_predict(case: str, part: str, reference: Any) -> None:
    f, new = fit(case), asked(case)
    population, wide = part.startswith("population_"), "prediction_" in part
    found = f.predict(new, include_random=not population, interval="prediction" if wide else None)
    column = {"low": "conf_low", "high": "conf_high", "estimate": "estimate", "error": "std_error"}[part.split("_")[-1]]
    assert_close(found[column] / f.sigma, np.array(reference) / f.sigma, "random_effect", part)


def compare_influence(case: str, by: str, part: str, reference: Any) -> None:
    f, found = fit(case), influence(case, by)
    _, expected = load_case(FAMILY / case)
    place = [found.units.index(u) for u in expected["fits"]["influence"][by]["units"]]
    if part == "units":
        assert sorted(reference) == sorted(found.units)
    elif part == "fixed_effects":
        values = np.array(reference["values"])
        assert_close(found.estimates_without[place] / found.std_errors, values / found.std_errors, "influence", part)
    elif part == "dfbetas":
        ours = (found.estimates_without - found.estimates) / found.std_errors_without
        assert_close(ours[place], reference["values"], "influence", part)
    elif part == "log_likelihood":
        ours = [without(case, by, u) for u in expected["fits"]["influence"][by]["units"]]
        assert (np.array(ours) >= np.array(reference) - 1e-6 * np.abs(reference)).all()
        assert_close(ours, reference, "log_likelihood", part)
    elif part == "variances":
        assert_close(
            np.sqrt(found.variances_without[place]) / f.sigma, np.sqrt(theirs(f, reference)), "influence", part
        )
    else:
        top = float(np.max(reference)) if part in ("cooks_distance", "mdffits") else 1.0
        assert_close(getattr(found, part)[place] / top, np.array(reference) / top, "influence", part)


def theirs(f: Any, reference: Any) -> np.ndarray:
    """lme4's variances in the order of variance_components, over ours of the residual."""
    parts = f.variance_components()
    wanted = [f"{r.group}:{'' if pd.isna(r.term_1) else r.term_1}" for r in parts[parts["term_2"].isna()].itertuples()]
    return np.array(reference["values"])[:, [reference["cols"].index(n) for n in wanted]] / f.sigma**2


def _leaves() -> list[Any]:
    out = []
    for folder in sorted(p for p in FAMILY.iterdir() if (p / "model.json").exists()):
        for name, value in json.loads((folder / "expected.json").read_text())["fits"].items():
            if name == "predict":
                out += [(folder.name, name, part, None) for part in value]
            elif name == "influence":
                out += [(folder.name, name, by, part) for by in value for part in value[by]]
            else:
                out.append((folder.name, name, None, None))
    return [pytest.param(*leaf, id="-".join(str(x) for x in leaf if x)) for leaf in out]


@pytest.mark.option("MixedFit.predict.interval", "reference")
@pytest.mark.option("MixedFit.predict.include_random", "reference")
@pytest.mark.option("MixedFit.residuals.kind", "reference")
@pytest.mark.option("MixedFit.influence.by", "reference")
@pytest.mark.parametrize(("case", "name", "first", "second"), _leaves())
def test_quantity(case: str, name: str, first: str | None, second: str | None) -> None:
    model, expected = load_case(FAMILY / case)
    f, value = fit(case), expected["fits"][name]
    rows = slice(None, None, model["step"])
    if name == "predict":
        compare_predict(case, str(first), value[first])
    elif name == "influence":
        compare_influence(case, str(first), str(second), value[first][second])
    elif name == "hat_values":
        assert_close(f.hat_values()[rows], value, "random_effect", name)
    elif name == "hat_sum":
        assert_close(f.hat_values().sum(), value, "estimate", name)
    else:
        scale = f.sigma if name in ("pearson", "marginal") else 1.0
        assert_close(f.residuals(name)[rows] / scale, np.array(value) / scale, "random_effect", name)


def test_warnings_are_none() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit("sleepstudy_rs").converged
