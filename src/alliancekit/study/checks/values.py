"""Cells: words among numbers, values out of range, labels nobody knows, codes that were not declared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from alliancekit.study.checks.view import Finding, TableView, is_number, is_text, named
from alliancekit.study.checks.view import floats as as_floats
from alliancekit.study.codebook import ID_ROLES, ColumnInfo, code_text
from alliancekit.study.convert import is_comma_number, parse_number
from alliancekit.study.registry import registry

SUSPECT_CODES = (-999.0, -998.0, -99.0, -98.0, -9.0, -8.0, -7.0, 99.0, 999.0, 9999.0)
_MOJIBAKE = ("Ã¤", "Ã¶", "Ã¼", "Ã©", "Ã¨", "ÃŸ", "â€", "Ã¥", "Ã¸", "\ufffd")


def text_in_numbers(view: TableView) -> Iterator[Finding]:
    """Words in a column that otherwise holds numbers, or that the codebook says holds numbers."""
    for column, info in view.infos.items():
        values = view.frame[column]
        if not is_text(values) or info.role in ID_ROLES or info.type in ("text", "category", "ordered", "date"):
            continue
        codes, uniques = pd.factorize(values.astype(object))
        odd = {i: str(u) for i, u in enumerate(uniques) if not _is_number(u)}
        words = {i: u for i, u in odd.items() if not is_comma_number(u)}
        filled = codes[codes >= 0]
        share = 1 - np.isin(filled, list(words)).mean() if len(filled) else 0.0
        stated = info.role in ("item", "session", "time") or info.type in ("number", "integer")
        if not odd or not (stated or share >= 0.5):
            continue
        # Beside words, numbers with a decimal comma are not at fault: the words keep the column from being read.
        for i in np.flatnonzero(np.isin(codes, list(words or odd))):
            cell = odd[codes[i]]
            hint = (
                ' is not a number; correct it, or declare it under "missing" in the codebook.'
                if words
                else " reads as a number with a decimal comma; say decimal=',' when reading, or correct it."
            )
            text = f"{view.place(i)}: '{column}' holds {cell!r}, which{hint}"
            yield view.finding(int(i), column, "text_in_numbers", "error", text)


def _is_number(cell: object) -> bool:
    return parse_number(cell) is not None if isinstance(cell, str) else isinstance(cell, int | float | np.number)


def out_of_range(view: TableView) -> Iterator[Finding]:
    """Values outside the range that the codebook, or the registry for the instrument's item, gives."""
    for column, info in view.infos.items():
        limits, source = _limits(info)
        if limits is None or not is_number(view.frame[column]):
            continue
        values = as_floats(view.frame[column])
        with np.errstate(invalid="ignore"):
            bad = (values < limits[0]) | (values > limits[1])
        for i in np.flatnonzero(bad):
            if code_text(float(values[i])) in info.values:
                continue
            text = (
                f"{view.place(i)}: '{column}' is {values[i]:g}, outside {limits[0]:g} to {limits[1]:g} ({source}); "
                "correct "
                'it, or declare it under "missing" in the codebook.'
            )
            yield view.finding(int(i), column, "out_of_range", "error", text)


def _limits(info: ColumnInfo) -> tuple[tuple[float, float] | None, str]:
    if info.range is not None:
        return info.range, "the codebook's range"
    made = registry().get(info.instrument or "")
    if made is not None and info.item is not None:
        return made.range_of(info.item), f"the range of {made.id}"
    return None, ""


def unknown_labels(view: TableView) -> Iterator[Finding]:
    """Values that the codebook's value labels do not list, where the list is meant to be complete."""
    for column, info in view.infos.items():
        values = view.frame[column]
        if not info.values or not _complete(values, info):
            continue
        codes, uniques = pd.factorize(values.astype(object))
        bad = {i: code_text(u) for i, u in enumerate(uniques) if code_text(u) not in info.values}
        for i in np.flatnonzero(np.isin(codes, list(bad))):
            text = (
                f"{view.place(i)}: '{column}' holds {bad[codes[i]]!r}, which is none of the codebook's values "
                f'({named(list(info.values))}); correct it, or add it to "values".'
            )
            yield view.finding(int(i), column, "unknown_label", "error", text)


def _complete(values: pd.Series, info: ColumnInfo) -> bool:
    """Labels of categories and texts are complete; those of numbers unless a range, a type or two anchors say else."""
    if info.type in ("number", "integer") or (info.range is not None and info.type is None):
        return False
    if is_number(values) and info.type is None:
        return len(info.values) > 2 or set(map(code_text, values.dropna().unique())) <= {"0", "1", "2", *info.values}
    return True


def undeclared_codes(view: TableView) -> Iterator[Finding]:
    """-9, 99 and their like in numbers without range, far from everything else: probably a missing code."""
    for column, info in view.infos.items():
        if not is_number(view.frame[column]) or info.role in (*ID_ROLES, "session") or _limits(info)[0] is not None:
            continue
        values = as_floats(view.frame[column])
        known = values[np.isfinite(values)]
        for code in SUSPECT_CODES:
            at = np.flatnonzero(values == code)
            rest = known[~np.isin(known, SUSPECT_CODES)]
            if not len(at) or len(rest) < 5 or code_text(code) in info.values:
                continue
            low, high = float(rest.min()), float(rest.max())
            apart = max(high - low, 1.0)
            if (code < 0 and low >= 0) or (code > 0 and code > high + 2 * apart):
                count = f"{len(at)} row{'s' if len(at) > 1 else ''}"
                text = (
                    f"'{column}' holds {code:g} in {count} (first: {view.place(at[0])}), far from its other values "
                    f'({low:g} to {high:g}); if it is a missing code, write "missing": {{"{code:g}": "reason"}}.'
                )
                yield view.finding(int(at[0]), column, "undeclared_code", "warning", text)


def odd_text(view: TableView) -> Iterator[Finding]:
    """Labels that differ only by capitals or blanks, and letters spoilt by a wrong encoding."""
    for column, info in view.infos.items():
        values = view.frame[column]
        if info.role in ID_ROLES or not (is_text(values) or isinstance(values.dtype, pd.CategoricalDtype)):
            continue
        words = [w for w in pd.unique(values.dropna().astype(object)) if isinstance(w, str)]
        spoilt = [w for w in words if any(mark in w for mark in _MOJIBAKE)]
        if spoilt:
            text = (
                f"'{column}' holds {spoilt[0]!r}: letters spoilt by a wrong encoding; read the file again with "
                "encoding=, or export it as UTF-8."
            )
            yield view.finding(None, column, "wrong_encoding", "warning", text)
        if len(words) > 200:
            continue
        families: dict[str, list[str]] = {}
        for w in words:
            families.setdefault(" ".join(w.split()).casefold(), []).append(w)
        for alike in families.values():
            if len(alike) > 1:
                shown = ", ".join(map(repr, sorted(alike)))
                text = f"'{column}' holds {shown}, which differ only by capital letters or blanks; write them alike."
                yield view.finding(None, column, "similar_labels", "warning", text)


def infinite(view: TableView) -> Iterator[Finding]:
    """Infinite numbers, the trace of a division by zero elsewhere."""
    for column in view.infos:
        if is_number(view.frame[column]):
            for i in np.flatnonzero(np.isinf(as_floats(view.frame[column]))):
                text = f"{view.place(i)}: '{column}' is infinite; correct it or leave the cell empty."
                yield view.finding(int(i), column, "infinite", "error", text)
