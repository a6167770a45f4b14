"""The study: its tables, codebook, provenance and the log of what was done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from alliancekit.core.errors import SchemaError, SpecError, kind_of, message, nearest
from alliancekit.study.changes import describe_changes
from alliancekit.study.codebook import Codebook, ColumnInfo

ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One step that made or changed columns of the analysis frame.

    Attributes
    ----------
    function : public name, such as "score".
    detail : what was done, in words.
    instrument : registry id, where a questionnaire was scored.
    key_status : "verified", "unverified" or "user" (key given by the caller), where a questionnaire was scored.
    rows_changed : rows that got a value, or were added or left out.
    """

    function: str
    detail: str
    instrument: str | None = None
    key_status: str | None = None
    rows_changed: int = 0


@dataclass(frozen=True, slots=True)
class StudyProvenance:
    """Where the data come from; no folder of the machine is kept.

    Attributes
    ----------
    path : name of the file or folder, without the folders above it.
    files : (file name, SHA-256) of each file that was read.
    formats : (file name, how it was read) such as ("a.csv", "utf-8, delimiter ';', decimal comma").
    """

    path: str = ""
    files: tuple[tuple[str, str], ...] = ()
    formats: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Study:
    """A study's data and all that is known about them. Every function returns a new one.

    Attributes
    ----------
    tables : name -> frame, as read; coded missing cells are NaN in them.
    codebook : what the columns mean.
    provenance : file names and hashes.
    log : what was done to the analysis frame, in order.
    missing_codes : table -> frame with the missing code (text) of each coded cell; only columns that have any.
    frame : the analysis frame once a function has changed it; None means "the tables, joined".

    Examples
    --------
    >>> import pandas as pd
    >>> study = Study(tables={"session": pd.DataFrame({"patient": [1, 1], "bdi": [30, 24]})})
    >>> study.data.shape
    (2, 2)
    """

    tables: Mapping[str, pd.DataFrame]
    codebook: Codebook = field(default_factory=Codebook)
    provenance: StudyProvenance = field(default_factory=StudyProvenance)
    log: tuple[LogEntry, ...] = ()
    missing_codes: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    frame: pd.DataFrame | None = None

    @property
    def data(self) -> pd.DataFrame:
        """The one analysis frame: the only table, or the session table with patient and therapist columns joined.

        Raises
        ------
        SchemaError : the session table cannot be told among several; a patient or therapist table lists one key twice.
        """
        source = self._joined if self.frame is None else self.frame
        return source.copy(deep=False)

    @cached_property
    def _joined(self) -> pd.DataFrame:
        from alliancekit.study.join import analysis_frame

        return analysis_frame(self.tables, self.codebook)

    def join(self, table: str, on: str | list[str], *, columns: list[str] | None = None) -> Study:
        """Join another table's columns to the analysis frame, many rows to one; the number of rows cannot change.

        Parameters
        ----------
        table : name of the table to take columns from.
        on : key column or columns, present in both.
        columns : columns to take; None takes all.

        Raises
        ------
        SchemaError : unknown table, missing key, a key that occurs twice in the table, a column both sides have.
        """
        from alliancekit.study.join import join_many_to_one

        if table not in self.tables:
            close = nearest(table, self.tables)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SchemaError(
                message(f"the study has no table '{table}'", do=f"{hint}Tables are: {', '.join(self.tables)}")
            )
        keys = [on] if isinstance(on, str) else list(on)
        joined, matched = join_many_to_one(self.data, self.tables[table], keys, table=table, columns=columns)
        detail = f"table '{table}' joined on {', '.join(keys)}; {matched} of {len(joined)} rows found their partner"
        return self.with_data(joined, LogEntry("join", detail, rows_changed=matched))

    def with_data(
        self, frame: pd.DataFrame, entry: LogEntry | None = None, *, columns: Mapping[str, ColumnInfo] | None = None
    ) -> Study:
        """Return the same study with a new analysis frame; the log gets ``entry``, the codebook ``columns``.

        Without an entry the log says what changed: rows dropped or added, columns, cells.
        """
        if entry is None:
            detail, concerned = describe_changes(self.data, frame)
            entry = LogEntry("by hand", detail, rows_changed=concerned) if detail else None
        book = self.codebook.with_columns(ANALYSIS, columns) if columns else self.codebook
        return replace(self, frame=frame, log=self.log if entry is None else (*self.log, entry), codebook=book)

    def role(self, name: str) -> str | None:
        """Return the column that plays a role ("patient", "session" ...); None where no column does."""
        columns = set(self.data.columns)
        for info in self.codebook.tables.values():
            for column, about in info.columns.items():
                if about.role == name and column in columns:
                    return column
        return name if name in columns else None

    def column_info(self, name: str) -> ColumnInfo:
        """Return what the codebook says of a column of the analysis frame."""
        derived = self.codebook.tables.get(ANALYSIS)
        if derived is not None and name in derived.columns:
            return derived.columns[name]
        return self.codebook.column(name)

    def missing_reasons(self, table: str | None = None) -> pd.DataFrame:
        """Return why cells are missing: a frame like the table, with a reason in each missing cell.

        Parameters
        ----------
        table : name of a table; None stands for the only table.

        Returns
        -------
        frame of text, shape of the table: the codebook's reason for a coded cell ("code -9" where the codebook has no
        words for it), "blank" for a cell left empty, missing for a cell that has a value. Columns without a missing
        cell are left out.
        """
        name = next(iter(self.tables)) if table is None and len(self.tables) == 1 else table
        if name is None or name not in self.tables:
            raise SchemaError(message("say which table", do=f"Use table= with one of: {', '.join(self.tables)}"))
        frame = self.tables[name]
        codes = self.missing_codes.get(name)
        found: dict[str, pd.Series] = {}
        for column in frame.columns:
            absent = frame[column].isna()
            if not absent.any():
                continue
            reason = pd.Series(None, index=frame.index, dtype=object)
            reason[absent] = "blank"
            if codes is not None and column in codes.columns:
                known = self.codebook.column(column, name).missing
                coded = codes[column].notna()
                reason[coded] = [known.get(code) or f"code {code}" for code in codes.loc[coded, column].astype(object)]
            found[column] = reason.astype("str")
        return pd.DataFrame(found, index=frame.index)

    def labelled(self, *columns: str) -> Study:
        """Return the study with coded columns turned into categories that carry their labels, in codebook order.

        Parameters
        ----------
        *columns : columns with value labels; none given means every labelled column that is not an item.

        Raises
        ------
        SchemaError : a column without value labels, or with a value that has none.
        """
        from alliancekit.study.convert import apply_labels

        frame = self.data
        infos = {name: self.column_info(name) for name in frame.columns}
        chosen = list(columns) or [c for c, info in infos.items() if info.values and info.role != "item"]
        for name in chosen:
            if name not in frame.columns:
                raise SchemaError(
                    message(f"there is no column '{name}'", do=f"Columns are: {', '.join(frame.columns)}")
                )
            frame[name] = apply_labels(frame[name], infos[name])
        detail = f"codes of {', '.join(chosen)} replaced by their labels" if chosen else "no coded columns"
        return self.with_data(frame, LogEntry("labelled", detail, rows_changed=len(frame) if chosen else 0))

    def __repr__(self) -> str:
        """Show the tables with their sizes, the roles and the number of logged steps."""
        sizes = ", ".join(f"{name} {len(t):,} x {t.shape[1]}" for name, t in self.tables.items())
        roles = ", ".join(f"{role}={column}" for role, column in self.codebook.roles().items()) or "none declared"
        return f"Study({self.provenance.path or 'in memory'}; tables: {sizes}; roles: {roles}; {len(self.log)} steps)"


