"""Variance components, ICC and Nakagawa's R2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, factor_covariances
from alliancekit.multilevel.moments import linear_variance, random_products
from alliancekit.numerics.distributions import normal_quantile

if TYPE_CHECKING:
    from alliancekit.multilevel.residual import components as structure
else:
    structure = Later("alliancekit.multilevel.residual.components")


Floats = NDArray[np.float64]


def variance_components(fit: GaussianFit, uncertainty: VarianceUncertainty, level: float) -> pd.DataFrame:
    """Return one row per variance and covariance, and the residual, with Wald intervals.

    Intervals are on the scale of ``sd_or_correlation``: log scale for SDs, Fisher's z for correlations. They are
    missing
    for a parameter on the boundary, where no such interval is valid.
    """
    rows = list(_labels(fit))
    values = _parameters(fit, fit.optimum.theta, fit.sigma)
    transformed = np.array([_transform(v, kind) for v, (_, _, _, kind, _) in zip(values, rows, strict=True)])
    slope = _slope(fit, rows)
    k = slope.shape[1]  # theta and sigma; what follows in the covariance belongs to a residual structure
    spread = np.sqrt(np.maximum(np.einsum("ik,kl,il->i", slope, uncertainty.covariance[:k, :k], slope), 0.0))
    reach = normal_quantile(1 - (1 - level) / 2) * spread
    singular = dict(zip((f.group for f in fit.factors), fit.singular, strict=True))
    out = []
    for i, (group, one, two, kind, cov) in enumerate(rows):
        bad = singular.get(group, False) or not np.isfinite(transformed[i]) or spread[i] == 0
        low, high = (
            (np.nan, np.nan)
            if bad
            else (_back(transformed[i] - reach[i], kind), _back(transformed[i] + reach[i], kind))
        )
        out.append((group, one, two, cov, values[i], low, high))
    if fit.residual is not None:
        found = structure.parameter_rows(fit.residual, uncertainty, level)
        out += [(structure.GROUP, name, None, np.nan, value, low, high) for name, value, low, high in found]
    columns = ["group", "term_1", "term_2", "variance_or_covariance", "sd_or_correlation", "conf_low", "conf_high"]
    frame = pd.DataFrame(out, columns=columns)
    frame.attrs.update(interval="wald", level=level)
    return frame


def _labels(fit: GaussianFit) -> list[tuple[str, str | None, str | None, str, float]]:
    """Return (group, term, other term, "sd" or "cor", variance or covariance) in the order of lme4's printout."""
    out: list[tuple[str, str | None, str | None, str, float]] = []
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], fit.covariances[index]
        for i, name in enumerate(factor.names):
            out.append((factor.group, name, None, "sd", float(matrix[i, i])))
        for j in range(factor.q):
            for i in range(j + 1, factor.q):
                if (i, j) in factor.free:
                    out.append((factor.group, factor.names[j], factor.names[i], "cor", float(matrix[i, j])))
    out.append(("Residual", None, None, "sd", fit.sigma**2))
    return out


def _parameters(fit: GaussianFit, theta: Floats, sigma: float) -> Floats:
    """Return SDs and correlations in the order of ``_labels``."""
    matrices = factor_covariances(fit.engine, theta, sigma)
    out: list[float] = []
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], matrices[index]
        sd = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        out += sd.tolist()
        for j in range(factor.q):
            for i in range(j + 1, factor.q):
                if (i, j) in factor.free:
                    both = sd[i] * sd[j]
                    out.append(float(matrix[i, j] / both) if both > 0 else float("nan"))
    return np.array([*out, sigma])


def _transform(value: float, kind: str) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.log(value) if kind == "sd" else np.arctanh(value))


def _back(value: float, kind: str) -> float:
    return float(np.exp(value) if kind == "sd" else np.tanh(value))


def _slope(fit: GaussianFit, rows: list[tuple[str, str | None, str | None, str, float]]) -> Floats:
    """Return the derivative of the transformed parameters by (theta, sigma), by central differences."""
    theta, sigma = fit.optimum.theta, fit.sigma
    k = theta.size
    out = np.zeros((len(rows), k + 1))
    for i in range(k + 1):
        h = 1e-5 * (max(abs(theta[i]), 0.1) if i < k else sigma)
        sides = []
        for sign in (1.0, -1.0):
            moved, scale = theta.copy(), sigma
            if i < k:
                moved[i] += sign * h
            else:
                scale += sign * h
            values = _parameters(fit, moved, scale)
            sides.append([_transform(v, row[3]) for v, row in zip(values, rows, strict=True)])
        with np.errstate(invalid="ignore"):
            out[:, i] = (np.array(sides[0]) - np.array(sides[1])) / (2 * h)
    return np.nan_to_num(out)


def relative_parameters(fit: GaussianFit) -> pd.Series:
    """Return theta as lme4 does: the relative Cholesky factor of each random term, column by column."""
    out: dict[str, float] = {}
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], fit.covariances[index] / fit.sigma**2
        for term in dict.fromkeys(factor.term):
            own = [i for i, t in enumerate(factor.term) if t == term]
            lower = _root(matrix[np.ix_(own, own)])
            for j, c in enumerate(own):
                for i, r in enumerate(own[j:], start=j):
                    name = factor.names[c] if r == c else f"{factor.names[r]}.{factor.names[c]}"
                    if (r, c) in factor.free:
                        out[f"{factor.group}.{name}"] = float(lower[i, j])
    return pd.Series(out, name="theta", dtype=float)


def _root(matrix: Floats) -> Floats:
    """Return the lower-triangular factor with non-negative diagonal, also of a singular matrix."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    triangle = np.asarray(np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")).T
    return np.asarray(triangle * np.where(np.diag(triangle) < 0, -1.0, 1.0))


def variance_partition(fit: GaussianFit) -> dict[str, float]:
    """Return the variance of the fixed part, of each grouping factor, and of the residual.

    The fixed part is the sample variance (n - 1) of X beta; a factor's is the mean over rows of z'Gz.

    Source: Nakagawa & Schielzeth (2013), Methods Ecol Evol 4, 133-142, eq. 26 and 30; Johnson (2014), ibid. 5, 944-946.
    """
    design = fit.design
    out = {"fixed": linear_variance(design.X, fit.beta)}
    for index in formula_order(fit):
        factor, matrix = fit.factors[index], fit.covariances[index]
        out[factor.group] = float((matrix * random_products(design, factor.group)).sum())
    out["Residual"] = fit.sigma**2 * _mean_variance(fit)
    return out


def _mean_variance(fit: GaussianFit) -> float:
    """Return the mean residual variance over the rows, over sigma^2: one unless a structure lets it vary."""
    part = fit.residual
    return 1.0 if part is None or part.variance is None else float(np.mean(part.variance.scale(part.variance_phi) ** 2))


def r2(fit: GaussianFit) -> pd.Series:
    """Return marginal and conditional R2 (Nakagawa & Schielzeth 2013; random slopes after Johnson 2014)."""
    parts = variance_partition(fit)
    total = sum(parts.values())
    marginal = parts["fixed"] / total
    return pd.Series({"marginal": marginal, "conditional": 1.0 - parts["Residual"] / total}, name="r2")


def icc(fit: GaussianFit) -> pd.Series:
    """Return each grouping factor's share of the random and residual variance (adjusted ICC), and their sum."""
    parts = variance_partition(fit)
    random = {name: value for name, value in parts.items() if name not in ("fixed", "Residual")}
    total = sum(random.values()) + parts["Residual"]
    shares = {name: value / total for name, value in random.items()}
    return pd.Series({**shares, "total": sum(shares.values())}, name="icc")
