"""Tests of a model beside the likelihood-ratio test: of the residuals by Browne, and by the bootstrap of Bollen, Stine.

Browne (1984), Br J Math Stat Psychol 37, 62-83, equation 2.20; Bollen & Stine (1992), Sociol Methods Res 21, 205-229.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.numerics.distributions import chi2_upper
from alliancekit.structural.after.resampling import drawn_tests
from alliancekit.structural.continuous.asymptotic import model_moment_covariance, moment_covariance
from alliancekit.structural.continuous.counted import held_places, kept_moments
from alliancekit.structural.continuous.least_squares import normal_weights
from alliancekit.structural.duplication import half_vector
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.estimators import BROWNE
from alliancekit.structural.sample import GroupSample

Floats = NDArray[np.float64]
BESIDE = BROWNE[:2]
"""Tests of residuals that are shown of every fit that allows them."""
Row = tuple[str, float, float, float, float]
"""Test, statistic, df, p value, scaling factor."""


def model_tests(fit: StructuralEstimates, bollen_stine: int = 0, seed: int = 1) -> pd.DataFrame:
    """Return test, statistic, df, p_value and scaling_factor of each test; see ``StructuralFit.model_tests``."""
    if isinstance(bollen_stine, bool) or not isinstance(bollen_stine, int) or bollen_stine < 0:
        do = "Give a whole number such as 1000, or 0"
        raise SpecError(message(f"bollen_stine={bollen_stine!r} is not a number of samples", do=do))
    rows = requested(fit)
    known = {row[0] for row in rows}
    if fit.engine in ("moments", "least squares") or _complete(fit):
        rows += _residual_rows(fit, (word for word in BESIDE if word not in known and _allows(fit, word)))
    if bollen_stine:
        rows = [row for row in rows if row[0] != "bollen.stine"]
        rows.append(_bootstrap_row(fit, drawn_tests(fit, bollen_stine, seed)))
    return pd.DataFrame(rows, columns=["test", "statistic", "df", "p_value", "scaling_factor"])


def requested(fit: StructuralEstimates) -> list[Row]:
    """Return the standard test and those that ``test=`` asked for, scaled ones first; nothing for ``test="none"``."""
    if fit.options.test == "none":
        return []
    words, df = check_requested(fit), fit.test.df
    plain = np.nan if fit.options.point == "ULS" else _upper(fit.test.statistic, df)
    rows: list[Row] = [("standard", fit.test.statistic, float(df), plain, np.nan)]
    if fit.test.factor is not None:
        rows.append(_scaled_row(fit.scaled_by, fit.test))
    rows += [_scaled_row(word, test) for word, test in fit.more_tests.items()]
    rows += _residual_rows(fit, (word for word in words if word in BROWNE))
    return rows if fit.drawn_chisq is None else [*rows, _bootstrap_row(fit, fit.drawn_chisq)]


def check_requested(fit: StructuralEstimates) -> tuple[str, ...]:
    """Return the tests that were asked for.

    Raises
    ------
    SpecError : a test of residuals that the fit does not allow.
    """
    words = fit.options.words.tests
    for word in words:
        if word in BROWNE and not _allows(fit, word):
            what = f'test="{word}" is not for {_why(fit)}'
            raise SpecError(message(what, do="Leave this test out"))
    return words


def _upper(statistic: float, df: float) -> float:
    return float(chi2_upper(max(statistic, 0.0), df)) if df > 0 and np.isfinite(statistic) else float("nan")


def _scaled_row(word: str, test: ModelTest) -> Row:
    factor = float("nan") if test.factor is None else float(test.factor)
    return word, test.scaled, test.df_scaled, _upper(test.scaled, test.df_scaled), factor


def _bootstrap_row(fit: StructuralEstimates, drawn: Floats) -> Row:
    own = fit.test
    share = float((drawn > own.statistic).mean()) if own.df > 0 else float("nan")
    return "bollen.stine", own.statistic, float(own.df), share, float("nan")


def _residual_rows(fit: StructuralEstimates, words: Iterable[str]) -> list[Row]:
    out: list[Row] = []
    for word in words:
        statistic = residual_test(fit, any_distribution=".adf" in word, model=word.endswith("model"))
        out.append((word, statistic, float(fit.test.df), _upper(statistic, fit.test.df), float("nan")))
    return out


def _complete(fit: StructuralEstimates) -> bool:
    """Return whether a fit of raw data has complete, independent rows of one level."""
    options = fit.options
    return fit.engine == "rows" and options.missing == "listwise" and options.cluster is None


def _allows(fit: StructuralEstimates, word: str) -> bool:
    """Return whether a fit has what a test of residuals needs."""
    if fit.ordinal is not None:
        return word == "browne.residual.adf" and all(_full_rank(s.gamma) for s in fit.ordinal.statistics)
    if not (fit.engine in ("moments", "least squares") or _complete(fit)):
        return False
    groups = enumerate(fit.sample.groups, start=1)
    return ".nt" in word or all(g.rows is not None and g.n > _count(fit, b) for b, g in groups)


def _full_rank(gamma: Floats) -> bool:
    scale = np.sqrt(np.diag(gamma))
    values = np.linalg.eigvalsh(gamma / np.outer(scale, scale))
    return bool(values[0] > 1e-12 * values[-1])


def _why(fit: StructuralEstimates) -> str:
    """Return why a test of residuals is not allowed."""
    if fit.ordinal is not None:
        return "ordinal variables, or fewer rows than moments"
    return "covariances without rows, or fewer rows than moments"


def _count(fit: StructuralEstimates, block: int) -> int:
    """Return how many moments of a group count."""
    return int(kept_moments(fit.table, block, fit.sample.groups[block - 1], fit.model.means).sum())


def _ordinal_residual_test(fit: StructuralEstimates) -> float:
    """Return the same for thresholds and polychoric correlations, by their own covariances."""
    assert fit.ordinal is not None
    basis, parts = fit.directions, zip(fit.ordinal.targets, fit.ordinal.at, fit.ordinal.statistics, strict=True)
    D, pull = [], []
    for target, at, statistics in parts:
        gap, root = target.observed - at.vector, np.linalg.cholesky(statistics.gamma / (statistics.n - 1))
        D.append(np.linalg.solve(root, at.jacobian @ basis))
        pull.append(np.linalg.solve(root, gap))
    stretched = np.concatenate(pull)
    slopes = np.concatenate(D)
    slopes = slopes / np.sqrt(np.maximum((slopes**2).sum(axis=0), 1e-300))
    left = stretched - slopes @ np.linalg.lstsq(slopes, stretched, rcond=1e-10)[0]
    return float(left @ left)


def residual_test(fit: StructuralEstimates, *, any_distribution: bool, model: bool = False) -> float:
    """Return the residuals of the moments, free of what the parameters could still explain, in units of their spread.

    any_distribution : whether the spread is that of the rows as they are (ADF), or of normal ones. model : whether it
        is taken about the moments of the model, or of the sample.
    """
    if fit.ordinal is not None:
        return _ordinal_residual_test(fit)
    basis = fit.directions if fit.source is None else fit.source.mapping.basis
    unbiased = fit.options.likelihood == "wishart" or fit.options.point != "ML"
    total, pull = 0.0, np.zeros(basis.shape[1])
    inner = np.zeros((basis.shape[1], basis.shape[1]))
    pieces = zip(fit.sample.groups, fit.implied, fit.model.jacobian(fit.x), strict=True)
    for b, (group, implied, slopes) in enumerate(pieces, start=1):
        kept = kept_moments(fit.table, b, group, fit.model.means)
        cov = group.cov * group.n / (group.n - 1) if unbiased else group.cov
        gap = np.concatenate([group.mean - implied.mu, half_vector(cov - implied.sigma)])[kept]
        n = group.n - 1 if unbiased else group.n
        if any_distribution:
            weight = n * np.linalg.inv(_gamma(fit, b, group, model)[np.ix_(kept, kept)])
        else:
            weight = n * normal_weights(implied.sigma if model else cov, kept)
        D = slopes[kept] @ basis
        total += float(gap @ weight @ gap)
        pull += D.T @ weight @ gap
        inner += D.T @ weight @ D
    scale = 1.0 / np.sqrt(np.maximum(np.diag(inner), 1e-300))
    explained = np.linalg.lstsq(inner * np.outer(scale, scale), scale * pull, rcond=1e-12)[0]
    return total - float((scale * pull) @ explained)


def _gamma(fit: StructuralEstimates, block: int, group: GroupSample, model: bool) -> Floats:
    """Return the covariance of the moments of a group, about those of the model or of the sample."""
    assert group.rows is not None
    held = held_places(fit.table, block, group)
    if not model:
        return moment_covariance(group.rows, True, held)
    implied = fit.implied[block - 1]
    return model_moment_covariance(group.rows, implied.mu if fit.model.means else group.mean, implied.sigma, held)
