"""Our numbers for a generalised model under the names that lme4 and glmmTMB give them in expected.json."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import alliancekit as ak
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.generalised import inference
from alliancekit.multilevel.generalised.objective import Problem, evaluate

FAMILY = Path(__file__).parent / "glmm"
Values = dict[tuple[str, ...], float]
FAMILIES: dict[str, tuple[str, str | None]] = {
    "binomial": ("binomial", None),
    "poisson": ("poisson", None),
    "nbinom2": ("negative-binomial", "quadratic"),
    "nbinom1": ("negative-binomial", "linear"),
    "betabinomial": ("beta-binomial", None),
}


@cache
def load(case: str) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    """Return model.json, expected.json and the data of a case."""
    folder = FAMILY / case
    model, expected = (json.loads((folder / f"{name}.json").read_text()) for name in ("model", "expected"))
    data = pd.read_csv(folder / "data.csv")
    for column, levels in model.get("factors", {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels)
    return model, expected, data


@cache
def fit(case: str, label: str) -> Any:
    """Return our fit of one model of a case."""
    model, _, data = load(case)
    asked = next(m for m in model["models"] if m["label"] == label)
    family, variance = FAMILIES[asked.get("family", model["distribution"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        return ak.mixed(
            asked.get("formula", model["formula"]),
            data,
            family=family,
            link=asked.get("link"),
            variance=variance,
            quadrature=asked.get("nAGQ", 1),
            zero_inflation=asked.get("ziformula"),
        )


def is_lme4(case: str, label: str) -> bool:
    """Return whether the numbers are lme4's."""
    return bool(load(case)[1]["models"][label]["engine"].startswith("lme4"))


def saturated(f: Any) -> float:
    """Return what lme4's quadrature leaves out of the log-likelihood: that of a mean for every row."""
    counted = f._fit.counted
    if f.family == "poisson":
        return float(stats.poisson.logpmf(counted.y, counted.y).sum())
    return float(stats.binom.logpmf(counted.y, counted.trials, counted.y / counted.trials).sum())


def log_likelihood(case: str, label: str) -> float:
    """Return our log-likelihood on the scale of R's."""
    f = fit(case, label)
    return f.log_likelihood - (saturated(f) if is_lme4(case, label) and f.quadrature > 1 else 0.0)


def _likelihood(times: float, per: Callable[[Any], float]) -> Callable[[str, str], Values]:
    return lambda c, m: {(): times * log_likelihood(c, m) + per(fit(c, m))}


def fixef(case: str, label: str) -> Values:
    return {(name,): value for name, value in fit(case, label).fixed_effects.items()}


def standard_errors(case: str, label: str) -> Values:
    table = fit(case, label).tidy().set_index("term")
    return {(name,): value for name, value in table["std_error"].items()}


def vcov(case: str, label: str) -> Values:
    return {(r, c): v for r, row in fit(case, label).vcov().iterrows() for c, v in row.items()}


def wald(case: str, label: str) -> Values:
    names = {"estimate": "estimate", "std_error": "se", "statistic": "z", "p_value": "p", "conf_low": "lower"}
    names["conf_high"] = "upper"
    table = fit(case, label).tidy().set_index("term")
    return {(term, r): table.loc[term, ours] for term in table.index for ours, r in names.items()}


def theta(case: str, label: str) -> Values:
    return {(name,): value for name, value in fit(case, label).theta.items()}


def _terms(f: Any) -> list[tuple[str, list[str], np.ndarray[Any, Any]]]:
    """Return (group, columns, covariance) of each random term, numbered as lme4 does where ``||`` makes several."""
    engine = f._fit
    out, seen = [], dict[str, int]()
    for index in formula_order(engine):
        factor, matrix = engine.factors[index], engine.covariances[index]
        for term in dict.fromkeys(factor.term):
            own = [i for i, t in enumerate(factor.term) if t == term]
            count = seen.get(factor.group, 0)
            seen[factor.group] = count + 1
            name = factor.group if not count else f"{factor.group}.{count}"
            out.append((name, [factor.names[i] for i in own], matrix[np.ix_(own, own)]))
    return out


