"""From the text of a cell to its value: numbers, categories, dates, and the reason where a value is missing."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.core.errors import SchemaError, message
from alliancekit.study.codebook import ID_ROLES, ColumnInfo, code_text

USUAL_NA = ("", "NA")
NUMERIC_NA = ("NaN", "nan", ".", "#N/A", "#NULL!", "n/a", "N/A", "null", "NULL")
_INTEGER = re.compile(r"[+-]?\d{1,19}")
LARGEST = 2**63 - 1
_LEADING_ZERO = re.compile(r"[+-]?0\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS_LIKE = re.compile(r"[+-]?\d{1,3},\d{3}")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?")


@dataclass(frozen=True)
class Converted:
    """A column after conversion: the values, and the code of each coded missing cell (None where there is none)."""

    values: pd.Series
    codes: pd.Series | None


def is_comma_number(text: str) -> bool:
    """Return whether a text reads as a number with a decimal comma."""
    return bool(_COMMA.fullmatch(text.strip()))


def is_thousands_like(text: str) -> bool:
    """Return whether a comma number could as well be a whole number with a thousands separator (1,234)."""
    return bool(_THOUSANDS_LIKE.fullmatch(text.strip()))


def parse_number(text: str, decimal: str = ".") -> float | None:
    """Return the number a text stands for, None where it stands for none.

    Examples
    --------
    >>> parse_number(" 3,5 ", decimal=",")
    3.5
    >>> parse_number("3,5") is None
    True
    """
    plain = text.strip()
    if decimal == "," and "." not in plain:
        plain = plain.replace(",", ".", 1)
    if not _NUMBER.fullmatch(plain):
        return None
    value = float(plain)
    return value if np.isfinite(value) else None


def convert_column(
    raw: pd.Series, info: ColumnInfo, *, decimal: str = ".", na: tuple[str, ...] | None = None, keep_text: bool = False
) -> Converted:
    """Turn a column of cell texts into values of the type the codebook says, or that the cells allow.

    Cells that do not fit the type are never dropped: the column then stays text, and ``validate`` names the cells.

    Parameters
    ----------
    raw : texts, "" for an empty cell.
    info : what the codebook says of the column.
    decimal : "." or ",".
    na : texts that mean "nothing entered"; None means "" and, outside id columns, "NA".
    keep_text : leave the column as text whatever the cells look like (ids with leading zeros).
    """
    position, uniques = pd.factorize(raw.astype(object), use_na_sentinel=True)
    texts = ["" if u is None else str(u) for u in uniques]
    empty = _empty_tokens(info, na, keep_text)
    coded = [_missing_code(t, info, decimal) for t in texts]
    gone = [code is not None or t in empty or (t.strip() == "" and t not in info.values)
            for t, code in zip(texts, coded, strict=True)]  # fmt: skip
    kept = [t for t, absent in zip(texts, gone, strict=True) if not absent]
    if na is None and info.type in (None, "number", "integer") and not keep_text:
        gone, kept = _drop_numeric_na(texts, gone, kept, decimal)
    levels = _values_of(kept, info, decimal, keep_text)
    lookup = np.full(len(texts) + 1, -1, dtype=np.intp)
    lookup[[i for i, absent in enumerate(gone) if not absent]] = np.arange(len(kept))
    values = _take(levels, lookup[position], raw)
    if not any(code is not None for code in coded):
        return Converted(values, None)
    code_array = np.array([*coded, None], dtype=object)
    return Converted(values, pd.Series(code_array[position], index=raw.index, name=raw.name))


def _empty_tokens(info: ColumnInfo, na: tuple[str, ...] | None, keep_text: bool) -> set[str]:
    if na is not None:
        return set(na) | {""}
    tokens = {""} if keep_text or info.role in ID_ROLES else set(USUAL_NA)
    return tokens - set(info.values)


def _missing_code(text: str, info: ColumnInfo, decimal: str) -> str | None:
    if not info.missing or text == "":
        return None
    plain = text.strip()
    if plain in info.missing:
        return plain
    number = parse_number(plain, decimal)
    code = None if number is None else code_text(number)
    return code if code in info.missing else None


def _drop_numeric_na(texts: list[str], gone: list[bool], kept: list[str], decimal: str) -> tuple[list[bool], list[str]]:
    """Read '.', 'NaN' and their like as missing where every other cell is a number."""
    rest = [t for t in kept if t.strip() not in NUMERIC_NA]
    if len(rest) == len(kept) or not rest or any(parse_number(t, decimal) is None for t in rest):
        return gone, kept
    return [absent or t.strip() in NUMERIC_NA for t, absent in zip(texts, gone, strict=True)], rest


def _values_of(kept: list[str], info: ColumnInfo, decimal: str, keep_text: bool) -> pd.Series:
    """Return the value of each distinct text, as a series of the column's type."""
    kind = info.type
    if kind in ("category", "ordered"):
        extra = sorted(t for t in kept if t not in info.values)
        order = pd.Index([*info.values, *extra], dtype="str")
        return pd.Series(pd.Categorical(kept, categories=order, ordered=kind == "ordered"))
    if kind == "text" or keep_text:
        return pd.Series(kept, dtype="str")
    if kind == "date":
        return _dates(kept)
    if kind in ("number", "integer") or info.role == "item" or kind is None:
        numbers = [parse_number(t, decimal) for t in kept]
        if all(n is not None for n in numbers) and (kind is not None or not any(map(_zero_led, kept))):
            whole = kind != "number" and _plain_integers(kept)
            whole = whole or (kind == "integer" and all(float(n).is_integer() for n in numbers if n is not None))
            return pd.Series([int(t) for t in kept] if whole and _plain_integers(kept) else numbers,
                             dtype="int64" if whole and kept else "float64")  # fmt: skip
    if kind in (None, "boolean") and kept and {t.strip() for t in kept} <= {"TRUE", "FALSE", "True", "False"}:
        return pd.Series([t.strip().upper() == "TRUE" for t in kept], dtype=bool)
    if kind is None and kept and all(_ISO_DATE.fullmatch(t.strip()) for t in kept):
        return _dates(kept)
    return pd.Series(kept, dtype="str")


