"""Random effects whose variances the data cannot tell: from each other, or from the fixed part.

A unit with columns Z has covariance Z G Z' + sigma² I; the free entries of G are identified where the map from G to the
covariances of all units has no null space, and a random effect says something of its own only where Z is not wholly
explained by X. Both are seen in the cross-products (Demidenko 2013, Mixed Models, section 3.2; Lavine, Bray & Hodges
2015, Stat Sci 30, 560-575).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.multilevel.gaussian.design import GaussianDesign
from alliancekit.multilevel.gaussian.factors import Factor

Floats = NDArray[np.float64]
_SMALL = 1e-8


@dataclass(frozen=True, slots=True)
class Unidentified:
    """Effects of one grouping factor and what of them is not known.

    kind: "fixed" (no variance beside the fixed part), "variances" (those of the effects), "correlation" (only that).
    """

    group: str
    effects: tuple[str, ...]
    kind: str


def unidentified(design: GaussianDesign) -> list[Unidentified]:
    """Return what the data cannot tell, per chain factor of a design."""
    out: list[Unidentified] = []
    products = design.products
    if not design.chain or products.m:
        return out
    within = np.linalg.pinv(products.total, hermitian=True)
    for k, (link, own) in enumerate(zip(design.chain, products.links, strict=True)):
        factor = design.factors[link.factor]
        if factor.q == 1:
            F = own.free[0, :-1]
            explained = float((within * (F @ F.T)).sum())
            total = float(own.square[0, 0].sum())
            if total - explained <= _SMALL * total:
                out.append(Unidentified(factor.group, factor.names, "fixed"))
            continue
        same = products.patterns if k == 0 else None
        square = own.square if same is None else same.square
        count = np.ones(square.shape[2]) if same is None else same.count
        entries = _entangled(factor, square[:, : factor.q].transpose(2, 0, 1), count)
        if entries:
            effects = tuple(factor.names[i] for i in sorted({i for pair in entries for i in pair}))
            kind = "variances" if any(i == j for i, j in entries) else "correlation"
            out.append(Unidentified(factor.group, effects, kind))
    return out


def _entangled(factor: Factor, G: Floats, count: Floats) -> list[tuple[int, int]]:
    """Return the free entries that take part in a direction on which no unit's covariance depends.

    G : (P, q, q) products Z'Z of the units, or of patterns of units. count : (P,) units of each.
    """
    scale = 1.0 / np.sqrt(np.maximum(np.einsum("Lii,L->i", G, count) / count.sum(), 1e-300))
    G = G * scale[:, None] * scale
    root = G @ G
    q = factor.q
    flat = root.reshape(len(G), -1)
    whole = ((flat * count[:, None]).T @ flat).reshape(q, q, q, q)
    entries = _entries(factor)
    basis = np.zeros((q, q, len(entries)))
    for k, (i, j) in enumerate(entries):
        basis[i, j, k] = basis[j, i, k] = 1.0
    information = np.einsum("abk,acbd,cdl->kl", basis, whole, basis)
    size = np.sqrt(np.maximum(np.diag(information), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    null = vectors[:, values <= _SMALL * values[-1]]
    if not null.size:
        return []
    taking = np.abs(null).max(axis=1) > 1e-3
    return [pair for pair, part in zip(entries, taking, strict=True) if part]


def _entries(factor: Factor) -> list[tuple[int, int]]:
    """Return the entries (row >= column) of G that are free: pairs within a random term."""
    return [(i, j) for i in range(factor.q) for j in range(i + 1) if factor.term[i] == factor.term[j]]
