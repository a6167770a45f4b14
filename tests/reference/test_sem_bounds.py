"""Bounds of parameters in lavaan 0.6-14, and estimates within them."""

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
from tests.reference.comparison import assert_close
from tests.reference.test_sem_bootstrap import MEDIATED, boot_data, stored

HERE = Path(__file__).parent
CASES = json.loads((HERE / "sem_bounds" / "expected.json").read_text(encoding="utf-8"))
IDS = [f"{k}-{c['bounds']}-{'std_lv' if c['std_lv'] else 'unit'}" for k, c in enumerate(CASES["fits"])]
HEYWOOD = "f =~ x2 + x1 + x3 + x4"


@cache
def schools() -> pd.DataFrame:
    return pd.read_csv(HERE / "sem" / "hs_cfa3_ml" / "data.csv")


def fit_of(case: dict[str, Any]) -> Any:
    heywood = case["model"] == "heywood"
    data = pd.DataFrame(CASES["rows"]) if heywood else schools()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return ak.sem(HEYWOOD if heywood else case["model"], data, bounds=case["bounds"], std_lv=case["std_lv"])


@pytest.mark.option("cfa.bounds", "lavaan 0.6-14, 29 fits")
@pytest.mark.option("sem.bounds", "lavaan 0.6-14, 29 fits")
@pytest.mark.parametrize("case", CASES["fits"], ids=IDS)
def test_bounds_as_lavaan(case: dict[str, Any]) -> None:
    fit = fit_of(case)
    free = [i for i, number in enumerate(fit.table.free) if number]
    for side, infinite in (("lower", -np.inf), ("upper", np.inf)):
        ours = np.array(getattr(fit.table, side))[free]
        given = case[side] or [None] * len(free)
        theirs = np.array([infinite if value is None else value for value in given])
        assert (np.isinf(ours) == np.isinf(theirs)).all()
        assert_close(ours[np.isfinite(ours)], theirs[np.isfinite(theirs)], "estimate", side)
    assert fit.converged == case["converged"]
    assert_close(fit.fit_measures()["chisq"], case["chisq"], "fit_measure", "chisq")
    assert_close(fit._fit.x, case["est"], "estimate", "estimates")
    if "se" in case:
        assert_close(np.sqrt(np.diag(fit._fit.vcov)), case["se"], "std_error", "standard errors")


@cache
def clinic() -> pd.DataFrame:
    data = boot_data().copy()
    data["u"] = 0.6 * (data["x1"] + data["x2"] + data["x3"]) + 0.8 * data["z1"]
    data["mu"] = data["u"].where(data["m3"].notna())
    data["ou"] = (data["u"] > -1).astype(int) + (data["u"] > 1.5)
    return data


STORED = json.loads((HERE / "sem_bounds" / "more.json").read_text(encoding="utf-8"))
MORE = STORED["fits"]
OF_BASELINE = ("cfi",)
OF_SATURATED = ("chisq", "srmr", "rmsea", "cfi")


def measures_compared(case: dict[str, Any]) -> dict[str, float]:
    """Leave out what lavaan takes from another model.

    With GLS and WLS its baseline keeps the bounds, too (independent variables have negative variances here, and CFI is
    .67 without them and .68 with them). In two levels its saturated model ends early: our log-likelihood of it is
    higher by 0.0006, and so is chi-square by twice that.
    """
    options = case["options"]
    left = OF_BASELINE if options.get("estimator") in ("GLS", "WLS") and options.get("bounds", "none") != "none" else ()
    left = OF_SATURATED if "cluster" in options else left
    return {name: value for name, value in case["fit"].items() if name not in left and value is not None}