Data = TypeVar("Data", Study, pd.DataFrame)


def frame_of(data: Any) -> pd.DataFrame:
    """Return the analysis frame of a Study, or the frame itself (as a cheap copy that may be added to)."""
    if isinstance(data, Study):
        return data.data
    if isinstance(data, pd.DataFrame):
        return data.copy(deep=False)
    raise SpecError(
        message(
            f"{kind_of(data)} is not a study",
            do="Hand over a Study (ak.read_study) or a pandas DataFrame",
        )
    )


def return_like(
    data: Data, frame: pd.DataFrame, entry: LogEntry, *, columns: Mapping[str, ColumnInfo] | None = None
) -> Data:
    """Return ``frame`` as what ``data`` was: a Study with the step logged, or the plain frame."""
    if isinstance(data, Study):
        return data.with_data(frame, entry, columns=columns)
    return frame


def resolve_column(data: Any, name: str, frame: pd.DataFrame) -> str:
    """Return the column meant by ``name``: a column of that name, else the column that plays that role in a Study."""
    if name in frame.columns:
        return name
    if isinstance(data, Study):
        played = data.role(name)
        if played is not None:
            return played
    have = [str(c) for c in frame.columns]
    close = nearest(name, have)
    hint = f"Did you mean '{close}'? " if close else ""
    shown = ", ".join(have[:30]) + (" ..." if len(have) > 30 else "")
    raise SchemaError(message(f"there is no column '{name}'", do=f"{hint}Columns are: {shown}"))
