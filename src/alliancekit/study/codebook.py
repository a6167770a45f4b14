"""The codebook: what each column of each table means. Written as ``codebook.json`` beside the data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from alliancekit.core.errors import SchemaError, message, nearest

if TYPE_CHECKING:
    import pandas as pd

ID_ROLES = ("patient", "therapist", "group", "family", "rater", "target", "site")
ROLES = (*ID_ROLES, "session", "time", "date", "outcome", "item")
TYPES = ("number", "integer", "text", "category", "ordered", "boolean", "date")
WHEN = ("before", "during", "after")
FORMAT = ("encoding", "delimiter", "decimal")


@dataclass(frozen=True)
class ColumnInfo:
    """What one column means.

    Attributes
    ----------
    label : text for people.
    role : one of ``ROLES``, or None.
    instrument : id in the registry, such as "WAI-SR".
    item : number of the item in its instrument.
    level : "session", "patient", "therapist" ...: the unit that one value describes.
    unit : unit of measurement, such as "scale points" or "days".
    range : smallest and largest possible value.
    missing : code -> reason, such as {"-9": "skipped"}; coded cells are missing in the frame, the reason is kept.
    values : code -> label; their order is the order of the levels of a categorical column.
    type : one of ``TYPES``; None lets the reader decide.
    when : "before", "during" or "after" the session the row belongs to.
    rated_at : name of the column of the same table that holds the time stamp of the rating.
    """

    label: str = ""
    role: str | None = None
    instrument: str | None = None
    item: int | None = None
    level: str | None = None
    unit: str = ""
    range: tuple[float, float] | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None
    when: str | None = None
    rated_at: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the entries that say something, in a fixed order, ready for JSON."""
        found: dict[str, Any] = {}
        for part in fields(self):
            value = getattr(self, part.name)
            if value is None or value == "" or value == {}:
                continue
            if part.name == "range":
                value = [_plain(v) for v in value]
            found[part.name] = dict(value) if isinstance(value, Mapping) else value
        return found


@dataclass(frozen=True)
class TableInfo:
    """What one table is: its file, its columns, and the cells that stand for "nothing entered".

    Attributes
    ----------
    file : file name inside the study's folder.
    columns : column -> ColumnInfo.
    na : texts read as missing without a reason; None means the reader's usual ones ("" and "NA").
    encoding, delimiter, decimal : how a text file is written, such as "cp1252", ";" and ","; None lets the reader find
        out.
    """

    file: str = ""
    columns: Mapping[str, ColumnInfo] = field(default_factory=dict)
    na: tuple[str, ...] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None


@dataclass(frozen=True)
class Codebook:
    """What the tables of a study mean.

    Attributes
    ----------
    tables : table name -> TableInfo.
    about : free entries such as title, source and licence.
    analysis : name of the table that is the analysis frame, where it is not the joined session table.

    Examples
    --------
    >>> book = Codebook.from_dict({"tables": {"session": {"columns": {"id": {"role": "patient"}}}}})
    >>> book.roles("session")
    {'patient': 'id'}
    """

    tables: Mapping[str, TableInfo] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    analysis: str | None = None

    def column(self, name: str, table: str | None = None) -> ColumnInfo:
        """Return what is known of a column, from the first table that describes it; an empty ColumnInfo otherwise."""
        nothing = ColumnInfo()
        for key, info in self.tables.items():
            if (table is None or key == table) and info.columns.get(name, nothing) != nothing:
                return info.columns[name]
        return nothing

    def columns(self) -> dict[str, ColumnInfo]:
        """Return every column of every table; of columns with one name the first table's counts."""
        found: dict[str, ColumnInfo] = {}
        for info in self.tables.values():
            for name, column in info.columns.items():
                if name not in found or found[name] == ColumnInfo():
                    found[name] = column
        return found

    def roles(self, table: str | None = None) -> dict[str, str]:
        """Return role -> column for the roles that one column plays (not item and outcome), the first found."""
        found: dict[str, str] = {}
        for key, info in self.tables.items():
            if table is not None and key != table:
                continue
            for name, column in info.columns.items():
                if column.role and column.role not in ("item", "outcome"):
                    found.setdefault(column.role, name)
        return found

    def with_columns(self, table: str, columns: Mapping[str, ColumnInfo], *, file: str | None = None) -> Codebook:
        """Return a codebook in which these columns of a table are described anew."""
        old = self.tables.get(table, TableInfo())
        new = replace(old, columns={**old.columns, **columns}, file=old.file if file is None else file)
        return replace(self, tables={**self.tables, table: new})

    def to_dict(self) -> dict[str, Any]:
        """Return the codebook as plain dictionaries, the shape of ``codebook.json``."""
        found: dict[str, Any] = dict(self.about)
        if self.analysis:
            found["analysis"] = self.analysis
        found["tables"] = {}
        for name, info in self.tables.items():
            entry: dict[str, Any] = {"file": info.file}
            if info.na is not None:
                entry["na"] = list(info.na)
            entry |= {key: value for key in FORMAT if (value := getattr(info, key)) is not None}
            entry["columns"] = {column: about.as_dict() for column, about in info.columns.items()}
            found["tables"][name] = entry
        return found

    def to_json(self) -> str:
        """Return the text of ``codebook.json``."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "codebook.json") -> Codebook:
        """Read the text of ``codebook.json``.

        Raises
        ------
        SchemaError : not JSON (line and column are named), or an entry that is not known (the nearest is named).
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{where}, line {error.lineno}, column {error.colno}"
            raise SchemaError(
                message(f"the codebook is not valid JSON: {error.msg}", where=place, do="Correct that place")
            ) from error
        return cls.from_dict(content, where=where)

    @classmethod
    def from_dict(cls, content: Any, *, where: str = "codebook.json") -> Codebook:
        """Make a codebook of plain dictionaries; SchemaError names what is not understood."""
        if not isinstance(content, dict) or not isinstance(content.get("tables"), dict):
            raise SchemaError(
                message(
                    "the codebook has no 'tables'",
                    where=where,
                    do='Write {"tables": {"session": {"file": "session.csv", "columns": {...}}}}',
                )
            )
        tables = {str(name): _table(entry, f"{where}, table '{name}'") for name, entry in content["tables"].items()}
        analysis = content.get("analysis")
        if analysis is not None and analysis not in tables:
            raise SchemaError(
                message(f"'analysis' names the table {analysis!r}, which is not in the codebook", where=where)
            )
        about = {str(k): str(v) for k, v in content.items() if k not in ("tables", "analysis")}
        return cls(tables=tables, about=about, analysis=analysis)

    @classmethod
    def draft(cls, frames: Mapping[str, pd.DataFrame]) -> Codebook:
        """Draft a codebook from frames: roles from names, items from runs of numbered columns, types from values.

        Parameters
        ----------
        frames : table name -> frame, as ``read_study(path).tables``.

        Returns
        -------
        Codebook to be edited by a person: every guess shows in the file, and nothing is marked verified by it.

        When not to use
        ---------------
        The draft cannot know what a code such as -9 means; a study must not be analysed on an unread draft.
        """
        from alliancekit.study.draft import draft_table

        return cls(tables={str(name): draft_table(str(name), frame) for name, frame in frames.items()})


