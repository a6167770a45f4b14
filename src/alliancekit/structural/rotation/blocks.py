"""The exploratory blocks of a table: their items and factors, and which follow the rotation of another group's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.equalities import EXPLORATORY
from alliancekit.structural.model import BlockModel
from alliancekit.structural.table import ParameterTable, table_of

Integers = NDArray[np.intp]
FIXED, FOLLOWS = EXPLORATORY


@dataclass(frozen=True, eq=False, slots=True)
class ExploratoryBlock:
    """One exploratory block in one block of the table.

    Attributes
    ----------
    name : as written. block : of the table, from 0. items, factors : their places among all variables of it, in order
    of appearance. leader : whether it has a rotation of its own; else that of the block of this name before it holds.
    """

    name: str
    block: int
    items: Integers
    factors: Integers
    leader: bool


def exploratory_blocks(table: ParameterTable, models: Sequence[BlockModel]) -> tuple[ExploratoryBlock, ...]:
    """Return the exploratory blocks with two factors or more."""
    out = []
    for b, model in enumerate(models):
        place = {name: k for k, name in enumerate((*model.observed, *model.latent))}
        rows = [i for i in table.rows(b + 1) if table.op[i] == "=~" and table.efa[i]]
        for name in dict.fromkeys(table.efa[i] for i in rows):
            own = [i for i in rows if table.efa[i] == name]
            factors = list(dict.fromkeys(table.lhs[i] for i in own))
            if len(factors) < 2:
                continue
            items = list(dict.fromkeys(table.rhs[i] for i in own))
            places = [np.array([place[n] for n in part], dtype=np.intp) for part in (items, factors)]
            leads = all(table.user[i] != FOLLOWS for i in own)
            out.append(ExploratoryBlock(name, b, places[0], places[1], leads))
    return tuple(out)


def held_table(table: ParameterTable) -> ParameterTable:
    """Return a table with what rotation has freed held again."""
    rows = table._rows()
    for row in rows:
        if row["user"] == FIXED:
            row["free"], row["start"] = 0, 0.0
    return table_of(rows, table.group_labels, table.n_levels)


def freed_table(table: ParameterTable, orthogonal: bool) -> ParameterTable:
    """Return the table of the rotated model: what identified the search is free.

    Covariances of the factors of a block that have no row, as where they predict and are predicted, get one.
    """
    rows = table._rows()
    for row in rows:
        if row["user"] in EXPLORATORY and row["op"] in ("=~", "~~"):
            row["free"], row["start"] = 1, float("nan")
    if orthogonal:
        return table_of(rows, table.group_labels, table.n_levels)
    count = sum(1 for row in rows if row["plabel"])
    for b in range(1, table.n_blocks + 1):
        own = [row for row in rows if row["block"] == b]
        known = {frozenset((row["lhs"], row["rhs"])) for row in own if row["op"] == "~~"}
        after = max((k for k, row in enumerate(rows) if row["block"] == b and row["op"] == "~~"), default=-1) + 1
        for pair, like in _pairs(own):
            if frozenset(pair) in known:
                continue
            count += 1
            rows.insert(after, _covariance(pair, like, f".p{count}."))
            after += 1
    return table_of(rows, table.group_labels, table.n_levels)


def _pairs(rows: Sequence[dict[str, Any]]) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """Return pairs of factors of the same exploratory block, with a row of it."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["op"] == "=~" and row["efa"]:
            found.setdefault(row["efa"], {}).setdefault(row["lhs"], row)
    return [(pair, own[pair[0]]) for own in found.values() for pair in combinations(own, 2)]


def _covariance(pair: tuple[str, str], like: dict[str, Any], plabel: str) -> dict[str, Any]:
    own = {"lhs": pair[0], "op": "~~", "rhs": pair[1], "user": FIXED, "free": 1, "start": float("nan")}
    plain = {"label": "", "plabel": plabel, "lower": -np.inf, "upper": np.inf, "efa": "", "expression": None, "exo": 0}
    return like | own | plain
