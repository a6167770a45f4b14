"""Text files (csv, tsv): encoding, delimiter and decimal mark are found out, and every odd line is named."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from alliancekit.core.errors import ReadError, check_option, message
from alliancekit.study.convert import is_comma_number, is_thousands_like, parse_number

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_SIGNATURES = (
    (b"PK\x03\x04", "an Excel or zip file", "Rename it to .xlsx, or export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", "Save it as .xlsx or CSV"),
    (b"$FL2", "an SPSS file", "Rename it to .sav"),
    (b"$FL3", "a compressed SPSS file", "Rename it to .zsav"),
    (b"PAR1", "a parquet file", "Rename it to .parquet"),
    (b"\x1f\x8b", "a gzip file", "Unpack it first"),
    (b"<!DOCTYPE", "a web page", "Export the data themselves, as CSV"),
    (b"<html", "a web page", "Export the data themselves, as CSV"),
)


@dataclass(frozen=True)
class TextTable:
    """A text file as a frame of cell texts ("" for an empty cell), and how it was read."""

    cells: pd.DataFrame
    encoding: str
    delimiter: str
    decimal: str
    blank_rows: int

    def describe(self) -> str:
        """Return how the file was read, in words."""
        mark = "comma" if self.decimal == "," else "point"
        return f"{self.encoding}, delimiter {DELIMITERS.get(self.delimiter, self.delimiter)}, decimal {mark}"


def read_text(
    path: Path, *, encoding: str | None = None, delimiter: str | None = None, decimal: str | None = None
) -> TextTable:
    """Read a delimited text file as texts.

    Parameters
    ----------
    path : file.
    encoding : name of the encoding; None: byte-order mark, else UTF-8, else Windows-1252 (Latin-1 where that fails).
    delimiter : one character; None: the one of comma, semicolon, tab and bar that divides the lines most evenly.
    decimal : "." or ","; None: comma where commas and no points stand inside numbers.

    Raises
    ------
    ReadError : empty file, not text, wrong encoding, lines with too many or too few cells, names used twice.
    """
    data = path.read_bytes()
    name = path.name
    _refuse_other_formats(data, name)
    text, used = decode(data, name, encoding)
    if not text.strip():
        raise ReadError(message("the file is empty", where=name, do="Export the data again"))
    chosen = delimiter or ("\t" if path.suffix.lower() == ".tsv" else find_delimiter(text))
    if len(chosen) != 1:
        raise ReadError(message(f"the delimiter {chosen!r} is not one character", where=name))
    rows = _rows(text, chosen, name)
    header = clean_header(rows[0], name)
    body, blank = _rectangular(rows[1:], header, name)
    cells = pd.DataFrame(body, columns=pd.Index(header, dtype="str"), dtype=object)
    if not len(cells):
        raise ReadError(message("the file has a header and no rows", where=name, do="Export the data again"))
    mark = _decimal(cells, chosen) if decimal is None else check_option("decimal", decimal, [".", ","])
    return TextTable(cells, used, chosen, mark, blank)


def _refuse_other_formats(data: bytes, name: str) -> None:
    for signature, what, do in _SIGNATURES:
        if data[: len(signature)].lower() == signature.lower():
            raise ReadError(message(f"this is {what}, not a text file", where=name, do=do))


def decode(data: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Return the text of the bytes and the name of the encoding."""
    if encoding is not None:
        return _decode_as(data, name, encoding)
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _decode_as(data, name, codec)
    head = data[:4000]
    if head and b"\x00" in head:
        odd, even = head[1::2].count(0), head[0::2].count(0)
        if max(odd, even) > len(head) // 5 and min(odd, even) == 0:
            return _decode_as(data, name, "utf-16-le" if odd else "utf-16-be")
        raise ReadError(message("the file is not text: it holds zero bytes", where=name, do="Export the data as CSV"))
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        try:
            return data.decode("cp1252"), "cp1252"
        except UnicodeDecodeError:
            return data.decode("latin-1"), "latin-1"


