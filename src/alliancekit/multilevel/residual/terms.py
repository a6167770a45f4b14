"""What a residual structure is before any data are touched, and what its parts offer once they are bound to rows.

The residual covariance of all rows is sigma^2 S C S: S = diag(s) holds SD ratios, C is a correlation matrix with one
block for each unit of ``by``. A structure gives C (a correlation), S (a variance), or both. Bound parts see rows in the
order of ``Blocks``; columns are handed over as (d, n) arrays, one row of the array per column of the model.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.residual.rows import Blocks, RowReader

Floats = NDArray[np.float64]
Names = tuple[str, ...]


class BoundCorrelation(ABC):
    """A correlation structure for given rows; ``phi`` are its unconstrained parameters, shape (n_parameters,).

    Attributes
    ----------
    blocks : the blocks and the order of the rows. names : the natural parameters, in nlme's words.
    """

    blocks: Blocks
    names: Names

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of parameters."""

    @abstractmethod
    def starts(self, residuals: Floats) -> list[Floats]:
        """Return starting values to try, from residuals of a fit without structure, shape (n,)."""

    @abstractmethod
    def log_det(self, phi: Floats) -> tuple[float, Floats]:
        """Return log|C| and its derivative by phi."""

    @abstractmethod
    def whiten(self, phi: Floats, U: Floats) -> Floats:
        """Return C^-1/2 applied to each column, (d, n)."""

    @abstractmethod
    def solve(self, phi: Floats, U: Floats) -> Floats:
        """Return C^-1 applied to each column, (d, n)."""

    @abstractmethod
    def slopes(self, phi: Floats, U: Floats, V: Floats) -> Floats:
        """Return the derivative by phi of the sum over columns of u' C^-1 v; U, V (d, n), V = A U, A symmetric."""

    @abstractmethod
    def natural(self, phi: Floats) -> Floats:
        """Return the parameters in the scale of ``names``."""

    @abstractmethod
    def link(self, natural: Floats) -> Floats:
        """Return natural parameters on the scale in which their intervals are symmetric (nlme's)."""

    @abstractmethod
    def unlink(self, linked: Floats) -> Floats:
        """Return the inverse of ``link``."""

    @abstractmethod
    def matrix(self, phi: Floats, block: int) -> Floats:
        """Return the correlation matrix of one block, its rows in the order of ``blocks``."""

    def limit(self, phi: Floats) -> Floats | None:
        """Return the boundary point that ``phi`` is close to, or None."""
        return None

    def at_boundary(self, phi: Floats) -> bool:
        """Return True where the structure has degenerated to a simpler one."""
        return False


@dataclass(frozen=True, slots=True, eq=False)
class BoundVariance:
    """A variance structure for given rows: log s = slopes' psi.

    Attributes
    ----------
    slopes : (k, n) derivative of log s by each parameter. names : strata other than the reference, or "power".
    kind : "ratio" (psi is the log of an SD ratio) or "power" (psi is the exponent).
    labels : for "ratio": name of each stratum, the reference first; for "power": the covariate.
    strata : stratum of each row, or None.
    """

    slopes: Floats
    names: Names
    kind: str
    labels: Names
    strata: NDArray[np.intp] | None

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return int(self.slopes.shape[0])

    def scale(self, psi: Floats) -> Floats:
        """Return the SD of each row over that of the reference, shape (n,)."""
        return np.exp(psi @ self.slopes)

    def natural(self, psi: Floats) -> Floats:
        """Return SD ratios, or the power."""
        return np.exp(psi) if self.kind == "ratio" else psi.copy()

    def start(self, residuals: Floats) -> Floats:
        """Return psi by least squares on the logs of squared residuals, half of them; zero where that is no help."""
        if self.strata is not None:
            n = np.bincount(self.strata, minlength=len(self.labels))
            ms = np.bincount(self.strata, residuals**2, len(self.labels)) / np.maximum(n, 1)
            floor = 1e-4 * max(float(ms.max()), np.finfo(float).tiny)
            return np.asarray(0.5 * np.log(np.maximum(ms[1:], floor) / max(ms[0], floor)))
        scale = np.log(residuals**2 + 1e-4 * float(np.mean(residuals**2)) + np.finfo(float).tiny) / 2
        x = self.slopes[0] - self.slopes[0].mean()
        size = float(x @ x)
        return np.array([np.clip(float(x @ scale) / size, -3.0, 3.0) if size > 0 else 0.0])


class ResidualStructure(ABC):
    """How residuals are correlated and how their variances differ. Made by ``ak.ar1``, ``ak.unstructured`` ..."""

    __slots__ = ()

    @property
    @abstractmethod
    def correlation(self) -> Correlation | None:
        """The part that correlates rows."""

    @property
    @abstractmethod
    def variance(self) -> Variance | None:
        """The part that lets variances differ."""

    @property
    @abstractmethod
    def columns(self) -> Names:
        """Data columns that the structure reads."""

    @abstractmethod
    def __str__(self) -> str:
        """Return the call that makes the structure."""

    @property
    def text(self) -> str:
        """The call that makes the structure."""
        return str(self)

    def __add__(self, other: object) -> ResidualStructure:
        return join(self, other)

    def __radd__(self, other: object) -> NoReturn:
        raise _not_a_structure(other)


