"""F tables of types I, II and III, random terms and robust covariances of one simulated trial: lmerTest, clubSandwich.

The models are chosen for what can go wrong: unbalanced factors, an empty cell, covariates in interactions, polynomials,
ordered and sum-coded factors, no intercept, no main effect, several slopes. R's script: scripts/run_mlm_tests.R.
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import alliancekit as ak
from tests.reference import mlm_inference
from tests.reference.comparison import assert_close, load_case, note_gain
from tests.reference.mlm_cases import REASONS, read_frame

FOLDER = Path(__file__).parent / "mlm_tests" / "sim_trial_terms"
MODEL, EXPECTED = load_case(FOLDER)
FORMULAS = {model["label"]: model["formula"] for model in MODEL["models"]}


@cache
def fit(label: str, method: str = "REML") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (ak.BoundaryWarning, ak.DesignWarning))
        return ak.mixed(FORMULAS[label], read_frame(FOLDER), method=method)


def _quantities() -> list[Any]:
    out = []
    for label, found in EXPECTED["models"].items():
        for quantity, value in found.items():
            parts = [kind for kind in value if kind != "cluster"] if quantity == "robust" else [""]
            out += [pytest.param(label, quantity, part, id=f"{label}-{quantity}{part}") for part in parts]
    return out


@pytest.mark.option("MixedFit.anova.type", "lmerTest 3.1-3, types I, II and III of 14 models")
@pytest.mark.option("MixedFit.anova.ddf", "lmerTest 3.1-3 with pbkrtest 0.5.2")
@pytest.mark.option("MixedFit.robust.type", "clubSandwich 0.5.8, CR0, CR1 and CR2")
@pytest.mark.option("MixedFit.ranova", "lmerTest 3.1-3, by REML and ML")
@pytest.mark.parametrize(("label", "quantity", "part"), _quantities())
def test_quantity(label: str, quantity: str, part: str, record_property: Any) -> None:
    value = EXPECTED["models"][label][quantity]
    if quantity == "isSingular":
        assert fit(label).singular == value
    elif quantity == "logLik":
        note_gain(fit(label).log_likelihood, value)
        assert fit(label).log_likelihood >= value - 1e-6 * abs(value)
        assert_close(fit(label).log_likelihood, value, "log_likelihood", "log-likelihood")
    elif quantity == "robust":
        mlm_inference.robust_table(part)(fit(label), {"cluster": value["cluster"], **value[part]})
    elif quantity.startswith("ranova_"):
        mlm_inference.compare_ranova(fit(label, quantity.removeprefix("ranova_")), value)
    else:
        if fit(label).singular and quantity.endswith("satterthwaite"):
            assert "singular:satterthwaite_df" in REASONS
            record_property("excused", True)
        mlm_inference.COMPARATORS[quantity](fit(label), value)


def test_type_three_does_not_depend_on_coding() -> None:
    data = read_frame(FOLDER)
    one = ak.mixed("y ~ arm * sex + x + (1 | id)", data).anova().tidy()
    two = ak.mixed("y ~ C(arm, sum) * C(sex, helmert) + x + (1 | id)", data).anova().tidy()
    assert_close(one["statistic"], two["statistic"], "closed_form", "F")
