"""What stands before a ``*`` made into entries of the parameter table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.model_statements import CONSTRAINTS, Modifier, Statement

NAN, INF = float("nan"), float("inf")
LEVELS = {"1": 1, "within": 1, "2": 2, "between": 2}


def changes(modifier: Modifier, group: int, n_groups: int) -> dict[str, Any]:
    """Return the entries of a row that a modifier sets in a group, counted from 1.

    Raises
    ------
    SpecError : there is neither one value nor one for each group.
    """
    values = modifier.values
    if len(values) > 1 and len(values) != n_groups:
        what = f"{len(values)} values are given for {n_groups} group{'s' if n_groups > 1 else ''}"
        where = f"model line {modifier.line}, column {modifier.column}"
        raise SpecError(message(what, where=where, do="Give one value, or one for each group"))
    value = values[group - 1] if len(values) > 1 else values[0]
    if modifier.kind == "label":
        return {"label": "" if value is None else str(value)}
    if modifier.kind in ("equal", "efa"):
        return {modifier.kind: str(value)}
    if value is None:
        return {"free": 1, "start": NAN}
    if modifier.kind == "fixed":
        return {"free": 0, "start": float(value)}
    return {modifier.kind: float(value)}


def written(
    rows: Sequence[Mapping[str, Any]], statements: Sequence[Statement], group_labels: tuple[str, ...], n_levels: int
) -> list[dict[str, Any]]:
    """Return the rows of a table with statements written into it: changed where they are there, else added.

    Raises
    ------
    SpecError : an unknown group, no level in a table of two, or what only a whole model can have (equal, efa).
    """
    out = [dict(row) for row in rows]
    end = next((i for i, row in enumerate(out) if not row["block"]), len(out))
    for s in statements:
        if s.op in CONSTRAINTS:
            label = s.lhs if s.op == ":=" else ""
            out.append(constraint(s.lhs, s.op, s.rhs, label=label, expression=(s.left, s.right)))
            continue
        level = _level(s, n_levels)
        for g in _groups(s, group_labels):
            place = {"group": g, "level": level, "block": (g - 1) * n_levels + max(level, 1)}
            row = _find(out, s, place["block"])
            if row is None:
                row = _new(out[:end], s) | place
                out.insert(end, row)
                end += 1
            row |= {"user": 1, "exo": 0}
            if not any(m.kind in ("fixed", "start") for m in s.modifiers) and not row["free"]:
                row |= {"free": 1, "start": NAN}
            for modifier in s.modifiers:
                if modifier.kind in ("equal", "efa"):
                    do = "Write it into the model, or give both parameters one label"
                    raise SpecError(message(f"{modifier.kind}() cannot be added to a table", do=do))
                row |= changes(modifier, g, len(group_labels))
    return out


def constraint(lhs: str, op: str, rhs: str, **more: Any) -> dict[str, Any]:
    """Return a row that constrains or defines."""
    row: dict[str, Any] = {"lhs": lhs, "op": op, "rhs": rhs, "user": 1, "block": 0, "group": 0, "level": 0, "free": 0}
    return row | {"start": NAN, "exo": 0, "label": "", "plabel": "", "lower": -INF, "upper": INF, "efa": ""} | more


def _new(rows: Sequence[Mapping[str, Any]], s: Statement) -> dict[str, Any]:
    """Return a free row with a plabel that no other row has."""
    taken = [int(row["plabel"][2:-1]) for row in rows if row["plabel"][2:-1].isdigit()]
    plabel = f".p{max(taken, default=0) + 1}."
    return constraint(s.lhs, s.op, s.rhs, free=1, plabel=plabel, expression=None)


def _find(rows: Sequence[dict[str, Any]], s: Statement, block: int) -> dict[str, Any] | None:
    wanted = {(s.lhs, s.op, s.rhs)} | ({(s.rhs, s.op, s.lhs)} if s.op == "~~" else set())
    return next((r for r in rows if r["block"] == block and (r["lhs"], r["op"], r["rhs"]) in wanted), None)


def _groups(s: Statement, labels: tuple[str, ...]) -> list[int]:
    if s.group is None:
        return list(range(1, len(labels) + 1))
    known = [*labels, *(str(k + 1) for k in range(len(labels)))]
    if s.group not in known:
        what = f"the table has no group '{s.group}'"
        raise SpecError(message(what, where=f"model line {s.line}", do=f"Groups are {', '.join(labels)}"))
    return [known.index(s.group) % len(labels) + 1]


def _level(s: Statement, n_levels: int) -> int:
    if n_levels == 1:
        if s.level is not None:
            raise SpecError(message("the table has one level", where=f"model line {s.line}", do="Leave level: out"))
        return 0
    if s.level not in LEVELS:
        do = "Write level: within or level: between before it"
        raise SpecError(message("the table has two levels", where=f"model line {s.line}", do=do))
    return LEVELS[s.level]