@pytest.mark.option("cfa.bounds", "lavaan 0.6-14, 60 fits with missing values, ordinal items, least squares")
@pytest.mark.option("sem.bounds", "lavaan 0.6-14, 60 fits with missing values, ordinal items, least squares")
@pytest.mark.parametrize("case", MORE, ids=[case["name"] for case in MORE])
def test_active_limits_with_every_estimator_as_lavaan(case: dict[str, Any]) -> None:
    options = {name.replace(".", "_"): value for name, value in case["options"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ak.sem(case["model"], clinic(), **options)
    assert fit.converged and case["converged"]
    free = [i for i, number in enumerate(fit.table.free) if number]
    for side, infinite in (("lower", -np.inf), ("upper", np.inf)):
        theirs = np.array([infinite if value is None else value for value in case[side]])
        assert_close(np.array(getattr(fit.table, side))[free], theirs, "estimate", side)
    assert_close(fit._fit.x, case["est"], "estimate", "estimates")
    given = np.array(case["se"], dtype=float)
    assert_close(np.sqrt(np.diag(fit._fit.vcov)), given, "std_error", "standard errors")
    measures = fit.fit_measures()
    assert measures["fmin"] <= case["fit"]["fmin"] + 1e-8
    for name, value in measures_compared(case).items():
        kind = "log_likelihood" if name == "logl" else "fit_measure"
        assert_close(measures[name.replace(".", "_")], value, kind, name)
    defined = fit.tidy().query("op == ':='").set_index("lhs")
    assert_close(defined["estimate"][list(case["defined"])], list(case["defined"].values()), "estimate", "definitions")
    errors = list(case["defined_se"].values())
    assert_close(defined["std_error"][list(case["defined"])], errors, "std_error", "errors of definitions")


@pytest.mark.parametrize("case", STORED["wild"], ids=[f"{c['estimator']}-{c['bounds']}" for c in STORED["wild"]])
def test_of_several_minima_ours_is_no_worse(case: dict[str, Any]) -> None:
    data = clinic().assign(u=clinic()["x1"] + clinic()["x2"] + 0.2 * clinic()["z1"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        fit = ak.sem("f =~ u + x1 + x2 + x3", data, estimator=case["estimator"], bounds=case["bounds"])
    assert fit.converged
    assert fit.fit_measures()["fmin"] <= case["fmin"] + 1e-7


TWO_LEVELS = "level: 1\nf =~ c1 + c2 + c3\nlevel: 2\nf =~ c1 + c2 + c3"


@pytest.mark.parametrize(
    ("model", "options", "match"),
    [
        (TWO_LEVELS, {"cluster": "cl"}, "two levels"),
        ("f =~ o1 + o2 + o3", {"ordered": True, "parameterization": "theta"}, "theta"),
        ("f =~ o1 + o2 + o3", {"ordered": True, "group": "g2", "group_equal": ["thresholds", "loadings"]}, "scales"),
        ("f =~ x1 + x2 + x3", {"effect_coding": True}, "effect coding"),
    ],
)
def test_bounds_by_variances_that_the_sample_does_not_show(model: str, options: dict[str, Any], match: str) -> None:
    for bounds in ("standard", "wide", "wide.zerovar"):
        with pytest.raises(ak.SpecError, match=match):
            ak.sem(model, boot_data(), bounds=bounds, **options)
    assert ak.sem(model, boot_data(), bounds="pos.var", **options).converged


def test_variances_between_clusters_are_kept_from_being_negative() -> None:
    sample = stored("cases")["samples"]["cl"][1]
    data = clinic().iloc[np.array(sample["rows"]) - 1].assign(cl=sample["clusters"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free, held = (ak.sem(MEDIATED, data, cluster="cl", bounds=bounds) for bounds in ("none", "pos.var"))
    variances = [fit.tidy().query("op == '~~' and level == 'between'")["estimate"] for fit in (free, held)]
    assert variances[0].min() < -1e-3 and variances[1].min() > -1e-6
    assert held.log_likelihood < free.log_likelihood
    tested = [fit.tidy().query("std_error > 0").set_index("term")["p_value"].isna() for fit in (free, held)]
    assert not tested[0].any() and tested[1].sum() == 1
    assert held.tidy().query("p_value.isna() and std_error > 0")["estimate"].abs().item() < 1e-6


def test_lavaans_default_is_wide() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        one, other = (ak.cfa("f =~ u + x1 + x2 + x3", clinic(), bounds=word) for word in ("default", "wide"))
    assert one.table.upper == other.table.upper and np.isfinite(one.table.upper).any()


def test_a_bound_holds_together_with_equal_loadings() -> None:
    """lavaan 0.6-14 leaves bounds aside where there are linear equalities, and says so."""
    model = "f =~ x1 + x2 + upper(0.8)*x3"
    fit = ak.cfa(model, boot_data(), group="g2", group_equal="loadings")
    loadings = fit.tidy().query("term == 'f =~ x3'")["estimate"]
    np.testing.assert_allclose(loadings, 0.8, atol=1e-6)
