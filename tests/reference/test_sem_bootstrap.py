"""Bootstrap samples of every estimator: the estimates are those of lavaan 0.6-14 fitted to the same drawn rows."""

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
from alliancekit.structural.after.bootstrap import StructuralBootstrap
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
SEED, SAMPLES = 11, 3
TWO = "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
LABELLED = "f =~ x1 + a*x2 + b*x3\nh =~ x4 + x5 + x6"
GAPS = "f =~ m1 + m2 + m3\nh =~ x4 + x5 + x6"
ITEMS = "f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6"
PATHS = "m2 ~ a*w1 + z2\nm3 ~ b*m2 + w1\nind := a*b"
ONE = "f =~ o1 + o2 + o3 + o4"


def case(name: str, model: str, scheme: str = "rows", r: dict[str, Any] | None = None, **ours: Any) -> dict[str, Any]:
    """Return a model with our options, lavaan's where they have other names, and what is drawn."""
    given = {key.replace("_", "."): value for key, value in ours.items()} if r is None else r
    return {"name": name, "model": model, "scheme": scheme, "ours": ours, "r": given}


CASES = [
    case("ml-fixed", PATHS.replace("m", "x")),
    case("ml-inequality", f"{LABELLED}\na > b + 0.1"),
    case("ml-groups", TWO, "g2", group="g2", group_equal=["loadings", "intercepts"]),
    case("ml-wishart", TWO, likelihood="wishart"),
    case("fiml", GAPS, missing="fiml"),
    case("fiml-fixed", PATHS, missing="fiml"),
    case("fiml-inequality", f"{GAPS.replace('m2 + m3', 'a*m2 + b*m3')}\na > b + 0.1", missing="fiml"),
    case("fiml-bounds", GAPS, missing="fiml", bounds="standard"),
    case("fiml-groups", GAPS, "g2", group="g2", group_equal=["loadings"], missing="fiml"),
    case("fiml-mlr", GAPS, missing="fiml", estimator="MLR"),
    case("gls", TWO, estimator="GLS"),
    case("uls", TWO, estimator="ULS"),
    case("uls-fixed", PATHS.replace("m", "x"), estimator="ULS", fixed_x=True),
    case("dwls", TWO, estimator="DWLS"),
    case("wls-inequality", f"{LABELLED}\na > b + 0.1", estimator="WLS"),
    case("wls-groups", TWO, "g2", estimator="WLS", group="g2", group_equal=["loadings"]),
    case("wlsmv", ITEMS, {"ordered": True, "estimator": "WLSMV"}, ordered=True),
    case("wlsmv-theta", ITEMS, ordered=True, estimator="WLSMV", parameterization="theta"),
    case("wlsmv-inequality", f"{ITEMS.replace('o2 + o3', 'a*o2 + b*o3')}\na > b + 0.1", ordered=True, estimator="DWLS"),
    case("wlsmv-groups", ITEMS, "g2", ordered=True, estimator="WLSMV", group="g2", group_equal=["thresholds", "loadings"]),
    case("wlsmv-pairwise", "f =~ n1 + n2 + n3 + o4", ordered=True, estimator="WLSMV", missing="pairwise"),
    case("wlsmv-covariate", f"{ONE}\nf ~ w1", ordered=["o1", "o2", "o3", "o4"], estimator="WLSMV"),
    case("ulsmv", ITEMS, ordered=True, estimator="ULSMV"),
    case("wls-ordinal", ONE, ordered=True, estimator="WLS"),
    case("clusters", TWO, "cl", cluster="cl", estimator="MLR"),
    case("clusters-fiml", GAPS, "cl", cluster="cl", estimator="MLR", missing="fiml"),
    case("two-level", "level: 1\nf =~ c1 + c2 + c3\nlevel: 2\nh =~ c1 + c2 + c3", "cl", cluster="cl"),
    case("two-level-covariates", "level: 1\nc1 ~ a*w1 + c2\nc2 ~ w1\nlevel: 2\nc1 ~ c2", "cl", cluster="cl"),
]  # fmt: skip
CASES = [c if isinstance(c["scheme"], str) else {**c, "r": c["scheme"], "scheme": "rows"} for c in CASES]


@cache
def boot_data() -> pd.DataFrame:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    for k in range(1, 7):
        x = data[f"x{k}"] - (k > 3)
        data[f"o{k}"] = (x > -0.5).astype(int) + (x > 0.8)
    for k in range(1, 4):
        data[f"c{k}"] = data[f"x{k}"] + ((data["cl"] * 37) % 11 - 5) / 4 + ((data["cl"] * (13 + k)) % 7 - 3) / 6
        data[f"n{k}"] = data[f"o{k}"].where(data[f"m{k}"].notna())
    return data
