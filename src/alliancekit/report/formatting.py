"""Numbers as the APA manual wants them: one place that rounds, used by every table and every sentence.

Real minus signs (U+2212), no zero before the point where a number cannot exceed one, commas from one thousand on, an
en dash for a number that is missing. Digits are chosen for a whole column at once, so that points stand below points.

Source: American Psychological Association (2020). Publication manual (7th ed.), sections 6.36 to 6.46.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args

from alliancekit.core.columns import GLOSSARY, Kind
from alliancekit.core.errors import check_option

MINUS: Final = "\u2212"
MISSING: Final = "\u2013"
HUGE: Final = 1e12  # from here on digits before the point tell nothing
THIN: Final = "\u202f"
KINDS: Final[tuple[str, ...]] = get_args(Kind)

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_STATISTICS = r"M|SD|SE|Mdn|df|b|B|t|F|p|r|R|z|d|g|f|n|N|k|ICC"
# A letter is a statistic where a sign of comparison, or brackets with degrees of freedom and then a sign, follow.
_SYMBOL = re.compile(rf"(?<![\w.])(?:Δ)?({_STATISTICS})(?=[²]?(?:\u2009|\u202f|\u00a0| )?(?:\([^()]*\) ?)?[=<>≤≥≈])")
_ITALIC_LABELS = frozenset(_STATISTICS.split("|")) - {"ICC"}


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and pandas' NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA refuses to be a bool
        return True


def format_fixed(value: float, decimals: int, *, leading_zero: bool = True, commas: bool = True) -> str:
    """Return a number with a fixed count of digits after the point.

    Parameters
    ----------
    value : the number; infinite gives ∞, missing gives an en dash.
    decimals : digits after the point, 0 or more.
    leading_zero : False for numbers that cannot exceed one (.21, not 0.21).
    commas : whether thousands are parted by commas.

    Examples
    --------
    >>> format_fixed(-1234.5, 2)
    '−1,234.50'
    >>> format_fixed(0.214, 2, leading_zero=False)
    '.21'
    >>> format_fixed(3.4e13, 2)
    '3.4 × 10¹³'
    """
    if is_missing(value):
        return MISSING
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else f"{MINUS}∞"
    if abs(number) >= HUGE:
        return format_scientific(number)
    text = f"{abs(number):{',' if commas else ''}.{decimals}f}"
    zero = not any(digit in text for digit in "123456789")
    if not leading_zero and text.startswith("0."):
        text = text[1:]
    return text if number >= 0 or zero else MINUS + text


def format_scientific(value: float, digits: int = 2) -> str:
    """Return a number as 1.2 × 10⁻⁷, with ``digits`` significant digits.

    Examples
    --------
    >>> format_scientific(-0.000000123)
    '−1.2 × 10⁻⁷'
    """
    mantissa, exponent = f"{abs(float(value)):.{digits - 1}e}".split("e")
    sign = MINUS if value < 0 else ""
    return f"{sign}{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def format_integer(value: float) -> str:
    """Return a count with commas: 1203 gives 1,203."""
    return format_fixed(value, 0)


def format_p(value: float, decimals: int = 3) -> str:
    """Return a p value for a table: .021, < .001, > .999; never 0 or 1.

    Examples
    --------
    >>> format_p(0.0211), format_p(3e-9), format_p(1.0)
    ('.021', '< .001', '> .999')
    """
    if is_missing(value):
        return MISSING
    number, step = float(value), 10.0**-decimals
    if number < step:
        return f"< {format_fixed(step, decimals, leading_zero=False)}"
    if float(f"{number:.{decimals}f}") >= 1:
        return f"> {format_fixed(1 - step, decimals, leading_zero=False)}"
    return format_fixed(number, decimals, leading_zero=False)


def format_df(value: float, *, whole: bool | None = None) -> str:
    """Return degrees of freedom: an integer where they are one, else one digit after the point; ∞ for z tests."""
    if is_missing(value):
        return MISSING
    integer = float(value).is_integer() if whole is None else whole
    return format_fixed(value, 0 if integer else 1, commas=False)


def format_interval(low: float, high: float, decimals: int, *, leading_zero: bool = True) -> str:
    """Return [low, high]; a missing pair is an en dash.

    Examples
    --------
    >>> format_interval(-0.1, 0.38, 2)
    '[−0.10, 0.38]'
    """
    if is_missing(low) and is_missing(high):
        return MISSING
    ends = (format_fixed(v, decimals, leading_zero=leading_zero) for v in (low, high))
    return f"[{', '.join(ends)}]"


def decimals_for(estimates: Iterable[Any] = (), errors: Iterable[Any] = ()) -> int:
    """Choose the digits after the point for estimates that stand together.

    Parameters
    ----------
    estimates : the numbers themselves; they decide only where there are no standard errors.
    errors : their standard errors. The smallest shows two significant digits, or one where the errors span more than
        a factor of 100 (else the large ones would drown in digits).

    Returns
    -------
    int between 0 and 5; 2 where there is nothing to go by.

    Examples
    --------
    >>> decimals_for([0.24, 1.3], [0.071, 0.2])
    3
    >>> decimals_for([0.24, 1.3], [0.11, 0.2])
    2
    >>> decimals_for([23.1, 45.8])
    2
    """
    sizes = sorted(_sizes(errors))
    if sizes:
        smallest = sizes[0]
        significant = 1 if sizes[-1] / smallest > 100 else 2
        least = 2 if smallest < 10 else 1 if smallest < 100 else 0
        return min(max(significant - 1 - math.floor(math.log10(smallest)), least), 5)
    sizes = sorted(_sizes(estimates))
    if not sizes:
        return 2
    middle = sizes[len(sizes) // 2]
    if middle >= 10000:
        return 0
    if middle >= 1000:
        return 1
    return 2 if middle >= 0.1 else min(2 - math.floor(math.log10(middle)) - 1, 5)


def _sizes(values: Iterable[Any]) -> list[float]:
    return [abs(float(v)) for v in values if not is_missing(v) and math.isfinite(float(v)) and float(v) != 0]


def format_column(values: Sequence[Any], kind: str, decimals: int | None = None) -> list[str]:
    """Format the numbers of one column (or row) together.

    Parameters
    ----------
    values : numbers; missing ones become an en dash (for ``kind="text"`` an empty cell).
    kind : "text", "integer", "estimate", "p", "df", "proportion", "percent" or "statistic". A percent is given in
        percentage points (0 to 100).
    decimals : digits after the point; None takes the kind's: estimates by their size, p 3, proportion 2, percent 1,
        statistic 2, df 0 or 1.

    Raises
    ------
    SpecError : a kind that does not exist.

    Examples
    --------
    >>> format_column([0.0004, 0.034], "p")
    ['< .001', '.034']
    >>> format_column([-0.2, 0.31], "proportion")
    ['−.20', '.31']
    """
    check_option("kind", kind, KINDS)
    if kind == "text":
        return [_text(v) for v in values]
    if kind == "p":
        return [format_p(v, 3 if decimals is None else decimals) for v in values]
    if kind == "df":
        whole = all(is_missing(v) or math.isinf(v) or float(v).is_integer() for v in values)
        return [format_df(v, whole=whole) for v in values]
    digits = _digits(values, kind) if decimals is None else decimals
    cells = [format_fixed(v, digits, leading_zero=kind != "proportion") for v in values]
    if kind == "estimate":
        return [_or_scientific(v, cell) for v, cell in zip(values, cells, strict=True)]
    return cells


def _digits(values: Sequence[Any], kind: str) -> int:
    fixed = {"integer": 0, "proportion": 2, "percent": 1, "statistic": 2}
    return fixed[kind] if kind in fixed else decimals_for(values)


def _text(value: Any) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value).replace("-", MINUS)
    if isinstance(value, float):
        return format_fixed(value, 0 if value.is_integer() else decimals_for([value]))
    return str(value)


def _or_scientific(value: Any, cell: str) -> str:
    """Return the cell, or powers of ten where rounding has left nothing of a number that is not zero."""
    gone = not any(digit in cell for digit in "123456789∞")
    if not gone or is_missing(value) or float(value) == 0 or abs(float(value)) < 1e-12:
        return cell
    return format_scientific(value)


def default_kind(name: str, dtype_kind: str) -> str:
    """Return how a column is formatted when nobody said: by the glossary, else by numpy's letter for its dtype."""
    if dtype_kind not in "iuf":
        return "text"
    if name in GLOSSARY and GLOSSARY[name].kind != "text":
        return GLOSSARY[name].kind
    return "integer" if dtype_kind in "iu" else "estimate"


