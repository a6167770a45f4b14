"""Comparators of what lme4 1.1-31 estimates: coefficients, variances, likelihoods, rows and units.

A comparator takes our fit and R's number for one quantity and fails where they differ; ``COMPARATORS`` names them by
the keys of expected.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.multilevel.after.components import variance_partition
from tests.reference.comparison import assert_close, load_case, note_gain
from tests.reference.mlm_cases import FAMILY, REASONS, fit_formula


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
    note_gain(f.log_likelihood, e)
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
        spread = float(part["std_error"].sum())
        assert_close(np.sqrt(total) / scale, np.sqrt(ref["sum_sq"]) / scale, "random_effect", "sum of squares")
        if not f.singular:
            assert_close(
                chosen["std_error"] / scale, np.array(ref["cond_sd"]) / scale, "random_effect", "conditional SD"
            )
            assert_close(spread / scale, ref["sum_condsd"] / scale, "random_effect", "sum of conditional SDs")


def compare_r2(f: Any, e: Any) -> None:
    r2 = f.r2()
    assert_close([r2["marginal"], r2["conditional"]], [e["R2_marginal"], e["R2_conditional"]], "r2", "R2")
    assert_close(f.icc()["total"], e["ICC_adjusted"], "r2", "ICC")
    assert_close(r2["conditional"] - r2["marginal"], e["ICC_unadjusted"], "r2", "unadjusted ICC")
    parts = variance_partition(f._fit)
    total = sum(parts.values())
    random = total - parts["fixed"] - parts["Residual"]
    ours = np.array([parts["fixed"], random, parts["Residual"]]) / total
    assert_close(ours, np.array([e["var_fixed"], e["var_random"], e["var_residual"]]) / total, "r2", "variances")


def compare_r2_performance(f: Any, e: Any) -> None:
    if f.singular or "||" in f.formula:
        assert "singular:r2_performance" in REASONS and "uncorrelated:r2_performance" in REASONS
        return
    r2 = f.r2()
    assert_close([r2["marginal"], r2["conditional"]], [e["R2_marginal"], e["R2_conditional"]], "r2", "R2")


def compare_icc_performance(f: Any, e: Any) -> None:
    if "||" in f.formula:
        assert "uncorrelated:r2_performance" in REASONS
        return
    r2 = f.r2()
    assert_close(f.icc()["total"], e["adjusted"], "r2", "ICC")
    assert_close(r2["conditional"] - r2["marginal"], e["unadjusted"], "r2", "unadjusted ICC")


def compare_covariances(f: Any, e: Any) -> None:
    """Each random term: SDs, covariances over products of SDs, correlations; SDs alone where the fit is singular."""
    kind = "variance_sd" if f.singular else "variance_sd_tight"
    seen: dict[str, int] = {}
    for term in e:
        group = term["group"].split(".")[0]
        whole = f.covariances()[group].to_numpy()
        start = seen.get(group, 0)
        seen[group] = start + len(term["sd"])
        ours = whole[start : seen[group], start : seen[group]]
        sd = np.sqrt(np.diag(ours))
        assert_close(sd, term["sd"], kind, f"SDs of {term['group']}")
        if f.singular:
            continue
        scale = np.outer(term["sd"], term["sd"])
        assert_close(ours / scale, np.array(term["cov"]["values"]) / scale, "variance_sd_tight", "covariances")
        assert_close(ours / np.outer(sd, sd), np.array(term["cor"]["values"]), "variance_sd_tight", "correlations")
    assert seen == {group: len(matrix) for group, matrix in f.covariances().items()}


def glance(column: str, kind: str) -> Callable[[Any, Any], None]:
    return lambda f, e: assert_close(float(f.glance()[column].iloc[0]), e, kind, column)


def compare_groups(f: Any, e: Any) -> None:
    ours = f.sample.groups
    assert {name: ours[name] for name in ours} == e


def first_ten(values: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
    return lambda f, e: assert_close(values(f)[:10] / f.sigma, np.array(e) / f.sigma, "random_effect", "first ten")


COMPARATORS: dict[str, Callable[[Any, Any], None]] = {
    "REML": lambda f, e: assert_close(f.method == "REML", e, "count", "criterion"),
    "nobs": lambda f, e: assert_close(f.nobs, e, "count", "rows"),
    "ngrps": compare_groups,
    "npar": lambda f, e: assert_close(f.n_parameters, e, "count", "parameters"),
    "fixef": compare_fixef,
    "se": compare_se,
    "vcov": compare_vcov,
    "theta": compare_theta,
    "sigma": lambda f, e: assert_close(f.sigma, e, "variance_sd_tight", "sigma"),
    "varcorr": compare_covariances,
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
    "r2_performance": compare_r2_performance,
    "icc_performance": compare_icc_performance,
}


def compare_lrt(case: str, rows: list[dict[str, Any]]) -> None:
    model, _ = load_case(FAMILY / case)
    formulas = {**{c["label"]: c["formula"] for c in model.get("compare", [])}, "main": model["formula"]}
    fits = {label: fit_formula(case, formula, "ML") for label, formula in formulas.items()}
    ours = ak.compare(*fits.values(), names=list(fits)).tidy().set_index("model")
    for row in rows:
        mine = ours.loc[row["model"]]
        assert_close(mine["npar"], row["npar"], "count", "npar")
        for ours_, theirs in (("log_likelihood", "logLik"), ("deviance", "deviance"), ("aic", "AIC"), ("bic", "BIC")):
            assert_close(mine[ours_], row[theirs], "log_likelihood", theirs)
        if row["chisq"] is not None:
            assert_close(mine["df"], row["df"], "count", "df")
            assert_close(mine["chisq"], row["chisq"], "chi_square", "chi-square")
            assert_close(mine["p_value"], row["p"], "p_value", "p")


def compare_lrt_models(case: str, models: list[dict[str, Any]]) -> None:
    for model in models:
        fitted = fit_formula(case, model["formula"], "ML")
        compare_fixef(fitted, model["fixef"])
        assert_close(fitted.sigma, model["sigma"], "variance_sd_tight", "sigma")
        compare_theta(fitted, model["theta"])
