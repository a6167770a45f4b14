"""The structural models that R fitted, fitted by us: cases of tests/reference/sem, growth, apim and riclpm."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

import alliancekit as ak
from alliancekit.formula.model_parse import parse_model
from alliancekit.structural.automatic import complete
from alliancekit.structural.rules import WRITTEN
from tests.reference.comparison import load_case

HERE = Path(__file__).parent
FAMILIES = ("sem", "growth", "apim", "riclpm")
ARGUMENTS = {"std.lv": "std_lv", "group.equal": "group_equal", "group.partial": "group_partial", "fixed.x": "fixed_x"}
ARGUMENTS |= {"effect.coding": "effect_coding", "sample.nobs": "sample_nobs"}


def models() -> list[tuple[str, str, str]]:
    """Return (family, case, label) of every model."""
    out = []
    for family in FAMILIES:
        for folder in sorted((HERE / family).iterdir()):
            if (folder / "expected.json").exists():
                out += [(family, folder.name, label) for label in load_case(folder)[1]["models"]]
    return out


@cache
def load(family: str, case: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return load_case(HERE / family / case)


def expected(family: str, case: str, label: str) -> dict[str, Any]:
    return load(family, case)[1]["models"][label]


@cache
def fit(family: str, case: str, label: str) -> Any:
    """Fit one model as its model.json says."""
    model, _ = load(family, case)
    one = next(m for m in model["models"] if m["label"] == label)
    syntax = one.get("syntax", model.get("syntax"))
    given = {**model.get("common_args", {}), **one.get("args", {})}
    given.pop("conditional.x", None)  # ours follows from fixed_x
    options = {ARGUMENTS.get(name, name): value for name, value in given.items()}
    data = pd.read_csv(HERE / family / case / model["data"])
    if model.get("data_is_cov"):
        options["sample_cov"] = data[data.select_dtypes("number").columns]
        data = None
    options.setdefault("missing", "listwise")
    function = one.get("fn") or model["fn"]
    if function == "lavaan":
        rules = replace(WRITTEN, meanstructure=expected(family, case, label)["options"]["meanstructure"])
        syntax, function = complete(parse_model(syntax), rules), "sem"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return getattr(ak, function)(syntax, data, **options)