def code_text(value: Any) -> str:
    """Return a code as the codebook spells it: whole numbers without decimals, other things as text."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _table(entry: Any, where: str) -> TableInfo:
    if not isinstance(entry, dict):
        raise SchemaError(message("a table must be an object with 'file' and 'columns'", where=where))
    _check_keys(entry, ("file", "columns", "na", *FORMAT), where)
    columns = entry.get("columns", {})
    if not isinstance(columns, dict):
        raise SchemaError(message("'columns' must be an object: column name -> description", where=where))
    found = {str(name).strip(): _column(about, f"{where}, column '{name}'") for name, about in columns.items()}
    na = entry.get("na")
    if na is not None and not isinstance(na, list):
        raise SchemaError(message("'na' must be a list of texts", where=where, do='Write ["", "NA"]'))
    given = {key: entry[key] for key in FORMAT if entry.get(key) is not None}
    for key, value in given.items():
        if not isinstance(value, str):
            raise SchemaError(message(f"'{key}' must be text, not {value!r}", where=where))
    kept = None if na is None else tuple(map(str, na))
    return TableInfo(file=str(entry.get("file", "")), columns=found, na=kept, **given)


def _column(about: Any, where: str) -> ColumnInfo:
    if not isinstance(about, dict):
        raise SchemaError(message("a column must be described by an object", where=where, do='Write {"label": ""}'))
    _check_keys(about, [part.name for part in fields(ColumnInfo)], where)
    given = {key: value for key, value in about.items() if value is not None}
    for key, allowed in (("role", ROLES), ("type", TYPES), ("when", WHEN)):
        if given.get(key) == "":
            del given[key]
        if key in given and given[key] not in allowed:
            close = nearest(str(given[key]), allowed)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SchemaError(
                message(f"{key} {given[key]!r} is not known", where=where, do=f"{hint}Use one of: {', '.join(allowed)}")
            )
    for key in ("missing", "values"):
        if key in given:
            if not isinstance(given[key], dict):
                raise SchemaError(message(f"'{key}' must be an object: code -> text", where=where))
            given[key] = {code_text(k).strip(): str(v) for k, v in given[key].items()}
    if "range" in given:
        given["range"] = _range(given["range"], where)
    if "item" in given and (isinstance(given["item"], bool) or not isinstance(given["item"], int)):
        raise SchemaError(message(f"'item' must be a whole number, not {given['item']!r}", where=where))
    for key in ("label", "instrument", "level", "unit", "rated_at"):
        if key in given and not isinstance(given[key], str):
            raise SchemaError(message(f"'{key}' must be text, not {given[key]!r}", where=where))
    for key in ("instrument", "level", "rated_at"):
        if given.get(key) == "":
            del given[key]
    return ColumnInfo(**given)


def _range(value: Any, where: str) -> tuple[float, float]:
    numbers = isinstance(value, list | tuple) and len(value) == 2
    if not numbers or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise SchemaError(message(f"'range' must be two numbers, not {value!r}", where=where, do="Write [1, 5]"))
    if value[0] >= value[1]:
        raise SchemaError(
            message(f"'range' runs from {value[0]} to {value[1]}", where=where, do="Put the smaller first")
        )
    return (value[0], value[1])


def _check_keys(entry: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    options = list(allowed)
    for key in entry:
        if key not in options:
            close = nearest(str(key), options)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SchemaError(
                message(f"the entry '{key}' is not known", where=where, do=f"{hint}Use one of: {', '.join(options)}")
            )
