"""nlme 3.1-162, ``lme`` and ``gls``: one test per case, criterion and quantity.

Two conventions of nlme are translated. Where variances differ by stratum its sigma is the SD of the stratum it meets
first, ours that of the first level. By ML the coefficient tables of both, and ``vcov`` of ``gls``, multiply the
covariance of the fixed effects by n / (n - p) (option adjustSigma); ours is that of the likelihood, as ``vcov`` of
``lme`` has it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import TOLERANCES, assert_close, assert_within, load_case, note_gain

FAMILY = Path(__file__).parent / "nlme"
CASES = sorted(path.parent.name for path in FAMILY.glob("*/expected.json"))
METADATA = {"method", "nobs"}


def structure(model: dict[str, Any], without: str | None = None) -> Any:
    """Return the residual structure of a case, perhaps without its correlation or its variances."""
    found: Any = None
    text = None if without == "correlation" else model.get("correlation")
    if text:
        kind, time, by = re.fullmatch(r"(\w+)\(form = ~ (\w+) \| (\w+)\)", text).groups()  # type: ignore[union-attr]
        makers: dict[str, Callable[[], Any]] = {
            "corAR1": lambda: ak.ar1(time=time, by=by),
            "corCAR1": lambda: ak.car1(time=time, by=by),
            "corCompSymm": lambda: ak.compound_symmetry(by=by),
            "corSymm": lambda: ak.unstructured(time=time, by=by),
        }
        found = makers[kind]()
    text = None if without == "weights" else model.get("weights")
    if text and not str(model.get("correlation", "")).startswith("corSymm"):
        by = re.fullmatch(r"varIdent\(form = ~ 1 \| (\w+)\)", text).group(1)  # type: ignore[union-attr]
        found = ak.heteroscedastic(by=by) if found is None else found + ak.heteroscedastic(by=by)
    return found


@cache
def fit(case: str, method: str, without: str | None = None) -> Any:
    model, _ = load_case(FAMILY / case)
    data = pd.read_csv(FAMILY / case / "data.csv")
    for column, levels in model.get("factors", {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels)
    formula = model["fixed"] + (f" + ({model['random'].strip('~ ')})" if "random" in model else "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        warnings.simplefilter("ignore", ak.DesignWarning)
        return ak.mixed(formula, data, method=method, residual_structure=structure(model, without))


def inflation(case: str, f: Any) -> float:
    """Return by how much nlme's variances of the fixed effects exceed those of the likelihood (gls by ML)."""
    model, _ = load_case(FAMILY / case)
    return f.nobs / (f.nobs - len(f.fixed_effects)) if model["fn"] == "gls" and f.method == "ML" else 1.0


def parameters(f: Any) -> pd.Series:
    table = f.variance_components()
    return table[table["group"] == "Residual structure"].set_index("term_1")["sd_or_correlation"]


def ratios(f: Any) -> dict[str, float]:
    """Return the SD of each stratum over that of the first level."""
    found = {k: v for k, v in parameters(f).items() if " / " in k}
    first = next(iter(found)).rsplit(" / SD of ", 1)[1]
    return {first: 1.0, **{k.split(" / ")[0].removeprefix("SD of "): v for k, v in found.items()}}


def compare_fixef(case: str, f: Any, e: Any) -> None:
    assert list(f.fixed_effects.index) == list(e)
    assert_close(f.fixed_effects.to_numpy(), list(e.values()), "estimate", "fixed effects")


def compare_se(case: str, f: Any, e: Any) -> None:
    ours = f.tidy(ddf="normal").set_index("term")["std_error"] * np.sqrt(inflation(case, f))
    assert_close(ours[list(e)].to_numpy(), list(e.values()), "std_error", "standard errors")


def compare_vcov(case: str, f: Any, e: Any) -> None:
    ours = f.vcov().loc[e["rows"], e["cols"]].to_numpy() * inflation(case, f)
    scale = np.sqrt(np.outer(np.diag(ours), np.diag(ours)))
    assert_close(ours / scale, np.array(e["values"]) / scale, "estimate", "vcov over SE products")


def compare_table(case: str, f: Any, e: Any) -> None:
    ours = f.tidy(ddf="normal").set_index("term").loc[[row["term"] for row in e]]
    root = np.sqrt(f.nobs / (f.nobs - len(f.fixed_effects))) if f.method == "ML" else 1.0  # adjustSigma of nlme
    assert_close(ours["estimate"], [row["estimate"] for row in e], "estimate", "estimate")
    assert_close(ours["std_error"] * root, [row["se"] for row in e], "std_error", "se")
    assert_close(ours["statistic"] / root, [row["t"] for row in e], "estimate", "t")


def compare_sigma(case: str, f: Any, e: float) -> None:
    _, expected = load_case(FAMILY / case)
    theirs = expected["fits"][f.method].get("var_coef_ratio_of_sd")
    reference = next(iter(theirs)) if theirs else None
    stratum = ratios(f)[reference] if reference is not None else 1.0
    assert_close(f.sigma * stratum, e, "variance_sd_tight", "sigma")


