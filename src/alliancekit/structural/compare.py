"""``ak.compare``: tests of nested models, mixed or structural."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import DesignWarning, SpecError, check_option, message
from alliancekit.core.frames import wide
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.compare import Comparison
from alliancekit.multilevel.compare import compare as compare_mixed
from alliancekit.structural.after.differences import METHODS, Difference, difference
from alliancekit.structural.result.fit import StructuralFit

NOT_NESTED = (
    "has more df and yet fits better than the model before: they are not nested, or one search did not reach its "
    "optimum"
)
ABSURD = 'the scaled difference is not to be read; use method="satorra.2000"'
SMALL = 0.1
"""Share of both models' scaling factors below which that of their difference makes the statistic absurd."""
REACHED = 1e-3
"""By how much chi-square may be above its minimum where a search has ended."""


@dataclass(frozen=True, eq=False)
class StructuralComparison:
    """Difference tests of structural models in order of df, each against the one before (which has fewer df).

    Attributes
    ----------
    fits, names : the models in that order. method : of the test. notes : what to know about it.
    """

    frame: pd.DataFrame
    fits: tuple[StructuralFit, ...]
    names: tuple[str, ...]
    method: str
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per model: model, npar, df, aic, bic, chisq, cfi, chisq_diff, rmsea_d, df_diff, p_value."""
        return wide(self.frame)

    def glance(self) -> pd.DataFrame:
        """Return one row: number of models, rows, the last test."""
        last = self.frame.iloc[-1]
        row = {"models": len(self.frame), "nobs": self.fits[0].nobs, "method": self.method}
        row |= {name: last[name] for name in ("chisq_diff", "df_diff", "p_value")}
        return wide(pd.DataFrame([row]))

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(index=False), *self.notes])


def compare(
    *fits: Any,
    method: str | None = None,
    names: Sequence[str] | None = None,
    criterion: str = "ML",
    n: int = 1000,
    seed: int = 1,
    executor: str = "serial",
    workers: int = 2,
) -> Comparison | StructuralComparison:
    """Compare nested models: likelihood-ratio tests of mixed models, chi-square difference tests of structural ones.

    Parameters
    ----------
    *fits : two or more fits of ``ak.mixed``, or of ``ak.cfa``, ``ak.sem`` and ``ak.growth``, of the same data. They are
        put in order of size.
    method : mixed models: "standard" (default) or "bootstrap". Structural models: "standard", "satorra.bentler.2001",
        "satorra.bentler.2010" or "satorra.2000"; None takes "standard", or, where the models have scaled tests, that
        of 2001 (of 2000 where the tests are scaled to mean and variance).
    names : a label per fit, in the order handed in. Default: formulas; "model 1", "model 2" ... of structural models.
    criterion : mixed models: "ML" (default) fits models by REML again by ML, and ``notes`` says so; "REML" compares
        restricted likelihoods, which needs equal fixed effects.
    n, seed, executor, workers : mixed models, "bootstrap": replicates of each test, root seed, "serial" or "joblib" and
        its processes.

    Returns
    -------
    Comparison (mixed models): ``p_value`` is that of the chi-square distribution. Where the larger model has one more
    random effect, or a dispersion (negative binomial against Poisson, beta-binomial against binomial), or extra zeros,
    ``p_mixture`` is the p value to read; with two or more of these it is missing, because the mixture is not known.
    Where the distributions are not nested (another link, "linear" against "quadratic") there is no p value.
    StructuralComparison: npar, df, aic, bic, chisq, cfi, chisq_diff, rmsea_d (RMSEA of the restrictions, not the
    change of RMSEA, which is in the table), df_diff, p_value; the model with the fewest df first.

    Raises
    ------
    SpecError : fewer than two fits, fits of both kinds, different rows or outcomes, "REML" with different fixed
        effects, different numbers of quadrature nodes, an unknown method, scaled methods without scaled tests, models
        that are not nested where the method can tell. FitError : "satorra.bentler.2010" where the larger model cannot
        have the moments of the smaller one, or has more factors than these need.

    Warns
    -----
    DesignWarning : of structural models, one with more df fits better than the one before: they are not nested, or one
    search did not reach its optimum, and there is no p value; or the scaling factor of "satorra.bentler.2001" or
    "satorra.bentler.2010" is negative (no statistic), or under a tenth of both models' own (an absurd statistic).

    Notes
    -----
    Mixed models: twice the difference of log-likelihoods. A variance of zero lies on the boundary, so that the plain p
    value of its test is up to twice too large. With one more random effect, and its covariances with those that were
    there, the null distribution is an equal mixture of chi-squares with df - 1 and df degrees of freedom (Self & Liang
    1987, J Am Stat Assoc 82, 605-610; Stram & Lee 1994, Biometrics 50, 1171-1177). So it is with one dispersion or one
    probability of extra zeros, of which the smaller model has none: Lawless (1987, Can J Stat 15, 209-225, section 3)
    for the negative binomial, Self & Liang's case 5 for all three. The bootstrap's p value, (1 + replicates that reach
    the statistic) / (1 + n), is right there and with few clusters, too (Halekoh & Hojsgaard 2014, J Stat Softw 59(9),
    section 5); no mixture is then given.
    Structural models: the difference of two scaled statistics is not chi-square; it is scaled anew (Satorra & Bentler
    2001, Psychometrika 66, 507-514). The form of 2010 cannot become negative; that of 2000 adjusts mean and variance.
    That of 2010 takes the larger model at the moments of the smaller one; rotated factors are taken before their
    rotation, which moves no moment. With observed information (``estimator="MLR"``) it depends on how the larger model
    is written, as in lavaan.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(2)
    >>> g, x = np.repeat(np.arange(30), 6), rng.normal(size=180)
    >>> d = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=30)[g] + rng.normal(size=180)})
    >>> ak.compare(ak.mixed("y ~ 1 + (1 | g)", d), ak.mixed("y ~ x + (1 | g)", d)).tidy()["df"].tolist()
    [nan, 1.0]
    >>> d = pd.DataFrame(rng.normal(size=(300, 1)) + rng.normal(size=(300, 4)), columns=list("abcd"))
    >>> free, equal = ak.cfa("f =~ a + b + c + d", d), ak.cfa("f =~ a + x*b + x*c + x*d", d)
    >>> ak.compare(free, equal).tidy()["df_diff"].tolist()
    [nan, 2.0]

    Checked against
    ---------------
    ``anova()`` of lme4 1.1-31, by ML and by REML (tests/reference/mlm: lrt_ML, ranova); the mixture: its size under a
    true null hypothesis; ``PBmodcomp`` of pbkrtest 0.5.2 and exact F tests.
    ``lavTestLRT`` of lavaan 0.6-14 (tests/reference/sem: lrt; sem_efa/differences.json).

    When not to use
    ---------------
    Models that are not nested: compare AIC instead. Few clusters: the chi-square is liberal; use the F tests of
    ``fit.test``, or the bootstrap. Large samples: a trivial restriction is significant; look at the change of fit.
    """
    structural = [isinstance(fit, StructuralFit) for fit in fits]
    if not any(structural):
        for fit in fits:
            if not isinstance(fit, MixedFit):
                what = f"a {type(fit).__name__} is not a fitted model"
                raise SpecError(message(what, do="Hand over fits of ak.mixed, or of ak.cfa, ak.sem or ak.growth"))
        labels = None if names is None else list(names)
        return compare_mixed(
            *fits,
            method=method or "standard",
            names=labels,
            criterion=criterion,
            n=n,
            seed=seed,
            executor=executor,
            workers=workers,
        )
    if not all(structural):
        raise SpecError(message("mixed and structural models cannot be compared", do="Compare fits of one kind"))
    if len(fits) < 2:
        raise SpecError(message("a comparison needs at least two fits", do="Call ak.compare(fit0, fit1)"))
    return compare_structural(fits, method, names)


def compare_structural(
    fits: Sequence[StructuralFit], method: str | None, names: Sequence[str] | None
) -> StructuralComparison:
    """Return difference tests of structural models; see ``compare``."""
    labels = [f"model {i + 1}" for i in range(len(fits))] if names is None else [str(name) for name in names]
    if len(labels) != len(fits):
        raise SpecError(message(f"{len(labels)} names for {len(fits)} fits", do="Give one name per fit"))
    _check_same_data(fits)
    chosen = _method(fits, method)
    order = sorted(range(len(fits)), key=lambda i: fits[i]._fit.test.df)
    rows: list[dict[str, Any]] = []
    absurd: list[str] = []
    for position, i in enumerate(order):
        found = _difference(fits[order[position - 1]], fits[i], chosen) if position else None
        rows.append(_row(labels[i], fits[i], found))
        if found is not None and chosen.startswith("satorra.bentler"):
            absurd += _factor_notes(labels[i], (fits[order[position - 1]], fits[i]), found)
    ordered = tuple(fits[i] for i in order)
    notes = (*_notes(ordered, chosen, rows), *absurd)
    for note in (note for note in notes if NOT_NESTED in note or ABSURD in note):
        warnings.warn(note, DesignWarning, stacklevel=3)
    return StructuralComparison(pd.DataFrame(rows), ordered, tuple(labels[i] for i in order), chosen, notes)


def _difference(larger: StructuralFit, smaller: StructuralFit, method: str) -> Difference:
    """Return the difference test; without p value where the smaller model fits better than the larger."""
    found = difference(larger._fit, smaller._fit, method)
    plain = smaller._fit.test.statistic - larger._fit.test.statistic
    return replace(found, p_value=float("nan")) if found.df > 0 and plain < -REACHED else found


def _method(fits: Sequence[StructuralFit], method: str | None) -> str:
    """Return the method, by default what suits the tests of the models."""
    scaled = [fit._fit.test.factor is not None for fit in fits if fit._fit.test.df > 0]
    if any(scaled) and not all(scaled):
        raise SpecError(message("some models have scaled tests and some do not", do="Fit all with the same estimator"))
    if method is None:
        shifted = any(fit._fit.options.test in ("mean.var.adjusted", "scaled.shifted") for fit in fits)
        return "standard" if not any(scaled) else "satorra.2000" if shifted else "satorra.bentler.2001"
    check_option("method", method, METHODS)
    if method != "standard" and not any(scaled):
        what = f"method='{method}' is for models with scaled tests"
        raise SpecError(message(what, do='Fit with estimator="MLR", or leave method= out'))
    return method


def _row(label: str, fit: StructuralFit, found: Difference | None) -> dict[str, Any]:
    m = fit.fit_measures()
    row: dict[str, Any] = {"model": label, "npar": fit.n_parameters, "df": int(m["df"])}
    row |= {"aic": m.get("aic", np.nan), "bic": m.get("bic", np.nan), "chisq": m["chisq"]}
    row["cfi"] = m.get("cfi", np.nan)
    row |= {"chisq_diff": np.nan, "rmsea_d": np.nan, "df_diff": np.nan, "p_value": np.nan}
    if found is not None:
        row |= {"chisq_diff": found.statistic, "df_diff": float(found.df), "p_value": found.p_value}
        groups = len(fit._fit.sample.groups)
        n = fit.nobs - (groups if fit._fit.options.likelihood == "wishart" else 0)
        if found.df > 0 and np.isfinite(found.p_value):
            row["rmsea_d"] = float(np.sqrt(max(found.statistic / n / found.df - 1 / n, 0.0) * groups))
    return row


def _notes(fits: Sequence[StructuralFit], method: str, rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    notes = []
    for fit, row in zip(fits, rows, strict=True):
        if not fit.converged:
            notes.append(f"The search of '{row['model']}' did not end at an optimum: its tests are not to be used.")
    if method != "standard":
        title = {"satorra.2000": "Satorra (2000)", "satorra.bentler.2001": "Satorra and Bentler (2001)"}
        notes.append(f"Scaled difference by {title.get(method, 'Satorra and Bentler (2010)')}; chisq is not scaled.")
    elif any(fit._fit.test.factor is not None for fit in fits):
        notes.append("The models have scaled tests; the plain difference that is shown here ignores it.")
    for row in rows:
        if row["df_diff"] == 0:
            notes.append(f"'{row['model']}' has as many df as the model before: they are not nested; read AIC and BIC.")
        elif row["chisq_diff"] < 0 and np.isnan(row["p_value"]):
            notes.append(f"'{row['model']}' {NOT_NESTED}; read AIC and BIC, or fit again from other starts.")
    return tuple(notes)


def _factor_notes(label: str, pair: tuple[StructuralFit, StructuralFit], found: Difference) -> list[str]:
    """Return a note where the scaling factor of a difference is negative, or near zero beside those of both models."""
    if found.df == 0:
        return []
    lead = f"'{label}': the scaling factor of the difference"
    if np.isnan(found.factor):
        return [f"{lead} is negative: {ABSURD}."]
    own = [fit._fit.test.factor for fit in pair if fit._fit.test.df > 0]
    least = min((factor for factor in own if factor is not None), default=0.0)
    if found.factor >= SMALL * least:
        return []
    return [f"{lead} is {found.factor:.3g}, of the models {least:.3g} or more: {ABSURD}."]


def _check_same_data(fits: Sequence[StructuralFit]) -> None:
    first = fits[0]._fit
    for fit in fits[1:]:
        other = fit._fit
        if first.options.estimator != other.options.estimator:
            both = f"{first.options.estimator} and {other.options.estimator}"
            what = f"the models were fitted by different estimators ({both})"
            raise SpecError(message(what, do="Fit all with the same estimator"))
        if first.model.means != other.model.means:
            raise SpecError(message("only some of the models have means", do="Fit all with meanstructure=True"))
        pairs = zip(first.sample.groups, other.sample.groups, strict=False)
        same = len(first.sample.groups) == len(other.sample.groups) and all(
            a.n == b.n and set(a.names) == set(b.names) for a, b in pairs
        )
        if not same:
            what = "the models were fitted to different rows or variables"
            raise SpecError(message(what, do="Fit all models to the same rows of the same variables"))
