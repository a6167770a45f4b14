"""Tests of a model beside the likelihood-ratio test: of the residuals by Browne, and by the bootstrap of Bollen, Stine.

Browne (1984), Br J Math Stat Psychol 37, 62-83, equation 2.20; Bollen & Stine (1992), Sociol Methods Res 21, 205-229.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.numerics.distributions import chi2_upper
from alliancekit.structural.after.resampling import drawn_tests
from alliancekit.structural.continuous.asymptotic import moment_covariance
from alliancekit.structural.continuous.least_squares import held_places, kept_moments, normal_weights
from alliancekit.structural.duplication import half_vector
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.sample import GroupSample

Floats = NDArray[np.float64]


def model_tests(fit: StructuralEstimates, bollen_stine: int = 0, seed: int = 1) -> pd.DataFrame:
    """Return test, statistic, df, p_value and scaling_factor of each test; see ``StructuralFit.model_tests``."""
    if isinstance(bollen_stine, bool) or not isinstance(bollen_stine, int) or bollen_stine < 0:
        do = "Give a whole number such as 1000, or 0"
        raise SpecError(message(f"bollen_stine={bollen_stine!r} is not a number of samples", do=do))
    own = fit.test
    rows = [("standard", own.statistic, float(own.df), np.nan)]
    if own.factor is not None:
        rows.append((fit.options.test, own.scaled, own.df_scaled, own.factor))
    if fit.engine in ("moments", "least squares") or _complete(fit):
        rows.append(("browne.residual.nt", residual_test(fit, any_distribution=False), float(own.df), np.nan))
        if all(g.rows is not None and g.n > _count(fit, b) for b, g in enumerate(fit.sample.groups, start=1)):
            rows.append(("browne.residual.adf", residual_test(fit, any_distribution=True), float(own.df), np.nan))
    names, statistics, dfs, factors = (list(part) for part in zip(*rows, strict=True))
    p = [float(chi2_upper(max(s, 0.0), df)) if df > 0 else np.nan for s, df in zip(statistics, dfs, strict=True)]
    if bollen_stine:
        chisq = drawn_tests(fit, bollen_stine, seed)
        names, statistics, dfs = [*names, "bollen.stine"], [*statistics, own.statistic], [*dfs, float(own.df)]
        p, factors = [*p, float((chisq >= own.statistic).mean()) if own.df > 0 else np.nan], [*factors, np.nan]
    columns = {"test": names, "statistic": statistics, "df": dfs, "p_value": p, "scaling_factor": factors}
    return pd.DataFrame(columns)


def _complete(fit: StructuralEstimates) -> bool:
    """Return whether a fit of raw data has complete, independent rows of one level."""
    options = fit.options
    return fit.engine == "rows" and options.missing == "listwise" and options.cluster is None


def _count(fit: StructuralEstimates, block: int) -> int:
    """Return how many moments of a group count."""
    return int(kept_moments(fit.table, block, fit.sample.groups[block - 1], fit.model.means).sum())


def residual_test(fit: StructuralEstimates, *, any_distribution: bool) -> float:
    """Return the residuals of the moments, free of what the parameters could still explain, in units of their spread.

    any_distribution : whether the spread is that of the rows as they are (ADF), or of normal ones with the covariances
        of the sample.
    """
    basis = fit.directions if fit.source is None else fit.source.mapping.basis
    unbiased = fit.options.likelihood == "wishart" or fit.options.point != "ML"
    total, pull = 0.0, np.zeros(basis.shape[1])
    inner = np.zeros((basis.shape[1], basis.shape[1]))
    pieces = zip(fit.sample.groups, fit.implied, fit.model.jacobian(fit.x), strict=True)
    for b, (group, model, slopes) in enumerate(pieces, start=1):
        kept = kept_moments(fit.table, b, group, fit.model.means)
        cov = group.cov * group.n / (group.n - 1) if unbiased else group.cov
        gap = np.concatenate([group.mean - model.mu, half_vector(cov - model.sigma)])[kept]
        n = group.n - 1 if unbiased else group.n
        weight = n * (np.linalg.inv(_gamma(fit, b, group, kept)) if any_distribution else normal_weights(cov, kept))
        D = slopes[kept] @ basis
        total += float(gap @ weight @ gap)
        pull += D.T @ weight @ gap
        inner += D.T @ weight @ D
    scale = 1.0 / np.sqrt(np.maximum(np.diag(inner), 1e-300))
    explained = np.linalg.lstsq(inner * np.outer(scale, scale), scale * pull, rcond=1e-12)[0]
    return total - float((scale * pull) @ explained)


def _gamma(fit: StructuralEstimates, block: int, group: GroupSample, kept: NDArray[np.bool_]) -> Floats:
    assert group.rows is not None
    whole = moment_covariance(group.rows, True, held_places(fit.table, block, group))
    return whole[np.ix_(kept, kept)]
