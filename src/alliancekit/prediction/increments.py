"""R², its increments and the focus predictor's slopes, for thousands of resamples of clusters at once.

Two kernels answer the same questions from :class:`~alliancekit.prediction.moments.ClusterMoments`:

- :func:`least_squares`: R² of ordinary least squares;
- :func:`random_intercept`: marginal R² (Nakagawa & Schielzeth 2013, Methods in Ecology and Evolution 4, 133-142,
  eq. 26) of the model with a random intercept of the cluster, by maximum likelihood: v / (v + tau2 + sigma2), where
  v is the sample variance of the fixed part.

A cluster drawn twice counts as two clusters. With V_g = sigma2 (I + theta J), the inverse needs only the cluster's
cross-products M_g and sums s_g: X'V⁻¹X = sum over g of w_g (M_g - theta / (1 + theta n_g) s_g s_g') / sigma2, and the
likelihood is a function of theta alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alliancekit.prediction.moments import ClusterMoments, Floats, eliminate, residual_slope

GRID = np.array([0.0, 0.02, 0.05, 0.1, 0.18, 0.3, 0.45, 0.6, 0.75, 0.88, 0.96, 0.995, 0.9999])
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
REFINEMENTS = 26


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be compared: columns are numbered from 1 (0 is the constant).

    Attributes
    ----------
    steps : columns added at each step.
    focus : column of the focus predictor, or None.
    """

    steps: tuple[tuple[int, ...], ...]
    focus: int | None = None

    def upto(self, step: int) -> tuple[int, ...]:
        """Return the columns in the model of a step."""
        return tuple(j for columns in self.steps[: step + 1] for j in columns)

    @property
    def everything(self) -> tuple[int, ...]:
        """Columns of the final model."""
        return self.upto(len(self.steps) - 1)

    @property
    def base(self) -> tuple[int, ...]:
        """Columns of the steps before the one that holds the focus predictor."""
        holds = next(s for s, columns in enumerate(self.steps) if self.focus in columns)
        return self.upto(holds - 1) if holds else ()

    @property
    def rivals(self) -> tuple[int, ...]:
        """Columns that are neither the focus nor in its base."""
        return tuple(j for j in self.everything if j != self.focus and j not in self.base)

    @property
    def statistics(self) -> tuple[str, ...]:
        """Names of what a kernel returns, in order."""
        names = [f"r2_{s}" for s in range(len(self.steps))] + [f"delta_r2_{s}" for s in range(len(self.steps))]
        if self.focus is not None:
            names += ["delta_r2_base", "delta_r2_all", "slope_base", "slope_all", "slope_drop"]
        return tuple(names)


Kernel = Callable[[ClusterMoments, Plan, Floats], Floats]


def least_squares(moments: ClusterMoments, plan: Plan, weights: Floats) -> Floats:
    """Return R² statistics of least squares, shape (B, len(plan.statistics)); slopes are standardised.

    Parameters
    ----------
    moments : cross-products by cluster.
    plan : steps and focus.
    weights : how often each cluster is drawn, shape (B, G).
    """
    _, centred = eliminate(moments.weighted(weights), (0,))
    total = centred[:, -1, -1]
    explained, _ = eliminate(centred, plan.everything)
    ends = np.cumsum([len(columns) for columns in plan.steps]) - 1
    r2 = (np.cumsum(explained, axis=1) / total[:, None])[:, ends]
    delta = np.diff(r2, axis=1, prepend=0.0)
    if plan.focus is None:
        return np.hstack([r2, delta])
    found = []
    for others in (plan.base, tuple(j for j in plan.everything if j != plan.focus)):
        _, remainder = eliminate(centred, others)
        gain, _ = eliminate(remainder, (plan.focus,))
        slope = residual_slope(remainder, plan.focus, centred[:, plan.focus, plan.focus])
        found.append((np.where(np.isnan(slope), 0.0, gain[:, 0]) / total, slope))
    return np.hstack([r2, delta, _focus_columns(found)])


def _focus_columns(found: list[tuple[Floats, Floats]]) -> Floats:
    (base_gain, base_slope), (all_gain, all_slope) = found
    return np.column_stack([base_gain, all_gain, base_slope, all_slope, base_slope - all_slope])


def random_intercept(moments: ClusterMoments, plan: Plan, weights: Floats) -> Floats:
    """Return marginal R² statistics of the random-intercept model by ML, shape (B, len(plan.statistics)).

    Parameters and order of the results are those of :func:`least_squares`.
    """
    marginal: dict[frozenset[int], Floats] = {frozenset(): np.zeros(len(weights))}

    def fit(columns: tuple[int, ...]) -> tuple[Floats, Floats]:
        r2, slope = marginal_r2(moments, weights, columns)
        marginal[frozenset(columns)] = r2
        return r2, slope

    def known(columns: tuple[int, ...]) -> Floats:
        key = frozenset(columns)
        return marginal[key] if key in marginal else fit(columns)[0]

    r2 = np.column_stack([known(plan.upto(s)) for s in range(len(plan.steps))])
    delta = np.diff(r2, axis=1, prepend=0.0)
    if plan.focus is None:
        return np.hstack([r2, delta])
    found = []
    for others in (plan.base, tuple(j for j in plan.everything if j != plan.focus)):
        with_focus, slope = fit((*others, plan.focus))
        found.append((with_focus - known(others), slope))
    return np.hstack([r2, delta, _focus_columns(found)])


