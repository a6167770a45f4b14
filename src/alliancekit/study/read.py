"""Reading a study: a folder with its codebook, or one file of any usual format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pandas as pd

from alliancekit.core.errors import ReadError, SchemaError, check_option, message, nearest
from alliancekit.core.provenance import hash_file
from alliancekit.study.codebook import ID_ROLES, ROLES, Codebook, ColumnInfo, TableInfo
from alliancekit.study.convert import convert_column, convert_typed, is_canonical_integer_column
from alliancekit.study.raw import RawTable
from alliancekit.study.types import LogEntry, Study, StudyProvenance

TEXT = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT, ".xlsx", ".xlsm", ".sav", ".zsav", ".dta", ".parquet")
CODEBOOK = "codebook.json"


def read_study(
    path: str | Path,
    *,
    roles: Mapping[str, str] | None = None,
    table: str | None = None,
    codebook: Codebook | str | Path | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Study:
    """Read a study's data.

    Parameters
    ----------
    path : folder with ``codebook.json`` (without one, every data file in it becomes a table), or one file: .csv, .tsv,
        .txt, .xlsx, .sav, .zsav, .dta or .parquet.
    roles : role -> column, such as ``{"patient": "id", "session": "visit"}``; counts before the codebook's.
    table : of a folder or workbook, the one table or sheet to read; of another file, the name its table gets.
    codebook : Codebook, or path of one, for a single file.
    encoding : of text files; None finds out (byte-order mark, UTF-8, else Windows-1252).
    delimiter : of text files; None finds out (comma, semicolon, tab, bar).
    decimal : "." or ","; None finds out.

    Returns
    -------
    Study. Cells with a missing code are NaN in its tables; ``study.missing_reasons()`` tells why. Columns with a cell
    that does not fit (a word in a column of numbers) stay text, so that nothing is lost and ``validate`` can name it.
    Ids keep leading zeros.

    Raises
    ------
    ReadError : the file is not there, empty, of another format than its name says, or damaged.
    SchemaError : codebook and data do not fit, or a role names a column that is not there.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = pathlib.Path(folder.name) / "sessions.csv"
    >>> _ = file.write_text("id;session;bdi\\n007;1;30,5\\n007;2;24\\n", encoding="utf-8")
    >>> study = read_study(file, roles={"patient": "id"})
    >>> study.data.values.tolist()
    [['007', 1, 30.5], ['007', 2, 24.0]]
    >>> folder.cleanup()

    Checked against
    ---------------
    The same table in every format and encoding gives the same frame; write and read again gives the same study, in
    tests/unit/study/test_read.py and test_round_trip.py.

    When not to use
    ---------------
    For data that do not fit into memory.
    """
    source = Path(path).expanduser()
    if not source.exists():
        raise ReadError(_not_there(source))
    options = {"encoding": encoding, "delimiter": delimiter, "decimal": decimal}
    if source.is_dir():
        if codebook is not None:
            raise ReadError(message("codebook= is for a single file", do=f"Put {CODEBOOK} into the folder"))
        raw, book, files = _folder(source, table, options)
    else:
        book = _given_codebook(codebook)
        raw, files = _file(source, table, options), [source]
        if book is not None and len(book.tables) == 1 and len(raw) == 1:
            book = replace(book, tables={next(iter(raw)): next(iter(book.tables.values()))})
        if codebook is not None and not isinstance(codebook, Codebook):
            files.append(Path(codebook))
    study = _assemble(raw, book or Codebook(), dict(roles or {}), {k: f.name for k, f in zip(raw, files, strict=False)})
    hashes = tuple((f.name, hash_file(f)) for f in files)
    formats = tuple((name, r.how) for name, r in raw.items())
    return replace(study, provenance=StudyProvenance(source.resolve().name, hashes, formats))


def _not_there(source: Path) -> str:
    what = f"there is no file or folder {source.name!r}"
    if not source.parent.is_dir():
        return message(what, do=f"The folder {str(source.parent)!r} does not exist either; check the path")
    close = nearest(source.name, [p.name for p in source.parent.iterdir()])
    return message(what, where=f"in {source.parent.resolve().name}", do=f"Did you mean {close!r}?" if close else "")


def _given_codebook(given: Codebook | str | Path | None) -> Codebook | None:
    if given is None or isinstance(given, Codebook):
        return given
    return _load_codebook(Path(given))


def _load_codebook(path: Path) -> Codebook:
    if not path.is_file():
        raise ReadError(_not_there(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(message("the codebook is not UTF-8", where=path.name, do="Save it as UTF-8")) from error
    return Codebook.from_json(text, where=path.name)


def _folder(
    folder: Path, table: str | None, options: Mapping[str, str | None]
) -> tuple[dict[str, RawTable], Codebook | None, list[Path]]:
    book_path = folder / CODEBOOK
    if book_path.exists():
        book = _load_codebook(book_path)
        names = list(book.tables)
        paths = {name: _inside(folder, name, info) for name, info in book.tables.items()}
    else:
        book = None
        paths = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES and p.is_file()}
        names = list(paths)
        if not paths:
            raise ReadError(
                message(
                    f"the folder has neither {CODEBOOK} nor a data file",
                    where=folder.name,
                    do=f"Put in a file of: {', '.join(SUFFIXES)}",
                )
            )
    if table is not None and table not in names:
        close = nearest(table, names)
        hint = f"Did you mean '{close}'? " if close else ""
        raise ReadError(
            message(f"the study has no table '{table}'", where=folder.name, do=f"{hint}Tables are: {', '.join(names)}")
        )
    chosen = [table] if table is not None else names
    raw = {name: _one(paths[name], name, _merged(options, book, name), book is not None) for name in chosen}
    files = [paths[name] for name in chosen]
    if book is not None:
        analysis = book.analysis if book.analysis in chosen else None
        book = replace(book, tables={name: book.tables[name] for name in chosen}, analysis=analysis)
        files.append(book_path)
    return raw, book, files


def _merged(options: Mapping[str, str | None], book: Codebook | None, name: str) -> dict[str, str | None]:
    """Return the reading options of a table: what the caller says, else what the codebook says."""
    info = TableInfo() if book is None else book.tables[name]
    return {key: value if value is not None else getattr(info, key) for key, value in options.items()}


def _inside(folder: Path, name: str, info: TableInfo) -> Path:
    if not info.file:
        raise SchemaError(message(f"the table '{name}' names no file", where=CODEBOOK, do='Add "file": "name.csv"'))
    path = folder / info.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SchemaError(message(f"the table '{name}' names a file outside its folder: {info.file!r}", where=CODEBOOK))
    if not path.is_file():
        raise ReadError(_not_there(path))
    return path


def _one(path: Path, name: str, options: Mapping[str, str | None], described: bool) -> RawTable:
    """Return the one table of a file; of a workbook the sheet of the table's name, or the only one."""
    found = _file(path, None, options)
    if len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    raise ReadError(
        message(
            f"the workbook has several sheets: {', '.join(found)}",
            where=path.name,
            do=f"Name the sheet '{name}'" if described else "Read the workbook itself with read_study(file, table=...)",
        )
    )


