"""What a fitted model holds, and its plain attributes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.design import Design
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import components as after_components
from alliancekit.multilevel.after import ddf as after_ddf
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, variance_uncertainty
from alliancekit.multilevel.spec import MixedSpec
from alliancekit.multilevel.streamed.absent import AbsentRows

if TYPE_CHECKING:
    from alliancekit.multilevel.gaussian.kenward_roger import KenwardRoger
    from alliancekit.multilevel.residual import inference as residual_inference
else:
    residual_inference = Later("alliancekit.multilevel.residual.inference")


Floats = NDArray[np.float64]


class FitBase:
    """State and attributes of a fitted mixed model (read-only)."""

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
    def residual_structure(self) -> str | None:
        """The call that makes the structure of the residuals, or None where they are independent."""
        return None if self._spec.residual is None else str(self._spec.residual)

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
        return self.sample.n_used

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
        return self._fit.converged

    @property
    def singular(self) -> bool:
        """True where a variance is zero or a correlation one."""
        return any(self._fit.singular)

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

    @property
    def _rows_absent(self) -> bool:
        """Whether the fit read a file in chunks and kept no rows."""
        return isinstance(self._frame, AbsentRows)

    @cached_property
    def _uncertainty(self) -> VarianceUncertainty:
        fit = self._fit
        if fit.residual is not None:
            return residual_inference.variance_uncertainty(
                fit.residual, fit.engine, fit.optimum.state, fit.sigma, fit.reml
            )
        return variance_uncertainty(fit.engine, fit.optimum.state, fit.sigma, fit.reml)

    @cached_property
    def _kenward_roger(self) -> KenwardRoger:
        return after_ddf.kenward_roger_of(self._fit)

    def _precision(self, ddf: str | None) -> after_ddf.Precision:
        """Covariance and df of the fixed effects by one method; Satterthwaite's where none is named."""
        word = after_coefficients.check_ddf(ddf)
        source = {"satterthwaite": "_uncertainty", "kenward-roger": "_kenward_roger"}.get(word)
        if source is not None:
            return after_ddf.precision(self._fit, word, getattr(self, source))
        counted = None if word == "normal" else after_ddf.counted_df_of(self._fit, word)
        return after_ddf.precision(self._fit, word, counted)
