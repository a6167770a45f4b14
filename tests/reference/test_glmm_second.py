"""glmmTMB 1.1.5 on what lme4 cannot fit or stops early on: dispersion formulas, weights, links, predictions with SE."""

from __future__ import annotations

import json
import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close, note_gain
from tests.reference.glmm_values import FAMILY, load

SECOND: dict[str, dict[str, Any]] = json.loads((FAMILY / "second_opinion.json").read_text())["models"]
FAMILIES = {
    "items_random": "binomial",
    "binomial_zeros": "beta-binomial",
    "crossed": "binomial",
    "slope_chain": "poisson",
    "weights_trials": "binomial",
}
AT_LIMIT = {"nbinom2_zeros", "binomial_zeros"}


def family_of(name: str) -> str:
    if name in FAMILIES:
        return FAMILIES[name]
    words = {"nbinom1": "negative-binomial", "nbinom2": "negative-binomial", "betabinomial": "beta-binomial"}
    return next((word for part, word in words.items() if part in name), "poisson")


@cache
def fit(name: str) -> Any:
    model = SECOND[name]
    data = load(model["case"])[2].copy()
    options = dict(model["ours"])
    formula = options.pop("formula", model["formula"])
    if options.get("weights"):
        counted = 1 + (np.arange(1, len(data) + 1) % 3)
        data["w"] = data["size"] if name == "weights_trials" else counted
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        return ak.mixed(formula, data, family=family_of(name), **options)


@pytest.mark.option("mixed.dispersion", "glmmTMB 1.1.5: nbinom1, nbinom2, betabinomial")
@pytest.mark.option("mixed.weights", "glmmTMB 1.1.5: poisson, nbinom2, binomial")
@pytest.mark.parametrize("name", list(SECOND))
def test_estimates(name: str) -> None:
    theirs, ours = SECOND[name], fit(name)
    assert ours.converged
    assert_close(ours.log_likelihood, theirs["logLik"], "log_likelihood", "log-likelihood")
    note_gain(ours.log_likelihood, theirs["logLik"])
    assert ours.log_likelihood >= theirs["logLik"] - 1e-7 * abs(theirs["logLik"])
    table = ours.tidy().set_index("term")
    assert list(table.index) == list(theirs["fixef"])
    assert_close(table["estimate"], list(theirs["fixef"].values()), "estimate", "fixed effects")
    assert_close(table["std_error"], list(theirs["se"].values()), "glmm_std_error", "standard errors")
    parts = ours.variance_components()
    sds = parts[parts["term_2"].isna() & (parts["group"] != "Dispersion")]["sd_or_correlation"]
    assert_close(sds, np.atleast_1d(theirs["sd"]), "glmm_sd", "SDs")


@pytest.mark.parametrize(
    ("name", "component"),
    [(n, c) for n, m in SECOND.items() for c in ("dispersion", "zero_inflation") if c in m and n not in AT_LIMIT],
)
def test_submodels(name: str, component: str) -> None:
    theirs, table = SECOND[name], fit(name).submodels()
    part = table[table["component"] == component].set_index("term")
    assert list(part.index) == list(theirs[component])
    assert_close(part["estimate"], list(theirs[component].values()), "estimate", component)
    assert_close(part["std_error"], list(theirs[f"{component}_se"].values()), "glmm_std_error", component)


@pytest.mark.parametrize("name", sorted(AT_LIMIT))
def test_a_probability_of_extra_zeros_at_its_limit_is_said(name: str) -> None:
    assert any("extra zero went to 0 or 1" in text for text in fit(name).warnings)


@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.parametrize("name", [n for n in SECOND if n not in AT_LIMIT])
def test_predictions(name: str, scale: str) -> None:
    theirs = SECOND[name]["predict"]
    ours = fit(name).predict(scale=scale).head(10)
    assert_close(ours["estimate"], theirs[scale], "estimate", f"predicted, {scale}")
    assert_close(ours["std_error"], theirs[f"{scale}_se"], "glmm_std_error", f"SE, {scale}")


@pytest.mark.parametrize("name", [n for n in SECOND if n not in AT_LIMIT])
def test_predictions_for_the_average_unit(name: str) -> None:
    theirs, ours = SECOND[name]["predict"], fit(name)
    table = ours.predict(ours.data.head(10), include_random=False, scale="link")
    assert_close(table["estimate"], theirs["average"], "estimate", "predicted")
    assert_close(table["std_error"], theirs["average_se"], "glmm_std_error", "SE")


def _r_stops_early(case: str, label: str, name: str) -> pd.DataFrame:
    """Return |lme4 - glmmTMB| and |ours - glmmTMB| of the standard errors, over those of glmmTMB."""
    theirs, second = load(case)[1]["models"][label]["se"], SECOND[name]["se"]
    ours = fit(name).tidy().set_index("term")["std_error"]
    return pd.DataFrame(
        {term: {"lme4": abs(theirs[term] / se - 1), "ours": abs(ours[term] / se - 1)} for term, se in second.items()}
    ).T


@pytest.mark.parametrize(
    ("case", "label", "name"),
    [
        ("sim_rasch_fixed_items", "glmer_items_random", "items_random"),
        ("sim_sessions_negbin_offset", "glmer_poisson", "poisson_offset"),
    ],
)
def test_where_lme4_is_off_glmmtmb_agrees_with_us(case: str, label: str, name: str) -> None:
    gaps = _r_stops_early(case, label, name)
    assert gaps["lme4"].max() > 1e-3
    assert gaps["ours"].max() < 1e-5
    assert fit(name).log_likelihood > load(case)[1]["models"][label]["logLik"]
