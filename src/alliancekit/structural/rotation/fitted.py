"""A fitted model rotated: everything that depends on the exploratory factors changes with them, the moments do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.estimates import Rotation, StructuralEstimates
from alliancekit.structural.likelihood.reduced import Reduced
from alliancekit.structural.model import BlockModel, Model, compile_model, matrices
from alliancekit.structural.ordinal.compile import compile_structures
from alliancekit.structural.ordinal.estimate import OrdinalFit
from alliancekit.structural.ordinal.structure import At, Structure, evaluate
from alliancekit.structural.rotation.blocks import ExploratoryBlock, exploratory_blocks, freed_table
from alliancekit.structural.rotation.conditions import condition_slopes, turns
from alliancekit.structural.rotation.rotate import Rotated, rotate_alike, rotate_loadings
from alliancekit.structural.rotation.words import RotationWords
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]
Rotations = Mapping[tuple[int, str], Rotated]
"""Block of the table (from 0) and name of an exploratory block -> its rotation."""
Shown = tuple[tuple[Structure, ...], tuple[At, ...]]
"""Structures of ordinal variables, and what they are at the parameters."""


def rotate_fit(fit: StructuralEstimates, like: Rotations | None = None) -> StructuralEstimates:
    """Return a fit with its exploratory factors rotated; as it is where there are none, or rotation is "none".

    like : rotations of another sample, which these begin at, and whose order and signs of factors they get.

    Raises
    ------
    SpecError : the factors of a block have not the same relations to other variables, so that the model does not hold
    for the rotated ones; a target of the wrong shape.
    """
    words = fit.options.rotation
    blocks = exploratory_blocks(fit.table, fit.model.blocks)
    if words.criterion == "none" or not blocks:
        return fit
    found = rotations(fit, words, blocks, like)
    H = whole_turns(fit.model, blocks, found)
    table = freed_table(fit.table, words.orthogonal)
    model = compile_model(table, [(block.m, block.S) for block in fit.model.blocks])
    kept = kept_parameters(fit.table, table)
    x = rotated_values(fit, model, H, kept)
    model = _complete(fit, model)
    shown = _structures(fit, table, model, x)
    follow = _following(fit, model, shown)
    step = turns(fit.model, model, H, blocks, x, kept)
    exact = plain = np.full((model.size, fit.model.size), np.nan)
    done = all(one.converged for one in found.values())
    rotated = [(block, found[block.block, block.name]) for block in blocks]
    if words.criterion != "promax" and done:
        exact = plain = step.bordered(condition_slopes(words, rotated, model, x, follow, plain=False))
        if words.errors == "bordered" and not words.orthogonal and (words.std_ov or words.row_weights != "none"):
            plain = step.bordered(condition_slopes(words, rotated, model, x, follow, plain=True))
    values = tuple(found[b.block, b.name].value for b in blocks)
    rotation = Rotation(fit, exact @ fit.vcov @ exact.T, values, done, found)
    return _gather(fit, table, model, x, _Turned(step.along, step.free, plain), shown, rotation)


@dataclass(frozen=True, eq=False, slots=True)
class _Turned:
    """Derivatives of the rotated parameters: the rotation held, by the rotation, and with the side conditions."""

    along: Floats
    free: Floats
    bordered: Floats

    @property
    def back(self) -> Floats:
        """Derivatives (old, size) of the parameters before the rotation by the rotated ones, turns left out."""
        whole = np.linalg.pinv(np.hstack([self.along, self.free]))
        return np.asarray(whole[: self.along.shape[1]])


def rotations(
    fit: StructuralEstimates,
    words: RotationWords,
    blocks: tuple[ExploratoryBlock, ...],
    like: Rotations | None = None,
) -> dict[tuple[int, str], Rotated]:
    """Return the rotation of each exploratory block; a block that follows another's has the same."""
    out: dict[tuple[int, str], Rotated] = {}
    led: dict[str, Rotated] = {}
    for block in blocks:
        if not block.leader:
            out[block.block, block.name] = led[block.name]
            continue
        A, S, _, _ = matrices(fit.model.blocks[block.block], fit.x)
        loadings = A[np.ix_(block.items, block.factors)]
        variances = (loadings**2).sum(axis=1) + S[block.items, block.items]
        if like is None:
            found = rotate_loadings(loadings, words, block.name, variances if words.std_ov else None)
        else:
            found = rotate_alike(loadings, words, block.name, variances, like[block.block, block.name])
        out[block.block, block.name] = led[block.name] = found
    return out


def whole_turns(
    model: Model, blocks: tuple[ExploratoryBlock, ...], found: dict[tuple[int, str], Rotated]
) -> list[Floats]:
    """Return the rotation of all variables of each block of the table, (v, v)."""
    out = [np.eye(len(block.m)) for block in model.blocks]
    for block in blocks:
        out[block.block][np.ix_(block.factors, block.factors)] = found[block.block, block.name].H
    return out


def kept_parameters(before: ParameterTable, after: ParameterTable) -> Floats:
    """Return which parameter outside the matrices is which before, (size, old)."""
    out = np.zeros((after.n_free, before.n_free))
    place = {before.plabel[i]: before.free[i] for i in range(len(before)) if before.op[i] in ("|", "~*~")}
    for i, plabel in enumerate(after.plabel):
        if after.op[i] in ("|", "~*~") and after.free[i] and place.get(plabel):
            out[after.free[i] - 1, place[plabel] - 1] = 1.0
    return out


