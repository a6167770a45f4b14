"""Tables as CSV: UTF-8, full precision, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.report.formatting import is_missing

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutralise(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: a leading = + - @ gets an apostrophe before it.

    Examples
    --------
    >>> neutralise("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def frame_to_csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV bytes: comma, line feeds, numbers as numbers with every digit, missing as empty."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([neutralise(str(c)) for c in frame.columns])
    columns = [frame[c].tolist() for c in frame.columns]
    for row in zip(*columns, strict=True):
        writer.writerow([_plain(v) for v in row])
    return stream.getvalue().encode("utf-8")


def _plain(value: Any) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return neutralise(str(value))


def slug(text: str, longest: int = 48) -> str:
    """Return a title as part of a file name: lower case ASCII letters, digits and hyphens.

    Examples
    --------
    >>> slug("Fixed Effects: Änderung <b>")
    'fixed-effects-anderung-b'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    joined = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")
    return joined[:longest].strip("-") or "untitled"
