"""From statements to the parameter table: the rules by which lavaan completes a model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from alliancekit.core.errors import DesignWarning, SpecError, message
from alliancekit.formula.model_expressions import Expression
from alliancekit.formula.model_statements import CONSTRAINTS, Modifier, Statement
from alliancekit.structural.equalities import group_equalities, tie_labels
from alliancekit.structural.modifiers import changes
from alliancekit.structural.rules import Rules
from alliancekit.structural.table import ParameterTable, number
from alliancekit.structural.variables import Relation, Variables, find_variables

NAN, INF = float("nan"), float("inf")


@dataclass(slots=True)
class Row:
    """One row while the table is being made; ``free`` is a mark, ``start`` NaN where nothing is given."""

    lhs: str
    op: str
    rhs: str
    user: int
    free: int = 1
    start: float = NAN
    exo: int = 0
    label: str = ""
    lower: float = -INF
    upper: float = INF
    efa: str = ""
    equal: str = ""
    modifiers: tuple[Modifier, ...] = ()


@dataclass(slots=True)
class BlockRows:
    """Rows of one block with its place and the roles of its variables."""

    group: int
    level: int
    rows: list[Row]
    variables: Variables
    index: dict[tuple[str, str, str], Row] = field(default_factory=dict)


def complete(
    statements: Sequence[Statement],
    rules: Rules,
    group_labels: tuple[str, ...] = ("",),
    categories: dict[str, int] | None = None,
) -> ParameterTable:
    """Return the table of a model.

    Parameters
    ----------
    statements : parsed syntax. rules : what is added, freed and fixed. group_labels : in the data's order.
    categories : number of categories of each ordinal variable.

    Raises
    ------
    SpecError : nothing but constraints, parts outside levels or groups, a relation twice, wrong numbers of values.

    Warns
    -----
    DesignWarning : a label makes parameters equal across groups.
    """
    relations = [s for s in statements if s.op not in CONSTRAINTS]
    constraints = [s for s in statements if s.op in CONSTRAINTS]
    if not relations:
        raise SpecError(message("the model has constraints but no variables"))
    levels = list(dict.fromkeys(s.level for s in relations))
    _check_levels(levels)
    ordered = categories or {}
    both = {"intercepts", "thresholds"}
    if ordered and both & set(rules.group_equal):
        rules = replace(rules, group_equal=tuple(dict.fromkeys((*rules.group_equal, *sorted(both)))))
    if len(group_labels) > 1 and not rules.group_equal:
        _warn_of_single_labels(relations, len(group_labels))
    if not rules.meanstructure and any(s.op == "~1" for s in relations):
        rules = replace(rules, meanstructure=True)
    blocks: list[BlockRows] = []
    for g in range(1, len(group_labels) + 1):
        own = _of_group(relations, g, group_labels)
        for k, level in enumerate(levels):
            chosen = [s for s in own if s.level == level]
            blocks.append(_block(chosen, g, k + 1 if len(levels) > 1 else 0, rules, ordered))
    if len(levels) > 1:
        _fix_within_intercepts(blocks, len(levels), rules)
    if all(s.group is None for s in relations):
        group_equalities(blocks, rules)
    _apply_modifiers(blocks, len(group_labels))
    return _assemble(blocks, constraints, rules, group_labels, len(levels))


def _warn_of_single_labels(relations: Sequence[Statement], n_groups: int) -> None:
    """Say that one label for all groups makes a parameter equal in all of them."""
    found: dict[str, None] = {}
    for s in relations:
        if s.group is None:
            found |= {str(m.values[0]): None for m in s.modifiers if m.kind == "label" and len(m.values) == 1}
    if found:
        names = ", ".join(found)
        vector = ", ".join(f"{next(iter(found))}{g + 1}" for g in range(n_groups))
        what = f"parameters with one label for all groups are equal in all groups: {names}"
        do = f"Where that is not meant, give a label for each group, as in c({vector})*variable"
        warnings.warn(message(what, do=do), DesignWarning, stacklevel=4)


def _check_levels(levels: list[str | None]) -> None:
    if len(levels) > 1 and None in levels:
        raise SpecError(message("part of the model stands outside level: blocks", do="Put every line into a level"))
    if len(levels) == 1 and levels[0] is not None:
        raise SpecError(message("the model has one level: block", do="Give two, or leave level: out"))
    if len(levels) > 2:
        raise SpecError(message(f"the model has {len(levels)} levels", do="Two levels can be estimated"))


def _of_group(statements: Sequence[Statement], g: int, labels: tuple[str, ...]) -> list[Statement]:
    """Return the statements that hold in group g: those of its block, and those outside blocks."""
    named = [s.group for s in statements if s.group is not None]
    if not named:
        return list(statements)
    known = list(dict.fromkeys(named))
    if len(known) != len(labels):
        have = f"{len(labels)} groups" if len(labels) > 1 else "no groups"
        what = f"the model has {len(known)} group: blocks and the data have {have}"
        raise SpecError(message(what, do="Give group= and one block for each group"))
    strange = [name for name in known if name not in labels]
    if strange and not all(name.isdigit() for name in known):
        do = "Blocks are named by the groups' labels, or numbered from 1 in the order of the data"
        raise SpecError(message(f"the model has a block 'group: {strange[0]}', which is no group of the data", do=do))
    chosen = known[g - 1] if strange else labels[g - 1]
    return [s for s in statements if s.group is None or s.group == chosen]


def _block(statements: Sequence[Statement], g: int, level: int, rules: Rules, categories: dict[str, int]) -> BlockRows:
    statements = _turn_covariances(statements)
    relations: list[Relation] = [(s.lhs, s.op, s.rhs, 1) for s in statements]
    variables = find_variables(relations)
    block = BlockRows(g, level, [], variables)
    for s in statements:
        _add_user_row(block, s)
    ordinal = {name: categories[name] for name in variables.endogenous if name in categories}
    _fix_scales(block, rules)
    for name, k in ordinal.items():
        for t in range(1, k):
            _add(block, name, "|", f"t{t}", free=1)
    _add_variances(block, rules, ordinal)
    _add_covariances(block, rules)
    if ordinal:
        for name in ordinal:
            _add(block, name, "~*~", name, free=0, start=1.0)
    if rules.meanstructure:
        _add_intercepts(block, rules, ordinal)
    if ordinal and rules.fixed_x:
        _condition(block)
    return block


def _add_user_row(block: BlockRows, s: Statement) -> None:
    key = (s.lhs, s.op, s.rhs)
    if s.op == "~~" and (s.rhs, s.op, s.lhs) in block.index:
        key = (s.rhs, s.op, s.lhs)
    row = block.index.get(key)
    if row is not None and not s.modifiers:
        where = f"model line {s.line}, column {s.column}"
        raise SpecError(message(f"'{s.lhs} {s.op} {s.rhs}' is written twice", where=where, do="Leave one out"))
    if row is None:
        row = Row(s.lhs, s.op, s.rhs, 1)
        block.rows.append(row)
        block.index[key] = row
    row.modifiers += s.modifiers
    for modifier in s.modifiers:
        if modifier.kind == "efa":
            row.efa = str(modifier.values[0])


def _apply_modifiers(blocks: Sequence[BlockRows], n_groups: int) -> None:
    """Write what the user asked for over what the rules say."""
    for block in blocks:
        for row in block.rows:
            for modifier in row.modifiers:
                for name, value in changes(modifier, block.group, n_groups).items():
                    setattr(row, name, value)


def _add(block: BlockRows, lhs: str, op: str, rhs: str, *, free: int, start: float = NAN, exo: int = 0) -> Row | None:
    """Add an automatic row, unless the user wrote it."""
    if (lhs, op, rhs) in block.index or (op == "~~" and (rhs, op, lhs) in block.index):
        return None
    row = Row(lhs, op, rhs, 0, free, start, exo)
    block.rows.append(row)
    block.index[lhs, op, rhs] = row
    return row


def _fix_scales(block: BlockRows, rules: Rules) -> None:
    """Give each latent variable a unit: its first loading is one, unless another rule does it."""
    rotated = _rotated(block)
    if rules.fix_first:
        seen: set[str] = set(rotated)
        for row in block.rows:
            if row.op == "=~" and row.lhs not in seen:
                seen.add(row.lhs)
                row.free, row.start = 0, 1.0
    held = block.group == 1 or "loadings" not in rules.group_equal
    for name in dict.fromkeys(rotated.values()):
        _echelon(block, [factor for factor, own in rotated.items() if own == name], held)


def _echelon(block: BlockRows, names: list[str], held: bool) -> None:
    """Fix the loadings above the diagonal of an exploratory block at zero; rotation frees them afterwards.

    held : False in a further group whose loadings are those of the first.
    """
    for k, name in enumerate(names):
        own = [row for row in block.rows if row.op == "=~" and row.lhs == name]
        if len(own) < k:
            what = f"the exploratory factor '{name}' has {len(own)} indicators and is number {k + 1} of its block"
            raise SpecError(message(what, do="Let all factors of a block have the same indicators"))
        for row in own[:k]:
            if held:
                row.free, row.start, row.user = 0, 0.0, 7
            else:
                row.user = 77


def _rotated(block: BlockRows) -> dict[str, str]:
    """Return exploratory factors and the name of the block of each."""
    return {row.lhs: row.efa for row in block.rows if row.op == "=~" and row.efa}


def _add_variances(block: BlockRows, rules: Rules, ordinal: dict[str, int]) -> None:
    v = block.variables
    loadings: dict[str, list[str]] = {}
    for row in block.rows:
        if row.op == "=~" and row.lhs != row.rhs:
            loadings.setdefault(row.lhs, []).append(row.rhs)
    single = {items[0] for items in loadings.values() if len(items) == 1} if rules.fix_single else set()
    shared: dict[str, int] = {}
    for items in loadings.values():
        for item in items:
            shared[item] = shared.get(item, 0) + 1
    for name in v.endogenous:
        if name in ordinal:
            _add(block, name, "~~", name, free=0, start=1.0)
        elif not rules.variances or (name in single and shared[name] == 1):
            _add(block, name, "~~", name, free=0, start=0.0)
        else:
            _add(block, name, "~~", name, free=1)
    rotated = _rotated(block)
    for name in v.latent:
        if name in v.composites:
            _add(block, name, "~~", name, free=0, start=0.0)
        elif rules.std_lv or name in rotated:
            row = _add(block, name, "~~", name, free=0) or block.index[name, "~~", name]
            row.free, row.start = 0, 1.0
        elif not rules.variances or (name in single and shared[name] == 1):
            _add(block, name, "~~", name, free=0, start=0.0)
        else:
            _add(block, name, "~~", name, free=1)


def _add_covariances(block: BlockRows, rules: Rules) -> None:
    v = block.variables
    rotated = _rotated(block)
    held = block.group == 1 or "loadings" not in rules.group_equal
    pairs: list[tuple[str, str]] = []
    if rules.covariances_x:
        pairs += combinations(v.latent_x, 2)
    if rules.covariances_y:
        pairs += combinations((*v.latent_y, *v.observed_y), 2)
    latent = set(v.latent)
    for one, other in pairs:
        together = one in rotated and rotated.get(one) == rotated.get(other)
        apart = rules.orthogonal_efa and one in rotated and other in rotated
        together = together and not apart
        fixed = (rules.orthogonal and one in latent and other in latent) or (together and held) or apart
        added = _add(block, one, "~~", other, free=0 if fixed else 1, start=0.0 if fixed else NAN)
        if added is not None and together:
            added.user = 7 if held else 77
    mark = (0, 1) if rules.fixed_x else (1, 0)
    for i, one in enumerate(v.exogenous):
        for other in v.exogenous[i:]:
            _add(block, one, "~~", other, free=mark[0], exo=mark[1])


def _add_intercepts(block: BlockRows, rules: Rules, ordinal: dict[str, int]) -> None:
    v = block.variables
    outside = set(v.exogenous)
    for name in v.observed:
        if name in outside and rules.fixed_x:
            _add(block, name, "~1", "", free=0, exo=1)
        elif name in ordinal or not rules.intercepts_observed:
            _add(block, name, "~1", "", free=0, start=0.0)
        else:
            _add(block, name, "~1", "", free=1)
    for name in v.latent:
        free = rules.intercepts_latent
        _add(block, name, "~1", "", free=1 if free else 0, start=NAN if free else 0.0)


def _condition(block: BlockRows) -> None:
    """Mark regressions on covariates: with ordinal variables everything is conditional on these."""
    outside = set(block.variables.exogenous)
    for row in block.rows:
        if row.op in ("~", "<~") and row.rhs in outside:
            row.exo = 1


def _turn_covariances(statements: Sequence[Statement]) -> Sequence[Statement]:
    """Write covariances with the variable first that comes first in the model, latent ones before observed ones."""
    if not any(s.op == "~~" and s.lhs != s.rhs for s in statements):
        return statements
    v = find_variables([(s.lhs, s.op, s.rhs, 1) for s in statements])
    place = {name: k for k, name in enumerate((*v.latent, *v.observed))}
    turned = [s.op == "~~" and place[s.lhs] > place[s.rhs] for s in statements]
    return [replace(s, lhs=s.rhs, rhs=s.lhs) if turn else s for s, turn in zip(statements, turned, strict=True)]


def _fix_within_intercepts(blocks: list[BlockRows], n_levels: int, rules: Rules) -> None:
    """Leave the means of variables of both levels to the upper one."""
    for at in range(0, len(blocks), n_levels):
        within, between = blocks[at], blocks[at + 1]
        both = set(within.variables.observed) & set(between.variables.observed)
        for row in within.rows:
            if row.op == "~1" and (row.lhs in both or (row.lhs in within.variables.latent and not row.user)):
                row.free, row.start = 0, 0.0


def _assemble(
    blocks: list[BlockRows],
    constraints: Sequence[Statement],
    rules: Rules,
    group_labels: tuple[str, ...],
    n_levels: int,
) -> ParameterTable:
    """Return the table with constraints behind the rows of all blocks."""
    rows = [row for block in blocks for row in block.rows]
    places = [(b + 1, block.group, block.level) for b, block in enumerate(blocks) for _ in block.rows]
    plabels = [f".p{i + 1}." for i in range(len(rows))]
    expressions: dict[int, tuple[Expression, Expression]] = {}
    ties = tie_labels(blocks, rows, plabels, rules)
    for s in constraints:
        assert s.left is not None and s.right is not None
        expressions[len(rows)] = (s.left, s.right)
        rows.append(Row(s.lhs, s.op, s.rhs, 1, 0, label=s.lhs if s.op == ":=" else ""))
    for lhs, rhs, left, right in ties:
        expressions[len(rows)] = (left, right)
        rows.append(Row(lhs, "==", rhs, 2, 0))
    extra = len(rows) - len(places)
    places += [(0, 0, 0)] * extra
    plabels += [""] * extra
    return ParameterTable(
        tuple([r.lhs for r in rows]),
        tuple([r.op for r in rows]),
        tuple([r.rhs for r in rows]),
        tuple([r.user for r in rows]),
        tuple([p[0] for p in places]),
        tuple([p[1] for p in places]),
        tuple([p[2] for p in places]),
        number([r.free for r in rows]),
        tuple([r.start for r in rows]),
        tuple([r.exo for r in rows]),
        tuple([r.label for r in rows]),
        tuple(plabels),
        tuple([r.lower for r in rows]),
        tuple([r.upper for r in rows]),
        tuple([r.efa for r in rows]),
        group_labels,
        n_levels,
        expressions,
        {("variables", b): block.variables for b, block in enumerate(blocks, start=1)},
    )