def _file(path: Path, table: str | None, options: Mapping[str, str | None]) -> dict[str, RawTable]:
    suffix = path.suffix.lower()
    if suffix in TEXT:
        from alliancekit.study.read_text import read_text

        text = read_text(path, **options)
        raw = RawTable(text.cells, False, text.decimal, text.describe(), blank_rows=text.blank_rows)
    elif suffix in (".xlsx", ".xlsm"):
        from alliancekit.study.read_excel import read_excel

        return read_excel(path, table)
    elif suffix in (".sav", ".zsav", ".dta"):
        from alliancekit.study.read_labelled import read_labelled

        raw = read_labelled(path, encoding=options["encoding"])
    elif suffix == ".parquet":
        raw = _parquet(path)
    else:
        do = "Save it as .xlsx or .csv" if suffix == ".xls" else f"Use one of: {', '.join(SUFFIXES)}"
        raise ReadError(message(f"files of the kind '{suffix or path.name}' cannot be read", where=path.name, do=do))
    return {table or path.stem: raw}


def _parquet(path: Path) -> RawTable:
    import pyarrow

    from alliancekit.study.read_text import clean_header

    try:
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ReadError(
            message("this is not a readable parquet file", where=path.name, do="Write it again from the program")
        ) from error
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame.columns = pd.Index(clean_header([str(c) for c in frame.columns], path.name), dtype="str")
    return RawTable(frame.reset_index(drop=True), typed=True, how="parquet")


def _assemble(raw: Mapping[str, RawTable], book: Codebook, roles: dict[str, str], files: Mapping[str, str]) -> Study:
    for name, info in book.tables.items():
        if name in raw:
            _check_described(raw[name], info, name)
    _check_roles(roles, raw)
    infos = {name: _column_infos(r, book.tables.get(name, TableInfo()), roles) for name, r in raw.items()}
    text_roles = _roles_kept_as_text(raw, infos)
    tables: dict[str, pd.DataFrame] = {}
    codes: dict[str, pd.DataFrame] = {}
    log: list[LogEntry] = []
    for name, r in raw.items():
        na = book.tables[name].na if name in book.tables else None
        values, coded = _convert_table(r, infos[name], text_roles, na)
        tables[name] = values
        if len(coded.columns):
            codes[name] = coded
        if r.blank_rows:
            rows = f"{r.blank_rows} empty row{'s' if r.blank_rows > 1 else ''} of table '{name}' left out"
            log.append(LogEntry("read_study", rows, rows_changed=r.blank_rows))
    described = {
        name: replace(book.tables.get(name, TableInfo(file=files.get(name, ""))), columns=infos[name]) for name in raw
    }
    return Study(tables, replace(book, tables=described), log=tuple(log), missing_codes=codes)