def _plain_integers(kept: list[str]) -> bool:
    return all(map(_is_whole, kept))


def _is_whole(text: str) -> bool:
    """Return whether a text is a whole number that fits into 64 bits."""
    return bool(_INTEGER.fullmatch(text.strip())) and abs(int(text)) <= LARGEST


def _zero_led(text: str) -> bool:
    return bool(_LEADING_ZERO.fullmatch(text.strip()))


def _dates(kept: list[str]) -> pd.Series:
    from alliancekit.study.dates import parse_texts

    parsed, failed = parse_texts(kept, order=None)
    if failed:
        return pd.Series(kept, dtype="str")
    return pd.Series(parsed, dtype="datetime64[us]")


def _take(levels: pd.Series, positions: np.ndarray, raw: pd.Series) -> pd.Series:
    """Spread the distinct values over the rows; a position of -1 is a missing cell."""
    absent = bool((positions < 0).any())
    source = levels
    if absent and source.dtype == "int64":
        source = source.astype("float64")
    elif absent and source.dtype == bool:
        source = source.astype(object)
    if len(source) == 0:
        return pd.Series(np.nan, index=raw.index, name=raw.name, dtype=source.dtype if absent else "float64")
    values = source.array.take(positions, allow_fill=True) if absent else source.array.take(positions)
    return pd.Series(values, index=raw.index, name=raw.name)


def is_canonical_integer_column(raw: pd.Series) -> bool:
    """Return whether every cell is empty or a whole number written without leading zeros or blanks."""
    for text in pd.unique(raw.dropna().astype(object)):
        if text != "" and (not _is_whole(text) or text != str(int(text))):
            return False
    return True


