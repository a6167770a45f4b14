"""nlme 3.1-162, ``lme`` and ``gls``: one test per case, criterion and quantity, made by walking expected.json.

Conventions of nlme that are translated, and why:

- By ML its coefficient tables, F tests and everything of ``gls`` multiply the covariance of the fixed effects by
  n / (n - p) (its option adjustSigma); ours is that of the likelihood, as ``vcov`` of ``lme`` has it.
- Its BIC under REML counts n - p rows; ours counts n, as lme4's does.
- emmeans takes the parameters of the structure off the df of a ``gls``.
- Its intervals of variance parameters come from second differences of the likelihood in steps so small that rounding
  is up to 3% of their width. The same likelihood with usable steps (scripts/run_nlme_intervals.R) is held to the usual
  tolerance.
- Normalised residuals are unique up to a rotation within each unit. For compound symmetry nlme's are Helmert contrasts
  (the first of a unit is its mean), ours the symmetric ones, which stay closest to the rows they belong to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.numerics.distributions import f_upper, t_quantile, t_two_sided
from tests.reference.comparison import TOLERANCES, assert_close, assert_within, load_case, note_gain
from tests.reference.leaves import excuse, excuses
from tests.reference.nlme_cases import CASES, FAMILY, fit, frame

EXCUSES = excuses(FAMILY)
METADATA = {"method", "cor_class", "var_class", "optimizer_used", "warnings", "optimizer_agreement"}


def model_of(case: str) -> dict[str, Any]:
    return load_case(FAMILY / case)[0]


def adjusted(f: Any) -> float:
    """Return by how much nlme inflates variances of fixed effects in tables of fits by ML."""
    return f.nobs / (f.nobs - len(f.fixed_effects)) if f.method == "ML" else 1.0


def inflated(case: str, f: Any) -> float:
    """Return by how much nlme inflates ``vcov``: it does so in ``gls`` by ML."""
    return adjusted(f) if model_of(case)["fn"] == "gls" else 1.0


def counted(case: str) -> str:
    return "residual" if model_of(case)["fn"] == "gls" else "inner-outer"


def parameters(f: Any) -> pd.DataFrame:
    table = f.variance_components()
    return table[table["group"] == "Residual structure"]


def of_kind(f: Any, ratios: bool) -> pd.DataFrame:
    table = parameters(f)
    about_variance = table["term_1"].str.contains("SD of|power of")
    return table[about_variance if ratios else ~about_variance]


def compare_fixef(case: str, f: Any, e: Any) -> None:
    assert list(f.fixed_effects.index) == list(e)
    assert_close(f.fixed_effects.to_numpy(), list(e.values()), "estimate", "fixed effects")


def compare_se(case: str, f: Any, e: Any) -> None:
    ours = f.tidy(ddf="normal").set_index("term")["std_error"] * np.sqrt(inflated(case, f))
    assert_close(ours[list(e)].to_numpy(), list(e.values()), "std_error", "standard errors")


def compare_vcov(case: str, f: Any, e: Any) -> None:
    ours = f.vcov().loc[e["rows"], e["cols"]].to_numpy() * inflated(case, f)
    scale = np.sqrt(np.outer(np.diag(ours), np.diag(ours)))
    assert_close(ours / scale, np.array(e["values"]) / scale, "estimate", "vcov over SE products")


def compare_table(case: str, f: Any, e: Any) -> None:
    ours = f.tidy(ddf=counted(case)).set_index("term").loc[[row["term"] for row in e]]
    root = np.sqrt(adjusted(f))
    assert_close(ours["estimate"], [row["estimate"] for row in e], "estimate", "estimate")
    assert_close(ours["std_error"] * root, [row["se"] for row in e], "std_error", "se")
    assert_close(ours["statistic"] / root, [row["t"] for row in e], "estimate", "t")
    p = t_two_sided(ours["statistic"] / root, ours["df"])
    assert_close(p, [row["p"] for row in e], "p_value", "p")
    if "df" in e[0]:
        assert_close(ours["df"], [row["df"] for row in e], "count", "inner-outer df")


def compare_residual_df(case: str, f: Any, e: int) -> None:
    assert set(f.tidy(ddf="residual")["df"]) == {float(e)}


def compare_sigma(case: str, f: Any, e: float) -> None:
    assert_close(f.sigma, e, "variance_sd_tight", "sigma")


def compare_log_likelihood(case: str, f: Any, e: float) -> None:
    note_gain(f.log_likelihood, e)
    assert f.log_likelihood >= e - 1e-6 * abs(e)
    assert_close(f.log_likelihood, e, "log_likelihood", "log-likelihood")


def compare_bic(case: str, f: Any, e: float) -> None:
    counted_rows = f.nobs - (len(f.fixed_effects) if f.method == "REML" else 0)
    ours = float(f.glance()["bic"].iloc[0]) + f.n_parameters * np.log(counted_rows / f.nobs)
    assert_close(ours, e, "log_likelihood", "BIC")


def compare_correlation(case: str, f: Any, e: Any) -> None:
    values = list(e.values()) if isinstance(e, dict) else e
    boundary = case == "btheb_lme_car1"  # phi at 0: nlme stops at 1e-7 and below
    ours = of_kind(f, ratios=False)["sd_or_correlation"].to_numpy()
    assert_close(ours, values, "variance_sd" if boundary else "variance_sd_tight", "correlation")


def compare_ratios(case: str, f: Any, e: Any) -> None:
    ours = of_kind(f, ratios=True)["sd_or_correlation"].tolist()
    first = [] if "power" in e else [1.0]
    assert_close(first + ours, list(e.values()), "variance_sd_tight", "SD ratios or power")


def compare_varcorr(case: str, f: Any, e: Any) -> None:
    for group, parts in e.items():
        ours = f.covariances()[group].loc[parts["cov"]["rows"], parts["cov"]["cols"]].to_numpy()
        sd = np.sqrt(np.diag(ours))
        assert_close(sd, list(parts["sd"].values()), "variance_sd_tight", "SD")
        theirs = np.array(parts["cov"]["values"])
        assert_close(ours / np.outer(sd, sd), theirs / np.outer(sd, sd), "variance_sd_tight", "covariance")
        assert_close(ours / np.outer(sd, sd), parts["cor"]["values"], "variance_sd_tight", "correlation")


def compare_ranef(case: str, f: Any, e: Any) -> None:
    table = f.random_effects()
    for group, parts in e.items():
        ours = table[table["group"] == group].pivot(index="unit", columns="term", values="estimate")
        assert len(ours) == parts["n_levels"]
        ours = ours.loc[[unit.split("/")[-1] for unit in parts["levels"]], parts["terms"]].to_numpy()
        assert_close(ours / f.sigma, np.array(parts["blup"]) / f.sigma, "random_effect", "conditional modes")


def compare_fitted(case: str, f: Any, e: Any) -> None:
    assert_close(f.fitted()[: len(e)], e, "estimate", "fitted values")


def compare_population(case: str, f: Any, e: Any) -> None:
    assert_close(f.augment()["fixed_part"].to_numpy()[: len(e)], e, "estimate", "fixed part")


def unit_column(case: str) -> str:
    """Return the column of the units whose rows are correlated."""
    model = model_of(case)
    return re.split(r"[|/]", model.get("correlation") or model["random"])[-1].strip(" )")


def compare_marginal(case: str, f: Any, e: Any) -> None:
    column = unit_column(case)
    unit = min(frame(case)[column])  # R orders numbers by size and text by the alphabet
    ours, theirs = f.marginal_covariance(unit).to_numpy(), np.array(e["values"])
    sd = np.sqrt(np.diag(ours))
    assert_close(ours / np.outer(sd, sd), theirs / np.outer(sd, sd), "variance_sd_tight", "marginal covariance")


def compare_normalised(case: str, f: Any, e: Any) -> None:
    ours = f.residuals("normalized")
    if str(model_of(case).get("correlation")).startswith("corCompSymm"):
        units = frame(case)[unit_column(case)].to_numpy()
        ours = np.concatenate([helmert(int((units == u).sum())) @ ours[units == u] for u in dict.fromkeys(units)])
    assert_close(ours[: len(e)], e, "random_effect", "normalised residuals")


def helmert(n: int) -> np.ndarray:
    """Return the mean of a unit, then each row against the mean of those before it, all of length one."""
    out = np.full((n, n), 1 / np.sqrt(n))
    for i in range(1, n):
        out[i] = 0.0
        out[i, :i], out[i, i] = -1 / np.sqrt(i * (i + 1)), i / np.sqrt(i * (i + 1))
    return out


def compare_intervals(case: str, f: Any, e: Any) -> None:
    if "error" in e:  # a correlation at its boundary
        assert of_kind(f, ratios=False)["conf_low"].isna().all()
        return
    assert set(e) <= {"fixed", "cor", "var", "sigma", "re"}
    compare_variance_limits(f, e, rounded=True)
    ours = f.tidy(ddf=counted(case)).set_index("term")
    reach = (ours["conf_high"] - ours["estimate"]) * np.sqrt(inflated(case, f))
    for row in e["fixed"]:
        term = row["parameter"]
        limits = [ours.loc[term, "estimate"] - reach[term], ours.loc[term, "estimate"] + reach[term]]
        assert_close(limits, [row["lower"], row["upper"]], "estimate", f"limits of {term}")
        assert_close(ours.loc[term, "estimate"], row["est"], "estimate", term)


def compare_variance_limits(f: Any, e: Any, rounded: bool) -> None:
    """Compare the limits of every variance parameter; rounded: those that nlme gives by itself."""
    table = f.variance_components()
    parts = [(of_kind(f, ratios=False), e.get("cor", [])), (of_kind(f, ratios=True), e.get("var", []))]
    parts += [(table[table["group"] == "Residual"], [e["sigma"]])]
    parts += [(table[table["group"] == group], rows) for group, rows in e.get("re", {}).items()]
    for ours, theirs in parts:
        assert len(ours) == len(theirs)
        assert_close(ours["sd_or_correlation"], [row["est"] for row in theirs], "variance_sd_tight", "estimate")
        for mine, row in zip(ours.itertuples(), theirs, strict=True):
            compare_limits(mine, row, rounded)


def compare_limits(mine: Any, row: Any, rounded: bool) -> None:
    """Compare two limits on the scale on which they lie about the estimate: the log of an SD, else as they are.

    A limit is an estimate and a multiple of a standard error, and is held to the tolerances of both.
    """
    about_sd = (mine.group != "Residual structure" and mine.term_2 is None) or "SD of" in str(mine.term_1)
    scale = np.log if about_sd else np.asarray
    ours, theirs = scale([mine.conf_low, mine.conf_high]), scale([row["lower"], row["upper"]])
    width = float(theirs[1] - theirs[0])
    if rounded:
        limit = TOLERANCES["rounded_difference"]["rel"] * width
    else:
        estimate, error = TOLERANCES["estimate"], TOLERANCES["std_error"]
        size = 1.0 if about_sd else np.abs(theirs)
        limit = estimate["abs"] + estimate["rel"] * size + error["rel"] * width / 2
    assert (np.abs(ours - theirs) <= limit).all(), f"{mine.term_1}: {ours} where R has {theirs}"


def compare_anova(case: str, f: Any, e: Any) -> None:
    design = f.design
    labels = ["(Intercept)", *design.terms]
    for row in e:
        at = labels.index(row["term"])
        names = [n for n, a in zip(design.names, design.assign, strict=True) if a == at]
        ours = f.test(", ".join(f"{name} = 0" for name in names), ddf=counted(case)).iloc[0]
        statistic = ours["statistic"] / adjusted(f)
        assert_close(ours["df_numerator"], row["num_df"], "count", "numerator df")
        assert_close(statistic, row["F"], "f_statistic", f"F of {row['term']}")
        if "den_df" in row:
            assert_close(ours["df"], row["den_df"], "count", "denominator df")
        assert_close(f_upper(statistic, ours["df_numerator"], ours["df"]), row["p"], "p_value", "p")


def compare_emmeans(case: str, f: Any, e: Any) -> None:
    assert e["spec"] == "~ treatment | visitf"
    root = np.sqrt(inflated(case, f))
    means = f.means("treatment", by="visitf", ddf="residual").tidy()
    pairs = f.contrasts("treatment", by="visitf", ddf="residual", adjust="none").tidy()
    for ours, theirs, value in ((means, e["means"], "emmean"), (pairs, e["pairs_no_adjust"], "estimate")):
        assert len(ours) == len(theirs)
        df = ours["df"] - len(parameters(f))
        assert_close(ours["estimate"], [row[value] for row in theirs], "estimate", "means")
        assert_close(ours["std_error"] * root, [row["SE"] for row in theirs], "std_error", "SE")
        assert_close(df, [row["df"] for row in theirs], "count", "df")
        if "lower.CL" in theirs[0]:
            reach = t_quantile(0.975, df) * ours["std_error"] * root
            assert_close(ours["estimate"] - reach, [row["lower.CL"] for row in theirs], "estimate", "lower")
            assert_close(ours["estimate"] + reach, [row["upper.CL"] for row in theirs], "estimate", "upper")
        if "t.ratio" in theirs[0]:
            t = ours["estimate"] / (ours["std_error"] * root)
            assert_close(t, [row["t.ratio"] for row in theirs], "estimate", "t")
            assert_close(t_two_sided(t, df), [row["p.value"] for row in theirs], "p_value", "p")


def compare_glmmtmb(case: str, f: Any, e: Any) -> None:
    compare_log_likelihood(case, f, e["logLik"])
    ours = f.fixed_effects
    theirs = pd.Series(e["fixef"])
    if not set(theirs.index) <= set(ours.index):
        pytest.fail(f"terms {list(theirs.index)}")
    scale = f.tidy(ddf="normal").set_index("term")["std_error"]
    assert_close(ours[theirs.index] / scale[theirs.index], theirs / scale[theirs.index], "estimate", "glmmTMB")


def compare_lrt(case: str, f: Any, e: Any) -> None:
    (without,) = e["base_change"]
    base = fit(case, f.method, without)
    assert_close(base.log_likelihood, e["base_logLik"], "log_likelihood", "base log-likelihood")
    table = ak.compare(base, f, criterion=f.method, names=["base", "structure"]).tidy()
    row = table.set_index("model").loc["structure"]
    # a difference of two log-likelihoods, each known to the tolerance of a log-likelihood
    gap, limit = abs(row["chisq"] - e["LR"]), TOLERANCES["chi_square_nlme"]["rel"] * abs(f.log_likelihood)
    assert_within(gap, limit, "chi_square_nlme", "likelihood ratio", f"{gap} from R's")
    assert row["df"] == e["df"]
    if e["LR"] > 0.01:
        assert_close(row["p_value"], e["p"], "p_value", "p of the likelihood ratio")


COMPARATORS: dict[str, Callable[[str, Any, Any], None]] = {
    "nobs": lambda case, f, e: assert_close(f.nobs, e, "count", "rows"),
    "fixef": compare_fixef,
    "se": compare_se,
    "vcov": compare_vcov,
    "tTable": compare_table,
    "residual_df": compare_residual_df,
    "sigma": compare_sigma,
    "logLik": compare_log_likelihood,
    "npar": lambda case, f, e: assert_close(f.n_parameters, e, "count", "parameters"),
    "AIC": lambda case, f, e: assert_close(f.glance()["aic"].iloc[0], e, "log_likelihood", "AIC"),
    "BIC": compare_bic,
    "cor_coef": compare_correlation,
    "var_coef_ratio_of_sd": compare_ratios,
    "varcorr": compare_varcorr,
    "ranef": compare_ranef,
    "fitted_first10": compare_fitted,
    "fitted_first10_innermost": compare_fitted,
    "fitted_first10_population": compare_population,
    "marginal_cov_of_first_subject": compare_marginal,
    "resid_normalized_first10": compare_normalised,
    "intervals": compare_intervals,
    "anova_marginal": compare_anova,
    "emmeans": compare_emmeans,
    "glmmTMB_check": compare_glmmtmb,
    "lrt_vs_base": compare_lrt,
}


def quantities() -> list[tuple[str, str, str]]:
    found = []
    for case in CASES:
        _, expected = load_case(FAMILY / case)
        found += [(case, m, q) for m, numbers in expected["fits"].items() for q in numbers if q not in METADATA]
    return found


def accurate_intervals() -> list[tuple[str, str]]:
    """Return the cases and criteria whose parameters are all inside their space."""
    found = []
    for case in CASES:
        fits = json.loads((FAMILY / case / "expected_intervals.json").read_text())["fits"]
        found += [(case, method) for method, e in fits.items() if all(r["upper"] is not None for r in e.get("cor", []))]
    return found


@pytest.mark.option("MixedFit.variance_components.level", "nlme 3.1-162 with accurate derivatives")
@pytest.mark.parametrize(("case", "method"), accurate_intervals(), ids=lambda part: part)
def test_intervals_of_variance_parameters(case: str, method: str) -> None:
    e = json.loads((FAMILY / case / "expected_intervals.json").read_text())["fits"][method]
    compare_variance_limits(fit(case, method), e, rounded=False)


@pytest.mark.option("mixed.residual_structure", "nlme 3.1-162")
@pytest.mark.option("MixedFit.tidy.ddf", "nlme 3.1-162, inner-outer and residual")
@pytest.mark.option("MixedFit.test.ddf", "nlme 3.1-162, inner-outer and residual")
@pytest.mark.option("MixedFit.residuals.kind", "nlme 3.1-162, normalized")
@pytest.mark.parametrize(("case", "method", "quantity"), quantities(), ids=lambda part: part)
def test_quantity(case: str, method: str, quantity: str, record_property: Callable[[str, object], None]) -> None:
    if excuse(case, (method, quantity), EXCUSES):
        record_property("excused", True)
        assert quantity in again(case, method), "excused, and there is no better number"
        return
    assert quantity in COMPARATORS, "not compared"
    _, expected = load_case(FAMILY / case)
    COMPARATORS[quantity](case, fit(case, method), expected["fits"][method][quantity])


def again(case: str, method: str) -> dict[str, Any]:
    """Return the numbers that scripts/run_nlme_again.R gave in place of wrong ones."""
    found = json.loads((FAMILY / case / "expected_again.json").read_text())
    return dict(found["fits"].get(method, {}))


def corrected() -> list[tuple[str, str, str]]:
    cases = sorted(path.parent.name for path in FAMILY.glob("*/expected_again.json"))
    return [(case, m, q) for case in cases for m in ("REML", "ML") for q in again(case, m)]


@pytest.mark.parametrize(("case", "method", "quantity"), corrected(), ids=lambda part: part)
def test_corrected_quantity(case: str, method: str, quantity: str) -> None:
    COMPARATORS[quantity](case, fit(case, method), again(case, method)[quantity])


def test_every_excuse_is_used() -> None:
    assert {excuse(case, (m, q), EXCUSES) for case, m, q in quantities()} - {None} == set(EXCUSES.values())