def _convert_table(
    raw: RawTable, infos: Mapping[str, ColumnInfo], text_roles: set[str], na: tuple[str, ...] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    values: dict[str, pd.Series] = {}
    codes: dict[str, pd.Series] = {}
    for column in raw.cells.columns:
        info = infos[column]
        keep = info.role in text_roles and info.type is None
        if raw.typed:
            made = convert_typed(raw.cells[column], info, keep_text=keep)
        else:
            made = convert_column(raw.cells[column], info, decimal=raw.decimal, na=na, keep_text=keep)
        values[column] = made.values
        if made.codes is not None:
            codes[column] = made.codes
    index = raw.cells.index
    return pd.DataFrame(values, index=index), pd.DataFrame(codes, index=index)


def _check_described(raw: RawTable, info: TableInfo, table: str) -> None:
    have = list(raw.cells.columns)
    lost = [c for c in info.columns if c not in have]
    if lost:
        named = [f"'{c}'" + (f" (nearest in the data: '{n}')" if (n := nearest(c, have)) else "") for c in lost]
        raise SchemaError(
            message(
                f"the codebook describes columns that the table '{table}' does not have: {', '.join(named)}",
                where=info.file,
                do=f"Correct codebook.json or the header. Columns are: {', '.join(have[:30])}",
            )
        )


def _check_roles(roles: Mapping[str, str], raw: Mapping[str, RawTable]) -> None:
    have = list(dict.fromkeys(c for r in raw.values() for c in r.cells.columns))
    for role, column in roles.items():
        check_option("role", role, ROLES)
        if column not in have:
            close = nearest(str(column), have)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SchemaError(
                message(
                    f"roles= names the column '{column}' for '{role}', which is not in the data",
                    do=f"{hint}Columns are: {', '.join(have[:30])}",
                )
            )


def _column_infos(raw: RawTable, table: TableInfo, roles: Mapping[str, str]) -> dict[str, ColumnInfo]:
    played = {column: role for role, column in roles.items()}
    found: dict[str, ColumnInfo] = {}
    for name in raw.cells.columns:
        info = raw.infos.get(name, ColumnInfo())
        given = table.columns.get(name)
        if given is not None:
            empty = ColumnInfo()
            said = {f.name: getattr(given, f.name) for f in fields(given)}
            info = replace(info, **{k: v for k, v in said.items() if v != getattr(empty, k)})
        if name in played:
            info = replace(info, role=played[name])
        elif info.role in roles:
            info = replace(info, role=None)
        found[name] = info
    return found


def _roles_kept_as_text(raw: Mapping[str, RawTable], infos: Mapping[str, Mapping[str, ColumnInfo]]) -> set[str]:
    """Return the id roles with any id that is not a plain whole number: their columns are text in every table."""
    found: set[str] = set()
    for name, r in raw.items():
        for column, info in infos[name].items():
            if info.role in ID_ROLES and info.role not in found:
                cells = r.cells[column]
                if r.typed and pd.api.types.is_numeric_dtype(cells):
                    continue
                texts = cells.map(str, na_action="ignore").fillna("")
                if not is_canonical_integer_column(texts):
                    found.add(info.role)
    return found


def draft_codebook(path: str | Path, *, table: str | None = None) -> Path:
    """Write a drafted ``codebook.json`` beside the data, for the researcher to edit; never over an existing one.

    Parameters
    ----------
    path : folder or file, as for ``read_study``.
    table : as for ``read_study``.

    Returns
    -------
    Path of the file written.

    Raises
    ------
    ReadError : there is a codebook already, or the data cannot be read.
    """
    from alliancekit.core.files import write_text

    source = Path(path)
    target = (source if source.is_dir() else source.parent) / CODEBOOK
    if target.exists():
        raise ReadError(
            message(f"there is a {CODEBOOK} already", where=target.parent.name, do="Edit it, or move it away first")
        )
    study = read_study(source, table=table)
    book = Codebook.draft(study.tables)
    merged: dict[str, TableInfo] = {}
    for name, info in book.tables.items():
        read = study.codebook.tables[name]
        columns = {c: _said_by_file(info.columns[c], read.columns.get(c, ColumnInfo())) for c in info.columns}
        merged[name] = TableInfo(file=read.file or source.name, columns=columns)
    text = json.dumps(replace(book, tables=merged).to_dict(), indent=2, ensure_ascii=False) + "\n"
    return write_text(target, text)


def _said_by_file(drafted: ColumnInfo, read: ColumnInfo) -> ColumnInfo:
    return replace(
        drafted,
        label=read.label or drafted.label,
        missing=read.missing or drafted.missing,
        values=read.values or drafted.values,
    )
