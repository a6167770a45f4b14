"""``ak.parameter_table``: the table of a model before it is fitted, from syntax or from a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message, shown
from alliancekit.formula.model_parse import parse_model
from alliancekit.formula.model_statements import CONSTRAINTS
from alliancekit.structural.automatic import complete
from alliancekit.structural.estimators import plain_word
from alliancekit.structural.modifiers import INF, NAN, constraint
from alliancekit.structural.options import FUNCTIONS, make_options
from alliancekit.structural.rules import WRITTEN
from alliancekit.structural.table import COLUMNS, ParameterTable, table_of

_TEXT = ("lhs", "op", "rhs", "label", "plabel", "efa")
_OPERATORS = ("=~", "<~", "~", "~~", "~1", "|", "~*~", *CONSTRAINTS)


def parameter_table(
    model: str | pd.DataFrame,
    function: str = "cfa",
    *,
    groups: Sequence[str] = (),
    categories: Mapping[str, int] | None = None,
    parameterization: str = "delta",
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool = True,
    effect_coding: bool | Sequence[str] = False,
) -> ParameterTable:
    """Return the parameter table of a model without fitting it, to look at, edit and hand to ``ak.cfa``.

    Parameters
    ----------
    model : lavaan model syntax; or a frame with the columns of ``ParameterTable.frame()``, edited as you like (the
        other arguments but ``groups`` then have no part in it).
    function : whose rules complete the model: "cfa", "sem", "growth", or "lavaan" for what is written alone.
    groups : labels of the groups, in the order in which they first appear in the data.
    categories : number of categories of each ordinal variable, such as ``{"u1": 4}``.
    parameterization : of ordinal variables: "delta" (their scales are parameters) or "theta" (residual variances are).
    group_equal, group_partial, std_lv, orthogonal, meanstructure, fixed_x, effect_coding : as in ``ak.cfa``.

    Returns
    -------
    ParameterTable : prints as a table; ``fix``, ``release``, ``tie``, ``without`` and ``with_rows`` give changed ones.

    Raises
    ------
    SpecError : wrong syntax or option, or a frame that is no parameter table; says which row.

    Notes
    -----
    The rows and their order are those of lavaan's ``parTable``. Free parameters that are equal keep their own numbers
    and are tied by rows with ``==``.

    Examples
    --------
    >>> import alliancekit as ak
    >>> t = ak.parameter_table("bond =~ w1 + w2 + w3", std_lv=True)
    >>> t.n_free
    6
    >>> ak.parameter_table(t.frame()).n_free
    6

    Checked against
    ---------------
    ``parTable`` of lavaan 0.6-14 for 183 models (tests/reference/sem_tables).

    When not to use
    ---------------
    To fit a model that its syntax already says: hand the syntax to ``ak.cfa``, ``ak.sem`` or ``ak.growth``.
    """
    if isinstance(groups, str):
        what = f"groups={groups!r} is one text, not the labels of groups"
        raise SpecError(message(what, do='Give a list of labels, such as ["f", "m"]'))
    labels = tuple(str(label) for label in groups) or ("",)
    if isinstance(model, pd.DataFrame):
        return read_table(model, labels)
    check_option("function", function, ("cfa", "sem", "growth", "lavaan"))
    parameterization = check_option("parameterization", plain_word(parameterization), ("delta", "theta"))
    options = make_options(
        function if function in FUNCTIONS else "sem",
        group="group" if len(labels) > 1 else None,
        group_equal=group_equal,
        group_partial=group_partial,
        std_lv=std_lv,
        orthogonal=orthogonal,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        effect_coding=effect_coding,
    )
    rules = options.rules
    if function == "lavaan":
        rules = replace(WRITTEN, meanstructure=rules.meanstructure, fixed_x=fixed_x, orthogonal=orthogonal)
    if categories:
        rules = replace(rules, meanstructure=True, theta=parameterization == "theta")
    statements = parse_model(model)
    if any(s.level for s in statements):
        rules = replace(rules, meanstructure=True)
    _check_counts(categories or {})
    return complete(statements, rules, labels, dict(categories or {}))


def _check_counts(categories: Mapping[str, int]) -> None:
    """Raise SpecError for numbers of categories that are none; names that the model lacks are passed over."""
    for name, count in categories.items():
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 2:
            what = f"'{name}' in categories= has {shown(count)} categories"
            raise SpecError(message(what, do="Give a whole number from 2"))


def read_table(frame: pd.DataFrame, group_labels: tuple[str, ...] = ("",)) -> ParameterTable:
    """Return the table that a frame describes.

    Parameters
    ----------
    frame : columns lhs, op, rhs and, where wanted, free, start (or ustart), label, exo, group, level, user, plabel,
        lower, upper, efa. Without free a parameter with a value in start is fixed.

    Raises
    ------
    SpecError : a column is missing, an operator unknown, a fixed parameter without a value, a parameter twice.
    """
    missing = [name for name in ("lhs", "op", "rhs") if name not in frame.columns]
    if missing:
        what = f"a parameter table needs the column '{missing[0]}'"
        raise SpecError(message(what, do="Take ParameterTable.frame() as the pattern"))
    given = frame.rename(columns={"ustart": "start"}) if "start" not in frame.columns else frame
    records = given[[name for name in COLUMNS if name in given.columns]].to_dict("records")
    levels = max((int(_number(r.get("level"), 0.0, "level", 0)) for r in records), default=0)
    n_levels = max(levels, 1)
    rows = [_row({str(k): v for k, v in r.items()}, i, n_levels) for i, r in enumerate(records)]
    n_groups = max((row["group"] for row in rows), default=1)
    if group_labels == ("",) and n_groups > 1:
        group_labels = tuple(str(g + 1) for g in range(n_groups))
    if n_groups > len(group_labels):
        what = f"the table has {n_groups} groups and {len(group_labels)} labels are given"
        raise SpecError(message(what, do="Name all groups in groups="))
    seen: dict[tuple[Any, ...], int] = {}
    for i, row in enumerate(rows):
        if not row["block"]:
            continue
        pair = tuple(sorted((row["lhs"], row["rhs"]))) if row["op"] == "~~" else (row["lhs"], row["rhs"])
        key = (row["block"], row["op"], *pair)
        if key in seen:
            what = f"'{row['lhs']} {row['op']} {row['rhs']}' stands in rows {seen[key]} and {i}"
            raise SpecError(message(what, do="Leave one of them out"))
        seen[key] = i
        row["plabel"] = row["plabel"] or f".p{i + 1}."
    plabels = [row["plabel"] for row in rows if row["block"]]
    twice = next((plabel for plabel in plabels if plabels.count(plabel) > 1), None)
    if twice:
        raise SpecError(message(f"two parameters have the plabel '{twice}'", do="Give each its own, or none at all"))
    return table_of(rows, group_labels, n_levels)


def _row(record: Mapping[str, Any], i: int, n_levels: int) -> dict[str, Any]:
    """Return one row of a frame with all its entries, checked."""
    text = {name: "" if _absent(record.get(name)) else str(record[name]) for name in _TEXT}
    op = text["op"]
    if op not in _OPERATORS:
        raise SpecError(message(f"'{op}' is no operator", where=f"row {i}", do=f"Use one of {' '.join(_OPERATORS)}"))
    if not text["lhs"] or (not text["rhs"] and op != "~1"):
        raise SpecError(message(f"one side of {op} is empty", where=f"row {i}"))
    user = int(_number(record.get("user"), 1.0, "user", i))
    if op in CONSTRAINTS:
        s = parse_model(f"{text['lhs']} {op} {text['rhs']}")[0]
        label = text["lhs"] if op == ":=" else ""
        return constraint(text["lhs"], op, text["rhs"], user=user, label=label, expression=(s.left, s.right))
    start = _number(record.get("start"), NAN, "start", i)
    free = int(bool(_number(record.get("free"), 1.0 if start != start else 0.0, "free", i)))
    exo = int(_number(record.get("exo"), 0.0, "exo", i))
    if not free and start != start and not exo:
        what = f"'{text['lhs']} {op} {text['rhs']}' is fixed and has no value"
        raise SpecError(message(what, where=f"row {i}", do="Give it one in the column start, or free = 1"))
    group = int(_number(record.get("group"), 1.0, "group", i))
    level = int(_number(record.get("level"), 0.0, "level", i))
    if group < 1 or level < (1 if n_levels > 1 else 0):
        raise SpecError(message("groups and levels are numbered from 1", where=f"row {i}"))
    return text | {
        "user": user,
        "block": (group - 1) * n_levels + max(level, 1),
        "group": group,
        "level": level if n_levels > 1 else 0,
        "free": free,
        "start": start,
        "exo": exo,
        "lower": _number(record.get("lower"), -INF, "lower", i),
        "upper": _number(record.get("upper"), INF, "upper", i),
        "expression": None,
    }


def _absent(value: Any) -> bool:
    return value is None or bool(pd.isna(value))


def _number(value: Any, default: float, name: str, i: int) -> float:
    """Return an entry as a number; the default where there is none."""
    if _absent(value):
        return default
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise SpecError(message(f"'{value}' in column {name} is no number", where=f"row {i}")) from error
