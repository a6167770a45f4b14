"""lavaan 0.6-14 on the cases of tests/reference/sem, growth, apim and riclpm: every quantity of every model.

lavaan ends its search early where the likelihood is flat (43 patients, riclpm): run_sem_twolevel.R takes these cases on
to their maximum, so that the tolerances are those of every other model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.reference.comparison import TOLERANCES, assert_close, assert_within, note_gain
from tests.reference.sem_cases import expected, fit, models

SKIPPED = {"options", "converged", "post_check", "ngroups", "group_labels", "ntotal"}
"""What describes the fit; test_sem_description.py asserts it."""


def rows_of(f: Any, table: list[dict[str, Any]]) -> list[int]:
    """Return the rows of ``tidy`` that a table of R lists, in its order."""
    found = f.tidy()
    groups = list(f.table.group_labels)
    keys: dict[tuple[str, ...], int] = {}
    for i, row in enumerate(found.to_dict("records")):
        group = str(groups.index(row["group"]) + 1) if row.get("group") else "1"
        group = "1" if row["op"] == ":=" else group
        level = {"within": "1", "between": "2"}.get(row.get("level", ""), "1")
        keys[row["lhs"], row["op"], row["rhs"], group, level] = i
    out = []
    for row in table:
        group, level = row.get("group") or 1, str(row.get("level", 1) or 1)
        group = str(groups.index(group) + 1 if group in groups else group)  # lavaan numbers groups, or names them
        out.append(keys[row["lhs"], row["op"], row["rhs"], group, level])
    return out


def numbers(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=float)


def compare_table(case: tuple[str, str, str], reference: list[dict[str, Any]]) -> None:
    f, table = fit(*case), fit(*case).table
    plain = [r for r in reference if r["op"] not in ("==", "<", ">")]
    assert len(table) == len(reference)
    for i, r in enumerate(reference):
        ours = (table.lhs[i], table.op[i], table.rhs[i], table.block[i], table.free[i], table.label[i], table.exo[i])
        assert ours == (r["lhs"], r["op"], r["rhs"], r["block"], r["free"], r["label"], r["exo"])
    e = expected(*case)
    assert f.converged == e["converged"]
    assert list(f.table.group_labels) == (e["group_labels"] or [""]) and f.nobs == e["ntotal"]
    place = rows_of(f, plain)
    assert_close(f.tidy()["estimate"].to_numpy()[place], numbers(plain, "est"), "estimate", "table")


def compare_estimates(case: tuple[str, str, str], reference: list[dict[str, Any]]) -> None:
    f = fit(*case)
    plain = [r for r in reference if r["op"] not in ("==", "<", ">")]
    found = f.tidy().iloc[rows_of(f, plain)]
    assert_close(found["estimate"], numbers(plain, "est"), "estimate", "estimates")
    assert_close(found["std_error"], numbers(plain, "se"), "std_error", "standard errors")
    known = np.isfinite(numbers(plain, "z"))
    z, se = numbers(plain, "z")[known], numbers(plain, "se")[known]
    gap = np.abs(found["statistic"].to_numpy()[known] - z)
    limit = TOLERANCES["statistic"]["rel"] * np.abs(z) + TOLERANCES["estimate"]["abs"] / se
    assert_within(gap, limit, "statistic", "z", "z differs")
    for ours, theirs in (("conf_low", "ci.lower"), ("conf_high", "ci.upper")):
        limit = TOLERANCES["estimate"]["rel"] * np.abs(numbers(plain, theirs)) + TOLERANCES["estimate"]["abs"]
        limit += 1.96 * (TOLERANCES["std_error"]["rel"] * numbers(plain, "se") + TOLERANCES["std_error"]["abs"])
        gap = np.abs(found[ours].to_numpy() - numbers(plain, theirs))
        assert_within(gap, limit, "confidence_limit", theirs, "limits differ")


def compare_standardised(case: tuple[str, str, str], reference: list[dict[str, Any]], column: str) -> None:
    f = fit(*case)
    plain = [r for r in reference if r["op"] not in ("==", "<", ">")]
    found = f.tidy().iloc[rows_of(f, plain)][column]
    theirs = numbers(plain, "est.std")
    known = np.isfinite(theirs)
    assert_close(found.to_numpy()[known], theirs[known], "estimate", column)


def compare_fit(case: tuple[str, str, str], reference: dict[str, float]) -> None:
    f = fit(*case)
    ours = f.fit_measures()
    for name, value in reference.items():
        mine = name.replace(".", "_")
        if value is None or name in ("rmsea.ci.level", "rmsea.close.h0", "rmsea.notclose.h0"):
            continue
        assert mine in ours, f"{name} is missing"
        kind = "log_likelihood" if name in ("logl", "unrestricted.logl", "aic", "bic", "bic2") else "fit_measure"
        kind = "estimate" if name.startswith("rmr") else kind
        if reference["df"] == 0 and name.startswith(("rmr", "srmr", "crmr")):  # the residuals of a saturated model
            assert 0.0 <= value < 2e-5, "R's are what its EM search leaves over"
            value = 0.0
        assert_close(ours[mine], value, kind, name)
    if reference.get("logl") is not None:
        note_gain(ours["logl"], reference["logl"])


def compare_vcov(case: tuple[str, str, str], reference: dict[str, Any]) -> None:
    f, theirs = fit(*case), np.array(reference["values"], dtype=float)
    ours = f.vcov().to_numpy()
    scale = np.sqrt(np.outer(np.diag(theirs), np.diag(theirs)))
    known = scale > 0
    gap = np.abs(ours - theirs)[known] / scale[known]
    assert_within(
        gap, np.full(gap.shape, TOLERANCES["covariance"]["rel"]), "covariance", "vcov", "covariance of the parameters"
    )


def compare_implied(case: tuple[str, str, str], reference: dict[str, Any] | list[Any]) -> None:
    f = fit(*case)
    parts = list(reference.values()) if isinstance(reference, dict) else reference
    parts = [reference] if "cov" in reference else parts
    for block, part, moments in zip(f._fit.model.blocks, parts, f._fit.implied, strict=True):
        names = list(block.observed)
        assert part["cov"]["rows"] == names
        assert_close(moments.sigma, part["cov"]["values"], "estimate", "implied covariances")
        if part.get("mean"):
            assert_close(moments.mu, list(part["mean"].values()), "estimate", "implied means")
        if part.get("th"):
            assert_close(f.implied()["threshold"]["threshold"], list(part["th"].values()), "estimate", "thresholds")


COMPARE: dict[str, Any] = {
    "partable": compare_table,
    "estimates": compare_estimates,
    "standardized_std_all": lambda case, r: compare_standardised(case, r, "std_all"),
    "standardized_std_lv": lambda case, r: compare_standardised(case, r, "std_lv"),
    "fit": compare_fit,
    "vcov": compare_vcov,
    "implied": compare_implied,
    "npar": lambda case, r: assert_close(fit(*case).n_parameters, r, "count", "parameters"),
    "nobs": lambda case, r: assert_close([g.n for g in fit(*case)._fit.sample.groups], np.atleast_1d(r), "count", "n"),
    "coef": lambda case, r: assert_close(fit(*case)._fit.x, list(r.values()), "estimate", "coef"),
    "logl_fmin": lambda case, r: assert_close(fit(*case)._fit.fmin, r["fmin"], "fit_measure", "fmin"),
}
QUANTITIES = [(case, name) for case in models() for name in expected(*case) if name not in SKIPPED]


@pytest.mark.parametrize(("case", "name"), QUANTITIES, ids=["-".join((*case, name)) for case, name in QUANTITIES])
def test_as_lavaan(case: tuple[str, str, str], name: str) -> None:
    reference = expected(*case)[name]
    assert name in COMPARE, f"not compared: {name}"
    COMPARE[name](case, reference)
