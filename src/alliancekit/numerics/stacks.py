"""Small symmetric matrices in stacks: shape (q, q, L), the last axis numbers the matrices.

With the stack on the last axis every operation is a vector operation over L, whatever q is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FEW = 12  # rows


def multiply(left: Floats, right: Floats) -> Floats:
    """Return the matrix product for each place of the stack: (q, k, L) with (k, d, L)."""
    if left.shape[:2] == (1, 1):
        return np.asarray(left[0] * right[0], dtype=np.float64)[None]
    return np.asarray(np.einsum("ikl,kdl->idl", left, right))


def invert(blocks: Floats) -> tuple[Floats, Floats]:
    """Return the inverse of each symmetric positive definite block, (q, q, ...), and its determinant, (...).

    Gauss-Jordan sweeps without pivoting (Goodnight 1979, Am Stat 33, 149-158): stable for positive definite blocks.
    """
    out = blocks.copy()
    det = np.ones(blocks.shape[2:])
    for k in range(blocks.shape[0]):
        pivot = out[k, k].copy()
        det *= pivot
        row = out[k] / pivot
        column = out[:, k].copy()
        out -= column[:, None] * row
        out[k] = row
        out[:, k] = row
        out[k, k] = -1.0 / pivot
    return np.negative(out, out=out), det


def shrink(products: Floats, relative: Floats) -> tuple[Floats, Floats]:
    """Return K = Lambda (Lambda'G Lambda + I)^-1 Lambda' for each block G, (q, q, L), and log|Lambda'G Lambda + I|.

    K = (G + (Lambda Lambda')^-1)^-1 wherever that exists, and is right where Lambda has lost rank. For one and two
    columns it is written out: with S = Lambda Lambda', K = (S + |S| adj(G)) / (1 + tr(GS) + |G||S|).
    """
    q = products.shape[0]
    if q == 1:
        s = float(relative[0, 0]) ** 2
        det = 1.0 + s * products[0, 0]
        return (s / det)[None, None], np.log(det)
    if q == 2:
        return _shrink_two(products, relative)
    inner = np.einsum("ai,abl->ibl", relative, products)
    inner = np.einsum("ibl,bj->ijl", inner, relative)
    for i in range(q):
        inner[i, i] += 1.0
    inverse, det = invert(inner)
    left = np.einsum("ai,ijl->ajl", relative, inverse)
    return np.asarray(np.einsum("ajl,bj->abl", left, relative)), np.log(det)


def _shrink_two(products: Floats, relative: Floats) -> tuple[Floats, Floats]:
    cov = relative @ relative.T
    s11, s12, s22 = float(cov[0, 0]), float(cov[0, 1]), float(cov[1, 1])
    size = float(relative[0, 0] * relative[1, 1] - relative[0, 1] * relative[1, 0]) ** 2
    g11, g12, g22 = products[0, 0], products[0, 1], products[1, 1]
    det = g11 * g22
    det -= g12 * g12
    det *= size
    det += s11 * g11
    det += (2.0 * s12) * g12
    det += s22 * g22
    det += 1.0
    out = np.empty_like(products)
    inverse = 1.0 / det
    np.multiply(g22, size, out=out[0, 0])
    out[0, 0] += s11
    np.multiply(g11, size, out=out[1, 1])
    out[1, 1] += s22
    np.multiply(g12, -size, out=out[0, 1])
    out[0, 1] += s12
    out[0] *= inverse
    out[1, 1] *= inverse
    out[1, 0] = out[0, 1]
    return out, np.log(det)


def gram(rows: Floats) -> Floats:
    """Return rows @ rows.T for a few long rows: products of pairs, each taken once, beat the general product there."""
    size, length = rows.shape
    if size > _FEW or length < 1000:
        return np.asarray(rows @ rows.T)
    out = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):
            out[i, j] = out[j, i] = rows[i] @ rows[j]
    return out