def varcorr(case: str, label: str) -> Values:
    out: Values = {}
    for group, names, matrix in _terms(fit(case, label)):
        sd = np.sqrt(np.diag(matrix))
        with np.errstate(invalid="ignore", divide="ignore"):
            cor = matrix / np.outer(sd, sd)
        np.fill_diagonal(cor, 1.0)
        for i, a in enumerate(names):
            out[group, "sd", str(i)] = sd[i]
            for j, b in enumerate(names):
                out[group, "cov", a, b], out[group, "cor", a, b] = matrix[i, j], cor[i, j]
    return out


def varcorr_flat(case: str, label: str) -> Values:
    out: Values = {}
    for group, names, matrix in _terms(fit(case, label)):
        sd = np.sqrt(np.diag(matrix))
        for i, a in enumerate(names):
            out[f"{group} {a}", "vcov"], out[f"{group} {a}", "sdcor"] = matrix[i, i], sd[i]
            for j in range(i):
                name = f"{group} {names[j]} {a}"
                out[name, "vcov"], out[name, "sdcor"] = matrix[i, j], matrix[i, j] / (sd[i] * sd[j])
    return out


def _internal(f: Any, x: np.ndarray[Any, Any] | None = None) -> list[float]:
    """Return glmmTMB's parameters: fixed effects, side parts, log SDs and the unconstrained correlation."""
    engine, parts = f._fit.engine, f._fit.engine.parts
    x = f._fit.optimum.x if x is None else x
    matrices = inference.factor_covariances(engine, x[parts[1]])
    out = [*(engine.fixed_basis @ x[parts[0]]), *(engine.inflation_basis @ x[parts[3]])]
    out += list(engine.dispersion_basis @ x[parts[2]])
    for index in formula_order(f._fit):
        matrix = matrices[index]
        sd = np.sqrt(np.diag(matrix))
        with np.errstate(divide="ignore", invalid="ignore"):
            out += list(np.log(sd))
            if len(sd) == 2:
                rho = matrix[1, 0] / (sd[0] * sd[1])
                out.append(rho / np.sqrt(1.0 - rho**2))
    return out


def _internal_names(f: Any) -> list[str]:
    parts = f._fit.engine.parts
    width = [part.stop - part.start for part in parts]
    kinds = ["beta"] * width[0] + ["betazi"] * width[3] + ["betad"] * width[2] + ["theta"] * width[1]
    seen: dict[str, int] = {}
    out = []
    for kind in kinds:
        count = seen.get(kind, 0)
        seen[kind] = count + 1
        out.append(kind if not count else f"{kind}_{count}")
    return out


def full_par(case: str, label: str) -> Values:
    f = fit(case, label)
    return {(name,): value for name, value in zip(_internal_names(f), _internal(f), strict=True)}


def full_se(case: str, label: str) -> Values:
    f = fit(case, label)
    x = f._fit.optimum.x
    slope = np.empty((x.size, x.size))
    for k in range(x.size):
        step = np.zeros_like(x)
        step[k] = 1e-6 * max(abs(x[k]), 0.1)
        with np.errstate(invalid="ignore"):  # a log SD at minus infinity has no slope
            slope[:, k] = (np.array(_internal(f, x + step)) - np.array(_internal(f, x - step))) / (2 * step[k])
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.diag(slope @ f._fit.parameter_covariance @ slope.T))
    return {(name,): value for name, value in zip(_internal_names(f), spread, strict=True)}


def theta_internal(case: str, label: str) -> Values:
    values = [v for (name,), v in full_par(case, label).items() if name.startswith("theta")]
    return {(str(i),): value for i, value in enumerate(values)}


def dispersion(case: str, label: str) -> Values:
    side = fit(case, label)._fit.dispersion
    return {(): 1.0 if side is None else float(np.exp(side.estimate[0]))}


def _side(name: str, value: str, prefix: str = "") -> Callable[[str, str], Values]:
    def values(case: str, label: str) -> Values:
        table = fit(case, label).submodels()
        part = table[table["component"] == name]
        return {(prefix + term,): v for term, v in zip(part["term"], part[value], strict=True)}

    return values


