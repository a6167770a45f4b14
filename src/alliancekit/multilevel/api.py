"""``ak.mixed`` and the class of its fits. Methods only hand over to the files of ``gaussian/`` and ``after/``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import (
    BoundaryWarning,
    ConvergenceWarning,
    DesignError,
    SpecError,
    check_option,
    message,
)
from alliancekit.core.frames import rows
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.design import Design, build_design
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import components as after_components
from alliancekit.multilevel.after import likelihood as after_likelihood
from alliancekit.multilevel.after import predict as after_predict
from alliancekit.multilevel.after import rcall, text
from alliancekit.multilevel.gaussian import fit as gaussian
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, variance_uncertainty
from alliancekit.multilevel.notices import boundary_text, column_labels
from alliancekit.multilevel.spec import MixedSpec, make_spec
from alliancekit.study.types import frame_of

Floats = NDArray[np.float64]


def mixed(
    formula: str,
    data: Any,
    *,
    method: str | None = None,
    weights: str | None = None,
    residual_structure: object | None = None,
    family: str = "gaussian",
    link: str | None = None,
    quadrature: int = 1,
) -> MixedFit:
    """Fit a linear mixed model with any number of nested or crossed random terms.

    Parameters
    ----------
    formula : lme4 syntax, such as ``"y ~ x*time + (1 + time | patient) + (1 | therapist)"``.
    data : frame or Study, one row per observation. Rows with a missing value in any variable of the formula are left
        out and counted in ``fit.sample``.
    method : "REML" (default) or "ML".
    weights : column of prior weights: the residual variance of row i is sigma^2 / w_i.
    residual_structure, link, quadrature : kept for other families and structures; only their defaults are accepted.
    family : "gaussian".

    Returns
    -------
    MixedFit

    Raises
    ------
    SpecError : the formula or an option is wrong. DesignError : formula and data do not fit together.

    Warns
    -----
    BoundaryWarning : a variance is at zero or a correlation at one (the estimates stay right).
    ConvergenceWarning : the optimiser stopped early. DesignWarning : columns were dropped as collinear.

    Notes
    -----
    The profiled deviance of Bates, Maechler, Bolker & Walker (2015, J Stat Softw 67(1), eq. 34 and 42) with an exact
    gradient, on per-group cross-products of centred and scaled columns. Where the origin of time lies does not matter.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> patient = np.repeat(np.arange(40), 5)
    >>> session = np.tile(np.arange(5.0), 40)
    >>> bdi = 25 - 1.5 * session + rng.normal(0, 4, 40)[patient] + rng.normal(0, 3, 200)
    >>> fit = ak.mixed("bdi ~ session + (1 | patient)", pd.DataFrame({"bdi": bdi, "session": session, "patient":
    patient}))
    >>> fit.tidy()["term"].tolist()
    ['(Intercept)', 'session']

    Checked against
    ---------------
    lme4 1.1-31 and lmerTest 3.1-3 on 18 data sets (tests/reference/mlm); statsmodels and mixedlm (tests/crosscheck).

    When not to use
    ---------------
    Binary or count outcomes; fewer than about five units at a level; a predictor that varies within and between
    persons entered as one column: split it first with ``ak.within_between``.
    """
    spec = make_spec(
        formula,
        method=method,
        weights=weights,
        residual_structure=residual_structure,
        family=family,
        link=link,
        quadrature=quadrature,
    )
    frame = frame_of(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(spec.formula, frame, weights=weights)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=2)
    fitted = gaussian.fit(design, spec.reml)
    labels = column_labels(data, design.variables)
    return _finish(spec, fitted, frame, tuple(str(w.message) for w in caught), labels)


def _finish(
    spec: MixedSpec,
    fitted: GaussianFit,
    frame: pd.DataFrame,
    notes: tuple[str, ...],
    labels: Mapping[str, str],
) -> MixedFit:
    """Wrap the estimates, warning about boundary and convergence."""
    for factor, singular in zip(fitted.engine.factors, fitted.optimum.singular, strict=True):
        if singular:
            text_ = boundary_text(factor.group, factor.names)
            warnings.warn(text_, BoundaryWarning, stacklevel=3)
            notes += (text_,)
    if not fitted.optimum.search.converged:
        text_ = message(
            "the search for the variances stopped before the optimum",
            where=spec.formula.text,
            do="Rescale predictors of very different size, or drop a random slope that the data cannot carry",
        )
        warnings.warn(text_, ConvergenceWarning, stacklevel=3)
        notes += (text_,)
    return MixedFit(spec, fitted, frame, notes, labels)


class MixedFit:
    """A fitted linear mixed model (read-only). Made by ``ak.mixed``.

    Attributes
    ----------
    formula, method, family : as asked for. nobs : rows used. sample : what became of the rows (SampleAccount).
    sigma : residual SD. log_likelihood : restricted under REML. converged, singular : state of the search.
    warnings : what was warned about, as text. design : the formula's design (X, y, random blocks, recipe).
    labels : column -> text for people, from the Study's codebook.
    """

    def __init__(
        self,
        spec: MixedSpec,
        fitted: GaussianFit,
        frame: pd.DataFrame,
        notes: tuple[str, ...],
        labels: Mapping[str, str],
    ) -> None:
        self._spec, self._fit, self._frame = spec, fitted, frame
        self.warnings = notes
        self.labels = dict(labels)

    @property
    def formula(self) -> str:
        """The formula as written."""
        return self._spec.formula.text

    @property
    def method(self) -> str:
        """ "REML" or "ML"."""
        return self._spec.method

    @property
    def family(self) -> str:
        """The outcome's distribution."""
        return self._spec.family

    @property
    def design(self) -> Design:
        """The formula's design."""
        return self._fit.design

    @property
    def sample(self) -> SampleAccount:
        """What became of the rows handed in."""
        return self._fit.design.sample

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self._fit.engine.products.n

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return self._fit.sigma

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood; restricted where the method is REML."""
        return self._fit.log_likelihood

    @property
    def converged(self) -> bool:
        """True where the optimum was reached."""
        return self._fit.optimum.search.converged

    @property
    def singular(self) -> bool:
        """True where a variance is zero or a correlation one."""
        return any(self._fit.optimum.singular)

    @property
    def n_parameters(self) -> int:
        """Fixed effects + covariance parameters + residual variance."""
        return self._fit.n_parameters

    @property
    def fixed_effects(self) -> pd.Series:
        """Fixed effects by term."""
        return pd.Series(self._fit.beta, index=list(self.design.names), name="estimate")

    @property
    def theta(self) -> pd.Series:
        """Relative Cholesky factors, in lme4's order and naming."""
        return after_components.relative_parameters(self._fit)

    @property
    def data(self) -> pd.DataFrame:
        """The rows used, all columns of the frame handed in."""
        return self._frame.loc[self.sample.rows_used]

    def vcov(self) -> pd.DataFrame:
        """Return the covariance matrix of the fixed effects."""
        names = list(self.design.names)
        return pd.DataFrame(self._fit.vcov, index=names, columns=names)

    @cached_property
    def _uncertainty(self) -> VarianceUncertainty:
        fit = self._fit
        return variance_uncertainty(fit.engine, fit.optimum.state, fit.sigma, fit.reml)

    def tidy(self, ddf: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Return one row per fixed effect: term, estimate, std_error, df, statistic, p_value, conf_low, conf_high.

        Parameters
        ----------
        ddf : "satterthwaite" (default) or "normal" (infinite df).
        level : confidence level.
        """
        word = after_coefficients.check_ddf(ddf)
        uncertainty = self._uncertainty if word == "satterthwaite" else None
        return after_coefficients.coefficients(self._fit, uncertainty, word, level)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole fit."""
        k, deviance = self.n_parameters, self._fit.optimum.deviance
        groups = {f"n_{name}": count for name, count in self.sample.groups.items()}
        row: dict[str, Any] = {
            "nobs": self.nobs,
            **groups,
            "n_parameters": k,
            "sigma": self.sigma,
            "log_likelihood": self.log_likelihood,
            "deviance": deviance,
            "aic": deviance + 2 * k,
            "bic": deviance + k * float(np.log(self.nobs)),
            "df_residual": self.nobs - k,
            "method": self.method,
            "converged": self.converged,
            "singular": self.singular,
        }
        return pd.DataFrame([row])

    def augment(self) -> pd.DataFrame:
        """Return the rows used with fitted values and residuals (columns fitted, fixed_part, residual)."""
        return self.data.assign(
            fitted=self.fitted(), fixed_part=after_predict.fitted(self._fit, False), residual=self.residuals()
        )

    def variance_components(self, level: float = 0.95) -> pd.DataFrame:
        """Return variances, covariances, SDs and correlations with Wald intervals (log and Fisher z scale)."""
        after_coefficients.check_level(level)
        return after_components.variance_components(self._fit, self._uncertainty, level)

    def random_effects(self) -> pd.DataFrame:
        """Return the conditional modes: group, unit, term, estimate, std_error (conditional SD, as in lme4)."""
        return after_predict.random_effects(self._fit)

    def fitted(self) -> Floats:
        """Return fitted values with random effects, one per row used."""
        return after_predict.fitted(self._fit)

    def residuals(self) -> Floats:
        """Return conditional residuals, one per row used."""
        y = self.design.y
        assert y is not None
        return np.asarray(y - self.fitted())

    def predict(
        self, new: Any = None, include_random: bool = True, interval: str | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Return estimate, std_error, conf_low, conf_high, new_group for the rows of ``new`` (default: rows used).

        ``std_error`` and the interval are those of the fixed part. ``interval`` takes None or "confidence".
        """
        check_option("interval", interval or "confidence", ("confidence",))
        frame = self.data if new is None else frame_of(new)
        return after_predict.predict(self._fit, frame, include_random, level)

    def r2(self) -> pd.Series:
        """Return marginal and conditional R2 (Nakagawa & Schielzeth 2013; Johnson 2014)."""
        return after_components.r2(self._fit)

    def icc(self) -> pd.Series:
        """Return each grouping factor's share of random plus residual variance, and the total."""
        return after_components.icc(self._fit)

    def test(self, hypothesis: str, ddf: str | None = None) -> pd.DataFrame:
        """Return the joint F test of linear hypotheses, such as ``"x = 0, x:time = 0"`` or ``"a - b = 1"``."""
        word = after_coefficients.check_ddf(ddf)
        uncertainty = self._uncertainty if word == "satterthwaite" else None
        return after_coefficients.test(self._fit, uncertainty, hypothesis, word)

    def confint(self, method: str = "wald", level: float = 0.95, ddf: str | None = None) -> pd.DataFrame:
        """Return intervals of fixed effects (t with Satterthwaite df) and variance parameters; method "wald"."""
        check_option("method", method, ("wald",))
        fixed = self.tidy(ddf, level)[["term", "estimate", "conf_low", "conf_high"]].assign(component="fixed")
        parts = self.variance_components(level)
        names = [
            "sigma"
            if pd.isna(r.term_1)
            else (f"sd_{r.term_1}|{r.group}" if pd.isna(r.term_2) else f"cor_{r.term_2}.{r.term_1}|{r.group}")
            for r in rows(parts)
        ]
        random = pd.DataFrame(
            {
                "term": names,
                "estimate": parts["sd_or_correlation"],
                "conf_low": parts["conf_low"],
                "conf_high": parts["conf_high"],
                "component": "random",
            }
        )
        out = pd.concat([fixed, random], ignore_index=True)
        return out[["component", "term", "estimate", "conf_low", "conf_high"]]

    def log_likelihood_at(
        self, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike], sigma2: float
    ) -> float:
        """Return this model's log-likelihood at parameters estimated elsewhere (see ``after/likelihood.py``)."""
        return after_likelihood.log_likelihood_at(self._fit, fixed, covariances, sigma2)

    def covariances(self) -> dict[str, pd.DataFrame]:
        """Return the covariance matrix of each grouping factor's random effects."""
        out = {}
        for index in after_components.formula_order(self._fit):
            factor = self._fit.engine.factors[index]
            names = list(factor.names)
            out[factor.group] = pd.DataFrame(self._fit.covariances[index], index=names, columns=names)
        return out

    def refit(self, y: ArrayLike) -> MixedFit:
        """Return the same model fitted to another response, one value per row used; the design is not built again."""
        values = np.asarray(y, dtype=float)
        if values.shape != (self.nobs,) or not np.isfinite(values).all():
            raise DesignError(
                message(
                    f"the new response has shape {values.shape}",
                    do=f"Give {self.nobs} finite numbers, one per row used",
                )
            )
        return _finish(self._spec, gaussian.refit(self._fit, values), self._frame, (), self.labels)

    def with_method(self, method: str) -> MixedFit:
        """Return the same model fitted by the other criterion ("REML" or "ML")."""
        from dataclasses import replace

        check_option("method", method, ("REML", "ML"))
        if method == self.method:
            return self
        fitted = gaussian.change_criterion(self._fit, method == "REML")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BoundaryWarning)
            return _finish(replace(self._spec, method=method), fitted, self._frame, self.warnings, self.labels)

    def as_r(self) -> str:
        """Return R code that fits the same model."""
        return rcall.as_r(self.formula, self.method, self._spec.weights)

    def as_python(self) -> str:
        """Return the call that made this fit."""
        return rcall.as_python(self.formula, self.method, self._spec.weights)

    def __repr__(self) -> str:
        notes = [f"df: Satterthwaite. {len(self.warnings)} warning(s):"] if self.warnings else ["df: Satterthwaite."]
        dropped = sum(count for _, count in self.sample.dropped)
        if dropped:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.sample.dropped)
            notes.insert(0, f"{dropped} of {self.sample.n_rows} rows not used: {reasons}.")
        return text.text(
            self._fit, self.formula, self.tidy(), self.variance_components(), self.residuals(), [*notes, *self.warnings]
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def check_fit(value: object) -> MixedFit:
    """Return ``value`` if it is a fit of ``ak.mixed``; SpecError otherwise."""
    if not isinstance(value, MixedFit):
        raise SpecError(
            message(f"a {type(value).__name__} is not a fitted mixed model", do="Hand over a fit of ak.mixed")
        )
    return value