def p_text(value: float) -> str:
    """Return "p = .021" or "p < .001" for a sentence."""
    shown = format_p(value)
    return f"p {shown}" if shown[0] in "<>" else f"p = {shown}"


def test_text(symbol: str, statistic: float, *df: float) -> str:
    """Return a test statistic for a sentence: t(34.2) = 2.41, z = 1.30, F(2, 34.2) = 5.10.

    Infinite or missing degrees of freedom are left out.

    Examples
    --------
    >>> test_text("t", 2.412, 34.21)
    't(34.2) = 2.41'
    """
    known = [format_df(d) for d in df if not is_missing(d) and not math.isinf(d)]
    brackets = f"({', '.join(known)})" if known else ""
    return f"{symbol}{brackets} = {format_fixed(statistic, 2)}"


# pytest must not take the function for a test where a test module imports it.
test_text.__test__ = False  # type: ignore[attr-defined]


def ci_text(low: float, high: float, *, decimals: int = 2, level: float = 0.95, leading_zero: bool = True) -> str:
    """Return "95% CI [0.10, 0.38]" for a sentence."""
    return f"{100 * level:g}% CI {format_interval(low, high, decimals, leading_zero=leading_zero)}"


def italic_runs(text: str) -> list[tuple[str, bool]]:
    """Part a sentence into runs, the symbols of statistics (b, t, p, M, SD ...) marked as italic.

    Examples
    --------
    >>> italic_runs("It fell, p = .02.")
    [('It fell, ', False), ('p', True), (' = .02.', False)]
    """
    runs: list[tuple[str, bool]] = []
    end = 0
    for found in _SYMBOL.finditer(text):
        start, stop = found.span(1)
        if found.group(1) == "ICC":
            continue
        if start > end:
            runs.append((text[end:start], False))
        runs.append((text[start:stop], True))
        end = stop
    if end < len(text):
        runs.append((text[end:], False))
    return runs


def keep_together(text: str) -> str:
    """Return text that does not break a line around the signs of comparison: "= .02" stays whole."""
    for sign in "=<>":
        text = text.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    return text


def is_symbol(label: str) -> bool:
    """Return True where a heading is the symbol of a statistic, which is set in italics."""
    return label.removeprefix("Δ").rstrip("²") in _ITALIC_LABELS
