"""Parameters that are equal: across groups, by a common label, or on average (effect coding)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.rules import Rules

if TYPE_CHECKING:
    from alliancekit.structural.automatic import BlockRows, Row

Tie = tuple[str, str, Expression, Expression]
"""Both sides of an equality as text and as expressions."""
NAN = float("nan")
EXPLORATORY = (7, 77)
"""Marks in ``user`` of what is fixed in an exploratory block until it is rotated, and of what equals such."""
_KINDS = {"=~": "loadings", "<~": "composite.loadings", "~": "regressions", "|": "thresholds"}
_RESIDUALS = {True: "residuals", False: "residual.covariances"}


def group_equalities(blocks: list[BlockRows], rules: Rules) -> None:
    """Free what equal parameters identify in the groups after the first; loadings, intercepts and thresholds."""
    equal = set(rules.group_equal)
    if not equal:
        return
    for block in blocks:
        if block.group == 1:
            continue
        if equal & {"intercepts", "thresholds"} and "means" not in equal and rules.meanstructure:
            _free_means(block, rules)
        if "loadings" in equal and "lv.variances" not in equal:
            scaled = {row.lhs for row in block.rows if row.op == "=~" and (rules.std_lv or row.efa)}
            for row in block.rows:
                if row.op == "~~" and row.lhs == row.rhs and row.lhs in scaled and not row.user:
                    row.free, row.start = 1, NAN
        if "thresholds" in equal:
            kind = "~~" if rules.theta else "~*~"
            for row in block.rows:
                ordinal = row.op == kind and row.lhs == row.rhs and (row.lhs, "|", "t1") in block.index
                if ordinal:
                    row.free, row.start = 1, NAN


def _free_means(block: BlockRows, rules: Rules) -> None:
    for row in block.rows:
        if row.op == "~1" and row.lhs in block.variables.latent and not row.user and not row.exo:
            row.free, row.start = 1, NAN


def kind_of(row: Row, block: BlockRows) -> str:
    """Return the word of ``group_equal`` that a row falls under."""
    if row.op in _KINDS:
        return _KINDS[row.op]
    inside = row.lhs in block.variables.latent
    if not inside and row.lhs in block.variables.exogenous:
        return ""
    if row.op == "~1":
        return "means" if inside else "intercepts"
    if row.op == "~~":
        alone = row.lhs == row.rhs
        return ("lv.variances" if alone else "lv.covariances") if inside else _RESIDUALS[alone]
    return ""


def tie_labels(blocks: list[BlockRows], rows: Sequence[Row], plabels: Sequence[str], rules: Rules) -> list[Tie]:
    """Return the equalities of the table; write labels of equals across groups, and fix what equals a fixed one.

    In the order in which lavaan finds them: that of the second parameter of a kind.
    """
    found: dict[str, list[int]] = {}
    order: list[str] = []
    for i, name in enumerate(_common_names(blocks, rows, rules)):
        if name:
            own = found.setdefault(name, [])
            own.append(i)
            if len(own) == 2:
                order.append(name)
    ties: list[Tie] = []
    for name in order:
        own = found[name]
        fixed = next((i for i in own if not rows[i].free), None)
        if fixed is not None:
            for i in own:
                rows[i].free, rows[i].start = 0, rows[fixed].start
            if any(rows[i].user in EXPLORATORY for i in own):
                ties += [_tie(plabels[own[0]], plabels[i]) for i in own[1:]]
            continue
        for i in own:
            rows[i].label = rows[i].label or plabels[own[0]]
        ties += [_tie(plabels[own[0]], plabels[i]) for i in own[1:]]
        _share_bounds([rows[i] for i in own])
    for block, start in _starts(blocks):
        ties += _effect_coding(block, start, plabels, rules)
    return ties


def _share_bounds(own: Sequence[Row]) -> None:
    """Give equal parameters the widest of the bounds asked for."""
    lowest = [row.lower for row in own if isfinite(row.lower)]
    highest = [row.upper for row in own if isfinite(row.upper)]
    for row in own:
        row.lower = min(lowest, default=row.lower)
        row.upper = max(highest, default=row.upper)


def _common_names(blocks: list[BlockRows], rows: Sequence[Row], rules: Rules) -> list[str]:
    """Return for each row the name that it shares with those equal to it; empty where it need not have one."""
    names = [row.label for row in rows]
    if not rules.group_equal and not any(row.equal for row in rows):
        return names
    given = list(names)
    at = 0
    for block in blocks:
        end = (f".g{block.group}" if block.group > 1 else "") + (f".l{block.level}" if block.level > 1 else "")
        for row in block.rows:
            names[at] = names[at] or f"{row.lhs}{row.op}{row.rhs}{end}"
            at += 1
    _name_by_group(blocks, names, given, rules)
    for i, row in enumerate(rows):
        if row.equal:
            wanted = "".join(row.equal.split())
            if wanted not in names[:i] and wanted not in names[i + 1 :]:
                what = f'equal("{row.equal}") names no parameter of the model'
                raise SpecError(message(what, do='Write it as in the model, for example equal("bond =~ w2")'))
            names[i] = row.label = wanted
    return names


def _name_by_group(blocks: list[BlockRows], names: list[str], given: Sequence[str], rules: Rules) -> None:
    """Give parameters that are equal across groups the name of the first group's."""
    if not rules.group_equal:
        return
    partial = {"".join(text.split()) for text in rules.group_partial}
    first: dict[tuple[int, str, str, str], str] = {}
    used: set[str] = set()
    for block, start in _starts(blocks):
        for k, row in enumerate(block.rows, start):
            key = (block.level, row.lhs, row.op, row.rhs)
            if block.group > 1:
                if key in first and not given[k]:
                    names[k] = first[key]
                continue
            if kind_of(row, block) not in rules.group_equal:
                continue
            written = f"{row.lhs}{row.op}{row.rhs}", f"{row.rhs}{row.op}{row.lhs}"
            if partial & set(written):
                used |= set(written)
            else:
                end = f".l{block.level}" if block.level > 1 else ""
                first[key] = f"{written[0]}{end}"
    unknown = partial - used
    if unknown:
        what = f"group_partial names '{sorted(unknown)[0]}', which is no parameter that group_equal holds equal"
        raise SpecError(message(what, do='Write it as in the model, for example "bond =~ w2" or "w2 ~1"'))


