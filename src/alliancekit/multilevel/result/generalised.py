"""Methods of a generalised linear mixed model, where they differ from those of a linear one."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from alliancekit.core.errors import DesignError, SpecError, check_option, message
from alliancekit.core.later import Later
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import ddf as after_ddf
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.notices import generalised_notices
from alliancekit.multilevel.result.generalised_replicates import GeneralisedReplicates
from alliancekit.multilevel.spec import MixedSpec
from alliancekit.study.types import frame_of

if TYPE_CHECKING:
    from alliancekit.multilevel.after import generalised_components as after_components
    from alliancekit.multilevel.after import generalised_likelihood as after_likelihood
    from alliancekit.multilevel.after import generalised_rows as after_rows
    from alliancekit.multilevel.after import generalised_text as after_text
    from alliancekit.multilevel.generalised import fit as generalised
    from alliancekit.multilevel.generalised.fit import GeneralisedFit
else:
    after_components = Later("alliancekit.multilevel.after.generalised_components")
    after_likelihood = Later("alliancekit.multilevel.after.generalised_likelihood")
    after_rows = Later("alliancekit.multilevel.after.generalised_rows")
    after_text = Later("alliancekit.multilevel.after.generalised_text")
    generalised = Later("alliancekit.multilevel.generalised.fit")


Floats = NDArray[np.float64]


class GeneralisedMethods(GeneralisedReplicates):
    """Estimates, tests, rows and units of a generalised linear mixed model."""

    def __init__(
        self,
        spec: MixedSpec,
        fitted: GeneralisedFit,
        frame: pd.DataFrame,
        notes: tuple[str, ...],
        labels: Mapping[str, str],
    ) -> None:
        super().__init__(spec, cast(GaussianFit, fitted), frame, notes, labels)
        self._generalised = fitted

    @property
    def link(self) -> str:
        """The link's word."""
        return self._generalised.words.link

    @property
    def quadrature(self) -> int:
        """Nodes per group; 1 is the Laplace approximation."""
        return self._generalised.quadrature

    def _precision(self, ddf: str | None) -> after_ddf.Precision:
        """z tests: the only ones there are for these families."""
        word = check_option("ddf", "normal" if ddf is None else ddf, after_coefficients.DDF)
        if word != "normal":
            raise SpecError(
                message(
                    f"ddf={word!r} is for Gaussian outcomes: here the variance of an observation is not estimated, and "
                    "no t distribution follows",
                    do='Leave ddf out (z tests); with few clusters use ak.compare(..., method="bootstrap") or profiles',
                )
            )
        return after_ddf.precision(self._generalised, word, None)

    def vcov(self, method: str = "model") -> pd.DataFrame:
        """Return the covariance matrix of the fixed effects, from the Hessian in all parameters; method "model"."""
        check_option("method", method, ("model",))
        names = list(self.design.names)
        return pd.DataFrame(self._generalised.vcov, index=names, columns=names)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole fit.

        ``dispersion`` is the family's parameter (size, phi) where it is one number, ``overdispersion`` the Pearson
        chi-square over its degrees of freedom: well above 1, the family or the random effects miss something. It takes
        the random effects as known, and is of little use for 0/1 outcomes. ``conditional_deviance`` is what lme4 calls
        the deviance; ``deviance`` is -2 log-likelihood, as for every model here.
        """
        fit, k = self._generalised, self.n_parameters
        pearson = float((after_rows.residuals(fit, "pearson") ** 2).sum())
        constant = fit.dispersion is not None and fit.dispersion.constant
        row: dict[str, Any] = {
            "nobs": self.nobs,
            **{f"n_{name}": count for name, count in self.sample.groups.items()},
            "n_parameters": k,
            "family": self.family,
            "link": self.link,
            "quadrature": self.quadrature,
            "dispersion": float(np.exp(fit.dispersion.estimate[0])) if fit.dispersion and constant else np.nan,
            "log_likelihood": self.log_likelihood,
            "deviance": fit.deviance,
            "aic": fit.deviance + 2 * k,
            "bic": fit.deviance + k * float(np.log(self.nobs)),
            "df_residual": self.nobs - k,
            "pearson_chisq": pearson,
            "overdispersion": pearson / (self.nobs - k) if self.nobs > k else np.nan,
            "conditional_deviance": after_rows.conditional_deviance(fit),
            "method": self.method,
            "converged": self.converged,
            "singular": self.singular,
        }
        return pd.DataFrame([row])

    def submodels(self, level: float = 0.95) -> pd.DataFrame:
        """Return the coefficients of the dispersion (log scale) and of the extra zeros (logit scale), with z tests.

        Columns: component ("dispersion" or "zero_inflation"), term, estimate, std_error, statistic, p_value, conf_low,
        conf_high. Empty for a binomial or Poisson model.
        """
        after_coefficients.check_level(level)
        return after_components.side_table(self._generalised, level)

    def _coefficients(self, level: float = 0.95) -> pd.DataFrame:
        return after_coefficients.coefficients(self._generalised, self._precision(None), level)

    def ratios(self, level: float = 0.95) -> pd.DataFrame:
        """Return the fixed effects as ratios: term, estimate, conf_low, conf_high, p_value.

        Odds ratios (logit), rate ratios (log) or hazard ratios (cloglog); ``attrs["ratio"]`` says which. They compare
        rows with the same random effects: the same patient, or patients alike.

        Raises
        ------
        SpecError : the probit link, whose coefficients are no logarithms.
        """
        name = self._generalised.link.effect
        if not name:
            do = "Ask for probabilities with fit.means, or use the logit link"
            raise SpecError(message(f"coefficients of the {self.link} link are not ratios", do=do))
        table = self._coefficients(level)
        columns = ["estimate", "conf_low", "conf_high"]
        out: pd.DataFrame = table[["term", *columns, "p_value"]].copy()
        out[columns] = np.exp(table[columns].to_numpy())
        out.attrs.update(ratio=name, level=level)
        return out

    def r2(self) -> pd.Series:
        """Return marginal and conditional R2 on the scale of the link (Nakagawa, Johnson & Schielzeth 2017)."""
        return after_components.r2(self._generalised)

    def icc(self) -> pd.Series:
        """Return each grouping factor's share of random plus distribution variance, on the link's scale."""
        return after_components.icc(self._generalised)

    def random_effects(self, errors: str = "conditional") -> pd.DataFrame:
        """Return the conditional modes: group, unit, term, estimate, std_error.

        ``errors`` "conditional" takes the parameters as known, as lme4 does; "total" adds their uncertainty, as glmmTMB
        does.
        """
        return after_rows.random_effects(self._generalised, errors)

    def fitted(self) -> Floats:
        """Return expected counts or probabilities with random effects, one per row used."""
        return after_rows.fitted(self._generalised)

    def augment(self) -> pd.DataFrame:
        """Return the rows used with columns fitted, fixed_part (linear predictor), residual and pearson."""
        return self.data.assign(
            fitted=self.fitted(),
            fixed_part=self._generalised.fixed_part,
            residual=self.residuals(),
            pearson=self.residuals("pearson"),
        )

    def residuals(self, kind: str = "response") -> Floats:
        """Return residuals, one per row used.

        Parameters
        ----------
        kind : "response": outcome - fitted value, proportions for counts out of a total. "pearson": these over the SD
            that the family gives the row, overdispersion and extra zeros included. "deviance": the root of what the row
            adds to the conditional deviance, with the sign of "response".

        Raises
        ------
        SpecError : another word; "deviance" for a family that has none.

        Checked against
        ---------------
        lme4 1.1-31 and glmmTMB 1.1.5 on 14 data sets (tests/reference/glmm).
        """
        return after_rows.residuals(self._generalised, kind)

    def predict(
        self,
        new: Any = None,
        include_random: bool = True,
        interval: str | None = None,
        level: float = 0.95,
        scale: str = "response",
    ) -> pd.DataFrame:
        """Predict the expected outcome of rows of old and new units.

        Parameters
        ----------
        new, include_random, level : as for a linear model. A new unit is taken to be an average one: with random effect
            zero, the median and not the mean of its population.
        interval : None or "confidence".
        scale : "response" (a count, or a probability; extra zeros included) or "link" (log odds, log rate).

        Returns
        -------
        Frame with estimate, std_error, conf_low, conf_high, new_group. Limits are made on the scale of the link.

        Raises
        ------
        SpecError : a word that is none, a prediction interval. DesignError : a column is missing.

        Notes
        -----
        The standard error counts the uncertainty of all parameters and, with random effects, of these (Kass & Steffey
        1989, JASA 84, 717-726).

        Checked against
        ---------------
        ``predict(se.fit = TRUE)`` of glmmTMB 1.1.5 (tests/unit/multilevel/test_generalised_prediction.py).
        """
        frame = self.data if new is None else frame_of(new)
        return after_rows.predict(
            self._generalised, frame, include_random=include_random, interval=interval, level=level, scale=scale
        )

    def log_likelihood_at(
        self, fixed: Mapping[str, float], covariances: Mapping[str, ArrayLike], sigma2: float = 1.0
    ) -> float:
        """Return the log-likelihood at parameters that came from elsewhere; the dispersion stays at its estimate."""
        return after_likelihood.log_likelihood_at(self._generalised, fixed, covariances)

    def refit(self, y: ArrayLike) -> Self:
        """Return the same model fitted to another response, from these estimates on.

        ``y`` has one value per row used: 0 and 1, counts, or numbers of successes.
        """
        values = np.asarray(y, dtype=float)
        if values.shape != (self.nobs,) or not np.isfinite(values).all():
            do = f"Give {self.nobs} finite numbers, one per row used"
            raise DesignError(message(f"the new response has shape {values.shape}", do=do))
        fitted = generalised.refit(self._generalised, values)
        notes = generalised_notices(fitted, self.formula, stacklevel=3)
        return type(self)(self._spec, fitted, self._frame, notes, self.labels)

    def with_method(self, method: str) -> Self:
        """Return the fit itself: "ML" is the only criterion of these families."""
        check_option("method", method, ("REML", "ML"))
        if method == "REML":
            raise SpecError(message("restricted likelihood is defined for Gaussian outcomes", do='Keep method="ML"'))
        return self

    def as_r(self) -> str:
        """Return R code that fits the same model."""
        return after_text.as_r(self._generalised, self._spec.formula, self._spec.weights)

    def as_python(self) -> str:
        """Return the call that made this fit."""
        return after_text.as_python(self._generalised, self._spec.formula, self._spec.weights)

    def hat_values(self) -> NoReturn:
        """Raise SpecError: leverage is defined for linear models."""
        _refuse("hat_values", "Look at fit.residuals('pearson')")

    def r2_partition(self) -> NoReturn:
        """Raise SpecError: the division by level is there for Gaussian outcomes."""
        _refuse("r2_partition", "Use fit.r2(), on the scale of the link")

    def influence(self, by: str | None = None, method: str = "exact") -> NoReturn:
        """Raise SpecError: case deletion is there for Gaussian outcomes."""
        _refuse("influence", "Fit the model without the unit and compare the estimates")

    def ranova(self) -> NoReturn:
        """Raise SpecError: fit the smaller model and use ``ak.compare``."""
        _refuse("ranova", "Fit the model without the term, and test it by ak.compare(smaller, fit)")

    def __repr__(self) -> str:
        notes = [f"z tests. {len(self.warnings)} warning(s):"] if self.warnings else ["z tests."]
        dropped = sum(count for _, count in self.sample.dropped)
        if dropped:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.sample.dropped)
            notes.insert(0, f"{dropped} of {self.sample.n_rows} rows not used: {reasons}.")
        return after_text.text(
            self._generalised,
            self.formula,
            self._coefficients(),
            self.variance_components(),
            self.submodels(),
            self.residuals("pearson"),
            [*notes, *self.warnings],
        )

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _refuse(what: str, do: str) -> NoReturn:
    raise SpecError(message(f"{what} is there for Gaussian outcomes", do=do))
