"""Comparators of what comes after a structural fit: moments, residuals, indices, scores, reliability, comparisons.

A comparator takes (case, R's numbers) and fails where ours differ; ``COMPARE`` names them by the keys of after.json.
Each walks every number it is given; what R leaves undefined (null) is undefined in ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from tests.reference.comparison import TOLERANCES, assert_close, assert_within
from tests.reference.sem_cases import HERE, fit

Case = tuple[str, str, str]
LEVELS = {"within": "within", "cluster": "between"}
SIZES = ("size", "std_error", "exact_z", "exact_p", "unbiased", "unbiased_std_error", "conf_low", "conf_high")
SIZES += ("close_value", "close_z", "close_p")


@cache
def after(family: str, case: str) -> dict[str, Any]:
    return json.loads((HERE / family / case / "after.json").read_text())


def square(reference: dict[str, Any], names: list[str]) -> np.ndarray:
    """Return a matrix of R in the order of our names."""
    assert set(reference["rows"]) == set(names), f"{reference['rows']} where ours are {names}"
    frame = pd.DataFrame(reference["values"], reference["rows"], reference["cols"])
    return frame.loc[names, names].to_numpy(dtype=float)


def vector(reference: dict[str, Any], names: list[str]) -> np.ndarray:
    return np.array([np.nan if reference[name] is None else reference[name] for name in names], dtype=float)


def parts(f: Any, reference: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield (block, ending of our names, R's numbers) of each block."""
    table = f.table
    if len(f._fit.model.blocks) == 1:
        yield 0, "", reference
        return
    for key, part in reference.items():
        level = LEVELS[key] if table.n_levels > 1 else ""
        block = ("within", "between").index(level) if level else table.group_labels.index(key)
        yield block, f" {level or key}", part


