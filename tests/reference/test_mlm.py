"""lme4 1.1-31 and lmerTest 3.1-3: one test per case, criterion and quantity, made by walking expected.json."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close, load_case, not_compared

FAMILY = Path(__file__).parent / "mlm"
REASONS = not_compared(FAMILY)
DESCRIPTION = {"REML"}  # flags that say which fit it is


@cache
def frame(case: str) -> pd.DataFrame:
    model, _ = load_case(FAMILY / case)
    data = pd.read_csv(FAMILY / case / "data.csv")
    factors = model.get("factors", {})
    ordered = {c for c, kind in model.get("contrasts", {}).items() if kind == "contr.poly"}
    for column, levels in factors.items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels, ordered=column in ordered)
    return data


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


def named(fit_: Any, expected: dict[str, float]) -> tuple[list[float], list[float]]:
    ours = fit_.fixed_effects
    assert list(ours.index) == list(expected), f"terms {list(ours.index)} where R has {list(expected)}"
    return ours.tolist(), list(expected.values())


def compare_fixef(f: Any, e: Any) -> None:
    a, b = named(f, e)
    assert_close(a, b, "estimate", "fixed effects")


def compare_se(f: Any, e: Any) -> None:
    table = f.tidy(ddf="normal").set_index("term")["std_error"]
    assert_close(table[list(e)].to_numpy(), list(e.values()), "std_error", "standard errors")


def compare_vcov(f: Any, e: Any) -> None:
    ours = f.vcov().loc[e["rows"], e["cols"]].to_numpy()
    scale = np.sqrt(np.outer(np.diag(ours), np.diag(ours)))
    assert_close(ours / scale, np.array(e["values"]) / scale, "estimate", "vcov over SE products")


def compare_satterthwaite(f: Any, e: Any) -> None:
    ours = f.tidy().set_index("term")
    terms = [row["term"] for row in e]
    assert_close(ours.loc[terms, "estimate"], [row["estimate"] for row in e], "estimate", "estimate")
    assert_close(ours.loc[terms, "std_error"], [row["se"] for row in e], "std_error", "se")
    if f.singular:
        assert "singular:satterthwaite_df" in REASONS
        return
    assert_close(ours.loc[terms, "df"], [row["df"] for row in e], "df", "df")
    assert_close(ours.loc[terms, "p_value"], [row["p"] for row in e], "p_value", "p")


def compare_theta(f: Any, e: Any) -> None:
    if f.singular:
        assert "singular:theta" in REASONS
        return
    ours = f.theta
    values = list(e.values()) if isinstance(e, dict) else e
    assert_close(ours.to_numpy(), values, "variance_sd_tight", "theta")


def compare_varcorr(f: Any, e: Any) -> None:
    ours = f.variance_components()
    assert len(ours) == len(e)
    for row, ref in zip(ours.itertuples(index=False), e, strict=True):
        assert row.group == ref["grp"].split(".")[0]
        what = f"{ref['grp']} {ref['var1']} {ref['var2']}"
        kind = "variance_sd" if f.singular else "variance_sd_tight"
        if f.singular and ref["var2"] is not None:
            continue
        assert_close(row.sd_or_correlation, ref["sdcor"], kind, what)
        if ref["var2"] is None:
            assert_close(np.sqrt(row.variance_or_covariance), np.sqrt(ref["vcov"]), kind, what)


def compare_log_likelihood(f: Any, e: float) -> None:
    assert f.log_likelihood >= e - 1e-6 * abs(e), f"log-likelihood {f.log_likelihood} where R has {e}"
    assert_close(f.log_likelihood, e, "log_likelihood", "log-likelihood")


def compare_ranef(f: Any, e: Any) -> None:
    ours = f.random_effects()
    for ref in e:
        group = ref["group"].split(".")[0]
        part = ours[(ours["group"] == group) & (ours["term"] == ref["term"])].set_index("unit")
        assert len(part) == ref["n_levels"]
        scale = f.sigma
        chosen = part.loc[[str(u) for u in ref["levels"]]]
        assert_close(chosen["estimate"] / scale, np.array(ref["blup"]) / scale, "random_effect", f"modes {group}")
        total = float((part["estimate"] ** 2).sum())
        assert_close(np.sqrt(total) / scale, np.sqrt(ref["sum_sq"]) / scale, "random_effect", "sum of squares")
        if not f.singular:
            assert_close(
                chosen["std_error"] / scale, np.array(ref["cond_sd"]) / scale, "random_effect", "conditional SD"
            )


def compare_r2(f: Any, e: Any) -> None:
    r2 = f.r2()
    assert_close([r2["marginal"], r2["conditional"]], [e["R2_marginal"], e["R2_conditional"]], "r2", "R2")
    assert_close(f.icc()["total"], e["ICC_adjusted"], "r2", "ICC")


def compare_wald(f: Any, e: Any) -> None:
    ours = f.tidy(ddf="normal").set_index("term")
    terms = [row["term"] for row in e]
    assert_close(ours.loc[terms, "conf_low"], [row["lower"] for row in e], "estimate", "lower limit")
    assert_close(ours.loc[terms, "conf_high"], [row["upper"] for row in e], "estimate", "upper limit")


def glance(column: str, kind: str) -> Callable[[Any, Any], None]:
    return lambda f, e: assert_close(float(f.glance()[column].iloc[0]), e, kind, column)


def compare_groups(f: Any, e: Any) -> None:
    ours = f.sample.groups
    assert {name: ours[name] for name in ours} == e


def first_ten(values: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    return lambda f, e: assert_close(values(f)[:10] / f.sigma, np.array(e) / f.sigma, "random_effect", "first ten")


COMPARATORS: dict[str, Callable[[Any, Any], None]] = {
    "nobs": lambda f, e: assert_close(f.nobs, e, "count", "rows"),
    "ngrps": compare_groups,
    "npar": lambda f, e: assert_close(f.n_parameters, e, "count", "parameters"),
    "fixef": compare_fixef,
    "se": compare_se,
    "vcov": compare_vcov,
    "satterthwaite": compare_satterthwaite,
    "theta": compare_theta,
    "sigma": lambda f, e: assert_close(f.sigma, e, "variance_sd_tight", "sigma"),
    "varcorr_flat": compare_varcorr,
    "logLik": compare_log_likelihood,
    "REMLcrit": glance("deviance", "log_likelihood"),
    "deviance": glance("deviance", "log_likelihood"),
    "AIC": glance("aic", "log_likelihood"),
    "BIC": glance("bic", "log_likelihood"),
    "isSingular": lambda f, e: pytest.fail(f"singular {f.singular}, R {e}") if f.singular != e else None,
    "ranef": compare_ranef,
    "fitted_first10": first_ten(lambda f: f.fitted()),
    "fixed_part_first10": first_ten(lambda f: f.augment()["fixed_part"].to_numpy()),
    "resid_first10": first_ten(lambda f: f.residuals()),
    "resid_ss": lambda f, e: assert_close(float((f.residuals() ** 2).sum()), e, "variance_sd_tight", "residual SS"),
    "r2_manual": compare_r2,
    "wald_ci_fixed": compare_wald,
}


def _quantities() -> list[Any]:
    out = []
    for folder in sorted(p for p in FAMILY.iterdir() if (p / "model.json").exists()):
        expected = json.loads((folder / "expected.json").read_text())["fits"]
        for method in ("REML", "ML"):
            for quantity in expected[method]:
                if quantity not in DESCRIPTION:
                    out.append(pytest.param(folder.name, method, quantity, id=f"{folder.name}-{method}-{quantity}"))
        if "lrt_ML" in expected:
            out.append(pytest.param(folder.name, "ML", "lrt_ML", id=f"{folder.name}-lrt_ML"))
    return out


@pytest.mark.option("mixed.formula", "reference")
@pytest.mark.option("mixed.method", "reference")
@pytest.mark.option("mixed.weights", "reference")
@pytest.mark.option("MixedFit.tidy.ddf", "reference")
@pytest.mark.option("compare.names", "reference")
@pytest.mark.parametrize(("case", "method", "quantity"), _quantities())
def test_quantity(case: str, method: str, quantity: str, record_property: Any) -> None:
    _, expected = load_case(FAMILY / case)
    if quantity == "lrt_ML":
        compare_lrt(case, expected["fits"]["lrt_ML"])
        return
    value = expected["fits"][method][quantity]
    if quantity not in COMPARATORS:
        assert quantity in REASONS, f"'{quantity}' is not compared and not_compared.toml gives no reason"
        record_property("excused", True)
        return
    fitted = fit(case, method)
    if fitted.singular and quantity in ("theta", "satterthwaite"):
        record_property("excused", True)
    COMPARATORS[quantity](fitted, value)


def compare_lrt(case: str, rows: list[dict[str, Any]]) -> None:
    model, _ = load_case(FAMILY / case)
    formulas = {**{c["label"]: c["formula"] for c in model.get("compare", [])}, "main": model["formula"]}
    fits = {label: fit_formula(case, formula, "ML") for label, formula in formulas.items()}
    ours = ak.compare(*fits.values(), names=list(fits)).tidy().set_index("model")
    for row in rows:
        mine = ours.loc[row["model"]]
        assert_close(mine["npar"], row["npar"], "count", "npar")
        assert_close(mine["log_likelihood"], row["logLik"], "log_likelihood", "log-likelihood")
        if row["chisq"] is not None:
            assert_close(mine["df"], row["df"], "count", "df")
            assert abs(mine["chisq"] - row["chisq"]) < 1e-5 + 1e-5 * row["chisq"]
            assert_close(mine["p_value"], row["p"], "p_value", "p")
