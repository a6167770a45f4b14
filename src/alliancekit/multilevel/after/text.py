"""What ``print(fit)`` shows: the layout that lme4 users know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.frames import rows
from alliancekit.multilevel.after.layout import columns_text, p_text
from alliancekit.multilevel.gaussian.fit import GaussianFit

Floats = NDArray[np.float64]


def text(
    fit: GaussianFit,
    formula: str,
    coefficients: pd.DataFrame,
    components: pd.DataFrame,
    residuals: Floats | None,
    notes: Sequence[str],
) -> str:
    """Return the printed summary of a fit; ``residuals`` is None where no rows were kept."""
    how = "REML" if fit.reml else "maximum likelihood"
    what = "Linear mixed model" if fit.factors else "Generalised least squares"
    lines = [f"{what} fit by {how} [alliancekit]", f"Formula: {formula}"]
    lines += [f"Residual structure: {fit.residual.structure}", ""] if fit.residual is not None else [""]
    if fit.reml:
        lines.append(f"REML criterion at convergence: {fit.optimum.deviance:.1f}")
    else:
        n, k = fit.engine.products.n, fit.n_parameters
        lines.append(
            f"AIC {fit.optimum.deviance + 2 * k:.1f}   BIC {fit.optimum.deviance + k * np.log(n):.1f}   "
            f"logLik {fit.log_likelihood:.1f}   deviance {fit.optimum.deviance:.1f}"
        )
    if residuals is not None:
        scaled = np.quantile(residuals / fit.sigma, [0, 0.25, 0.5, 0.75, 1])
        lines += ["", "Scaled residuals:", "    Min      1Q  Median      3Q     Max"]
        lines.append(" ".join(f"{v:7.3f}" for v in scaled))
    occasions = _occasions(fit)
    if occasions:
        components = components[components["group"] != "Residual structure"]
    if fit.factors or not occasions:
        lines += ["", "Random effects:" if fit.factors else "Residuals:", *components_text(components)]
    lines += occasions
    counts = list(fit.design.sample.groups.items())
    correlation = None if fit.residual is None else fit.residual.correlation
    if correlation is not None and correlation.blocks.name not in dict(counts):
        counts.append((correlation.blocks.name, correlation.blocks.labels.size))
    groups = "; ".join(f"{name}, {count}" for name, count in counts)
    lines.append(f"Number of obs: {fit.engine.products.n}" + (f", groups: {groups}" if groups else ""))
    lines += ["", "Fixed effects:", *_coefficients(coefficients)]
    lines += ["", *notes] if notes else []
    return "\n".join(lines)


def _occasions(fit: GaussianFit) -> list[str]:
    """Return the SD of each occasion and the correlations among them, for an unstructured covariance."""
    part = fit.residual
    if part is None:
        return []
    from alliancekit.multilevel.residual.unstructured import BoundUnstructured

    if not isinstance(part.correlation, BoundUnstructured):
        return []
    correlation = part.correlation.correlation(part.correlation_phi)
    names = part.correlation.occasions
    spread = np.full(len(names), fit.sigma)
    if part.variance is not None:
        if tuple(part.variance.labels) != tuple(names):
            return []
        spread = fit.sigma * np.concatenate([[1.0], part.variance.natural(part.variance_phi)])
    head = (part.structure.columns[0], "Std.Dev.", "Corr", *[""] * (len(names) - 2))
    body = [
        (name, number_text(spread[i]), *[f"{correlation[i, j]:.3f}" for j in range(i)], *[""] * (len(names) - 1 - i))
        for i, name in enumerate(names)
    ]
    return ["", f"Residuals of one {part.correlation.blocks.name}:", *columns_text([head, *body], left=1)]


def components_text(frame: pd.DataFrame) -> list[str]:
    """Return the lines about variances, SDs and correlations."""
    single = frame[frame["term_2"].isna()]
    pairs = frame[frame["term_2"].notna()]
    lines = [("Groups", "Name", "Variance", "Std.Dev.", "Corr")]
    last = None
    for row in rows(single):
        corr = [f"{p.sd_or_correlation:.2f}" for p in rows(pairs) if p.group == row.group and p.term_2 == row.term_1]
        shown = row.group if row.group != last else ""
        last = row.group
        name = "" if row.term_1 is None or pd.isna(row.term_1) else row.term_1
        variance = "" if pd.isna(row.variance_or_covariance) else number_text(row.variance_or_covariance)
        lines.append((shown, name, variance, number_text(row.sd_or_correlation), " ".join(corr)))
    return columns_text(lines, left=2)


def _coefficients(frame: pd.DataFrame) -> list[str]:
    lines = [("", "Estimate", "Std. Error", "df", "t value", "Pr(>|t|)")]
    for row in rows(frame):
        df = "Inf" if np.isinf(row.df) else f"{row.df:.2f}"
        lines.append(
            (
                row.term,
                number_text(row.estimate),
                number_text(row.std_error),
                df,
                f"{row.statistic:.3f}",
                p_text(row.p_value),
            )
        )
    return columns_text(lines, left=1)


def number_text(value: float) -> str:
    """Return a number with five digits; NA where it is not one."""
    return f"{value:.5g}" if np.isfinite(value) else "NA"
