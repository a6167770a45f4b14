"""The one error tree. A message says what is wrong, where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence


class AllianceError(Exception):
    """Root of every error that alliancekit raises on purpose."""


class ReadError(AllianceError):
    """A file cannot be read."""


class SchemaError(AllianceError):
    """The data do not have the form that was asked for."""


class SpecError(AllianceError):
    """A formula, model or option is wrong before any data are touched."""


class DesignError(AllianceError):
    """Formula and data do not fit together."""


class FitError(AllianceError):
    """A model cannot be estimated."""


class ReportError(AllianceError):
    """A report cannot be made."""


class AllianceWarning(UserWarning):
    """Root of every warning that alliancekit gives."""


class ConvergenceWarning(AllianceWarning):
    """The optimiser did not reach an optimum."""


class BoundaryWarning(AllianceWarning):
    """A variance is at zero or a correlation at one."""


class SmallSampleWarning(AllianceWarning):
    """Too few units at some level for the method."""


class DesignWarning(AllianceWarning):
    """The design is estimable but probably not what was meant."""


def message(what: str, *, where: str = "", do: str = "") -> str:
    """Join the three parts of a message: what is wrong, where, what to do."""
    parts = [what.rstrip(". ") + (f" ({where})" if where else "") + "."]
    if do:
        parts.append(do.rstrip(". ") + ("" if do.rstrip(". ").endswith("?") else "."))
    return " ".join(parts)


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice most like ``word``, or None where none is close."""
    options = list(choices)
    lowered = {c.lower(): c for c in options}
    found = difflib.get_close_matches(str(word).lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[found[0]] if found else None


def kind_of(value: object) -> str:
    """Return the kind of a value with its article, as a message may name it.

    Examples
    --------
    >>> kind_of(3), kind_of("a"), kind_of([])
    ('an int', 'a str', 'a list')
    """
    name = next(k.__name__ for k in type(value).__mro__ if not k.__module__.startswith("alliancekit.core"))
    return f"{'an' if name[0].lower() in 'aeio' or name.startswith('nd') else 'a'} {name}"


def shown(value: object) -> str:
    """Return a value as a message may show it: short values as they are, of others (rows of data) the type alone.

    Examples
    --------
    >>> shown("no"), shown(list(range(100)))
    ("'no'", '<list>')
    """
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    plain = value is None or isinstance(value, bool | int | float | complex)
    items = isinstance(value, list | tuple) and len(value) <= 10
    if plain or (items and all(isinstance(v, str | bool | int | float) for v in value)):  # type: ignore[attr-defined]
        text = repr(value)
        return text if len(text) <= 80 else f"<{type(value).__name__}>"
    return f"<{type(value).__name__}>"


def check_option(name: str, value: object, choices: Sequence[str]) -> str:
    """Return ``value`` if it is one of ``choices``; else raise SpecError naming the nearest right word.

    Examples
    --------
    >>> check_option("method", "REML", ["REML", "ML"])
    'REML'
    """
    if isinstance(value, str) and value in choices:
        return value
    close = nearest(value, choices) if isinstance(value, str) else None
    hint = f"Did you mean {name}={close!r}? " if close else ""
    raise SpecError(message(f"{name}={shown(value)} is not an option", do=f"{hint}Use one of: {', '.join(choices)}"))


def check_columns(frame_columns: Iterable[object], wanted: Iterable[str], *, where: str) -> None:
    """Raise DesignError listing every wanted column that is missing, each with the nearest existing name."""
    wanted = tuple(wanted)
    if isinstance(frame_columns, Collection) and all(w in frame_columns for w in wanted):
        return
    have = [str(c) for c in frame_columns]
    known = set(have)
    missing = [w for w in dict.fromkeys(wanted) if w not in known]
    if not missing:
        return
    hints = [f"'{m}'" + (f" (nearest: '{close}')" if (close := nearest(m, have)) else "") for m in missing]
    plural = "columns are" if len(missing) > 1 else "column is"
    shown = ", ".join(have[:30]) + (" ..." if len(have) > 30 else "")
    raise DesignError(message(f"{plural} not in the data: {', '.join(hints)}", where=where, do=f"Columns are: {shown}"))
