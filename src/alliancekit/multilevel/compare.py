"""Likelihood-ratio tests of nested mixed models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.multilevel.after.simulated_lrt import bootstrap_p
from alliancekit.multilevel.api import MixedFit, check_fit
from alliancekit.numerics.distributions import chi2_upper


@dataclass(frozen=True, eq=False)
class Comparison:
    """Likelihood-ratio tests of models in order of size, each against the one before.

    Attributes
    ----------
    fits : the models as tested (by ML where fixed effects differ). notes : what was done to the fits handed in.
    """

    frame: pd.DataFrame
    fits: tuple[MixedFit, ...]
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per model: model, npar, aic, bic, log_likelihood, deviance, chisq, df, p_value."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: number of models, rows, the last test."""
        last = self.frame.iloc[-1]
        row = {
            "models": len(self.frame),
            "nobs": self.fits[0].nobs,
            "chisq": last["chisq"],
            "df": last["df"],
            "p_value": last["p_value"],
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        return "\n".join([self.frame.to_string(index=False), *self.notes])


def compare(
    *fits: MixedFit,
    method: str = "standard",
    names: list[str] | None = None,
    n: int = 1000,
    seed: int = 1,
    executor: str = "serial",
    workers: int = 2,
) -> Comparison:
    """Compare nested mixed models by likelihood-ratio tests.

    Parameters
    ----------
    *fits : two or more fits of ``ak.mixed`` on the same rows. They are put in order of their number of parameters.
    method : "standard" (chi-square distribution) or "bootstrap" (distribution simulated from the smaller model).
    names : a label per fit, in the order handed in; default: the formulas.
    n, seed, executor, workers : replicates of each test, root seed, "serial" or "joblib" and its processes; for
        "bootstrap" only.

    Returns
    -------
    Comparison. Fits by REML are fitted again by ML, and ``notes`` says so.

    Raises
    ------
    SpecError : fewer than two fits, different rows or outcomes.

    Notes
    -----
    chi-square = twice the difference of log-likelihoods. Where a variance is tested its null value lies on the
    boundary:
    the p value is then too large (up to twice), and a note says so (Self & Liang 1987, JASA 82, 605-610).
    The bootstrap's p value, (1 + replicates that reach the statistic) / (1 + n), is right there, and with few clusters,
    too (Halekoh & Hojsgaard 2014, J Stat Softw 59(9), section 5).

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(2)
    >>> g, x = np.repeat(np.arange(30), 6), rng.normal(size=180)
    >>> d = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=30)[g] + rng.normal(size=180)})
    >>> ak.compare(ak.mixed("y ~ 1 + (1 | g)", d), ak.mixed("y ~ x + (1 | g)", d)).tidy()["df"].tolist()
    [nan, 1.0]

    Checked against
    ---------------
    ``anova()`` of lme4 1.1-31 (tests/reference/mlm, lrt_ML); ``PBmodcomp`` of pbkrtest 0.5.2 and exact F tests
    (tests/unit/multilevel/test_bootstrap.py).

    When not to use
    ---------------
    Models that are not nested: compare AIC instead. Few clusters: the chi-square is liberal; use the F tests of
    ``fit.test``, or the bootstrap.
    """
    check_option("method", method, ("standard", "bootstrap"))
    if len(fits) < 2:
        raise SpecError(message("a comparison needs at least two fits", do="Call ak.compare(fit0, fit1)"))
    for fit in fits:
        check_fit(fit)
    labels = list(names) if names is not None else [f.formula for f in fits]
    if len(labels) != len(fits):
        raise SpecError(message(f"{len(labels)} names for {len(fits)} fits", do="Give one name per fit"))
    _check_same_rows(fits)
    notes: list[str] = []
    used = tuple(f.with_method("ML") for f in fits)
    again = sum(f.method == "REML" for f in fits)
    if again:
        notes.append(
            f"{again} of {len(fits)} models had been fitted by REML and were fitted again by ML for the tests."
        )
    order = sorted(range(len(used)), key=lambda i: used[i].n_parameters)
    rows = []
    for position, i in enumerate(order):
        fit = used[i]
        row = {
            "model": labels[i],
            "npar": fit.n_parameters,
            "aic": float(fit.glance()["aic"].iloc[0]),
            "bic": float(fit.glance()["bic"].iloc[0]),
            "log_likelihood": fit.log_likelihood,
            "deviance": -2 * fit.log_likelihood,
            "chisq": np.nan,
            "df": np.nan,
            "p_value": np.nan,
        }
        if position:
            before = used[order[position - 1]]
            df = fit.n_parameters - before.n_parameters
            chisq = max(2 * (fit.log_likelihood - before.log_likelihood), 0.0)
            row.update(chisq=chisq, df=float(df), p_value=float(chi2_upper(chisq, df)) if df else np.nan)
            if method == "bootstrap" and df:
                p, count = bootstrap_p(before._fit, fit._fit, n, seed, executor, workers)
                row["p_value"] = p
                notes.append(f"'{labels[i]}': p value by a parametric bootstrap of {count} outcomes.")
            elif len(fit.theta) != len(before.theta):
                notes.append(
                    f"'{labels[i]}' adds a variance parameter: its null value lies on the boundary, so that the p "
                    f"value is too large."
                )
            if not set(before.design.names) <= set(fit.design.names):
                notes.append(f"'{labels[order[position - 1]]}' is not nested in '{labels[i]}': read AIC, not the test.")
        rows.append(row)
    return Comparison(pd.DataFrame(rows), tuple(used[i] for i in order), tuple(notes))


def _check_same_rows(fits: tuple[MixedFit, ...]) -> None:
    first = fits[0]
    for fit in fits[1:]:
        if fit.nobs != first.nobs:
            raise SpecError(
                message(
                    f"the models were fitted to different rows ({first.nobs} and {fit.nobs})",
                    do="Fit the largest model first and the others to its rows: ak.mixed(formula, largest.data)",
                )
            )
        if not np.array_equal(np.asarray(fit.design.y), np.asarray(first.design.y)):
            raise SpecError(
                message(
                    "the models have different outcomes",
                    where=f"{first.formula}; {fit.formula}",
                    do="Compare models of the same outcome on the same rows",
                )
            )