class Correlation(ResidualStructure):
    """A structure that correlates the rows of a unit.

    Attributes
    ----------
    by : columns that say which rows belong together.
    """

    __slots__ = ()
    by: Names

    @property
    def correlation(self) -> Correlation | None:
        """The structure itself."""
        return self

    @property
    def variance(self) -> Variance | None:
        """None: equal variances."""
        return None

    @abstractmethod
    def bind(self, reader: RowReader) -> BoundCorrelation:
        """Return the structure for given rows."""


@dataclass(frozen=True, slots=True, repr=False)
class OverTime(Correlation):
    """A correlation of the rows of a unit that depends on their times; ``word`` is its public name."""

    word: ClassVar[str]
    time: str
    by: Names

    @property
    def columns(self) -> Names:
        """Columns read."""
        return (self.time, *self.by)

    def __str__(self) -> str:
        return f'ak.{self.word}(time="{self.time}", by={shown(self.by)})'


class Variance(ResidualStructure):
    """A structure that lets residual variances differ."""

    __slots__ = ()

    @property
    def correlation(self) -> Correlation | None:
        """None: uncorrelated."""
        return None

    @property
    def variance(self) -> Variance | None:
        """The structure itself."""
        return self

    @property
    def of_fitted(self) -> bool:
        """Whether the variance depends on fitted values."""
        return False

    @abstractmethod
    def bind(self, reader: RowReader, fitted: Floats | None) -> BoundVariance:
        """Return the structure for given rows; ``fitted`` are fitted values in the order of the data."""


@dataclass(frozen=True, slots=True, repr=False)
class Joined(ResidualStructure):
    """One correlation with one variance structure."""

    first: Correlation
    second: Variance

    @property
    def correlation(self) -> Correlation | None:
        """The part that correlates rows."""
        return self.first

    @property
    def variance(self) -> Variance | None:
        """The part that lets variances differ."""
        return self.second

    @property
    def columns(self) -> Names:
        """Columns of both parts."""
        return tuple(dict.fromkeys(self.first.columns + self.second.columns))

    def __str__(self) -> str:
        return f"{self.first} + {self.second}"

    def __repr__(self) -> str:
        return str(self)


def join(one: ResidualStructure, two: object) -> ResidualStructure:
    """Return one correlation and one variance structure as one.

    Raises
    ------
    SpecError : anything else is joined.
    """
    if not isinstance(two, ResidualStructure):
        raise _not_a_structure(two)
    for part, other in ((one, two), (two, one)):
        if part.correlation is not None and part.variance is not None:
            hint = "" if isinstance(part, Joined) else "; equal_variances=True makes it a correlation alone"
            raise SpecError(
                message(
                    "this structure has its own variances already",
                    where=f"{part} + {other}",
                    do=f"Join one correlation with one variance structure{hint}",
                )
            )
    if isinstance(one, Correlation) and isinstance(two, Variance):
        return Joined(one, two)
    if isinstance(one, Variance) and isinstance(two, Correlation):
        return Joined(two, one)
    kind = "correlation" if isinstance(one, Correlation) else "variance"
    raise SpecError(
        message(
            f"two {kind} structures cannot be joined",
            where=f"{one} + {two}",
            do="Join one correlation (ar1, car1, compound_symmetry, unstructured) with one variance structure "
            "(heteroscedastic, power_of)",
        )
    )


def check_structure(value: object) -> ResidualStructure | None:
    """Return the structure, or None; SpecError for anything else."""
    if value is None or isinstance(value, ResidualStructure):
        return value
    raise _not_a_structure(value)


def _not_a_structure(value: object) -> SpecError:
    return SpecError(
        message(
            f"{value!r} is not a residual structure",
            do='Write for example residual_structure=ak.ar1(time="session", by="patient")',
        )
    )


def column_names(value: object, option: str, structure: str, *, several: bool) -> Names:
    """Return an option that names a column, or several, as a tuple; SpecError for anything else."""
    if isinstance(value, str) and value:
        return (value,)
    if several and isinstance(value, Sequence) and value and all(isinstance(v, str) and v for v in value):
        return tuple(value)
    more = " or a list of names" if several else ""
    raise SpecError(message(f"{structure}: {option}={value!r} is not the name of a column", do=f"Give text{more}"))


def shown(names: Names) -> str:
    """Return column names as they are written in a call."""
    return f'"{names[0]}"' if len(names) == 1 else "[" + ", ".join(f'"{n}"' for n in names) + "]"
