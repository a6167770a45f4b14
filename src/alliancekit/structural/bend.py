"""Second derivatives of the moments of a model: what they add to the Hessian of a criterion.

With u = F B e_r, v = (F B S B') e_c of a directed effect from c to r, dSigma = u v' + v u'. An effect l moves the u and
v of the others: du = u_l B[c_l, r], dv = u_l C[c_l, c] + v_l B[c, r_l], C = B S B'. Covariances and intercepts alone
bend nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block as Moments

if TYPE_CHECKING:
    from alliancekit.structural.model import BlockModel

Floats = NDArray[np.float64]


def add_bend(out: Floats, block: BlockModel, x: Floats, slope: Moments) -> None:
    """Add to ``out`` (size, size) the sum over the moments of a block of slope times second derivative by x."""
    if not block.directed.rows.size:
        return
    A, S, m = block.A.copy(), block.S.copy(), block.m.copy()
    d, c, i = block.directed, block.covariances, block.intercepts
    A[d.rows, d.columns] = x[d.parameters]
    S[c.rows, c.columns] = S[c.columns, c.rows] = x[c.parameters]
    m[i.rows] = x[i.parameters]
    B = np.asarray(np.linalg.inv(np.eye(len(m)) - A), dtype=np.float64)
    FB, C, levels = B[: len(block.observed)], B @ S @ B.T, B @ m
    lifted = FB.T @ slope.mu
    inner = FB.T @ slope.sigma
    among = inner @ FB
    onto = inner @ C[: len(block.observed)]
    passed = B[np.ix_(d.columns, d.rows)]
    one = passed * (2.0 * onto[np.ix_(d.rows, d.columns)] + lifted[d.rows][:, None] * levels[d.columns])
    own = one + one.T + 2.0 * among[np.ix_(d.rows, d.rows)] * C[np.ix_(d.columns, d.columns)]
    np.add.at(out, np.ix_(d.parameters, d.parameters), own)
    half = np.where(c.rows == c.columns, 1.0, 2.0)
    mixed = B[np.ix_(d.columns, c.rows)] * among[np.ix_(d.rows, c.columns)]
    mixed = half * (mixed + B[np.ix_(d.columns, c.columns)] * among[np.ix_(d.rows, c.rows)])
    _add_both(out, d.parameters, c.parameters, mixed)
    _add_both(out, d.parameters, i.parameters, lifted[d.rows][:, None] * B[np.ix_(d.columns, i.rows)])


def _add_both(out: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats) -> None:
    np.add.at(out, np.ix_(rows, columns), values)
    np.add.at(out, np.ix_(columns, rows), values.T)