def _tie(one: str, other: str) -> Tie:
    return one, other, Expression("label", name=one), Expression("label", name=other)


def _starts(blocks: list[BlockRows]) -> list[tuple[BlockRows, int]]:
    out, at = [], 0
    for block in blocks:
        out.append((block, at))
        at += len(block.rows)
    return out


def _effect_coding(block: BlockRows, start: int, plabels: Sequence[str], rules: Rules) -> list[Tie]:
    """Return the equalities by which loadings average one and intercepts zero; free the means that these identify."""
    ties: list[Tie] = []
    for name in block.variables.latent:
        items = [k for k, row in enumerate(block.rows) if row.op == "=~" and row.lhs == name]
        if not items:
            continue
        if "loadings" in rules.effect_coding and all(block.rows[k].free for k in items):
            ties.append(_average([plabels[start + k] for k in items], len(items)))
        if "intercepts" in rules.effect_coding:
            observed = {block.rows[k].rhs for k in items}
            places = [k for k, row in enumerate(block.rows) if row.op == "~1" and row.lhs in observed]
            if places and all(block.rows[k].free for k in places):
                ties.append(_average([plabels[start + k] for k in places], 0))
                mean = block.index.get((name, "~1", ""))
                if mean is not None and not mean.user:
                    mean.free = 1
    return ties


def _average(labels: list[str], total: int) -> Tie:
    right = Expression("number", value=float(total))
    for label in labels[1:]:
        right = Expression("-", parts=(right, Expression("label", name=label)))
    text = str(total) + "".join(f"-{label}" for label in labels[1:])
    return labels[0], text, Expression("label", name=labels[0]), right