def marginal_r2(moments: ClusterMoments, weights: Floats, columns: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the marginal R² of the random-intercept model and the slope of its last column, each of shape (B,)."""
    theta = _variance_ratio(moments, weights, columns)
    weighted = _precision_products(moments, weights, theta)
    fixed = (0, *columns)
    _, remainder = eliminate(weighted, fixed)
    rows = weights @ moments.counts
    sigma2 = remainder[:, -1, -1] / rows
    beta = solve_symmetric(weighted[:, fixed][:, :, fixed], weighted[:, fixed, -1])[:, 1:]
    _, centred = eliminate(moments.weighted(weights), (0,))
    between = centred[:, columns][:, :, columns]
    fixed_variance = np.einsum("bi,bij,bj->b", beta, between, beta) / (rows - 1.0)
    return fixed_variance / (fixed_variance + sigma2 * (1.0 + theta)), beta[:, -1]


def solve_symmetric(A: Floats, b: Floats) -> Floats:
    """Solve a batch of symmetric systems; a singular one gets its least-norm solution."""
    scale = np.sqrt(np.diagonal(A, axis1=1, axis2=2))
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = A / (scale[:, :, None] * scale[:, None, :])
    singular = np.linalg.eigvalsh(scaled)[:, 0] < 1e-10
    out = np.empty_like(b)
    rhs = b / scale
    if (~singular).any():
        out[~singular] = np.linalg.solve(scaled[~singular], rhs[~singular][..., None])[..., 0]
    if singular.any():
        inverse = np.linalg.pinv(scaled[singular], rcond=1e-10, hermitian=True)
        out[singular] = np.einsum("bij,bj->bi", inverse, rhs[singular])
    return out / scale


def _precision_products(moments: ClusterMoments, weights: Floats, theta: Floats) -> Floats:
    """Return sigma2 Z'V⁻¹Z of each resample at its theta, shape (B, k, k)."""
    sums = moments.cross[:, 0, :]
    outer = (sums[:, :, None] * sums[:, None, :]).reshape(moments.n_clusters, -1)
    shrink = weights * theta[:, None] / (1.0 + theta[:, None] * moments.counts)
    k = moments.cross.shape[1]
    return moments.weighted(weights) - (shrink @ outer).reshape(-1, k, k)


def _variance_ratio(moments: ClusterMoments, weights: Floats, columns: tuple[int, ...]) -> Floats:
    """Return the ML estimate of theta = tau2 / sigma2 for each resample, shape (B,)."""
    keep = (0, *columns, moments.n_predictors + 1)
    cross = moments.cross[:, keep][:, :, keep]
    sums = cross[:, 0, :]
    k = len(keep)
    plain = (weights @ cross.reshape(moments.n_clusters, -1)).reshape(-1, k, k)
    outer = (sums[:, :, None] * sums[:, None, :]).reshape(moments.n_clusters, -1)
    rows = weights @ moments.counts
    typical = moments.counts.mean()
    eliminated = tuple(range(k - 1))

    def deviance(share: Floats) -> Floats:
        theta = share / ((1.0 - share) * typical)
        inflation = 1.0 + theta[:, None] * moments.counts
        shrink = weights * theta[:, None] / inflation
        _, remainder = eliminate(plain - (shrink @ outer).reshape(-1, k, k), eliminated)
        # A resample that a model fits exactly has no likelihood; the floor keeps it finite.
        squares = np.maximum(remainder[:, -1, -1], 1e-12 * plain[:, -1, -1])
        return np.asarray(rows * np.log(squares) + (weights * np.log(inflation)).sum(axis=1))

    share = _minimise(deviance, len(weights))
    return np.asarray(share / ((1.0 - share) * typical))


def _minimise(function: Callable[[Floats], Floats], size: int) -> Floats:
    """Minimise a batch of functions of one number in [0, 1): grid, then golden section inside the best bracket."""
    on_grid = np.array([function(np.full(size, share)) for share in GRID])
    best = on_grid.argmin(axis=0)
    low, high = GRID[np.maximum(best - 1, 0)], GRID[np.minimum(best + 1, len(GRID) - 1)]
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(REFINEMENTS):
        go_left = at_left <= at_right
        low, high = np.where(go_left, low, left), np.where(go_left, right, high)
        probe = np.where(go_left, high - GOLDEN * (high - low), low + GOLDEN * (high - low))
        value = function(probe)
        left, right = np.where(go_left, probe, right), np.where(go_left, left, probe)
        at_left, at_right = np.where(go_left, value, at_right), np.where(go_left, at_left, value)
    inside = np.where(at_left <= at_right, left, right)
    # The boundary is an answer: zero variance wins wherever it is at least as likely.
    return np.where(on_grid[0] <= np.minimum(at_left, at_right), 0.0, inside)
