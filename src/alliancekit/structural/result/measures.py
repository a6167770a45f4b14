"""Fit measures by name: a series that answers a name it does not have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, message, nearest, shown


class UnknownMeasure(SpecError, KeyError):
    """A fit has no measure of this name."""

    __str__ = Exception.__str__  # that of KeyError puts the message in quotes


class Measures(pd.Series):
    """Numbers by the names of fit measures; what is computed from it is a plain series."""

    def __getitem__(self, key: Any) -> Any:
        try:
            return super().__getitem__(key)
        except KeyError:
            names = (key,) if isinstance(key, str) else key if isinstance(key, list) else ()
            lost = [name for name in names if name not in self.index]
            if not lost:
                raise
            raise unknown_measure(lost[0], self.index) from None


def chosen(measures: pd.Series, names: str | Sequence[str] | None) -> pd.Series:
    """Return the measures of these names, all without; dots are underscores.

    Raises
    ------
    SpecError : a name that is none.
    """
    if names is None:
        return Measures(measures)
    wanted = [names] if isinstance(names, str) else list(names)
    plain = [name.replace(".", "_") if isinstance(name, str) else name for name in wanted]
    for name in plain:
        if name not in measures.index:
            raise unknown_measure(name, measures.index)
    return Measures(measures[plain])


def unknown_measure(name: object, known: Iterable[str]) -> UnknownMeasure:
    """Return the error of a name that no fit measure has."""
    known = list(known)
    plain = str(name).replace(".", "_")
    close = plain if plain in known else nearest(plain, known)
    hint = f'Did you mean fit.fit_measures()["{close}"]? ' if close else ""
    do = (
        f"{hint}Names are lavaan's with underscores for dots; fit.fit_measures() is a Series of those that this fit has"
    )
    return UnknownMeasure(message(f"{shown(name)} is not among the fit measures", do=do))
