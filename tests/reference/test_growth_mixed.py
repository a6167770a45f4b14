"""The growth cases as mixed models: lme4 1.1-31 on the long form of the same data, every number."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import load_case
from tests.reference.sem_after import after
from tests.reference.sem_cases import HERE
from tests.reference.test_mlm import COMPARATORS

FOLDERS = [path.parent.name for path in sorted((HERE / "growth").glob("*/long.csv"))]
QUANTITIES = [
    (case, label, method, name)
    for case in FOLDERS
    for label, methods in after("growth", case)["mlm"].items()
    for method, found in methods.items()
    for name in found
    if not name.startswith("optimizer")  # how lme4 searched
]


@cache
def mixed(case: str, label: str, method: str) -> Any:
    models = load_case(HERE / "growth" / case)[0]["mlm"]
    model = next(one for one in models if one["label"] == label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        warnings.filterwarnings("ignore", ".*within and between the units", ak.DesignWarning)  # the references pool
        return ak.mixed(model["formula"], pd.read_csv(HERE / "growth" / case / model["data"]), method=method)


@pytest.mark.parametrize(("case", "label", "method", "name"), QUANTITIES, ids=["-".join(q) for q in QUANTITIES])
def test_mixed_growth(case: str, label: str, method: str, name: str, record_property: Any) -> None:
    reference = after("growth", case)["mlm"][label][method][name]
    assert name in COMPARATORS, f"not compared: {name}"
    if reference is None:
        record_property("excused", True)
        return
    COMPARATORS[name](mixed(case, label, method), reference)


@pytest.mark.parametrize("case", ["demo_linear"])
def test_growth_and_mixed_model_have_one_likelihood(case: str) -> None:
    """A random-slope model by ML is the latent growth model with equal residual variances."""
    from tests.reference.sem_cases import fit

    structural = fit("growth", case, "lgcm_equal_residuals")
    assert structural.log_likelihood == pytest.approx(mixed(case, "linear", "ML").log_likelihood, rel=1e-9)
