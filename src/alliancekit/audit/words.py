"""Numbers inside the sentences of evidence; the numbers themselves stand unrounded in ``Check.numbers``."""

from __future__ import annotations

MINUS = "\u2212"


def number(value: float, digits: int = 2) -> str:
    """Return a number with fixed digits and a real minus sign.

    Examples
    --------
    >>> number(-0.4)
    '−0.40'
    """
    text = f"{value:.{digits}f}"
    zero = not any(c in text for c in "123456789")
    return text.lstrip("-") if zero else text.replace("-", MINUS)


def p_text(value: float) -> str:
    """Return "p = .021", or "p < .001".

    Examples
    --------
    >>> p_text(0.0004), p_text(0.0213)
    ('p < .001', 'p = .021')
    """
    if value < 0.001:
        return "p < .001"
    return "p > .999" if value > 0.999 else f"p = {value:.3f}".replace("0.", ".", 1)
