"""Exploratory factors of other samples, rotated and matched to those of a fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.model import Model
from alliancekit.structural.ordinal.structure import evaluate
from alliancekit.structural.rotation.blocks import exploratory_blocks
from alliancekit.structural.rotation.fitted import kept_parameters, rotated_values, rotations, whole_turns

Floats = NDArray[np.float64]


def rotate_again(fit: StructuralEstimates, x: Floats) -> Floats:
    """Return the parameters (R, size) of a rotated fit from those (R, old) of other samples before their rotation.

    Each rotation begins at that of the fit, and its factors get the order and the signs of those of the fit. Parameters
    are NaN where the search of the rotation ended at no minimum, and where they were.
    """
    turned = fit.rotation
    assert turned is not None
    before = turned.before
    blocks = exploratory_blocks(before.table, before.model.blocks)
    kept = kept_parameters(before.table, fit.table)
    out = np.full((len(x), fit.x.size), np.nan)
    for r in np.flatnonzero(np.isfinite(x).all(axis=1)):
        model = _complete(before, x[r])
        if model is None:
            continue
        own = replace(before, x=x[r], model=model)
        found = rotations(own, fit.options.rotation, blocks, turned.found)
        if all(one.converged for one in found.values()):
            out[r] = rotated_values(own, fit.model, whole_turns(model, blocks, found), kept)
    return out


def _complete(fit: StructuralEstimates, x: Floats) -> Model | None:
    """Return the model with the residual variances that ordinal items have at ``x``, None where one is negative."""
    if fit.ordinal is None:
        return fit.model
    blocks = []
    for block, structure in zip(fit.model.blocks, fit.ordinal.structures, strict=True):
        at = evaluate(structure, x, complete=True)
        if at is None:
            return None
        S, own = block.S.copy(), structure.own[structure.ordinal]
        S[own, own] = at.S[own, own]
        blocks.append(replace(block, S=S))
    return replace(fit.model, blocks=tuple(blocks))
