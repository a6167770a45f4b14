"""The data of a fitted linear mixed model; no methods beyond lookups."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, FitError, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian import inference
from alliancekit.multilevel.gaussian.design import Factor, GaussianDesign, build, with_response
from alliancekit.multilevel.gaussian.optimise import Optimum, optimise

if TYPE_CHECKING:
    from alliancekit.multilevel.residual.part import ResidualPart


Floats = NDArray[np.float64]
EXACT = 1e-13  # share of the response's sum of squares below which a residual one is rounding


@dataclass(frozen=True, slots=True, eq=False)
class GaussianFit:
    """Estimates of a linear mixed model in the user's columns.

    Attributes
    ----------
    design : the formula's design. engine : the engine's design. optimum : where the search ended.
    reml : which criterion. beta : (p,). vcov : (p, p). sigma : residual SD.
    covariances : per factor of ``engine.factors``, (q, q).
    log_likelihood : restricted where ``reml``. n_parameters : fixed effects + theta + sigma (+ residual structure).
    residual : the residual structure, or None. With one, ``engine`` holds rows whitened at its estimates, so that what
        follows from ``engine`` and ``optimum`` is right given these estimates.
    """

    design: Design
    engine: GaussianDesign
    optimum: Optimum
    reml: bool
    beta: Floats
    vcov: Floats
    sigma: float
    covariances: tuple[Floats, ...]
    log_likelihood: float
    n_parameters: int
    residual: ResidualPart | None = None

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Grouping factors in the engine's order."""
        return self.engine.factors

    @property
    def singular(self) -> tuple[bool, ...]:
        """Per factor, whether its covariance lies on the boundary."""
        return self.optimum.singular

    @property
    def converged(self) -> bool:
        """Whether the search reached the optimum."""
        return self.optimum.search.converged

    @property
    def deviance(self) -> float:
        """-2 log-likelihood, restricted where ``reml``."""
        return self.optimum.deviance


def fit(design: Design, reml: bool) -> GaussianFit:
    """Fit the model of a formula's design."""
    return _finish(design, build(design), reml, None)


def refit(old: GaussianFit, y: Floats) -> GaussianFit:
    """Fit the same model to another response, shape (n,), from the old estimates on."""
    if old.residual is not None:
        from alliancekit.multilevel.residual import fit as residual

        return residual.refit(old, y)
    design = replace(old.design, y=np.asarray(y, float))
    return _finish(design, with_response(old.engine, design, np.asarray(y, float)), old.reml, None)


def change_criterion(old: GaussianFit, reml: bool) -> GaussianFit:
    """Fit the same model by the other criterion (REML or ML)."""
    if old.residual is not None:
        from alliancekit.multilevel.residual import fit as residual

        return residual.change_criterion(old, reml)
    return _finish(old.design, old.engine, reml, None)


def _finish(design: Design, engine: GaussianDesign, reml: bool, start: Floats | None) -> GaussianFit:
    check_residual(engine, design.response)
    return conclude(design, engine, search(engine, design.response, reml, start), reml)


def check_residual(engine: GaussianDesign, response: str) -> None:
    """Raise DesignError where the fixed part alone gives every value of the response, up to rounding."""
    products = engine.products
    p = products.p
    if products.n <= p or not p:
        return
    half = np.linalg.solve(np.linalg.cholesky(products.total[-p:, -p:]), products.total_response[-p:])
    if products.yy - half @ half <= EXACT * products.yy:
        raise DesignError(
            message(
                f"the fixed part gives every value of '{response}' exactly: nothing is left to vary",
                do="Is the response computed from the predictors? Take the ones it was made from out of the formula",
            )
        )


def search(engine: GaussianDesign, response: str, reml: bool, start: Floats | None = None) -> Optimum:
    """Return the optimum; FitError where the random effects leave no residual."""
    try:
        found = optimise(engine, reml, start)
    except np.linalg.LinAlgError as error:
        raise FitError(_no_residual(response)) from error
    if found.state.r2 <= EXACT * engine.products.yy:
        raise FitError(_no_residual(response))
    return found


def _no_residual(response: str) -> str:
    return message(
        f"the variances of '{response}' cannot be estimated: its values leave no residual",
        do="Is the response the same in all rows of a unit? Then keep one row for each unit, and leave its random "
        "term out",
    )


def conclude(
    design: Design, engine: GaussianDesign, optimum: Optimum, reml: bool, residual: ResidualPart | None = None
) -> GaussianFit:
    """Return the estimates at an optimum, in the user's columns."""
    state, products = optimum.state, engine.products
    dof = products.n - (products.p if reml else 0)
    sigma = float(np.sqrt(state.r2 / dof))
    beta = engine.fixed_basis @ state.beta + engine.y_shift
    vcov = sigma**2 * engine.fixed_basis @ state.fixed_inverse @ engine.fixed_basis.T
    covariances = tuple(inference.factor_covariances(engine, optimum.theta, sigma))
    return GaussianFit(
        design,
        engine,
        optimum,
        reml,
        beta,
        vcov,
        sigma,
        covariances,
        -optimum.deviance / 2,
        products.p + engine.n_theta + 1 + (residual.rows.n_phi if residual is not None else 0),
        residual,
    )