def _decode_as(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    try:
        used = codecs.lookup(encoding).name
        text = data.decode(used)
    except LookupError as error:
        do = "Use utf-8, utf-16, cp1252 or latin-1"
        raise ReadError(message(f"the encoding {encoding!r} is not known", do=do)) from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ReadError(
            message(
                f"the file is not {encoding}: byte {data[error.start]:#04x} on line {line} cannot be read",
                where=name,
                do="Leave encoding= out to let it be found, or try encoding='cp1252' (files from Excel on Windows)",
            )
        ) from error
    return text.removeprefix("\ufeff"), used


def find_delimiter(text: str) -> str:
    """Return the delimiter that divides the first lines most evenly; a comma where none does."""
    sample = text[:20000]
    best, best_score = ",", 0.0
    for candidate in DELIMITERS:
        try:
            counts = [len(r) - 1 for r in _sample_rows(sample, candidate)]
        except csv.Error:
            continue
        if not counts or counts[0] == 0:
            continue
        score = sum(c == counts[0] for c in counts) / len(counts) + min(counts[0], 20) / 1000
        if score > best_score:
            best, best_score = candidate, score
    return best


def _sample_rows(sample: str, delimiter: str) -> list[list[str]]:
    rows = [r for r in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if r]
    return rows[:-1][:50] if len(rows) > 2 else rows


def _rows(text: str, delimiter: str, name: str) -> list[list[str]]:
    csv.field_size_limit(10_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise ReadError(message(f"line {reader.line_num} cannot be read: {error}", where=name)) from error
    first = next((i for i, r in enumerate(rows) if any(c.strip() for c in r)), 0)
    return rows[first:]


def clean_header(names: list[str], where: str) -> list[str]:
    """Return the column names without blanks around them; ReadError on a name used twice or left out.

    Empty names at the end are dropped with their cells by the caller; an empty first name is called "row", as the row
    numbers of R's write.csv.
    """
    plain = [str(n).replace("\ufeff", "").strip().strip('"') for n in names]
    while plain and plain[-1] == "":
        plain.pop()
    if plain and plain[0] == "" and "row" not in plain:
        plain[0] = "row"
    unnamed = [i + 1 for i, n in enumerate(plain) if n == ""]
    if unnamed:
        places = ", ".join(map(str, unnamed))
        raise ReadError(message(f"column {places} has no name", where=where, do="Name it in the first line"))
    seen: dict[str, list[int]] = {}
    for i, n in enumerate(plain):
        seen.setdefault(n, []).append(i + 1)
    twice = [f"'{n}' (columns {', '.join(map(str, at))})" for n, at in seen.items() if len(at) > 1]
    if twice:
        raise ReadError(
            message(f"several columns have one name: {'; '.join(twice)}", where=where, do="Rename all but one of them")
        )
    return plain


def _rectangular(rows: list[list[str]], header: list[str], name: str) -> tuple[list[list[str]], int]:
    """Return the rows that hold anything, each as long as the header; ReadError names the lines that are not."""
    width = len(header)
    kept: list[list[str]] = []
    odd: list[tuple[int, int]] = []
    blank = 0
    for number, row in enumerate(rows, start=2):
        if not row or (not row[0].strip() and not any(c.strip() for c in row)):
            if width == 1 and row != []:
                kept.append(row[:1])
            else:
                blank += 1
            continue
        if len(row) > width and not any(c.strip() for c in row[width:]):
            row = row[:width]
        if len(row) != width:
            odd.append((number, len(row)))
            continue
        kept.append(row)
    if odd:
        shown = ", ".join(f"line {n} has {cells}" for n, cells in odd[:5])
        more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
        raise ReadError(
            message(
                f"the header names {width} column{'s' if width > 1 else ''}, but {shown}{more}",
                where=name,
                do="Put cells that contain the delimiter in quotes, or export the file again",
            )
        )
    return kept, blank


def _decimal(cells: pd.DataFrame, delimiter: str) -> str:
    """Return "," where numbers are written with a decimal comma.

    In a comma-delimited file a quoted 1,234 may be a thousand and something; where every comma number looks like that
    the mark stays a point, the cells stay text, and validation names them.
    """
    commas: set[str] = set()
    points = False
    for column in cells.columns:
        for text in pd.unique(cells[column]):
            if "," in text and is_comma_number(text):
                commas.add(text)
            elif "." in text and parse_number(text) is not None:
                points = True
    if not commas or points:
        return "."
    if delimiter == "," and all(is_thousands_like(t) for t in commas):
        return "."
    return ","
