"""Printed tables: columns side by side, p values as R prints them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def columns_text(lines: Sequence[tuple[str, ...]], left: int) -> list[str]:
    """Return lines of text with the first ``left`` columns flush left and the others flush right."""
    widths = [max(len(r[i]) for r in lines) for i in range(len(lines[0]))]
    return [
        " "
        + "  ".join(
            c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True))
        ).rstrip()
        for r in lines
    ]


def p_text(p_value: float) -> str:
    """Return a p value with three digits, as R prints it."""
    if np.isnan(p_value):
        return "NA"
    if p_value < 2e-16:
        return "< 2e-16"
    return f"{p_value:.3g}" if p_value >= 1e-4 else f"{p_value:.2e}"


def number_text(value: float) -> str:
    """Return a number with five digits; NA where there is none."""
    return "Inf" if np.isinf(value) else ("NA" if np.isnan(value) else f"{value:.5g}")