def compare_log_likelihood(case: str, f: Any, e: float) -> None:
    note_gain(f.log_likelihood, e)
    assert f.log_likelihood >= e - 1e-6 * abs(e)
    assert_close(f.log_likelihood, e, "log_likelihood", "log-likelihood")


def compare_npar(case: str, f: Any, e: int) -> None:
    assert_close(f.n_parameters, e, "count", "parameters")


def compare_aic(case: str, f: Any, e: float) -> None:
    assert_close(f.glance()["aic"].iloc[0], e, "log_likelihood", "AIC")


def compare_correlation(case: str, f: Any, e: Any) -> None:
    ours = parameters(f)
    values = list(e.values()) if isinstance(e, dict) else e
    ours = ours[[name for name in ours.index if " / " not in name]]
    boundary = case == "btheb_lme_car1"  # phi at 0: nlme stops at 1e-7 and below
    assert_close(ours.to_numpy(), values, "variance_sd" if boundary else "variance_sd_tight", "correlation")


def compare_ratios(case: str, f: Any, e: Any) -> None:
    ours = ratios(f)
    base = ours[next(iter(e))]
    assert_close([ours[k] / base for k in e], list(e.values()), "variance_sd_tight", "SD ratios")


def compare_varcorr(case: str, f: Any, e: Any) -> None:
    for group, parts in e.items():
        ours = f.covariances()[group].loc[parts["cov"]["rows"], parts["cov"]["cols"]].to_numpy()
        theirs = np.array(parts["cov"]["values"])
        sd = np.sqrt(np.diag(theirs))
        assert_close(np.sqrt(np.diag(ours)), sd, "variance_sd_tight", "SD")
        assert_close(ours / np.outer(sd, sd), theirs / np.outer(sd, sd), "variance_sd_tight", "correlation")


def compare_ranef(case: str, f: Any, e: Any) -> None:
    table = f.random_effects()
    for group, parts in e.items():
        ours = table[table["group"] == group].pivot(index="unit", columns="term", values="estimate")
        ours = ours.loc[parts["levels"], parts["terms"]].to_numpy()
        assert_close(ours / f.sigma, np.array(parts["blup"]) / f.sigma, "random_effect", "conditional modes")


def compare_fitted(case: str, f: Any, e: Any) -> None:
    assert_close(f.fitted()[: len(e)], e, "estimate", "fitted values")


def compare_population(case: str, f: Any, e: Any) -> None:
    assert_close(f.augment()["fixed_part"].to_numpy()[: len(e)], e, "estimate", "fixed part")


def compare_lrt(case: str, f: Any, e: Any) -> None:
    (without,) = e["base_change"]
    base = fit(case, f.method, without)
    assert_close(base.log_likelihood, e["base_logLik"], "log_likelihood", "base log-likelihood")
    # a difference of two log-likelihoods, each known to the tolerance of a log-likelihood
    gap = abs(2 * (f.log_likelihood - base.log_likelihood) - e["LR"])
    limit = 4 * TOLERANCES["log_likelihood"]["rel"] * abs(f.log_likelihood)
    assert_within(gap, limit, "chi_square_nlme", "likelihood ratio", f"{gap} from R's")
    assert_close(f.n_parameters - base.n_parameters, e["df"], "count", "df")


COMPARATORS: dict[str, Callable[[str, Any, Any], None]] = {
    "fixef": compare_fixef,
    "se": compare_se,
    "vcov": compare_vcov,
    "tTable": compare_table,
    "sigma": compare_sigma,
    "logLik": compare_log_likelihood,
    "npar": compare_npar,
    "AIC": compare_aic,
    "cor_coef": compare_correlation,
    "var_coef_ratio_of_sd": compare_ratios,
    "varcorr": compare_varcorr,
    "ranef": compare_ranef,
    "fitted_first10": compare_fitted,
    "fitted_first10_innermost": compare_fitted,
    "fitted_first10_population": compare_population,
    "lrt_vs_base": compare_lrt,
}


def quantities() -> list[tuple[str, str, str]]:
    found = []
    for case in CASES:
        _, expected = load_case(FAMILY / case)
        found += [(case, m, q) for m, numbers in expected["fits"].items() for q in numbers if q not in METADATA]
    return found


@pytest.mark.option("mixed.residual_structure", "nlme 3.1-162, 10 cases")
@pytest.mark.parametrize(("case", "method", "quantity"), quantities(), ids=lambda part: part)
def test_quantity(case: str, method: str, quantity: str) -> None:
    assert quantity in COMPARATORS, "not compared"
    _, expected = load_case(FAMILY / case)
    COMPARATORS[quantity](case, fit(case, method), expected["fits"][method][quantity])
