"""The data of a fitted generalised linear mixed model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.gaussian.design import Factor
from alliancekit.multilevel.generalised import inference, moments
from alliancekit.multilevel.generalised.checks import fit_notes
from alliancekit.multilevel.generalised.design import GeneralisedDesign, build
from alliancekit.multilevel.generalised.links import Link
from alliancekit.multilevel.generalised.objective import Problem, take_apart
from alliancekit.multilevel.generalised.optimise import Optimum, optimise
from alliancekit.multilevel.generalised.response import Counted, make_conditional, read_outcome
from alliancekit.multilevel.generalised.words import FamilyWords, check_inflation, check_scalar

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SideEstimates:
    """Coefficients of a side part in the user's columns: log dispersion, or logit of an extra zero.

    Attributes
    ----------
    names : R's names, shape (k,). estimate : (k,). vcov : (k, k).
    """

    names: tuple[str, ...]
    estimate: Floats
    vcov: Floats

    @property
    def constant(self) -> bool:
        """Whether there is one value for all rows."""
        return self.names == ("(Intercept)",)

    @property
    def std_error(self) -> Floats:
        """Standard errors."""
        return np.asarray(np.sqrt(np.diag(self.vcov)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class GeneralisedFit:
    """Estimates of a generalised linear mixed model in the user's columns.

    Attributes
    ----------
    design : the formula's design. words : family, link and form of variance. quadrature : nodes per group.
    counted : the outcome of the rows. problem : the engine's view. optimum : where the search ended.
    beta : (p,). vcov : (p, p), from the joint Hessian. covariances : per factor of ``factors``, (q, q).
    parameter_covariance : (K, K) of all parameters in the engine's basis: fixed effects, theta, dispersion, inflation.
    dispersion, inflation : their coefficients, or None where the family has none.
    n_parameters : all parameters estimated. notes : what the user should know (separation, dispersion at its limit).
    """

    design: Design
    words: FamilyWords
    quadrature: int
    counted: Counted
    problem: Problem
    optimum: Optimum
    beta: Floats
    vcov: Floats
    covariances: tuple[Floats, ...]
    parameter_covariance: Floats
    dispersion: SideEstimates | None
    inflation: SideEstimates | None
    n_parameters: int
    notes: tuple[str, ...]

    @property
    def engine(self) -> GeneralisedDesign:
        """The engine's design."""
        return self.problem.design

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Grouping factors in the engine's order."""
        return self.problem.design.factors

    @property
    def singular(self) -> tuple[bool, ...]:
        """Per factor, whether its covariance lies on the boundary."""
        return self.optimum.singular

    @property
    def converged(self) -> bool:
        """Whether the search reached the optimum."""
        return self.optimum.search.converged

    @property
    def sigma(self) -> float:
        """1: there is no residual standard deviation."""
        return 1.0

    @property
    def reml(self) -> bool:
        """False: the likelihood is not restricted."""
        return False

    @property
    def deviance(self) -> float:
        """-2 log-likelihood (lme4's ``deviance`` of a generalised model is ``conditional_deviance``)."""
        return self.optimum.point.value

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood, random effects integrated out, all constants kept."""
        return -self.optimum.point.value / 2.0

    @property
    def link(self) -> Link:
        """The link function."""
        return self.words.link_function

    @property
    def shape(self) -> moments.Shape:
        """Dispersion and probability of an extra zero: per row used, or one value for all."""
        parameters = take_apart(self.engine, self.optimum.x)
        parts = [self._users(parameters.dispersion), self._users(parameters.inflation)]
        return moments.shape_of(*parts)

    def _users(self, values: Floats | None) -> Floats | None:
        return values if values is None or values.size == 1 else self.engine.unsorted(values)

    @property
    def fixed_part(self) -> Floats:
        """Linear predictor without random effects, offset included, one per row used."""
        offset = 0.0 if self.design.offset is None else self.design.offset
        return np.asarray(self.design.X @ self.beta + offset, dtype=np.float64)

    @property
    def linear_predictor(self) -> Floats:
        """Linear predictor with random effects at their modes, one per row used."""
        return self.engine.unsorted(self.optimum.point.modes.eta)


def fit(design: Design, words: FamilyWords, quadrature: int = 1) -> GeneralisedFit:
    """Fit the model of a formula's design by maximum likelihood.

    Raises
    ------
    SpecError : quadrature, or extra zeros, that the model cannot have.
    DesignError : the outcome does not suit the family.
    """
    check_scalar(design, quadrature)
    check_inflation(design, words)
    engine = build(design, words.has_dispersion)
    return _fit(design, words, quadrature, engine, read_outcome(design, words), None)


def refit(old: GeneralisedFit, y: Floats) -> GeneralisedFit:
    """Fit the same model to another response (counts, or numbers of successes), from the old estimates on."""
    values = np.asarray(y, dtype=float)
    design = replace(old.design, y=values)
    if old.design.trials is None and np.ndim(old.counted.trials):  # a proportion with its trials as weights
        design = replace(design, y=values / old.counted.trials)
    counted = read_outcome(design, old.words)
    if values.min() == values.max():
        raise DesignError(message("the new response has the same value in every row", do="There is nothing to explain"))
    return _fit(design, old.words, old.quadrature, old.engine, counted, _restart(old))


def _restart(old: GeneralisedFit) -> Floats:
    """Return the old estimates, away from where no slope leads out: variances at zero, side parts at their limits."""
    x = old.optimum.x.copy()
    _, _, dispersion, inflation = old.engine.parts
    for side, where, first in ((old.dispersion, dispersion, 1.0), (old.inflation, inflation, -1.0)):
        if side is not None and np.isnan(side.std_error).any():
            x[where] = 0.0
            x[where.start] = first
    theta = x[old.engine.parts[1]]
    for factor, where in zip(old.engine.factors, old.engine.slices, strict=True):
        for at, (i, j) in enumerate(factor.free, start=where.start):
            if i == j:
                theta[at] = max(theta[at], 0.1)
    return x


def _fit(
    design: Design,
    words: FamilyWords,
    quadrature: int,
    engine: GeneralisedDesign,
    counted: Counted,
    start: Floats | None,
) -> GeneralisedFit:
    conditional = make_conditional(words, _sorted(engine, counted))
    problem = Problem(engine, conditional, quadrature, conditional.constant)
    optimum = optimise(problem, start)
    known = inference.uncertainty(problem, optimum)
    fixed, theta, dispersion, inflation = engine.parts
    basis = engine.fixed_basis
    beta = basis @ optimum.x[fixed]
    vcov = inference.fixed_covariance(design.X, basis, known, fixed)
    notes = fit_notes(design, words, problem, optimum, known)
    return GeneralisedFit(
        design, words, quadrature, counted, problem, optimum, beta, vcov,
        tuple(inference.factor_covariances(engine, optimum.x[theta])), known.covariance,
        _side(design, "dispersion", engine.dispersion_basis, optimum.x, dispersion, known),
        _side(design, "zero_inflation", engine.inflation_basis, optimum.x, inflation, known),
        engine.n_parameters, notes,
    )  # fmt: skip


def _sorted(engine: GeneralisedDesign, counted: Counted) -> Counted:
    trials = counted.trials
    return Counted(
        engine.sorted(counted.y),
        engine.sorted(trials) if isinstance(trials, np.ndarray) else trials,
        None if counted.weights is None else engine.sorted(counted.weights),
    )


def _side(
    design: Design, name: str, basis: Floats, x: Floats, where: slice, known: inference.Uncertainty
) -> SideEstimates | None:
    """Return the estimates of a side part; nan where nothing is known about a coefficient, as at a limit."""
    if where.stop == where.start:
        return None
    names = design.side[name].names if name in design.side else ("(Intercept)",)
    vcov = basis @ known.covariance[where, where] @ basis.T
    lost = np.abs(basis) @ np.where(known.flat[where] > inference.MOSTLY, 1.0, 0.0) > 0
    vcov[lost] = vcov[:, lost] = np.nan
    return SideEstimates(names, basis @ x[where], vcov)
