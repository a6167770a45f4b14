"""The transforms a formula may use, and what each of them takes."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.core.errors import nearest
from alliancekit.formula.expressions import Call, Expr, Name, Number, Text, Unary
from alliancekit.formula.tokens import bad_text


@dataclass(frozen=True, slots=True)
class Transform:
    """What a transform takes: the least and most arguments, the names of its options, and whether it gives a number."""

    least: int = 1
    most: int = 1
    options: tuple[str, ...] = ()
    numeric: bool = True


TRANSFORMS: dict[str, Transform] = {
    "I": Transform(),
    "abs": Transform(),
    "center": Transform(),
    "exp": Transform(),
    "log": Transform(1, 2, ("base",)),
    "log10": Transform(),
    "log2": Transform(),
    "sqrt": Transform(),
    "scale": Transform(1, 1, ("center", "scale")),
    "poly": Transform(1, 2, ("degree", "raw"), numeric=False),
    "factor": Transform(1, 1, numeric=False),
    "C": Transform(1, 2, ("ref",), numeric=False),
    "offset": Transform(numeric=False),
    "successes": Transform(1, 1, ("of",), numeric=False),
    "cbind": Transform(2, 2, numeric=False),
}

RESPONSES = ("successes", "cbind")
"""Functions that stand left of the ~ only: counts out of a total."""

CODINGS: dict[str, str] = {
    word: short
    for short in ("treatment", "sum", "helmert", "poly")
    for word in (short, f"contr.{short}", f"contr_{short}")
}
"""Words for a coding of a factor, with R's names beside the short ones."""

_ELSEWHERE = {
    "lag": "A lag needs the person and the time: make the column first with ak.lag(data, column, by=, time=)",
    "lead": "A lead needs the person and the time: make the column first with ak.lead(data, column, by=, time=)",
    "diff": "A change needs the person and the time: make the column first, for example with ak.lag",
    "ordered": "Make the column an ordered categorical (pandas) before fitting",
    "relevel": 'Write C(x, ref = "level"), or reorder the categories before fitting',
    "ns": "Make the spline's columns before fitting, or use poly(x, degree)",
    "bs": "Make the spline's columns before fitting, or use poly(x, degree)",
    "s": "Smooth terms are not part of this model; poly(x, degree) bends a line",
    "log1p": "Write log(x + 1)",
    "as.factor": "Write factor(x)",
    "as.numeric": "Convert the column before fitting",
    "centre": "Write center(x)",
    "sin": "Make the column before fitting",
    "cos": "Make the column before fitting",
}


def check_call(text: str, call: Call) -> None:
    """Raise SpecError, pointing at the place, when a transform is unknown or called with the wrong arguments."""
    known = TRANSFORMS.get(call.function)
    if known is None:
        raise bad_text(text, call.position, f"'{call.function}' is not a function of formulas", _advice(call.function))
    if not known.least <= len(call.args) <= known.most:
        wanted = str(known.least) if known.least == known.most else f"{known.least} or {known.most}"
        plural = "" if known.most == 1 else "s"
        what = f"{call.function}() takes {wanted} argument{plural}, not {len(call.args)}"
        raise bad_text(text, call.position, what)
    for key, value in call.options:
        if key not in known.options:
            do = f"It takes: {', '.join(known.options)}" if known.options else "It takes no options"
            raise bad_text(text, call.position, f"{call.function}() has no option '{key}'", do)
        _check_option_value(text, call, key, value)
    if len({key for key, _ in call.options}) < len(call.options):
        raise bad_text(text, call.position, f"{call.function}() has the same option twice")
    _check_second(text, call)


def _advice(function: str) -> str:
    if function in _ELSEWHERE:
        return _ELSEWHERE[function]
    close = nearest(function, TRANSFORMS)
    hint = f"Did you mean {close}()? " if close else ""
    return f"{hint}Functions are: {', '.join(TRANSFORMS)}. Nothing else is evaluated"


def _check_option_value(text: str, call: Call, key: str, value: Expr) -> None:
    if key in ("raw", "center", "scale") and logical(value) is None and not (key != "raw" and number(value)):
        raise bad_text(text, call.position, f"{key} in {call.function}() is TRUE or FALSE")
    if key == "ref" and not isinstance(value, (Text, Number)):
        raise bad_text(text, call.position, "ref in C() is a level in quotes", 'For example C(x, ref = "control")')


def _check_second(text: str, call: Call) -> None:
    second = (
        call.args[1]
        if len(call.args) > 1
        else dict(call.options).get({"poly": "degree", "log": "base"}.get(call.function, ""))
    )
    if call.function == "poly":
        degree = number(second) if second is not None else 1.0
        if degree is None or degree != int(degree) or degree < 1:
            raise bad_text(text, call.position, "the degree in poly() is a whole number from 1")
    if call.function == "log" and second is not None:
        base = number(second)
        if base is None or base <= 0 or base == 1:
            raise bad_text(text, call.position, "the base in log() is a positive number other than 1")
    if call.function == "C" and second is not None and coding_word(second) is None:
        do = f"Use one of: {', '.join(sorted(set(CODINGS.values())))}"
        raise bad_text(text, call.position, "the second argument of C() is the name of a coding", do)
    keys = {key for key, _ in call.options}
    if len(call.args) > 1 and keys & {"degree", "base"}:
        raise bad_text(text, call.position, f"{call.function}() has the same argument twice")


def logical(expr: Expr | None) -> bool | None:
    """Return the value of TRUE, FALSE, True or False; None for anything else."""
    if isinstance(expr, Name):
        return {"TRUE": True, "True": True, "T": True, "FALSE": False, "False": False, "F": False}.get(expr.name)
    return None


def number(expr: Expr | None) -> float | None:
    """Return the value of a number, which may have a sign; None for anything else."""
    if isinstance(expr, Number):
        return expr.value
    if isinstance(expr, Unary) and isinstance(expr.operand, Number):
        return -expr.operand.value if expr.operator == "-" else expr.operand.value
    return None


def coding_word(expr: Expr) -> str | None:
    """Return the coding named by ``sum``, ``"sum"`` or ``contr.sum``; None for anything else."""
    if isinstance(expr, Text):
        return CODINGS.get(expr.value)
    return CODINGS.get(expr.name) if isinstance(expr, Name) else None
