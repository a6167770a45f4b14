"""Fit measures by lavaan's names and definitions.

Sources: Bentler (1990), Psychol Bull 107, 238-246; Tucker & Lewis (1973), Psychometrika 38, 1-10; Steiger (1990),
Multivariate Behav Res 25, 173-180; Browne & Cudeck (1992), Sociol Methods Res 21, 230-258; Brosseau-Liard, Savalei & Li
(2012), Multivariate Behav Res 47, 904-930 (robust forms).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.structural.continuous.counted import kept_moments
from alliancekit.structural.duplication import half_vector, triangle
from alliancekit.structural.estimates import ModelTest, StructuralEstimates
from alliancekit.structural.likelihood.contract import Block as Moments

if TYPE_CHECKING:
    from scipy import special

    from alliancekit.structural.after import ordinal_measures
    from alliancekit.structural.continuous.missing import saturated as missing
    from alliancekit.structural.continuous.missing.estimate import IncompleteFit
else:
    special = Later("scipy.special")
    ordinal_measures = Later("alliancekit.structural.after.ordinal_measures")
    missing = Later("alliancekit.structural.continuous.missing.saturated")

Floats = NDArray[np.float64]
CLOSE, NOT_CLOSE, LEVEL = 0.05, 0.08, 0.90
UNTESTED: tuple[str, ...] = ("npar", "fmin", "df", "logl", "unrestricted", "aic", "bic", "ntotal")
UNTESTED += ("rmr", "srmr", "crmr", "gfi", "agfi", "pgfi")
"""How the names of measures begin that need no test of the model."""


def fit_measures(fit: StructuralEstimates) -> pd.Series:
    """Return every fit measure as a series; see ``StructuralFit.fit_measures``."""
    out: dict[str, float] = {"npar": fit.n_parameters, "fmin": fit.fmin}
    test, base, n, groups = fit.test, fit.baseline, fit.sample.n, len(fit.sample.groups)
    plain = fit.options.point == "ULS"  # unscaled, it is no chi-square
    out |= {"chisq": test.statistic, "df": test.df}
    out["pvalue"] = np.nan if plain else _upper(test.statistic, test.df)
    scaled = test.factor is not None
    if scaled:
        out |= {"chisq_scaled": test.scaled, "df_scaled": test.df_scaled}
        out["pvalue_scaled"] = _upper(test.scaled, test.df_scaled)
        out["chisq_scaling_factor"] = float(test.factor or np.nan)
    out |= {"baseline_chisq": base.statistic, "baseline_df": base.df}
    out["baseline_pvalue"] = np.nan if plain else _upper(base.statistic, base.df)
    if scaled:
        out |= {"baseline_chisq_scaled": base.scaled, "baseline_df_scaled": base.df_scaled}
        out["baseline_pvalue_scaled"] = _upper(base.scaled, base.df_scaled)
        out["baseline_chisq_scaling_factor"] = float(base.factor or np.nan)
    out |= _incremental(test.statistic, test.df, base.statistic, base.df, "")
    if scaled:
        out |= _incremental(test.scaled, test.df_scaled, base.scaled, base.df_scaled, "_scaled")
    out |= _likelihood(fit, n)
    unbiased = fit.options.likelihood == "wishart" or fit.options.point != "ML"
    total = n - groups if unbiased else n
    out |= _rmsea(test.statistic, test.df, total, groups, "", 1.0)
    if scaled:
        shifted = fit.options.test == "scaled.shifted"
        trace = test.df_scaled * float(test.factor or np.nan) if test.df > 0 else 0.0
        of_scaled = (test.scaled, float(test.df)) if shifted else (test.statistic, trace)
        out |= _rmsea(*of_scaled, total, groups, "_scaled", 1.0)
    pair = _robust_pair(fit)
    if pair is not None:
        out |= _robust_incremental(*pair)
        out |= _rmsea(pair[0].scaled, test.df, total, groups, "_robust", float(pair[0].factor or np.nan))
    if fit.ordinal is not None:
        out |= ordinal_measures.residual_measures(fit)
    elif fit.table.n_levels == 1:
        out |= _residual_measures(fit)
    elif fit.by_levels is not None:
        within, between = fit.by_levels.srmr()
        out |= {"srmr": within + between, "srmr_within": within, "srmr_between": between}
    out |= _others(fit, n, total)
    if fit.options.test == "none":
        out = {name: value if name.startswith(UNTESTED) else np.nan for name, value in out.items()}
    return pd.Series(out, dtype=float, name="fit")


def _upper(statistic: float, df: float) -> float:
    return float(special.chdtrc(df, max(statistic, 0.0))) if df > 0 else float("nan")


def _incremental(x: float, df: float, x0: float, df0: float, end: str) -> dict[str, float]:
    """CFI and its relatives from chi-square of the model and of independence."""
    if df0 == 0:
        return {}
    gain, gain0 = x - df, x0 - df0
    tli = 1.0 - gain / df * df0 / gain0 if df > 0 else 1.0
    worst = max(gain, gain0, 0.0)
    cfi = 1.0 - max(gain, 0.0) / worst if worst > 0 else 1.0
    gained = (x0 - x) / x0 if x0 > 0 else float("nan")
    nfi = gained if 0 < df <= df0 else 1.0 if df == 0 else float("nan")
    rfi = _relative(x, df, x0, df0)
    return {
        f"cfi{end}": cfi,
        f"tli{end}": tli,
        f"nnfi{end}": tli,
        f"rfi{end}": rfi,
        f"nfi{end}": nfi,
        f"pnfi{end}": df / df0 * gained,
        f"ifi{end}": (x0 - x) / (x0 - df),
        f"rni{end}": 1.0 - gain / gain0 if df > 0 else 1.0,
    }


def _relative(x: float, df: float, x0: float, df0: float) -> float:
    """Return RFI: one less the ratio of chi-square to df of the model over that of independence."""
    if df == 0:
        return 1.0
    if df > df0:
        return float("nan")
    gain = x0 / df0 - x / df
    return 1.0 if gain < 0 else gain / (x0 / df0)


def _robust_pair(fit: StructuralEstimates) -> tuple[ModelTest, ModelTest] | None:
    """Return the tests of model and baseline behind the robust forms; with missing values freed from these."""
    if fit.ordinal is not None:
        return ordinal_measures.robust_pair(fit)
    if fit.by_rows is not None and fit.options.missing != "listwise":
        own, base = (ModelTest(c.statistic, c.df, c.factor if c.df > 0 else 1.0) for c in fit.by_rows.corrected())
        return own, base
    return None if fit.test.factor is None else (fit.test, fit.baseline)


def _robust_incremental(test: ModelTest, base: ModelTest) -> dict[str, float]:
    c, c0 = float(test.factor or np.nan), float(base.factor or np.nan)
    if test.df == 0:
        return dict.fromkeys(("cfi_robust", "tli_robust", "nnfi_robust", "rni_robust"), 1.0)
    if not (c > 0 and c0 > 0) or base.scaled == base.df:
        return dict.fromkeys(("cfi_robust", "tli_robust", "nnfi_robust", "rni_robust"), float("nan"))
    gain, gain0 = test.scaled - test.df, base.scaled - base.df
    if min(abs(c - 1.0), abs(c0 - 1.0)) < 1e-10:  # one of the two is not scaled: the plain measures, as in lavaan
        c = c0 = 1.0
        gain, gain0 = test.statistic - test.df, base.statistic - base.df
    top, bottom = max(c * gain, 0.0), max(c * gain, c0 * gain0, 0.0)
    cfi = 1.0 - top / bottom if bottom > 0 else 1.0
    tli = 1.0 - (c * gain * base.df) / (c0 * gain0 * test.df) if test.df > 0 else 1.0
    rni = 1.0 - c * gain / (c0 * gain0)
    return {"cfi_robust": cfi, "tli_robust": tli, "nnfi_robust": tli, "rni_robust": rni}


def _likelihood(fit: StructuralEstimates, n: int) -> dict[str, float]:
    """Log-likelihoods and information criteria."""
    k, ll = fit.n_parameters, fit.log_likelihood
    if fit.options.point != "ML":
        return {"ntotal": float(n)}
    out = {
        "logl": ll,
        "unrestricted_logl": fit.log_likelihood_saturated,
        "aic": -2 * ll + 2 * k,
        "bic": -2 * ll + k * np.log(n),
        "ntotal": float(n),
        "bic2": -2 * ll + k * np.log((n + 2) / 24),
    }
    if fit.factors is not None:
        out |= {"scaling_factor_h1": fit.factors[0], "scaling_factor_h0": fit.factors[1]}
    return out


def _rmsea(x: float, df: float, n: int, groups: int, end: str, factor: float) -> dict[str, float]:
    """RMSEA with limits and tests of close and of not close fit; ``factor`` is the scaling of the robust form."""
    names = [f"rmsea{end}", f"rmsea_ci_lower{end}", f"rmsea_ci_upper{end}", f"rmsea_pvalue{end}"]
    names.append(f"rmsea_notclose_pvalue{end}")
    if df == 0:
        return dict(zip(names, [0.0, 0.0, 0.0, np.nan, np.nan], strict=True))
    if not factor > 0:  # no scaling, or one that turns chi-square round
        return dict.fromkeys(names, np.nan)
    unit = groups * factor / (n * df)
    point = np.sqrt(max((x - df) * unit, 0.0))
    upper = _noncentrality(x, df, (1 - LEVEL) / 2) if x > 0 else 0.0
    lower = _noncentrality(x, df, 1 - (1 - LEVEL) / 2)
    p_close = 1.0 - _noncentral(x, df, CLOSE**2 / unit)
    p_far = _noncentral(x, df, NOT_CLOSE**2 / unit)
    return dict(zip(names, [point, np.sqrt(lower * unit), np.sqrt(upper * unit), p_close, p_far], strict=True))


def _noncentral(x: float, df: float, delta: float) -> float:
    return float(special.chndtr(x, df, delta))


def _noncentrality(x: float, df: float, probability: float) -> float:
    """Return the noncentrality for which chi-square is below ``x`` with this probability; 0 where there is none."""
    if special.chdtr(df, x) < probability:
        return 0.0
    return float(max(special.chndtrinc(x, df, probability), 0.0))


def _residual_measures(fit: StructuralEstimates) -> dict[str, float]:
    """RMR, SRMR and CRMR, averaged over groups by their rows, with and without means."""
    means = fit.model.means
    shares = np.array([g.n for g in fit.sample.groups], dtype=float)
    shares /= shares.sum()
    rows: list[dict[str, float]] = [
        _of_block(sample, model, means) for sample, model in zip(fit.saturated, fit.implied, strict=True)
    ]
    return {name: float(sum(w * row[name] for w, row in zip(shares, rows, strict=True))) for name in rows[0]}


def _of_block(sample: Moments, model: Moments, means: bool) -> dict[str, float]:
    p = len(sample.mu)
    i, j = triangle(p)
    s, m = np.sqrt(np.diag(sample.sigma)), np.sqrt(np.diag(model.sigma))
    raw = (sample.sigma - model.sigma)[i, j]
    bentler = raw / (s[i] * s[j])
    bollen = (sample.sigma / np.outer(s, s) - model.sigma / np.outer(m, m))[i, j]
    mplus = bollen.copy()
    own = i == j
    mplus[own] = (s**2 - m**2) / s**2
    gap = sample.mu - model.mu if means else np.zeros(0)
    of_mean = {"raw": gap, "bentler": gap / s if means else gap}
    of_mean["mplus"] = sample.mu / s - model.mu / m if means else gap
    count, extra = p * (p + 1) / 2, p if means else 0
    off = p * (p - 1) / 2

    def root(values: Floats, mean: Sequence[float] | Floats, size: float) -> float:
        return float(np.sqrt((np.sum(values**2) + np.sum(np.asarray(mean) ** 2)) / size)) if size else float("nan")

    out = {
        "rmr": root(raw, of_mean["raw"], count + extra),
        "rmr_nomean": root(raw, [], count),
        "srmr": root(bentler, of_mean["bentler"], count + extra),
    }
    out |= {"srmr_bentler": out["srmr"], "srmr_bentler_nomean": root(bentler, [], count)}
    out |= {"crmr": root(bollen, of_mean["bentler"], off + extra), "crmr_nomean": root(bollen, [], off)}
    out |= {"srmr_mplus": root(mplus, of_mean["mplus"], count + extra), "srmr_mplus_nomean": root(mplus, [], count)}
    return out


def _others(fit: StructuralEstimates, n: int, total: int) -> dict[str, float]:
    """Hoelter's critical n, goodness-of-fit indices, McDonald's index and ECVI."""
    x, df = fit.test.statistic, fit.test.df
    out: dict[str, float] = {}
    if df > 0 and fit.table.n_levels == 1:
        for name, alpha in (("cn_05", 0.05), ("cn_01", 0.01)):
            out[name] = float(special.chdtri(df, alpha)) / (x / total) + 1 if x > 0 else float("inf")
    if fit.ordinal is not None:
        return out | {"mfi": float(np.exp(-0.5 * (x - df) / total))} | ordinal_measures.other_measures(fit)
    if fit.table.n_levels == 1:
        gfi = _gfi(fit)
        p = [len(g.names) for g in fit.sample.groups]
        points = sum(k * (k + 1) // 2 + (k if fit.model.means else 0) for k in p)
        out |= {"gfi": gfi, "agfi": 1 - points / df * (1 - gfi) if df > 0 else 1.0, "pgfi": df / points * gfi}
        out["mfi"] = float(np.exp(-0.5 * (x - df) / total))
    if fit.table.n_levels == 1:
        out["ecvi"] = x / total + 2 * fit.n_parameters / total
    return out


def _gfi(fit: StructuralEstimates) -> float:
    """Goodness of fit: the share of the weighted sum of squares of the moments that the model explains."""
    if fit.by_rows is not None:
        return _gfi_by_information(fit.by_rows)
    total, at = 0.0, 0
    blocks = zip(fit.sample.groups, fit.saturated, fit.implied, strict=True)
    for b, (group, sample, model) in enumerate(blocks, start=1):
        kept = kept_moments(fit.table, b, group, fit.model.means)
        size = int(kept.sum())
        own = slice(at, at + size)
        at += size
        if fit.stacked is None:
            P = np.asarray(np.linalg.inv(model.sigma))
            gap = _normal_square(P, sample.mu - model.mu, sample.sigma - model.sigma, kept)
            whole = _normal_square(P, sample.mu, sample.sigma, kept)
        else:
            weight = fit.stacked.weight[own, own]
            observed, implied = (np.concatenate([m.mu, half_vector(m.sigma)])[kept] for m in (sample, model))
            gap = float((observed - implied) @ weight @ (observed - implied))
            whole = float(observed @ weight @ observed)
        total += group.n * (1.0 - gap / whole if whole > 0 else np.nan)  # where no moment is modelled
    return total / fit.sample.n


def _normal_square(P: Floats, mean: Floats, cov: Floats, kept: NDArray[np.bool_]) -> float:
    """Return the square of the moments that count, weighted by the information of normal rows with precision P."""
    p = len(P)
    i, j = triangle(p)
    A = np.zeros((p, p))
    A[i, j] = A[j, i] = np.where(kept[p:], cov[i, j], 0.0)
    m = np.where(kept[:p], mean, 0.0)
    PA = P @ A
    return float(m @ P @ m + np.sum(PA * PA.T) / 2)


def _gfi_by_information(source: IncompleteFit) -> float:
    """Goodness of fit with the expected information of the rows as weights; moments held fixed have none.

    As in lavaan the moments to explain are those of the available pairs, not the saturated ones.
    """
    total = 0.0
    weights = source.data.information("expected", source.solution.implied)
    for g, weight in enumerate(weights):
        free = source.saturated.counted[g]
        model = source.solution.implied[g]
        saturated, implied = (
            np.concatenate([mean, half_vector(cov)])[free]
            for mean, cov in (missing.pairwise_moments(source.data.groups[g]), (model.mu, model.sigma))
        )
        own, gap = weight[np.ix_(free, free)], saturated - implied
        share = 1.0 - float(gap @ own @ gap) / float(saturated @ own @ saturated)
        total += source.data.units[g] * share
    return total / source.data.n
