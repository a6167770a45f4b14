"""Information of incomplete normal data about means and covariances, per row, and the scores of single rows.

Moments stand in the order means, then the lower triangle of the covariances column by column. Observed information is
the second derivative of -log L at any point (Savalei 2010, equations 6-8); expected information drops what has
expectation zero; first-order information is the mean outer product of the scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, message
from alliancekit.structural.continuous.missing.likelihood import Evaluation, evaluate_patterns
from alliancekit.structural.continuous.missing.patterns import Patterns
from alliancekit.structural.duplication import kronecker_sum, triangle

Floats = NDArray[np.float64]


def moment_information(
    kind: str, sigma: Floats, mu: Floats, patterns: Patterns, here: Evaluation | None = None
) -> Floats:
    """Return the information per row about (mu, vech sigma), shape (p + p(p + 1)/2, same).

    kind: "observed", "expected" or "first.order"; here: the evaluation at this point where it is known.
    """
    if patterns.parts:
        shares = [part.n / patterns.n * moment_information(kind, sigma, mu, part) for part in patterns.parts]
        return np.asarray(np.sum(shares, axis=0))
    found = here if here is not None else evaluate_patterns(sigma, mu, patterns)
    if found is None:
        raise FitError(message("The covariance matrix is not positive definite; there is no information at this point"))
    if kind == "first.order":
        scores = row_scores(sigma, mu, patterns, found)
        return np.asarray(scores.T @ scores / patterns.n)
    p = mu.size
    rows, columns = triangle(p)
    out = np.zeros((p + rows.size, p + rows.size))
    weight = patterns.size / patterns.n
    out[:p, :p] = np.tensordot(weight, found.inverse, axes=1)
    second = found.inverse / 2 if kind == "expected" else _observed_second(found, patterns)
    out[p:, p:] = kronecker_sum(found.inverse, second * weight[:, None, None])
    if kind == "observed":
        cross = np.tensordot(found.inverse, found.weighted * weight[:, None], axes=(0, 0))
        block = cross[:, rows, columns] + cross[:, columns, rows]
        block[:, rows == columns] /= 2
        out[:p, p:] = block
        out[p:, :p] = block.T
    return out


def row_scores(sigma: Floats, mu: Floats, patterns: Patterns, here: Evaluation | None = None) -> Floats:
    """Return d log L_i / d (mu, vech sigma) of each row, (n, p + p(p + 1)/2), in the order of ``patterns.rows``."""
    rows, columns = triangle(mu.size)
    if patterns.parts:
        whole = np.empty((patterns.n, mu.size + rows.size))
        for part in patterns.parts:
            whole[part.kept] = row_scores(sigma, mu, part)
        return whole
    found = here if here is not None else evaluate_patterns(sigma, mu, patterns)
    if found is None:
        raise FitError(message("The covariance matrix is not positive definite; there are no scores at this point"))
    centred = np.where(patterns.observed[patterns.pattern], patterns.rows - mu, 0.0)
    if len(found.inverse) == 1:
        z = found.inverse[0] @ centred.T
    else:
        z = np.ascontiguousarray(np.matmul(found.inverse[patterns.pattern], centred[:, :, None])[:, :, 0].T)
    out = np.empty((mu.size + rows.size, patterns.n))  # moments by rows of the data, so that memory is read in order
    out[: mu.size] = z
    pairs = out[mu.size :]
    np.multiply(z[rows], z[columns], out=pairs)
    inverse = found.inverse[:, rows, columns].T
    pairs -= inverse if len(found.inverse) == 1 else inverse[:, patterns.pattern]
    pairs[rows == columns] /= 2
    return out.T


def complete_information(sigma: Floats) -> Floats:
    """Return the information per row of complete normal data with covariance sigma, at its own moments."""
    p = sigma.shape[0]
    inverse: Floats = np.asarray(np.linalg.inv(sigma), dtype=np.float64)
    m = p + p * (p + 1) // 2
    out = np.zeros((m, m))
    out[:p, :p] = inverse
    out[p:, p:] = kronecker_sum(inverse[None], inverse[None] / 2)
    return out


def _observed_second(found: Evaluation, patterns: Patterns) -> Floats:
    """Return P_k T_k P_k - P_k / 2 for every pattern."""
    inverse = found.inverse
    out = found.weighted[:, :, None] * found.weighted[:, None, :] - inverse / 2
    repeated = np.flatnonzero(patterns.size > 1)
    part = inverse[repeated]
    out[repeated] += np.matmul(np.matmul(part, patterns.cross[repeated]), part)
    return np.asarray(out)
