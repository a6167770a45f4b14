"""Kenward and Roger's method for models with a residual structure, from whole covariance matrices unit by unit.

With P_r = -X'V^-1 V_r V^-1 X, Q_rs = X'V^-1 V_r V^-1 V_s V^-1 X and R_rs = X'V^-1 V_rs V^-1 X (V_r, V_rs derivatives
of V by its parameters), Phi = (X'V^-1 X)^-1 and W the inverse of the expected information of REML,

    Phi_A = Phi + 2 Phi {sum_rs W_rs (Q_rs - P_r Phi P_s - R_rs / 4)} Phi.

Source: Kenward & Roger (1997), Biometrics 53, 983-997, eq. 5 and section 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.kenward_roger import KenwardRoger, generalised_inverse
from alliancekit.multilevel.residual.dense import covariance, independent_units, stacks
from alliancekit.multilevel.residual.derivatives import covariance_derivatives, n_parameters

Floats = NDArray[np.float64]
MOST = 200_000_000  # numbers in the derivatives of one unit: 1.6 GB


def kenward_roger(fit: GaussianFit) -> KenwardRoger:
    """Return the adjusted covariance of the fixed effects, and what df need, in the engine's basis.

    Raises
    ------
    SpecError : rows hang together in units so large that their matrices do not fit into memory.
    """
    X = fit.design.X @ fit.engine.fixed_basis
    p = X.shape[1]
    k, m = n_parameters(fit)
    units = independent_units(fit)
    _refuse_large(int(np.bincount(units).max()), k + m * m)
    fixed, P = np.zeros((p, p)), np.zeros((k, p, p))
    Q, traces, bends = np.zeros((k * p, k * p)), np.zeros((k, k)), np.zeros((k, k, p, p))
    for _, rows in stacks(units, k + m * m + 2):
        V, _ = covariance(fit, rows)
        root = np.linalg.inv(np.linalg.cholesky(V))
        back = root.transpose(0, 2, 1)
        found = covariance_derivatives(fit, rows)
        white = root @ X[rows]
        fixed += np.einsum("lni,lnj->ij", white, white)
        G = root @ found.first @ back
        half = G @ white
        P -= np.einsum("lni,klnj->kij", white, half, optimize=True)
        flat = half.transpose(0, 3, 1, 2).reshape(k * p, -1)
        Q += flat @ flat.T
        flat = G.reshape(k, -1)
        traces += flat @ flat.T
        if found.second is not None:
            bent = root @ found.second @ back @ white
            bends[k - m :, k - m :] += np.einsum("lni,rslnj->rsij", white, bent, optimize=True)
    phi: Floats = np.asarray(np.linalg.inv(fixed), dtype=np.float64)
    return _adjust(phi, P, Q.reshape(k, p, k, p).transpose(0, 2, 1, 3), traces, bends)


def _adjust(phi: Floats, P: Floats, Q: Floats, traces: Floats, bends: Floats) -> KenwardRoger:
    half = phi @ P
    information = traces - 2.0 * np.einsum("ij,rsji->rs", phi, Q) + np.einsum("rij,sji->rs", half, half)
    weight = 2.0 * generalised_inverse((information + information.T) / 2)
    total = np.einsum("rs,rsij->ij", weight, Q - bends / 4.0)
    total = total - np.einsum("rs,rij,sjk->ik", weight, P, half, optimize=True)
    adjusted = phi + 2.0 * phi @ ((total + total.T) / 2) @ phi
    return KenwardRoger(phi, adjusted, half @ phi, weight)


def _refuse_large(size: int, matrices: int) -> None:
    if matrices * size**2 > MOST:
        raise SpecError(
            message(
                f"Kenward and Roger's method needs {matrices} matrices of {size:,} by {size:,}, because {size:,} rows "
                "hang together by random effects",
                do='Use ddf="satterthwaite"',
            )
        )
