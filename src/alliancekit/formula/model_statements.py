"""What model syntax says, statement by statement, with the place where it says it."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.formula.model_expressions import Expression

OPERATORS = ("=~", "<~", "~*~", "~~", "~", "|", ":=", "==", "<", ">")
CONSTRAINTS = (":=", "==", "<", ">")


@dataclass(frozen=True, slots=True)
class Modifier:
    """What stands before a ``*``.

    Attributes
    ----------
    kind : "fixed" (numbers, None: free), "label", "start", "equal" (a parameter written out), "efa" (a block of
        exploratory factors), "lower" or "upper" (bounds).
    values : one value, or one for each group.
    line, column : where it stands, counted from 1.
    """

    kind: str
    values: tuple[float | str | None, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One relation of two variables, or one constraint.

    Attributes
    ----------
    lhs, op, rhs : as lavaan writes them; an intercept has op "~1" and no rhs; of a constraint lhs and rhs are its text.
    modifiers : in the order written.
    group, level : label of the block the statement stands in, None outside blocks.
    line, column : where it stands, counted from 1.
    left, right : the sides of a constraint as expressions; ``left`` of a definition is its name.
    """

    lhs: str
    op: str
    rhs: str
    modifiers: tuple[Modifier, ...]
    group: str | None
    level: str | None
    line: int
    column: int
    left: Expression | None = None
    right: Expression | None = None
