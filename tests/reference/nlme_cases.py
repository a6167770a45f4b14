"""The cases of nlme as calls of ``ak.mixed``."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import alliancekit as ak
from tests.reference.comparison import load_case

FAMILY = Path(__file__).parent / "nlme"
CASES = sorted(path.parent.name for path in FAMILY.glob("*/expected.json"))


@cache
def frame(case: str) -> pd.DataFrame:
    """Return the data of a case; ``stratum`` is the column of its variances, with the levels in nlme's order."""
    model, expected = load_case(FAMILY / case)
    data = pd.read_csv(FAMILY / case / "data.csv")
    for column, levels in model.get("factors", {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels)
    strata = re.search(r"varIdent\(form = ~ 1 \| (\w+)\)", model.get("weights", ""))
    if strata:
        order = [name.removeprefix("B.") for name in expected["fits"]["REML"]["var_coef_ratio_of_sd"]]
        data["stratum"] = pd.Categorical(data[strata.group(1)].astype(str), categories=order)
    return data


def structure(model: dict[str, Any], without: str | None = None) -> Any:
    """Return the residual structure of a case, perhaps without its correlation or its variances."""
    found: Any = None
    text = None if without == "correlation" else model.get("correlation")
    symmetric = str(text).startswith("corSymm")
    if text:
        kind, time, by = re.fullmatch(r"(\w+)\(form = ~ (\w+) \| (?:\w+/)?(\w+)\)", text).groups()  # type: ignore[union-attr]
        makers: dict[str, Callable[[], Any]] = {
            "corAR1": lambda: ak.ar1(time=time, by=by),
            "corCAR1": lambda: ak.car1(time=time, by=by),
            "corCompSymm": lambda: ak.compound_symmetry(by=by),
            "corSymm": lambda: ak.unstructured(time=time, by=by, equal_variances="weights" not in model),
        }
        found = makers[kind]()
    text = None if without == "weights" else model.get("weights")
    if text and not (symmetric and text.startswith("varIdent")):
        power = re.fullmatch(r"varPower\(form = ~ (\w+)\)", text)
        name = "fitted" if model.get("settled") else power and power.group(1)
        second = ak.power_of(name) if name else ak.heteroscedastic(by="stratum")
        found = second if found is None else found + second
    return found


@cache
def fit(case: str, method: str, without: str | None = None) -> Any:
    """Return the fit of a case by a criterion; a correlation at its boundary is known and not warned about."""
    model, _ = load_case(FAMILY / case)
    text = model.get("random", "")
    nested = re.findall(r"(\w+) = ~ (\w+)", text)
    terms = [f"({effects} | {group})" for group, effects in nested] or ([f"({text.strip('~ ')})"] if text else [])
    formula = " + ".join([model["fixed"], *terms])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(
            formula,
            frame(case),
            method=method,
            weights=model.get("prior_weights"),
            residual_structure=structure(model, without),
        )
