"""Tables of the variances, the dispersion and the side parts of generalised fits; R2 and ICC on the link's scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.estimates import formula_order, random_columns
from alliancekit.multilevel.generalised.fit import GeneralisedFit, SideEstimates
from alliancekit.multilevel.generalised.inference import factor_covariances
from alliancekit.multilevel.generalised.profile import names_of, pairs
from alliancekit.numerics.distributions import normal_quantile, t_two_sided

Floats = NDArray[np.float64]
DISPERSION = "Dispersion"
DISPERSION_NAMES = {
    ("negative-binomial", "quadratic"): "size",
    ("negative-binomial", "linear"): "phi",
    ("beta-binomial", "quadratic"): "phi",
    ("beta-binomial", "linear"): "phi",
}
_LINK_VARIANCE = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}


WIDEST = 10.0  # standard error on the log scale from which a Wald interval, over 17 powers of ten, says nothing


def variance_components(fit: GeneralisedFit, level: float) -> pd.DataFrame:
    """Return one row per variance and covariance, and a constant dispersion, with Wald intervals.

    SDs and the dispersion have theirs on the log scale, correlations on Fisher's z scale; they are missing for a
    parameter on or close to the boundary, where no such interval is valid: use "profile" there.
    """
    theta = fit.engine.parts[1]
    labels, kinds = _labels(fit)
    values = random_values(fit, fit.optimum.x[theta])
    moved = _transform(values, kinds)
    covariance = fit.parameter_covariance[theta, theta]
    slope = _slope(fit, kinds)
    spread = np.sqrt(np.maximum(np.einsum("ik,kl,il->i", slope, covariance, slope), 0.0))
    reach = normal_quantile(1 - (1 - level) / 2)
    singular = dict(zip((f.group for f in fit.factors), fit.singular, strict=True))
    rows = []
    for label, kind, value, at, sd in zip(labels, kinds, values, moved, spread, strict=True):
        group, one, two, cov = label
        bad = singular[group] or not np.isfinite(at) or not 0 < sd < WIDEST
        low, high = (np.nan, np.nan) if bad else (_back(at - reach * sd, kind), _back(at + reach * sd, kind))
        rows.append((group, one, two, cov, value, low, high))
    rows += _dispersion_row(fit, reach)
    columns = ["group", "term_1", "term_2", "variance_or_covariance", "sd_or_correlation", "conf_low", "conf_high"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs.update(interval="wald", level=level)
    return frame


def _dispersion_row(fit: GeneralisedFit, reach: float) -> list[tuple[str, str, None, float, float, float, float]]:
    side = fit.dispersion
    if side is None or not side.constant:
        return []
    value, error = float(side.estimate[0]), float(side.std_error[0])
    low, high = (np.exp(value - reach * error), np.exp(value + reach * error)) if 0 < error < 30 else (np.nan, np.nan)
    return [(DISPERSION, dispersion_name(fit), None, np.nan, float(np.exp(value)), float(low), float(high))]


def dispersion_name(fit: GeneralisedFit) -> str:
    """Return what the dispersion of the family is called: "size" or "phi"."""
    return DISPERSION_NAMES[fit.words.family, fit.words.variance]


def _labels(fit: GeneralisedFit) -> tuple[list[tuple[str, str, str | None, float]], list[str]]:
    labels: list[tuple[str, str, str | None, float]] = []
    kinds = []
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], fit.covariances[index]
        for i, name in enumerate(factor.names):
            labels.append((factor.group, name, None, float(matrix[i, i])))
            kinds.append("sd")
        for j, i in pairs(factor):
            labels.append((factor.group, factor.names[j], factor.names[i], float(matrix[i, j])))
            kinds.append("cor")
    return labels, kinds


def random_values(fit: GeneralisedFit, theta: Floats) -> Floats:
    """Return SDs and correlations per factor, in the order of ``names_of``; nan for a correlation with an SD of 0."""
    matrices = factor_covariances(fit.engine, theta)
    out: list[float] = []
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], matrices[index]
        sd = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        out += sd.tolist()
        for j, i in pairs(factor):
            both = sd[i] * sd[j]
            out.append(float(np.clip(matrix[i, j] / both, -1.0, 1.0)) if both > 0 else float("nan"))
    return np.array(out)


def all_values(fit: GeneralisedFit) -> Floats:
    """Return the estimates of all parameters in the order of ``names_of``."""
    parts = [fit.beta, random_values(fit, fit.optimum.x[fit.engine.parts[1]])]
    if fit.dispersion is not None:
        parts.append(np.exp(fit.dispersion.estimate) if fit.dispersion.constant else fit.dispersion.estimate)
    if fit.inflation is not None:
        parts.append(fit.inflation.estimate)
    return np.concatenate(parts)


def _transform(values: Floats, kinds: list[str]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = [np.log(v) if kind == "sd" else np.arctanh(v) for v, kind in zip(values, kinds, strict=True)]
    return np.array(moved, dtype=np.float64)


def _back(value: float, kind: str) -> float:
    return float(np.exp(value) if kind == "sd" else np.tanh(value))


def _slope(fit: GeneralisedFit, kinds: list[str]) -> Floats:
    """Return the derivative of the transformed values by theta, by central differences."""
    theta = fit.optimum.x[fit.engine.parts[1]]
    out = np.zeros((len(kinds), theta.size))
    for k in range(theta.size):
        h = 1e-5 * max(abs(theta[k]), 0.1)
        sides = []
        for sign in (1.0, -1.0):
            moved = theta.copy()
            moved[k] += sign * h
            sides.append(_transform(random_values(fit, moved), kinds))
        with np.errstate(invalid="ignore"):
            out[:, k] = (sides[0] - sides[1]) / (2 * h)
    return np.asarray(np.nan_to_num(out), dtype=np.float64)


def side_table(fit: GeneralisedFit, level: float) -> pd.DataFrame:
    """Return the coefficients of the dispersion (log scale) and of the extra zeros (logit scale), with z tests."""
    reach = normal_quantile(1 - (1 - level) / 2)
    parts = [_side_rows(name, side, reach) for name, side in _sides(fit) if side is not None]
    columns = ["component", "term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    frame.attrs.update(level=level)
    return frame[columns]


def _sides(fit: GeneralisedFit) -> tuple[tuple[str, SideEstimates | None], ...]:
    return ("dispersion", fit.dispersion), ("zero_inflation", fit.inflation)


def _side_rows(component: str, side: SideEstimates, reach: float) -> pd.DataFrame:
    error = side.std_error
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = side.estimate / error
    return pd.DataFrame(
        {
            "component": component,
            "term": list(side.names),
            "estimate": side.estimate,
            "std_error": error,
            "statistic": statistic,
            "p_value": t_two_sided(statistic, np.inf),
            "conf_low": side.estimate - reach * error,
            "conf_high": side.estimate + reach * error,
        }
    )


def wald_intervals(
    fit: GeneralisedFit, coefficients: pd.DataFrame, components: pd.DataFrame, level: float
) -> pd.DataFrame:
    """Return Wald intervals of every parameter: component, term, estimate, conf_low, conf_high."""
    columns = ["estimate", "conf_low", "conf_high"]
    random = components.rename(columns={"sd_or_correlation": "estimate"})
    pieces = [coefficients[columns], random[columns]]
    if fit.dispersion is not None and not fit.dispersion.constant:
        pieces.append(_side_rows("dispersion", fit.dispersion, normal_quantile(1 - (1 - level) / 2))[columns])
    if fit.inflation is not None:
        pieces.append(_side_rows("zero_inflation", fit.inflation, normal_quantile(1 - (1 - level) / 2))[columns])
    out = pd.concat(pieces, ignore_index=True)
    names = names_of(fit)
    out.insert(0, "component", [component for component, _ in names])
    out.insert(1, "term", [term for _, term in names])
    out.attrs.update(method="wald", level=level)
    return out


def variance_partition(fit: GeneralisedFit) -> dict[str, float]:
    """Return the variance of the fixed part, of each grouping factor, and of the distribution, on the link's scale.

    Raises
    ------
    SpecError : the distribution has no agreed variance on the link's scale.

    Notes
    -----
    The distribution's variance is pi^2 / 3 (logit), 1 (probit), pi^2 / 6 (cloglog), or log(1 + v / mu^2) for counts
    with variance v at the mean mu of a typical row, exp(mean of the fixed part + half of the random variance).

    Source: Nakagawa, Johnson & Schielzeth (2017), J R Soc Interface 14, 20170213, table 1 and eq. 5.8; Johnson (2014).
    """
    if fit.words.family == "beta-binomial" or fit.inflation is not None:
        what = "beta-binomial outcomes" if fit.inflation is None else "a model of extra zeros"
        raise SpecError(
            message(
                f"R2 and ICC are not defined for {what}",
                do="Report the SDs of the random effects (variance_components) and probabilities (fit.means)",
            )
        )
    linear = fit.design.X @ fit.beta
    out = {"fixed": float(np.var(linear, ddof=1)) if linear.size > 1 else 0.0}
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], fit.covariances[index]
        Z = random_columns(fit.design, factor.group)
        out[factor.group] = float(np.einsum("ni,ij,nj->", Z, matrix, Z) / Z.shape[0])
    if fit.words.link in _LINK_VARIANCE:
        out["Distribution"] = _LINK_VARIANCE[fit.words.link]
        return out
    random = sum(value for name, value in out.items() if name != "fixed")
    mu = float(np.exp(fit.fixed_part.mean() + random / 2))
    v = mu
    if fit.dispersion is not None:
        assert fit.shape.dispersion is not None
        phi = float(np.exp(np.mean(np.log(fit.shape.dispersion))))
        v = mu * (1.0 + mu / phi) if fit.words.variance == "quadratic" else mu * (1.0 + phi)
    out["Distribution"] = float(np.log1p(v / mu**2))
    return out


def r2(fit: GeneralisedFit) -> pd.Series:
    """Return marginal and conditional R2 on the link's scale."""
    parts = variance_partition(fit)
    total = sum(parts.values())
    values = {"marginal": parts["fixed"] / total, "conditional": 1.0 - parts["Distribution"] / total}
    return pd.Series(values, name="r2")


def icc(fit: GeneralisedFit) -> pd.Series:
    """Return each grouping factor's share of the random and the distribution's variance, and their sum."""
    parts = variance_partition(fit)
    total = sum(value for name, value in parts.items() if name != "fixed")
    shares = {name: value / total for name, value in parts.items() if name not in ("fixed", "Distribution")}
    return pd.Series({**shares, "total": sum(shares.values())}, name="icc")
