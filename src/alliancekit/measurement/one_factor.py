"""One common factor by maximum likelihood, for omega.

Model: Sigma = lambda lambda' + diag(psi). Discrepancy (Jöreskog 1967, Psychometrika 32, 443-482):
F = log|Sigma| + tr(S Sigma⁻¹) - log|S| - p, with gradient dF/dlambda = 2 G lambda and dF/dpsi = diag(G),
G = Sigma⁻¹ - Sigma⁻¹ S Sigma⁻¹. For given psi the best lambda is an eigenvector, so the search runs over psi alone
(dF/dpsi = (lambda² + psi - diag S) / psi²) and Fisher scoring on both finishes it. The discrepancy does not depend on
the units of the items: correlations are fitted and the result is put back on the items' scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import chdtrc

from alliancekit.core.errors import FitError, message

Floats = NDArray[np.float64]

# Uniquenesses are kept above this share of the item's variance (as R's factanal does); at the limit: a Heywood case.
LEAST_UNIQUENESS = 0.005
ITERATIONS = 500
SCORING_STEPS = 60
ROUGH_GRADIENT = 1e-5


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
    iterations : steps of the search.
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
    loadings, psi, steps = _estimate(R)
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


def _estimate(R: Floats) -> tuple[Floats, Floats, int]:
    """Minimise F of a correlation matrix: bounded search over the uniquenesses, then Fisher scoring.

    The search runs over log psi from two starts, with the loadings that are best for each psi; scoring carries it to
    the last digits where no uniqueness is at its limit.
    """
    p = len(R)
    limits = [(np.log(LEAST_UNIQUENESS), 0.0)] * p
    starts = (1.0 - minres_loadings(R) ** 2, (1.0 - 0.5 / p) / np.diag(np.linalg.inv(R)))
    options: Any = {"maxiter": ITERATIONS, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 20}
    search: Any = partial(minimize, args=(R,), method="L-BFGS-B", jac=True, bounds=limits, options=options)
    found = [search(_concentrated, np.log(np.clip(psi, LEAST_UNIQUENESS, 1.0))) for psi in starts]
    best = min(found, key=lambda result: float(result.fun))
    log_psi = np.asarray(best.x, dtype=np.float64)
    gradient = _concentrated(log_psi, R)[1]
    inside = (log_psi > limits[0][0] + 1e-9) | (gradient < 0.0)
    inside &= (log_psi < -1e-12) | (gradient > 0.0)
    if np.abs(gradient[inside]).max(initial=0.0) > ROUGH_GRADIENT:
        raise FitError(
            message("the one-factor model did not converge", do="Look for items that do not correlate with the others")
        )
    loadings = _best_loadings(np.exp(log_psi), R)
    loadings, psi = _score(loadings, np.exp(log_psi), R) if inside.all() else (loadings, np.exp(log_psi))
    return (loadings if loadings.sum() >= 0.0 else -loadings), psi, int(best.nit)


def _best_loadings(psi: Floats, R: Floats) -> Floats:
    """Return the loadings that minimise F for given uniquenesses (Jöreskog 1967, eq. 23)."""
    root = np.sqrt(psi)
    values, vectors = np.linalg.eigh(R / np.outer(root, root))
    return np.asarray(root * vectors[:, -1] * np.sqrt(max(values[-1] - 1.0, 0.0)))


def _concentrated(log_psi: Floats, R: Floats) -> tuple[float, Floats]:
    """Return F at the best loadings, and its gradient in log psi."""
    psi = np.exp(log_psi)
    root = np.sqrt(psi)
    values = np.linalg.eigvalsh(R / np.outer(root, root))
    rest = values[:-1] if values[-1] > 1.0 else values
    loadings = _best_loadings(psi, R)
    gradient = (loadings**2 + psi - np.diag(R)) / psi
    return float((rest - np.log(rest) - 1.0).sum()), gradient


def _score(loadings: Floats, psi: Floats, R: Floats) -> tuple[Floats, Floats]:
    """Take Fisher scoring steps on (lambda, log psi) as long as the gradient shrinks."""
    p = len(R)
    _, d_loadings, d_psi, precision = discrepancy_and_gradient(loadings, psi, R)
    gradient = np.concatenate([d_loadings, d_psi * psi])
    for _ in range(SCORING_STEPS):
        jacobian = np.concatenate([np.ones(p), psi])
        hessian = expected_hessian(loadings, precision) * np.outer(jacobian, jacobian)
        step = np.linalg.lstsq(hessian, -gradient, rcond=1e-12)[0]
        new_loadings, new_psi = loadings + step[:p], np.clip(psi * np.exp(step[p:]), LEAST_UNIQUENESS, None)
        _, d_loadings, d_psi, new_precision = discrepancy_and_gradient(new_loadings, new_psi, R)
        new_gradient = np.concatenate([d_loadings, d_psi * new_psi])
        if not np.abs(new_gradient).max() < np.abs(gradient).max():
            break
        loadings, psi, precision, gradient = new_loadings, new_psi, new_precision, new_gradient
    return loadings, psi