def apply_labels(column: pd.Series, info: ColumnInfo) -> pd.Series:
    """Return a coded column as categories that carry the labels, in the codebook's order.

    Raises
    ------
    SchemaError : no value labels, or values without one (they are listed).
    """
    if not info.values:
        raise SchemaError(
            message(f"the column '{column.name}' has no value labels", do='Add "values": {"1": "..."} in codebook.json')
        )
    codes = column.astype(object).map(code_text, na_action="ignore")
    unknown = sorted({str(c) for c in codes.dropna().unique()} - set(info.values))
    if unknown:
        raise SchemaError(
            message(
                f"the column '{column.name}' has values without a label: {', '.join(unknown[:10])}",
                do="Add them to the codebook, or correct the cells",
            )
        )
    labels = list(dict.fromkeys(info.values.values()))
    ordered = info.type == "ordered" or (isinstance(column.dtype, pd.CategoricalDtype) and bool(column.cat.ordered))
    made = pd.Categorical(codes.map(info.values, na_action="ignore"), categories=labels, ordered=ordered)
    return pd.Series(made, index=column.index, name=column.name)


def convert_typed(column: pd.Series, info: ColumnInfo, *, keep_text: bool = False) -> Converted:
    """Turn a column that already has types (Excel, parquet, SPSS, Stata) into what the codebook says of it.

    Columns of mixed cells (numbers, and numbers written as text) go through their texts, as in a text file.
    """
    if isinstance(column.dtype, pd.CategoricalDtype) and not info.missing and info.type is None:
        return Converted(column, None)
    plain = _settled(column)
    through_text = plain.dtype == object or pd.api.types.is_string_dtype(plain) or info.type in ("category", "ordered")
    if through_text or (keep_text and pd.api.types.is_numeric_dtype(plain)) or info.type in ("text", "boolean"):
        texts = plain.astype(object).map(_cell_text, na_action="ignore")
        texts = texts.where(texts.notna(), "")
        return convert_column(texts, info, keep_text=keep_text)
    if not info.missing:
        if info.type == "number" and pd.api.types.is_numeric_dtype(plain):
            plain = plain.astype("float64")
        return Converted(plain, None)
    return _take_out_codes(plain, info)


def _settled(column: pd.Series) -> pd.Series:
    """Give a column of Python objects its numpy type where all cells agree; whole floats become integers."""
    plain = column.infer_objects() if column.dtype == object else column
    known = plain.dropna()
    if plain.dtype == object and len(known) and all(hasattr(v, "isoformat") and hasattr(v, "year") for v in known):
        return pd.to_datetime(plain).astype("datetime64[us]")
    if pd.api.types.is_datetime64_any_dtype(plain):
        return plain if getattr(plain.dtype, "tz", None) is not None else plain.astype("datetime64[us]")
    if isinstance(plain.dtype, pd.api.extensions.ExtensionDtype) and pd.api.types.is_numeric_dtype(plain):
        if pd.api.types.is_bool_dtype(plain):
            return plain.astype(bool) if not plain.isna().any() else plain.astype(object)
        if pd.api.types.is_integer_dtype(plain) and not plain.isna().any():
            return plain.astype("int64")
        exact = not pd.api.types.is_integer_dtype(plain) or bool((known.abs() < 2**53).all())
        return plain.astype("float64") if exact else plain
    return plain


def whole_numbers(column: pd.Series) -> pd.Series:
    """Return a float column without missing and without fractions as integers; any other column as it is."""
    if column.dtype != "float64" or column.isna().any() or not len(column):
        return column
    values = column.to_numpy()
    if np.isfinite(values).all() and (values == np.trunc(values)).all() and (np.abs(values) < 2**53).all():
        return column.astype("int64")
    return column


def _cell_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float | np.integer | np.floating):
        return code_text(float(value)) if abs(float(value)) < 2**53 else str(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00").replace("T", " ")
    return str(value)


def _take_out_codes(column: pd.Series, info: ColumnInfo) -> Converted:
    texts = column.astype(object).map(_cell_text, na_action="ignore")
    coded = texts.isin(list(info.missing))
    if not coded.any():
        return Converted(column, None)
    codes = texts.astype(object).where(coded, None)
    return Converted(column.mask(coded), codes)
