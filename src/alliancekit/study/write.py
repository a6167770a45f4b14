"""Writing a study: CSV files and a codebook that read back as the same study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReadError, SchemaError, SpecError, message
from alliancekit.core.files import write_many
from alliancekit.study.codebook import ID_ROLES, ColumnInfo, TableInfo, code_text
from alliancekit.study.convert import convert_column
from alliancekit.study.types import ANALYSIS, Study

NOTHING = ("",)


def write_study(study: Study, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write a study as a folder of CSV files with ``codebook.json``; ``read_study`` gives the same tables back.

    Parameters
    ----------
    study : Study; where functions have changed the analysis frame it is written too, as the table "analysis".
    folder : folder to write into, made if needed.
    overwrite : replace files of an earlier study in the folder.

    Returns
    -------
    Path of the folder. Values keep all digits; missing cells are written with their codes; the order of categories and
    the types are kept in the codebook. All files are put in place only when all could be made.

    Raises
    ------
    ReadError : there is a study in the folder already.
    SchemaError : something that CSV cannot hold: infinite values, rows without any value, a table without columns.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> study = Study({"session": pd.DataFrame({"patient": ["007"], "bdi": [30.5]})})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(p.name for p in write_study(study, folder).iterdir())
    ['codebook.json', 'session.csv']

    Checked against
    ---------------
    Reading back studies with every type, labels, codes and leading zeros, in tests/unit/study/test_round_trip.py.

    When not to use
    ---------------
    To hand data to a spreadsheet of people you do not trust: cells are written as they are, also those that begin with
    an equals sign. Provenance and log of a study are not written: what is read is a new study.
    """
    if not isinstance(study, Study):
        do = "Make one first: ak.read_study(path), or ak.Study({'name': frame})"
        raise SpecError(message(f"a {type(study).__name__} is not a Study", do=do))
    target = Path(folder)
    if (target / "codebook.json").exists() and not overwrite:
        raise ReadError(
            message(
                "there is a study in the folder already", where=target.name, do="Use overwrite=True, or another folder"
            )
        )
    book = study.codebook
    tables = dict(study.tables)
    if study.frame is not None:
        tables[ANALYSIS] = study.frame
        book = replace(book, analysis=ANALYSIS)
        known = {c: study.column_info(c) for c in study.frame.columns}
        book = book.with_columns(ANALYSIS, {c: i for c, i in known.items() if i != ColumnInfo()})
    files: dict[str, bytes] = {}
    described: dict[str, TableInfo] = {}
    for name, frame in tables.items():
        file = f"{_safe(name)}.csv"
        if file in files:
            raise SchemaError(message(f"two tables would both be written as '{file}'", do="Rename one of them"))
        old = book.tables.get(name, TableInfo())
        codes = study.missing_codes.get(name, pd.DataFrame(index=frame.index))
        texts, columns = _texts(frame, old.columns, codes, name)
        files[file] = _csv(texts)
        described[name] = TableInfo(file, columns, NOTHING, encoding="utf-8", delimiter=",", decimal=".")
    files["codebook.json"] = replace(book, tables=described).to_json().encode("utf-8")
    write_many(target, files)
    return target


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_ " else "_" for c in name).strip() or "table"


def _texts(
    frame: pd.DataFrame, infos: Mapping[str, ColumnInfo], codes: pd.DataFrame, table: str
) -> tuple[pd.DataFrame, dict[str, ColumnInfo]]:
    """Return the cells as texts, and the codebook entries that make them read back as they are."""
    if not len(frame.columns) or not len(frame):
        raise SchemaError(message(f"the table '{table}' has no columns or no rows, so it cannot be written"))
    bare = np.flatnonzero(frame.isna().all(axis=1).to_numpy()).tolist() if len(frame.columns) > 1 else []
    empty = [i for i in bare if codes.empty or codes.iloc[i].isna().all()]
    if len(empty):
        raise SchemaError(
            message(
                f"rows of the table '{table}' hold no value at all",
                where=f"row {frame.index[empty[0]]}",
                do="Leave them out first",
            )
        )
    texts: dict[str, pd.Series] = {}
    columns: dict[str, ColumnInfo] = {}
    for position, name in enumerate(frame.columns):
        column = frame.iloc[:, position]
        cells = _cell_texts(column, table)
        if name in codes.columns:
            coded = codes[name].notna() & column.isna()
            cells = cells.mask(coded, codes[name])
        texts[str(name)] = cells
        columns[str(name)] = _described(column, cells, infos.get(name, ColumnInfo()), table)
    return pd.DataFrame(texts), columns


def _cell_texts(column: pd.Series, table: str) -> pd.Series:
    if pd.api.types.is_float_dtype(column) and np.isinf(column.to_numpy(dtype=float, na_value=np.nan)).any():
        raise SchemaError(message(f"the column '{column.name}' of the table '{table}' has infinite values"))
    if pd.api.types.is_bool_dtype(column):
        made = column.map({True: "TRUE", False: "FALSE"}, na_action="ignore").astype(object)
    elif pd.api.types.is_datetime64_any_dtype(column):
        made = column.map(lambda v: v.isoformat(sep=" ").removesuffix(" 00:00:00"), na_action="ignore").astype(object)
    elif pd.api.types.is_float_dtype(column):
        made = column.astype(object).map(repr, na_action="ignore")
    else:
        made = column.astype(object).map(lambda v: v if isinstance(v, str) else code_text(v), na_action="ignore")
    return made.where(column.notna(), "")


def _described(column: pd.Series, cells: pd.Series, info: ColumnInfo, table: str) -> ColumnInfo:
    """Return the entry with a type where the reader would not find the same one by itself."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        words = [code_text(c) if not isinstance(c, str) else c for c in column.cat.categories]
        values = {w: info.values.get(w, w) for w in words} | dict(info.values)
        return replace(info, type="ordered" if column.cat.ordered else "category", values=values)
    kind = _kind(column)
    tries = [kind] if info.role in ID_ROLES else [info.type, None, kind]
    for wanted in dict.fromkeys(tries):
        entry = replace(info, type=wanted)
        back = convert_column(cells, entry, na=NOTHING).values
        if _alike(column, back):
            return entry
    raise SchemaError(
        message(
            f"the column '{column.name}' of the table '{table}' would not read back as it is",
            where=f"its values are of the type {column.dtype}",
            do="Turn it into numbers, text or dates first, or take its values out of the codebook's missing codes",
        )
    )


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_integer_dtype(column):
        return "integer"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _alike(column: pd.Series, back: pd.Series) -> bool:
    if (column.isna().to_numpy() != back.isna().to_numpy()).any():
        return False
    kinds = (pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_any_dtype, pd.api.types.is_bool_dtype)
    if any(k(column) != k(back) for k in kinds):
        return False
    if pd.api.types.is_integer_dtype(column) != pd.api.types.is_integer_dtype(back) and column.notna().all():
        return False
    known = column.notna().to_numpy()
    return bool((column[known].astype(object).to_numpy() == back[known].astype(object).to_numpy()).all())


def _csv(texts: pd.DataFrame) -> bytes:
    rows = zip(*(texts[c].tolist() for c in texts.columns), strict=True)
    lone = len(texts.columns) == 1
    lines = [",".join(map(_quoted, row)) if not lone or row[0] else '""' for row in [tuple(texts.columns), *rows]]
    return ("\n".join(lines) + "\n").encode("utf-8")


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(mark in cell for mark in ',"\r\n') else cell
