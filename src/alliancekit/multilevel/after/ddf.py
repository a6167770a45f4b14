"""How sure the fixed effects are, by one of the methods for denominator degrees of freedom: covariance, df, F."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.core.later import Later
from alliancekit.multilevel.after.inner_outer import CountedDf, counted_df
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.inference import VarianceUncertainty, satterthwaite, satterthwaite_f
from alliancekit.multilevel.gaussian.kenward_roger import KenwardRoger, kenward_roger, kenward_roger_f

if TYPE_CHECKING:
    from alliancekit.multilevel.residual import kenward_roger as residual_kenward_roger
else:
    residual_kenward_roger = Later("alliancekit.multilevel.residual.kenward_roger")

Floats = NDArray[np.float64]

DDF_WORDS = {
    "satterthwaite": "Satterthwaite's method",
    "kenward-roger": "Kenward and Roger's method",
    "inner-outer": "nlme's rule of inner and outer terms",
    "residual": "rows minus fixed effects",
    "normal": "the normal distribution (infinite df)",
}


Source = VarianceUncertainty | KenwardRoger | CountedDf


class FTest(NamedTuple):
    """One joint hypothesis: F, its df, and the factor by which Kenward and Roger's method scaled the Wald statistic."""

    statistic: float
    df_numerator: int
    df: float
    scaling: float


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """The covariance of the fixed effects and the df of hypotheses about them, by one method.

    Attributes
    ----------
    method : one of ``DDF_WORDS``. vcov : shape (p, p), user's columns; adjusted by Kenward and Roger's method.
    basis : shape (p, p), engine's columns from the user's. source : what the method needs, or None.
    """

    method: str
    vcov: Floats
    basis: Floats
    source: Source | None

    def df(self, contrasts: Floats) -> Floats:
        """Return the df of each row of ``contrasts``, shape (h, p), in the user's columns."""
        if isinstance(self.source, CountedDf):
            return self.source.of(contrasts)
        rows = np.atleast_2d(contrasts) @ self.basis
        if isinstance(self.source, VarianceUncertainty):
            return np.array([satterthwaite(self.source, row) for row in rows])
        if isinstance(self.source, KenwardRoger):
            return np.array([kenward_roger_f(self.source, row[None], np.zeros(1))[2] for row in rows])
        return np.full(len(rows), np.inf)

    def f(self, contrasts: Floats, gap: Floats) -> FTest:
        """Return the F test of ``contrasts @ beta = right side``, ``gap`` = left minus right, shape (h,)."""
        if isinstance(self.source, VarianceUncertainty):
            statistic, rank, df = satterthwaite_f(self.source, contrasts @ self.basis, gap)
            return FTest(statistic, rank, df, 1.0)
        if isinstance(self.source, KenwardRoger):
            return FTest(*kenward_roger_f(self.source, contrasts @ self.basis, gap))
        variance = contrasts @ self.vcov @ contrasts.T
        rank = int(np.linalg.matrix_rank(variance, hermitian=True))
        statistic = float(gap @ np.linalg.pinv(variance, hermitian=True) @ gap) / rank
        df = self.source.joint(contrasts) if isinstance(self.source, CountedDf) else float("inf")
        return FTest(statistic, rank, df, 1.0)


def kenward_roger_of(fit: Any) -> KenwardRoger:
    """Return Kenward and Roger's adjustment of a Gaussian fit.

    Raises
    ------
    SpecError : a fit by maximum likelihood, or of another family.
    """
    refuse_other_families(fit, "Kenward and Roger's method")
    if not fit.reml:
        raise SpecError(
            message(
                "Kenward and Roger's method is for fits by REML, and this one is by ML",
                do='Fit with method="REML", or take fit.with_method("REML")',
            )
        )
    if fit.residual is not None:
        return residual_kenward_roger.kenward_roger(fit)
    return kenward_roger(fit.engine, fit.optimum.state, fit.sigma)


def refuse_other_families(fit: Any, what: str) -> None:
    """Raise SpecError where a method for Gaussian models meets a model of another family."""
    if not isinstance(fit, GaussianFit):
        raise SpecError(message(f"{what} is for Gaussian outcomes", do='Use ddf="normal", or ak.compare'))


def refuse_other_models(fit: Any, what: str, do: str) -> None:
    """Raise SpecError where a method for Gaussian models with independent residuals meets another model.

    ``do`` is what to do instead where the model has a residual structure.
    """
    refuse_other_families(fit, what)
    if getattr(fit, "residual", None) is not None:
        raise SpecError(message(f"{what} is for independent residuals, and this model has a residual structure", do=do))


def counted_df_of(fit: Any, method: str) -> CountedDf:
    """Return df counted from the design of a Gaussian fit.

    Raises
    ------
    SpecError : a fit of another family; grouping factors that the rule does not know.
    """
    refuse_other_families(fit, f"ddf={method!r}")
    return counted_df(fit, method)


def precision(fit: Any, method: str, source: Source | None) -> Precision:
    """Return the precision of a fit's fixed effects by one method; without a source df are infinite."""
    if source is None:
        return Precision(method, fit.vcov, np.eye(len(fit.beta)), None)
    basis: Floats = fit.engine.fixed_basis
    vcov = basis @ source.adjusted @ basis.T if isinstance(source, KenwardRoger) else fit.vcov
    return Precision(method, vcov, basis, source)
