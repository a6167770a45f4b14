"""Calling a peer: whatever it does, a second opinion goes on and says what happened."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_WORDS = 160


@dataclass(frozen=True)
class Attempt:
    """What calling a peer gave: its answer or the error, and the kinds of warnings it gave, in order of name."""

    value: Any = None
    error: str = ""
    warned: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The warnings as a note, "" without any."""
        return f"warned: {', '.join(self.warned)}" if self.warned else ""


def attempt(call: Callable[[], Any]) -> Attempt:
    """Return what ``call`` gives; a failure of any kind becomes text. Warnings are recorded and not passed on.

    Only the kind of a warning and the first line of an error are kept, so that a report says the same at every run.

    Examples
    --------
    >>> attempt(lambda: 1 / 0).error
    'ZeroDivisionError: division by zero'
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value, error = None, ""
        try:
            value = call()
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as failure:  # noqa: BLE001  (a peer may fail in any way; a panic in Rust is no Exception)
            first = (str(failure).strip().splitlines() or [""])[0][:MOST_WORDS]
            error = f"{type(failure).__name__}: {first}" if first else type(failure).__name__
    return Attempt(value, error, tuple(sorted({w.category.__name__ for w in caught})))
