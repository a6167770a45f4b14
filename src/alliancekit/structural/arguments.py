"""What a user hands in, checked before anything is computed: flags, numbers, names of options, frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, message, nearest, shown
from alliancekit.formula.model_statements import Statement
from alliancekit.study.types import Study

P = ParamSpec("P")
T = TypeVar("T")
LAVAAN = {
    ("modification_indices", "minimum_value"): "minimum",
    ("factor_scores", "newdata"): "new",
    ("bootstrap", "R"): "n",
    ("bootstrap", "FUN"): "statistic",
    ("bootstrap", "type"): "kind",
    ("tidy", "boot_ci_type"): "interval",
}
"""Options of a fit's methods that lavaan calls otherwise."""


def named_options(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that raises SpecError with the nearest name where an option is not known."""
    known = tuple(name for name in signature(function).parameters if name != "self")
    owner = "fit" if "." in function.__qualname__ else "ak"

    @wraps(function)
    def checked(*args: P.args, **options: P.kwargs) -> T:
        for name in options:
            if name not in known:
                plain = name.replace(".", "_")
                close = LAVAAN.get((function.__name__, plain)) or nearest(plain, known)
                do = f"Did you mean {close}?" if close else f"Options are: {', '.join(known)}"
                raise SpecError(message(f"{name}= is not an option of {owner}.{function.__name__}", do=do))
        return function(*args, **options)

    return checked


def check_flag(name: str, value: object, *, unset: bool = False) -> None:
    """Raise SpecError where a flag is neither True nor False (nor None, with ``unset``)."""
    if isinstance(value, bool | np.bool_) or (unset and value is None):
        return
    raise SpecError(message(f"{name}={shown(value)} is not a flag", do=f"Give {name}=True or {name}=False"))


def check_level(level: object) -> None:
    """Raise SpecError where the level of limits is not between 0 and 1."""
    if not _is_real(level) or not 0 < level < 1:  # type: ignore[operator]
        raise SpecError(message(f"level={shown(level)} is not a confidence level", do="Give a number such as 0.95"))


def check_samples(n: object, name: str = "n") -> None:
    """Raise SpecError where ``n`` is no number of samples."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 2:
        raise SpecError(message(f"{name}={shown(n)} is not a number of samples", do="Give a whole number such as 1000"))


def check_seed(seed: object) -> None:
    """Raise SpecError where a seed is no whole number from 0."""
    if isinstance(seed, np.random.SeedSequence):
        return
    if isinstance(seed, bool) or not isinstance(seed, Integral) or int(seed) < 0:
        raise SpecError(message(f"seed={shown(seed)} is not a seed", do="Give a whole number from 0, such as 1"))


def check_real(name: str, value: object) -> None:
    """Raise SpecError where a value is no number."""
    if not _is_real(value):
        raise SpecError(message(f"{name}={shown(value)} is not a number", do=f"Give a number, such as {name}=10"))


def check_count(name: str, value: object) -> None:
    """Raise SpecError where a value is no whole number."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise SpecError(message(f"{name}={shown(value)} is not a whole number", do=f"Give for example {name}=1000"))


def _is_real(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and bool(np.isfinite(float(value)))


def check_order(model: object, data: object) -> None:
    """Raise SpecError where model and data stand in each other's place."""
    if isinstance(model, pd.DataFrame | Study) and isinstance(data, str):
        raise SpecError(message("model and data are in each other's place", do="Write the model first, then the data"))


def check_rows(frame: pd.DataFrame) -> None:
    """Raise SpecError where a frame of data is a covariance or correlation matrix."""
    size = len(frame)
    if size < 2 or frame.shape[1] != size or [str(n) for n in frame.index] != [str(n) for n in frame.columns]:
        return
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        return
    values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.allclose(values, values.T, rtol=1e-6, atol=1e-8, equal_nan=True):
        do = "Give it as sample_cov=, with the number of rows as sample_nobs="
        raise SpecError(message("the data are a covariance or correlation matrix, not rows", do=do))


def label_notices(statements: Sequence[Statement], columns: Collection[str]) -> list[str]:
    """Return what is odd about labels, in words: those that have the name of a column."""
    out = []
    for s in statements:
        words = [v for m in s.modifiers if m.kind == "label" for v in m.values if v in columns]
        for word in words:
            what = f"{word} is taken as a label" + (
                f"; an interaction is written {word}:{s.rhs}" if s.op == "~" and s.rhs != "1" else ""
            )
            do = "A label with another name than a column's is clearer"
            out.append(message(what, where=f"model line {s.line}", do=do))
    return list(dict.fromkeys(out))


def dependence_notice(data: object, cluster: object, used: Any = None) -> str:
    """Return a warning where a study has several rows of a patient and no cluster is named; else an empty text."""
    column = data.role("patient") if isinstance(data, Study) and cluster is None else None
    if not isinstance(data, Study) or column is None:
        return ""
    patients = data.data[column]
    patients = (patients if used is None else patients[used]).dropna()
    if not patients.duplicated().any():
        return ""
    what = f"{len(patients)} rows are of {patients.nunique()} patients: rows of one patient are not independent"
    return message(what, do=f'Give cluster="{column}", or take the rows of one session')