def compare_r2(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    found = f.r2()
    for _, end, part in parts(f, reference):
        own = found
        for column in ("level", "group"):
            own = own[own[column] == end.strip()] if column in own and end else own
        ours = own.set_index("variable")["r2"]
        assert set(ours.index) == set(part)
        assert_close(ours.to_numpy(), vector(part, list(ours.index)), "estimate", "R2")


def compare_sample(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    if f._fit.options.missing != "listwise":
        return compare_listwise_start(case, reference)
    two = f.table.n_levels > 1
    kind = "estimate" if two else "closed_form"
    for b, _, part in parts(f, reference):
        names = list(f._fit.model.blocks[b].observed)
        assert_close(f._fit.saturated[b].sigma, square(part["cov"], names), kind, "sample covariances")
        if part.get("mean") and not two:
            assert_close(f._fit.saturated[b].mu, vector(part["mean"], names), kind, "sample means")
    if two:  # of a variable of both levels only the sum of its two means is known
        names = list(f._fit.model.blocks[0].observed)
        theirs = sum(vector(reference[key]["mean"], names) for key in LEVELS)
        assert list(f._fit.model.blocks[1].observed) == names
        assert_close(f._fit.saturated[0].mu + f._fit.saturated[1].mu, theirs, kind, "sample means")
    return None


def compare_listwise_start(case: Case, reference: dict[str, Any]) -> None:
    """With missing values lavaan shows its saturated (EM) moments here as well."""
    f = fit(*case)
    for b, _, part in parts(f, reference):
        names = list(f._fit.model.blocks[b].observed)
        assert_close(f._fit.saturated[b].sigma, square(part["cov"], names), "em_moments", "saturated covariances")
        if part.get("mean"):
            assert_close(f._fit.saturated[b].mu, vector(part["mean"], names), "em_moments", "saturated means")


def compare_latent(case: Case, reference: dict[str, Any], part_name: str) -> None:
    f = fit(*case)
    found = f.latent()
    for b, end, part in parts(f, reference):
        names = list(f._fit.model.blocks[b].latent)
        if not part or (part_name == "cov" and not part["rows"]):
            assert not names
            continue
        if part_name == "cov":
            known = [name for name in part["rows"] if name in names]
            assert known == names, f"{part['rows']} where ours are {names}"
            extra = pd.DataFrame(part["values"], part["rows"], part["cols"]).loc[names, names]
            assert_close(found[f"cov{end}"].to_numpy(), extra.to_numpy(dtype=float), "estimate", "latent covariances")
        else:
            assert_close(found[f"mean{end}"]["mean"].to_numpy(), vector(part, names), "estimate", "latent means")


def compare_residuals(case: Case, reference: dict[str, Any], kind: str) -> None:
    f = fit(*case)
    if "error" in reference:
        return  # R itself could not give these
    found = f.residual_matrix(kind)
    for b, end, part in parts(f, reference):
        names = list(f._fit.model.blocks[b].observed)
        plain = square(part["cov"], names)
        ours = found[f"cov{end}"].to_numpy()
        scale = np.abs(f._fit.implied[b].sigma) if kind == "raw" else 1.0
        limit = TOLERANCES["estimate"]["abs"] + TOLERANCES["estimate"]["rel"] * scale * np.ones_like(plain)
        assert_within(np.abs(ours - plain), limit, "estimate", f"residuals {kind}", f"residuals {kind} differ")
        if part.get("mean"):
            means = vector(part["mean"], names)
            assert_close(found[f"mean{end}"]["mean"].to_numpy(), means, "estimate", f"residual means {kind}")
        if "cov.z" in part:
            z = f.residual_matrix(kind, z=True)
            _compare_z(z[f"cov{end}"].to_numpy(), square(part["cov.z"], names), plain)
            if part.get("mean.z"):
                theirs = vector(part["mean.z"], names)
                _compare_z(z[f"mean{end}"]["mean"].to_numpy(), theirs, vector(part["mean"], names))
        if "summary" in part:
            _compare_sizes(f.residual_size(kind), part["summary"], end.strip())
        known = {"type", "cov", "mean", "cov.z", "mean.z", "summary"}
        assert set(part) <= known, f"not compared: {set(part) - known}"


def _compare_z(ours: np.ndarray, theirs: np.ndarray, residual: np.ndarray) -> None:
    """Compare residuals over standard errors: what the tolerance of a residual is, over its standard error."""
    sure = np.abs(theirs) > 1e6  # the standard error is zero: a number of R that is rounding over rounding
    assert (np.isnan(ours) == (np.isnan(theirs) | sure)).all()
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(np.abs(residual) < 2e-4, np.nan, residual / theirs)
    known = np.isfinite(error) & np.isfinite(theirs) & (theirs != 0) & ~sure
    limit = TOLERANCES["statistic"]["rel"] * np.abs(theirs) + TOLERANCES["estimate"]["abs"] / np.abs(error)
    gap = np.abs(ours - theirs)[known]
    assert_within(gap, limit[known], "statistic", "z of residuals", "z of residuals differ")


def _compare_sizes(ours: pd.DataFrame, reference: list[dict[str, float]], group: str) -> None:
    own = (ours[ours["group"] == group] if group else ours).set_index("part")
    names = [name for name in reference[0] if not name.startswith("_")]
    assert set(own.index) == set(names)
    for part in names:
        theirs = np.array([np.nan if row.get(part) is None else row[part] for row in reference], dtype=float)
        assert_close(own.loc[part, list(SIZES)].to_numpy(dtype=float), theirs, "residual_size", f"size of {part}")


def compare_modifications(case: Case, reference: list[dict[str, Any]]) -> None:
    f = fit(*case)
    ours = f.modification_indices()
    if not reference:
        assert not len(ours) or ours["mi"].max() < 1e-6
        return
    groups = list(f.table.group_labels)
    keys = zip(ours["lhs"], ours["op"], ours["rhs"], ours.get("group", [""] * len(ours)), strict=True)
    place = {key: i for i, key in enumerate(keys)}
    rows = [place[r["lhs"], r["op"], r["rhs"], groups[r.get("group", 1) - 1]] for r in reference]
    top = len(reference)
    sizes = [r["mi"] for r in reference]
    assert_close(ours["mi"].to_numpy()[:top], sizes, "modification", "largest indices, in order")
    for name in ("mi", "epc", "sepc.lv", "sepc.all", "sepc.nox"):
        column = name.replace(".", "_")
        theirs = np.array([np.nan if r[name] is None else r[name] for r in reference], dtype=float)
        own = ours[column].to_numpy()[rows]
        score = np.array(sizes) > 1e-6  # without a score, R's numbers are what its search left of the gradient
        assert (ours["mi"].to_numpy()[rows][~score] < 1e-6).all()
        assert_close(own[score], theirs[score], "modification", name)


def compare_score_test(case: Case, reference: dict[str, Any]) -> None:
    ours = fit(*case).score_tests()
    total, single = ours.iloc[-1], ours.iloc[:-1]
    (row,) = reference["total"]
    assert_close(total["df"], row["df"], "count", "df")
    assert_close([total["statistic"]], [row["X2"]], "modification", "total score test")
    assert_close([total["p_value"]], [row["p.value"]], "p_value", "p of the total")
    assert list(zip(single["lhs"], single["rhs"], strict=True)) == [(r["lhs"], r["rhs"]) for r in reference["uni"]]
    assert_close(single["statistic"], [r["X2"] for r in reference["uni"]], "modification", "score tests")
    assert_close(single["df"], [r["df"] for r in reference["uni"]], "count", "df")
    assert_close(single["p_value"], [r["p.value"] for r in reference["uni"]], "p_value", "p of score tests")


def compare_scores(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    for method, found in reference.items():
        if method in ("level1", "level2"):
            ours = {"": f.factor_scores(level="within" if method == "level1" else "between")}
            blocks = {"": found}
        else:
            whole = f.factor_scores(method.lower())
            ours = dict(iter(whole.groupby("group", sort=False))) if "group" in whole else {"": whole}
            blocks = {"": found} if "values" in found else found
        for key, part in blocks.items():
            theirs = np.array(part["values"], dtype=float)
            mine = ours[key][part["cols"]].to_numpy()[: len(theirs)]
            assert_close(mine, theirs, "factor_score", f"{method} scores")


def compare_reliability(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    table = f.reliability().set_index("factor")
    columns = {"compRelSEM_omega": "omega", "compRelSEM": "omega", "compRelSEM_alpha": "alpha", "AVE": "ave"}
    columns["compRelSEM_omega_obs_var_false"] = "omega_implied"
    for key, found in reference.items():
        if key == "config_shared":
            _compare_levels(table, found)
        elif key == "icc_vars":
            compare_icc(case, found)
        else:
            names = list(found)
            assert_close(table.loc[names, columns[key]], vector(found, names), "estimate", key)


def _compare_levels(table: pd.DataFrame, reference: dict[str, Any]) -> None:
    for factor, found in reference["config"].items():
        ours = table.loc[factor, ["omega_within", "omega_two_level"]]
        assert_close(ours.to_numpy(dtype=float), [found["omega_W"], found["omega_2L"]], "estimate", "configural")
    for factor, found in reference["shared"].items():
        ours = table.loc[factor, ["omega_between", "interrater"]]
        assert_close(ours.to_numpy(dtype=float), [found["omega_B"], found["IRR"]], "estimate", "shared")


def compare_icc(case: Case, reference: dict[str, float]) -> None:
    ours = fit(*case).icc().set_index("variable")["icc"]
    assert_close(ours[list(reference)], list(reference.values()), "estimate", "intraclass correlations")


def compare_htmt(case: Case, reference: dict[str, Any]) -> None:
    """semTools' default is the geometric form, so that both of its tables are that one."""
    ours = fit(*case).htmt()
    for key, found in reference.items():
        names = list(found["rows"])
        assert_close(ours.loc[names, names].to_numpy(), square(found, names), "closed_form", key)


def compare_missing(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    names = list(f._fit.model.blocks[0].observed)
    patterns, theirs = f.missing_patterns(), reference["patterns"]
    ours = {tuple(map(bool, row)) for row in patterns[theirs["cols"]].to_numpy()}
    assert ours == {tuple(map(bool, row)) for row in theirs["values"]}, "patterns of missing values"
    table = f.coverage().set_index("variable")
    assert_close(table.loc[names, names].to_numpy(), square(reference["coverage"], names), "closed_form", "coverage")
    compare_listwise_start(case, reference["h1"])


def compare_lrt(family: str, case: str, test: dict[str, Any]) -> None:
    """Compare a chain of difference tests: ``lavTestLRT``."""
    names = list(test["models"])
    method = None if test["method"] == "default" else test["method"]
    ours = ak.compare(*[fit(family, case, name) for name in names], names=names, method=method).tidy()
    theirs = test["table"]
    assert list(ours["model"]) == [row["model"] for row in theirs]
    known = {"Df": "df", "AIC": "aic", "BIC": "bic", "Chisq": "chisq", "Chisq diff": "chisq_diff"}
    known |= {"RMSEA": "rmsea_d", "Df diff": "df_diff", "Pr(>Chisq)": "p_value"}
    kinds = {
        "Df": "count",
        "Df diff": "count",
        "AIC": "log_likelihood",
        "BIC": "log_likelihood",
        "Pr(>Chisq)": "p_value",
    }
    for name in theirs[0]:
        if name == "model":
            continue
        column = np.array([np.nan if row[name] is None else row[name] for row in theirs], dtype=float)
        if np.isnan(column).all():
            continue
        assert_close(ours[known[name]], column, kinds.get(name, "fit_measure"), name)


COMPARE: dict[str, Callable[[Case, Any], None]] = {
    "r2": compare_r2,
    "sampstat": compare_sample,
    "cov_lv": lambda case, r: compare_latent(case, r, "cov"),
    "mean_lv": lambda case, r: compare_latent(case, r, "mean"),
    "residuals_raw": lambda case, r: compare_residuals(case, r, "raw"),
    "residuals_cor_bentler": lambda case, r: compare_residuals(case, r, "cor.bentler"),
    "residuals_cor_bollen": lambda case, r: compare_residuals(case, r, "cor.bollen"),
    "modindices_top10": compare_modifications,
    "score_test": compare_score_test,
    "reliability": compare_reliability,
    "htmt": compare_htmt,
    "factor_scores_first10": compare_scores,
    "icc_vars": compare_icc,
    "missing": compare_missing,
}