def rotated_values(fit: StructuralEstimates, model: Model, H: list[Floats], kept: Floats) -> Floats:
    """Return the parameters of the rotated model.

    Raises
    ------
    SpecError : these cannot give the moments of the model before the rotation.
    """
    x = kept @ fit.x
    for old, new, turn in zip(fit.model.blocks, model.blocks, H, strict=True):
        A, S, m, _ = matrices(old, fit.x)
        turned = turn.T @ A @ np.linalg.inv(turn).T, turn.T @ S @ turn, turn.T @ m
        d, c, i = new.directed, new.covariances, new.intercepts
        x[d.parameters], x[c.parameters] = turned[0][d.rows, d.columns], turned[1][c.rows, c.columns]
        x[i.parameters] = turned[2][i.rows]
        _check(new, x, turned)
    return x


def _check(block: BlockModel, x: Floats, turned: tuple[Floats, Floats, Floats]) -> None:
    """Raise SpecError where the rotated factors have relations that the model does not have."""
    A, S, m, _ = matrices(block, x)
    names = (*block.observed, *block.latent)
    own = np.arange(len(names)) < len(block.observed)
    for kind, ours, wanted in (("~", A, turned[0]), ("~~", S, turned[1]), ("~1", m[:, None], turned[2][:, None])):
        gap = np.abs(ours - wanted)
        if kind == "~~":
            gap[np.ix_(own, own)] = 0.0
        if gap.max(initial=0.0) > 1e-6 * max(float(np.abs(wanted).max(initial=0.0)), 1.0):
            i, j = np.unravel_index(int(gap.argmax()), gap.shape)
            relation = f"{names[i]} ~1" if kind == "~1" else f"{names[i]} {kind} {names[j]}"
            what = f"rotated factors need '{relation}', which the model fixes or does not have"
            do = "Give all factors of an exploratory block the same relations, or fit with rotation='none'"
            raise SpecError(message(what, do=do))


def _complete(fit: StructuralEstimates, model: Model) -> Model:
    """Return a model with the residual variances of ordinal items that are known before the rotation."""
    if fit.ordinal is None:
        return model
    blocks = []
    for old, new, structure in zip(fit.model.blocks, model.blocks, fit.ordinal.structures, strict=True):
        own = structure.own[structure.ordinal]
        S = new.S.copy()
        S[own, own] = old.S[own, own]
        blocks.append(replace(new, S=S))
    return replace(model, blocks=tuple(blocks))


def _gather(
    fit: StructuralEstimates,
    table: ParameterTable,
    model: Model,
    x: Floats,
    turned: _Turned,
    shown: Shown,
    rotation: Rotation,
) -> StructuralEstimates:
    """Return all that a fit knows, of the rotated parameters."""
    step, back = turned.bordered, turned.back
    tangent = (turned.along if np.isnan(step).any() else step) @ fit.directions
    vcov = step @ fit.vcov @ step.T
    stacked = None if fit.stacked is None else replace(fit.stacked, slopes=fit.stacked.slopes @ back)
    return replace(
        fit,
        table=table,
        model=model,
        constraints=read_constraints(table),
        x=x,
        vcov=vcov,
        information=back.T @ fit.information @ back,
        source=None if fit.source is None else _source(fit.source, table, model, x, vcov, turned),
        stacked=stacked,
        ordinal=None if fit.ordinal is None else _ordinal(fit.ordinal, shown, turned),
        tangent=tangent,
        rotation=rotation,
    )


def _source(
    source: IncompleteFit | ClusteredFit,
    table: ParameterTable,
    model: Model,
    x: Floats,
    vcov: Floats,
    turned: _Turned,
) -> IncompleteFit | ClusteredFit:
    """Return a fit of raw data in terms of the rotated parameters: its free directions start at the estimates."""
    step = turned.along if np.isnan(turned.bordered).any() else turned.bordered
    mapping = Reduced(model, step @ source.mapping.basis, x, source.mapping.spent)
    none = np.zeros(mapping.size)
    solution, found = replace(source.solution, x=none), replace(source.found, x=none)
    return replace(source, table=table, model=model, mapping=mapping, x=x, vcov=vcov, solution=solution, found=found)


def _structures(fit: StructuralEstimates, table: ParameterTable, model: Model, x: Floats) -> Shown:
    """Return the structures of a fit of ordinal variables, and these at the rotated parameters; none for others."""
    if fit.ordinal is None:
        return (), ()
    sizes = [_sizes(structure) for structure in fit.ordinal.structures]
    structures = compile_structures(table, model, sizes, fit.options.rules.theta)
    at: list[At] = []
    for structure in structures:
        whole = evaluate(structure, x, complete=True)
        assert whole is not None
        at.append(whole)
    return structures, tuple(at)


def _following(fit: StructuralEstimates, model: Model, shown: Shown) -> list[dict[int, Floats]]:
    """Return the derivatives of the residual variances of ordinal items, which follow in the delta parameterisation."""
    if fit.ordinal is None or fit.options.rules.theta:
        return [{} for _ in model.blocks]
    out = []
    for structure, at in zip(*shown, strict=True):
        places = structure.own[structure.ordinal].tolist()
        out.append({place: at.residuals[k] for k, place in enumerate(places)})
    return out


def _ordinal(ordinal: OrdinalFit, shown: Shown, turned: _Turned) -> OrdinalFit:
    """Return what a fit of ordinal variables knows, of the rotated parameters."""
    step = turned.along if np.isnan(turned.bordered).any() else turned.bordered
    return replace(ordinal, structures=shown[0], at=shown[1], inverse=step @ ordinal.inverse @ step.T)


def _sizes(structure: Structure) -> NDArray[np.intp]:
    """Return the numbers of categories of the variables of a structure, 0 of numeric ones."""
    counts = np.bincount(structure.owner, minlength=len(structure.names)) + 1
    return np.asarray(np.where(structure.ordinal, counts, 0), dtype=np.intp)
