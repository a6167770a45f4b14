"""Parameters that are equal: across groups, by a common label, or on average (effect coding)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.rules import Rules

if TYPE_CHECKING:
    from alliancekit.structural.automatic import BlockRows, Row

Tie = tuple[str, str, Expression, Expression]
"""Both sides of an equality as text and as expressions."""
NAN = float("nan")


def group_equalities(blocks: list[BlockRows], rules: Rules, n_levels: int) -> None:
    """Free what equal parameters identify in the groups after the first; loadings, intercepts and thresholds."""
    equal = set(rules.group_equal)
    if not equal:
        return
    for block in blocks:
        if block.group == 1:
            continue
        if equal & {"intercepts", "thresholds"} and "means" not in equal and rules.meanstructure:
            _free_means(block, rules)
        if "loadings" in equal and rules.std_lv and "lv.variances" not in equal:
            for row in block.rows:
                latent = row.op == "~~" and row.lhs == row.rhs and row.lhs in block.variables.latent
                if latent and not row.user:
                    row.free, row.start = 1, NAN
        if "thresholds" in equal:
            kind = "~~" if rules.theta else "~*~"
            for row in block.rows:
                ordinal = row.op == kind and row.lhs == row.rhs and (row.lhs, "|", "t1") in block.index
                if ordinal and not row.user:
                    row.free, row.start = 1, NAN


def _free_means(block: BlockRows, rules: Rules) -> None:
    for row in block.rows:
        if row.op == "~1" and row.lhs in block.variables.latent and not row.user and not row.exo:
            row.free, row.start = 1, NAN


def kind_of(row: Row, block: BlockRows) -> str:
    """Return the word of ``group_equal`` that a row falls under."""
    latent = set(block.variables.latent)
    if row.op == "=~":
        return "loadings"
    if row.op == "<~":
        return "composite.loadings"
    if row.op == "~":
        return "regressions"
    if row.op == "~1":
        return "means" if row.lhs in latent else "intercepts"
    if row.op == "|":
        return "thresholds"
    if row.op == "~~":
        inside = row.lhs in latent
        if row.lhs == row.rhs:
            return "lv.variances" if inside else "residuals"
        return "lv.covariances" if inside and row.rhs in latent else "residual.covariances"
    return ""


def tie_labels(blocks: list[BlockRows], rows: Sequence[Row], plabels: Sequence[str], rules: Rules) -> list[Tie]:
    """Return the equalities of the table and write the labels of parameters equal across groups."""
    _label_groups(blocks, plabels, rules)
    ties: list[Tie] = []
    known: dict[str, str] = {}
    again: dict[str, list[str]] = {}
    for row, plabel in zip(rows, plabels, strict=True):
        if row.equal:
            _point(row, rows, plabels)
        if not row.label:
            continue
        if row.label in known:
            if row.free or row.start != row.start or again.get(row.label) is not None:
                again.setdefault(row.label, []).append(plabel)
        else:
            known[row.label] = plabel
            again[row.label] = []
    free = {plabel: row.free for row, plabel in zip(rows, plabels, strict=True)}
    for label, others in again.items():
        for other in others:
            if free[known[label]] or free[other]:
                ties.append(_tie(known[label], other))
    for block, start in _starts(blocks):
        ties += _effect_coding(block, start, plabels, rules)
    return ties


def _tie(one: str, other: str) -> Tie:
    return one, other, Expression("label", name=one), Expression("label", name=other)


def _starts(blocks: list[BlockRows]) -> list[tuple[BlockRows, int]]:
    out, at = [], 0
    for block in blocks:
        out.append((block, at))
        at += len(block.rows)
    return out


def _label_groups(blocks: list[BlockRows], plabels: Sequence[str], rules: Rules) -> None:
    """Give parameters equal across groups the plabel of the first group's as their label."""
    if not rules.group_equal:
        return
    partial = {"".join(text.split()) for text in rules.group_partial}
    first: dict[tuple[int, str, str, str], tuple[Row, str]] = {}
    used: set[str] = set()
    for block, start in _starts(blocks):
        for k, row in enumerate(block.rows):
            key = (block.level, row.lhs, row.op, row.rhs)
            written = f"{row.lhs}{row.op}{row.rhs}"
            if kind_of(row, block) not in rules.group_equal or row.exo or not row.free:
                continue
            if written in partial or f"{row.rhs}{row.op}{row.lhs}" in partial:
                used |= {written, f"{row.rhs}{row.op}{row.lhs}"}
                continue
            if block.group == 1:
                first[key] = (row, plabels[start + k])
            elif key in first and not row.label:
                origin, plabel = first[key]
                origin.label = origin.label or plabel
                row.label = origin.label
    unknown = partial - used
    if unknown:
        what = f"group_partial names '{sorted(unknown)[0]}', which is no parameter that group_equal holds equal"
        raise SpecError(message(what, do='Write it as in the model, for example "bond =~ w2" or "w2 ~1"'))


def _point(row: Row, rows: Sequence[Row], plabels: Sequence[str]) -> None:
    """Make ``equal("f =~ x2")`` a common label."""
    wanted = "".join(row.equal.split())
    for other, plabel in zip(rows, plabels, strict=True):
        if f"{other.lhs}{other.op}{other.rhs}" == wanted or (other.label and other.label == row.equal):
            other.label = other.label or plabel
            row.label = other.label
            return
    raise SpecError(message(f'equal("{row.equal}") names no parameter of the model', do="Write it as in the model"))


def _effect_coding(block: BlockRows, start: int, plabels: Sequence[str], rules: Rules) -> list[Tie]:
    """Return the equalities by which loadings average one and intercepts zero, per latent variable."""
    ties: list[Tie] = []
    for name in block.variables.latent:
        items = [k for k, row in enumerate(block.rows) if row.op == "=~" and row.lhs == name]
        if not items:
            continue
        if "loadings" in rules.effect_coding:
            ties.append(_average([plabels[start + k] for k in items], len(items)))
        if "intercepts" in rules.effect_coding:
            observed = [block.rows[k].rhs for k in items]
            places = [k for v in observed for k, row in enumerate(block.rows) if row.op == "~1" and row.lhs == v]
            if len(places) == len(items):
                ties.append(_average([plabels[start + k] for k in places], 0))
    return ties


def _average(labels: list[str], total: int) -> Tie:
    right = Expression("number", value=float(total))
    for label in labels[1:]:
        right = Expression("-", parts=(right, Expression("label", name=label)))
    text = str(total) + "".join(f"-{label}" for label in labels[1:])
    return labels[0], text, Expression("label", name=labels[0]), right