def pearson(case: str, label: str) -> Values:
    f = fit(case, label)
    if f.family == "beta-binomial":  # glmmTMB 1.1.5 divides by the binomial variance
        counted, p = f._fit.counted, f.fitted()
        return {(): float((counted.trials * (counted.y / counted.trials - p) ** 2 / (p * (1 - p))).sum())}
    return {(): f.glance()["pearson_chisq"].item()}


def ranef(case: str, label: str) -> Values:
    errors = "conditional" if is_lme4(case, label) else "total"
    table = fit(case, label).random_effects(errors=errors)
    out: Values = {}
    for ref in load(case)[1]["models"][label]["ranef"]:
        key = f"{ref['group']} {ref['term']}"
        part = table[(table["group"] == ref["group"].split(".")[0]) & (table["term"] == ref["term"])]
        chosen = part.set_index("unit").loc[[str(u) for u in ref["levels"]]]
        out[key, "n_levels"] = len(part)
        out[key, "sum_sq"] = float((part["estimate"] ** 2).sum())  # compared as the root
        for i, (mode, sd) in enumerate(zip(chosen["estimate"], chosen["std_error"], strict=True)):
            out[key, "blup", str(i)], out[key, "cond_sd", str(i)] = mode, sd
    return out


def check_agq(case: str, label: str) -> Values:
    """Return the log-likelihood at the estimates by 1, 9, 25 and 61 nodes."""
    f = fit(case, label)._fit
    out: Values = {}
    for nodes in (1, 9, 25, 61):
        problem = Problem(f.engine, f.problem.conditional, nodes, f.problem.constant)
        out[f"nodes_{nodes}",] = -evaluate(problem, f.optimum.x, f.optimum.point.modes.effects).value / 2
    return out


@cache
def profile_ci(case: str, label: str) -> Values:
    table = fit(case, label).confint(method="profile").set_index("term")
    sides = {"lower": "conf_low", "upper": "conf_high"}
    return {(name, side): table.loc[name, ours] for name in table.index for side, ours in sides.items()}


def _first_ten(values: Callable[[Any], Any]) -> Callable[[str, str], Values]:
    return lambda c, m: {(str(i),): v for i, v in enumerate(values(fit(c, m))[:10])}


def _rows(case: str, label: str) -> float:
    return float(np.log(fit(case, label).nobs))


BUILDERS: dict[str, Callable[[str, str], Values]] = {
    "nobs": lambda c, m: {(): fit(c, m).nobs},
    "npar": lambda c, m: {(): fit(c, m).n_parameters},
    "nAGQ": lambda c, m: {(): fit(c, m).quadrature},
    "df_residual": lambda c, m: {(): fit(c, m).glance()["df_residual"].item()},
    "ngrps": lambda c, m: {(name,): count for name, count in fit(c, m).sample.groups.items()},
    "fixef": fixef,
    "se": standard_errors,
    "se_hessian_richardson": standard_errors,
    "vcov": vcov,
    "wald": wald,
    "theta": theta,
    "theta_internal": theta_internal,
    "varcorr": varcorr,
    "varcorr_flat": varcorr_flat,
    "dispersion": dispersion,
    "disp_log_coef": _side("dispersion", "estimate"),
    "disp_log_se": _side("dispersion", "std_error"),
    "zi_fixef": _side("zero_inflation", "estimate"),
    "zi_se": _side("zero_inflation", "std_error", "zi~"),
    "full_par": full_par,
    "full_se": full_se,
    "logLik": _likelihood(1.0, lambda f: 0.0),
    "minus2logLik": _likelihood(-2.0, lambda f: 0.0),
    "AIC": _likelihood(-2.0, lambda f: 2.0 * f.n_parameters),
    "BIC": _likelihood(-2.0, lambda f: f.n_parameters * float(np.log(f.nobs))),
    "deviance": lambda c, m: {(): fit(c, m).glance()["conditional_deviance"].item()},
    "pearson_chisq": pearson,
    "ranef": ranef,
    "fixed_part_first10": _first_ten(lambda f: f._fit.fixed_part),
    "fitted_first10": _first_ten(lambda f: f.fitted()),
    "logLik_check_agq": check_agq,
    "profile_ci": profile_ci,
}
