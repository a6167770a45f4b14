"""One common factor by maximum likelihood, for omega.

Model: Sigma = lambda lambda' + diag(psi). Discrepancy (Jöreskog 1967, Psychometrika 32, 443-482):
F = log|Sigma| + tr(S Sigma⁻¹) - log|S| - p, with gradient dF/dlambda = 2 G lambda and dF/dpsi = diag(G),
G = Sigma⁻¹ - Sigma⁻¹ S Sigma⁻¹. Fisher scoring on (lambda, log psi) of the correlations, from the minres solution;
the discrepancy does not depend on the units of the items, so the result is put back on their scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from alliancekit.core.errors import FitError, message

Floats = NDArray[np.float64]

# Uniquenesses are kept above this share of the item's variance; a solution at the limit is a Heywood case.
LEAST_UNIQUENESS = 1e-5
ITERATIONS = 500
SMALL_GRADIENT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class OneFactor:
    """A fitted one-factor model.

    Attributes
    ----------
    loadings, uniquenesses : in the units of the items, shape (p,); the sum of the loadings is positive.
    covariance : sampling covariance of (loadings, uniquenesses), shape (2p, 2p), expected information.
    discrepancy : F at the minimum.
    chisq, df, p_value : test against any covariance matrix, n F; NaN with df 0.
    srmr : root mean square of the residual correlations (diagonal counted).
    boundary : positions of items whose uniqueness is at its lower limit (Heywood case).
    iterations : scoring steps taken.
    """

    loadings: Floats
    uniquenesses: Floats
    covariance: Floats
    discrepancy: float
    chisq: float
    df: int
    p_value: float
    srmr: float
    boundary: tuple[int, ...]
    iterations: int


def minres_loadings(R: Floats) -> Floats:
    """Return the loadings that minimise the sum of squared residual correlations off the diagonal, shape (p,).

    Coordinate descent; the sum of the loadings is positive. Harman & Jones (1966), Psychometrika 31, 351-368.
    """
    off = R - np.diag(np.diag(R))
    values, vectors = np.linalg.eigh(R)
    loadings = vectors[:, -1] * np.sqrt(values[-1])
    for _ in range(20_000):
        before = loadings.copy()
        for i in range(len(loadings)):
            squares = loadings @ loadings - loadings[i] ** 2
            if squares > 0.0:
                loadings[i] = off[i] @ loadings / squares
        if np.abs(loadings - before).max() < 1e-14:
            break
    return np.asarray(loadings if loadings.sum() >= 0.0 else -loadings)


def discrepancy_and_gradient(loadings: Floats, uniquenesses: Floats, S: Floats) -> tuple[float, Floats, Floats, Floats]:
    """Return F, dF/dlambda, dF/dpsi and Sigma⁻¹ at a point."""
    scaled = loadings / uniquenesses
    inflation = 1.0 + loadings @ scaled
    precision = np.diag(1.0 / uniquenesses) - np.outer(scaled, scaled) / inflation
    log_det = float(np.log(uniquenesses).sum() + np.log(inflation))
    product = precision @ S
    F = log_det + float(np.trace(product)) - float(np.linalg.slogdet(S)[1]) - len(loadings)
    G = precision - product @ precision
    return F, 2.0 * G @ loadings, np.diag(G).copy(), precision


def expected_hessian(loadings: Floats, precision: Floats) -> Floats:
    """Return tr(Sigma⁻¹ dSigma_i Sigma⁻¹ dSigma_j) for (lambda, psi), shape (2p, 2p): the expected Hessian of F."""
    w = precision @ loadings
    a = float(loadings @ w)
    top = 2.0 * (a * precision + np.outer(w, w))
    side = 2.0 * precision * w
    return np.asarray(np.block([[top, side], [side.T, precision**2]]))


def fit_one_factor(S: Floats, n: int) -> OneFactor:
    """Return the ML one-factor model of a covariance matrix.

    Parameters
    ----------
    S : covariance matrix of p >= 3 items, positive definite.
    n : sample size behind it.

    Raises
    ------
    FitError : fewer than three items, a matrix that is not positive definite, or no convergence.
    """
    p = len(S)
    if p < 3:
        raise FitError(message(f"one factor of {p} items is not identified", do="Use three items or more"))
    sd = np.sqrt(np.diag(S))
    R = S / np.outer(sd, sd)
    if np.linalg.eigvalsh(R)[0] <= 1e-10:
        raise FitError(
            message(
                "the covariance matrix of the items is not positive definite",
                do="Leave out items that repeat others, or use missing='complete'",
            )
        )
    loadings, log_psi, steps = _score(R)
    psi = np.exp(log_psi)
    F, _, _, precision = discrepancy_and_gradient(loadings, psi, R)
    information = expected_hessian(loadings, precision)
    units = np.concatenate([sd, sd**2])
    covariance: Floats = 2.0 / n * np.asarray(np.linalg.pinv(information, hermitian=True)) * np.outer(units, units)
    residual = (R - np.outer(loadings, loadings) - np.diag(psi))[np.tril_indices(p)]
    df = p * (p - 1) // 2 - p
    chisq = n * max(F, 0.0)
    return OneFactor(
        loadings=loadings * sd,
        uniquenesses=psi * sd**2,
        covariance=covariance,
        discrepancy=F,
        chisq=chisq if df else np.nan,
        df=df,
        p_value=float(chdtrc(df, chisq)) if df else np.nan,
        srmr=float(np.sqrt((residual**2).mean())),
        boundary=tuple(np.flatnonzero(psi <= LEAST_UNIQUENESS * 1.001).tolist()),
        iterations=steps,
    )


def _score(R: Floats) -> tuple[Floats, Floats, int]:
    """Minimise F over (lambda, log psi) by Fisher scoring with step halving, from the minres solution."""
    p = len(R)
    loadings = np.clip(minres_loadings(R), -0.95, 0.95)
    log_psi = np.log(1.0 - loadings**2)
    floor = np.log(LEAST_UNIQUENESS)
    value, d_loadings, d_psi, precision = discrepancy_and_gradient(loadings, np.exp(log_psi), R)
    for step in range(ITERATIONS):
        psi = np.exp(log_psi)
        gradient = np.concatenate([d_loadings, d_psi * psi])
        held = np.concatenate([np.zeros(p, dtype=bool), (log_psi <= floor) & (d_psi > 0.0)])
        if np.abs(gradient[~held]).max() < SMALL_GRADIENT:
            return (loadings if loadings.sum() >= 0.0 else -loadings), log_psi, step
        jacobian = np.concatenate([np.ones(p), psi])
        hessian = expected_hessian(loadings, precision) * np.outer(jacobian, jacobian)
        free = ~held
        direction = np.zeros(2 * p)
        ridge = 1e-12 * np.trace(hessian) / (2 * p) * np.eye(int(free.sum()))
        direction[free] = -np.linalg.solve(hessian[np.ix_(free, free)] + ridge, gradient[free])
        length = min(1.0, 3.0 / np.abs(direction).max())
        while True:
            new_loadings = loadings + length * direction[:p]
            new_log_psi = np.maximum(log_psi + length * direction[p:], floor)
            found = discrepancy_and_gradient(new_loadings, np.exp(new_log_psi), R)
            if found[0] <= value + 1e-15 * max(1.0, abs(value)):
                break
            length /= 2.0
            if length < 1e-10:
                break
        if length < 1e-10:
            # Rounding is all that is left to gain.
            if np.abs(gradient[free]).max() < 1e-6:
                return (loadings if loadings.sum() >= 0.0 else -loadings), log_psi, step
            break
        loadings, log_psi = new_loadings, new_log_psi
        value, d_loadings, d_psi, precision = found
    raise FitError(
        message("the one-factor model did not converge", do="Look for items that do not correlate with the others")
    )
