"""Cross-validated R²: predictions for patients of therapists who took no part in the estimation.

R² of a step is 1 - sum (y - prediction)² / sum (y - mean of the training patients)², over all held-out patients
(Press's predictive R²). Folds hold whole therapists; the assignment is repeated and the repeats are averaged, because
with 20 therapists one assignment is a lottery.
"""

from __future__ import annotations

import numpy as np

from alliancekit.core.seeds import generator
from alliancekit.prediction.increments import Plan, solve_symmetric
from alliancekit.prediction.moments import ClusterMoments, Floats

REPEATS = 20


def cross_validated_r2(moments: ClusterMoments, plan: Plan, *, folds: int, seed: int) -> Floats:
    """Return the cross-validated R² of each step in each repeat, shape (20, steps).

    Parameters
    ----------
    moments : cross-products by cluster; a cluster is never split.
    plan : steps.
    folds : number of folds; with fewer clusters than folds each cluster is a fold.
    seed : root seed of the assignments.
    """
    n_folds = min(folds, moments.n_clusters)
    rng = generator(seed)
    held_out = np.zeros((REPEATS, n_folds, moments.n_clusters))
    for repeat in range(REPEATS):
        assigned = rng.permutation(moments.n_clusters) % n_folds
        held_out[repeat, assigned, np.arange(moments.n_clusters)] = 1.0
    flat = held_out.reshape(-1, moments.n_clusters)
    test = moments.weighted(flat)
    train = moments.weighted(1.0 - flat)
    null = _squared_errors(train, test, ()).reshape(REPEATS, n_folds).sum(axis=1)
    models = [plan.upto(step) for step in range(len(plan.steps))]
    errors = [_squared_errors(train, test, m).reshape(REPEATS, n_folds).sum(axis=1) for m in models]
    return np.asarray(1.0 - np.column_stack(errors) / null[:, None])


def _squared_errors(train: Floats, test: Floats, columns: tuple[int, ...]) -> Floats:
    """Return the sum of squared errors in the test part of the regression fitted to the training part, shape (B,)."""
    keep = (0, *columns)
    A, b = train[:, keep][:, :, keep], train[:, keep, -1]
    beta = solve_symmetric(A, b)
    cross = test[:, keep, -1]
    quadratic = np.einsum("bi,bij,bj->b", beta, test[:, keep][:, :, keep], beta)
    return np.asarray(test[:, -1, -1] - 2.0 * (beta * cross).sum(axis=1) + quadratic)
