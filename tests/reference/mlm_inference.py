"""Comparators of inference: lmerTest 3.1-3, pbkrtest 0.5.2, clubSandwich 0.5.8.

A comparator takes our fit and R's table for one quantity and fails where they differ; ``COMPARATORS`` names them by the
keys of expected.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.multilevel.after.robust import robust
from tests.reference.comparison import assert_close
from tests.reference.mlm_cases import REASONS, at_variances_of_r


def compare_satterthwaite(f: Any, e: Any) -> None:
    ours = f.tidy().set_index("term")
    _coefficients(ours, e, "std_error")
    if f.singular:
        assert "singular:satterthwaite_df" in REASONS
        return
    terms = [row["term"] for row in e]
    assert_close(ours.loc[terms, "df"], [row["df"] for row in e], "df", "df")
    assert_close(ours.loc[terms, "p_value"], [row["p"] for row in e], "p_value", "p")


def compare_wald(f: Any, e: Any) -> None:
    ours = f.tidy(ddf="normal").set_index("term")
    terms = [row["term"] for row in e]
    assert_close(ours.loc[terms, "conf_low"], [row["lower"] for row in e], "estimate", "lower limit")
    assert_close(ours.loc[terms, "conf_high"], [row["upper"] for row in e], "estimate", "upper limit")


def compare_kenward_roger(f: Any, e: Any) -> None:
    ours = f.tidy(ddf="kenward-roger").set_index("term")
    terms = [row["term"] for row in e]
    _coefficients(ours, e, "kenward_roger")
    assert_close(ours.loc[terms, "df"], [row["df"] for row in e], "kenward_roger", "df")
    assert_close(ours.loc[terms, "p_value"], [row["p"] for row in e], "p_value", "p")


def _coefficients(ours: pd.DataFrame, e: Any, kind: str) -> None:
    terms = [row["term"] for row in e]
    assert list(ours.index) == terms
    assert_close(ours["estimate"], [row["estimate"] for row in e], "estimate", "estimate")
    assert_close(ours["std_error"], [row["se"] for row in e], kind, "se")
    assert_close(ours["statistic"], [row["t"] for row in e], "std_error", "t")


def compare_adjusted_vcov(f: Any, e: Any) -> None:
    ours = f.vcov(method="kenward-roger").loc[e["rows"], e["cols"]].to_numpy()
    scale = np.sqrt(np.outer(np.diag(ours), np.diag(ours)))
    assert_close(ours / scale, np.array(e["values"]) / scale, "kenward_roger", "adjusted vcov over SE products")


def anova(kind: str, ddf: str) -> Callable[[Any, Any], None]:
    def compare(f: Any, e: Any) -> None:
        ours = f.anova(type=kind, ddf=ddf).tidy()
        assert ours["term"].tolist() == [row["term"] for row in e]
        for mine, theirs in (("sum_sq", "SS"), ("mean_sq", "MS"), ("statistic", "F")):
            assert_close(ours[mine], [row[theirs] for row in e], "f_statistic", theirs)
        assert_close(ours["df_numerator"], [row["num_df"] for row in e], "count", "numerator df")
        if f.singular and ddf == "satterthwaite":
            assert "singular:satterthwaite_df" in REASONS
            return
        tolerance = "df" if ddf == "satterthwaite" else "kenward_roger"
        assert_close(ours["df"], [row["den_df"] for row in e], tolerance, "denominator df")
        assert_close(ours["p_value"], [row["p"] for row in e], "p_value", "p")

    return compare


def compare_ranova(f: Any, e: Any) -> None:
    ours = f.ranova().tidy()
    assert len(ours) == len(e)
    for mine, row in zip(ours.to_dict("records"), e, strict=True):
        if row["df"] == 0:
            assert "ranova:slope_without_intercept" in REASONS
            continue
        assert _bare(mine["removed"]) == _bare(row["removed"])
        assert_close(mine["npar"], row["npar"], "count", "npar")
        assert_close(mine["log_likelihood"], row["logLik"], "log_likelihood", "log-likelihood")
        assert_close(mine["aic"], row["AIC"], "log_likelihood", "AIC")
        if row["df"] is not None:
            assert_close(mine["df"], row["df"], "count", "df")
            assert_close(mine["chisq"], row["LRT"], "chi_square", "chi-square")
            assert_close(mine["p_value"], row["p"], "p_value", "p")
            assert np.isnan(mine["p_mixture"]) or 0 < mine["p_mixture"] <= mine["p_value"]


def _bare(label: str) -> str:
    """Return a label without what R leaves out or writes twice: "time in (1 + time | id)" is R's "time in (time | id)".

    R's "x in (0 + x | id)" is our "(0 + x | id)", and it writes interactions of random slopes as the user did.
    """
    bare = label.replace("(1 + ", "(").replace("sex + x + sex:x", "sex * x")
    head, _, term = bare.partition(" in ")
    return term if term == f"(0 + {head} | {term.split(' | ')[-1]}" else bare


def robust_table(kind: str) -> Callable[[Any, Any], None]:
    def compare(f: Any, e: Any) -> None:
        _robust(f.robust(cluster=e["cluster"], type=kind), e, "robust")

    return compare


def compare_cr2(f: Any, e: Any) -> None:
    assert f.robust().cluster == e["cluster"]
    robust_table("CR2")(f, e)


def exact_robust(f: Any, e: Any, varcorr: Any, sigma: float, kind: str) -> None:
    """At R's own variances the covariance and its df are closed formulas."""
    fixed = at_variances_of_r(f, varcorr, sigma)
    _robust(robust(fixed, f.data, f.formula, e["cluster"], kind, 0.95), e, "closed_form")


def _robust(result: Any, e: Any, kind: str) -> None:
    ours, vcov = result.tidy().set_index("term"), e["vcov"]
    table = e["coef_test"]
    assert list(ours.index) == [row["term"] for row in table]
    for mine, theirs in (("std_error", "se"), ("df", "df")):
        assert_close(ours[mine], [row[theirs] for row in table], kind, theirs)
    for mine, theirs in (("estimate", "estimate"), ("statistic", "t")):
        assert_close(ours[mine], [row[theirs] for row in table], "estimate", theirs)
    assert_close(ours["p_value"], [row["p"] for row in table], "p_value", "p")
    values = np.array(vcov["values"])
    scale = np.sqrt(np.outer(np.diag(values), np.diag(values)))
    ours = result.vcov().loc[vcov["rows"], vcov["cols"]].to_numpy()
    assert_close(ours / scale, values / scale, "estimate" if kind == "robust" else kind, "vcov over SE products")


COMPARATORS: dict[str, Callable[[Any, Any], None]] = {
    "satterthwaite": compare_satterthwaite,
    "wald_ci_fixed": compare_wald,
    "kenward_roger": compare_kenward_roger,
    "kr_vcov_adjusted": compare_adjusted_vcov,
    "ranova": compare_ranova,
    "cr2": compare_cr2,
    **{
        f"anova_{kind}_{ddf.replace('-', '_')}": anova(kind, ddf)
        for kind in ("I", "II", "III")
        for ddf in ("satterthwaite", "kenward-roger")
    },
}
