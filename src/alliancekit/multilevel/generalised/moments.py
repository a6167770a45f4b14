"""Mean, variance, deviance and random draws of the outcome given its linear predictor, by family.

The scale is that of the data: a count, or for successes out of trials the *proportion* (mean, variance, residuals) and
the *number* of successes (draws).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.generalised.response import Counted
from alliancekit.multilevel.generalised.words import FamilyWords

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Dispersion (natural scale) and probability of an extra zero: (n,), (1,) or None."""

    dispersion: Floats | None
    inflation: Floats | None


def shape_of(log_dispersion: Floats | None, logit_inflation: Floats | None) -> Shape:
    """Return the shape parameters on their natural scales."""
    return Shape(
        None if log_dispersion is None else np.exp(log_dispersion),
        None if logit_inflation is None else np.asarray(special.expit(logit_inflation), dtype=np.float64),
    )


def mean(words: FamilyWords, eta: Floats, shape: Shape) -> Floats:
    """Return the mean of a count, or of a proportion, extra zeros included."""
    mu = words.link_function.inverse(eta)
    return mu if shape.inflation is None else np.asarray((1.0 - shape.inflation) * mu, dtype=np.float64)


def variance(words: FamilyWords, trials: Floats | float, eta: Floats, shape: Shape) -> Floats:
    """Return the variance of a count, or of a proportion of ``trials``, extra zeros included."""
    mu = words.link_function.inverse(eta)
    phi = shape.dispersion
    if words.family == "poisson":
        own = mu
    elif words.family == "negative-binomial":
        assert phi is not None
        own = mu * (1.0 + mu / phi) if words.variance == "quadratic" else mu * (1.0 + phi)
    else:
        own = mu * (1.0 - mu) / trials
        if words.family == "beta-binomial":
            assert phi is not None
            own = own * (trials + phi) / (1.0 + phi)
    pi = shape.inflation
    if pi is None:
        return np.asarray(own, dtype=np.float64)
    return np.asarray((1.0 - pi) * own + pi * (1.0 - pi) * mu * mu, dtype=np.float64)


def unit_deviance(words: FamilyWords, counted: Counted, eta: Floats, shape: Shape) -> Floats:
    """Return each row's deviance: twice the log-density lost against the best mean for that row.

    Raises
    ------
    SpecError : the family has no deviance of this form.
    """
    y, mu = counted.y, words.link_function.inverse(eta)
    if shape.inflation is not None or words.family == "beta-binomial" or words.variance == "linear":
        raise SpecError(
            message(
                "deviance residuals are defined for binomial, Poisson and negative binomial (quadratic) outcomes "
                "without extra zeros",
                do='Give kind="pearson"',
            )
        )
    weights = 1.0 if counted.weights is None else counted.weights
    if words.family == "binomial":
        expected = counted.trials * mu
        rest = _y_log(counted.trials - y, counted.trials - expected)
        return np.asarray(2.0 * weights * (_y_log(y, expected) + rest), dtype=np.float64)
    if words.family == "poisson":
        return np.asarray(2.0 * weights * (_y_log(y, mu) - (y - mu)), dtype=np.float64)
    assert shape.dispersion is not None
    size = shape.dispersion
    lost = _y_log(y, mu) - (y + size) * np.log((y + size) / (mu + size))
    return np.asarray(2.0 * weights * lost, dtype=np.float64)


def _y_log(y: Floats, expected: Floats) -> Floats:
    """Return y log(y / expected), 0 where y is 0."""
    return np.asarray(special.xlogy(y, np.where(y == 0, 1.0, y) / expected), dtype=np.float64)


def draw(words: FamilyWords, trials: Floats | float, eta: Floats, shape: Shape, rng: np.random.Generator) -> Floats:
    """Return one random outcome per linear predictor: counts, or numbers of successes."""
    mu = words.link_function.inverse(eta)
    phi = shape.dispersion
    if words.family == "poisson":
        out = rng.poisson(mu)
    elif words.family == "negative-binomial":
        assert phi is not None
        size = np.broadcast_to(phi, mu.shape) if words.variance == "quadratic" else mu / phi
        out = rng.poisson(rng.gamma(size) * mu / size)
    else:
        p = mu
        if words.family == "beta-binomial":
            assert phi is not None
            tiny = np.finfo(float).tiny
            p = rng.beta(np.maximum(mu * phi, tiny), np.maximum((1.0 - mu) * phi, tiny))
        out = rng.binomial(np.broadcast_to(np.asarray(trials, dtype=np.int64), mu.shape), p)
    drawn = np.asarray(out, dtype=np.float64)
    if shape.inflation is None:
        return drawn
    return np.where(rng.random(mu.shape) < shape.inflation, 0.0, drawn)
