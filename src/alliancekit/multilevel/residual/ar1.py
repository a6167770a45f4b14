"""First-order autoregression over whole-number times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.multilevel.residual.markov import Markov
from alliancekit.multilevel.residual.rows import RowReader, make_blocks, refuse_duplicates
from alliancekit.multilevel.residual.terms import OverTime, column_names

Floats = NDArray[np.float64]


def ar1(*, time: str, by: str | Sequence[str]) -> AR1:
    """Residuals of a unit follow a first-order autoregression: correlation Phi^k at k time steps.

    Parameters
    ----------
    time : column of whole-number times, in steps such as sessions; a gap counts as several steps.
    by : column (or columns) of the unit whose rows are correlated, such as the patient.

    Returns
    -------
    AR1 : for ``ak.mixed(..., residual_structure=)``; may be joined with a variance structure by ``+``.

    Raises
    ------
    SpecError : a name is not text. When fitted, DesignError: a time is no whole number, or occurs twice in a unit.

    Notes
    -----
    As ``corAR1`` of nlme with a position covariate (Pinheiro & Bates 2000, Mixed-Effects Models in S and S-PLUS,
    section 5.3.3), -1 < Phi < 1.

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.ar1(time="session", by="patient")
    ak.ar1(time="session", by="patient")

    Checked against
    ---------------
    nlme 3.1-162 (tests/reference/nlme), with and without random slopes.

    When not to use
    ---------------
    Times measured in days that are unequally spaced: use ``ak.car1``.
    """
    (column,) = column_names(time, "time", "ak.ar1", several=False)
    return AR1(column, column_names(by, "by", "ak.ar1", several=True))


@dataclass(frozen=True, slots=True, repr=False)
class AR1(OverTime):
    """See ``ar1``."""

    word: ClassVar[str] = "ar1"
    __repr__ = OverTime.__str__

    def bind(self, reader: RowReader) -> BoundAR1:
        """Return the structure for given rows."""
        time = reader.numbers(self.time)
        name = ":".join(self.by)
        unit = reader.factor(self.by)
        broken = np.flatnonzero(time != np.floor(time))
        if len(broken):
            at = int(broken[0])
            raise DesignError(
                message(
                    f"ak.ar1 needs whole-number times, but '{self.time}' holds {time[at]:g}",
                    where=f"{name} {unit.labels.all()[unit.codes[at]]}",
                    do=f'Use ak.car1(time="{self.time}", ...) for times of any spacing, or number the occasions',
                )
            )
        blocks = make_blocks(unit, name, time)
        ordered = time[blocks.order]
        refuse_duplicates(blocks, ordered, self.time, None)
        return BoundAR1(blocks, ordered)


class BoundAR1(Markov):
    """AR(1) with Phi = tanh(phi)."""

    def starts(self, residuals: Floats) -> list[Floats]:
        """Return the correlation of neighbours, and two fixed values (there may be more than one optimum)."""
        return [np.arctanh(np.array([v])) for v in (self._neighbours(residuals), 0.3, 0.7)]

    def _lag(self, phi: Floats) -> tuple[Floats, Floats, Floats]:
        value = float(np.tanh(phi[0]))
        r = value**self.gap
        slope = self.gap * value ** (self.gap - 1.0) / np.cosh(phi[0]) ** 2
        with np.errstate(divide="ignore"):
            rest = -np.expm1(2.0 * self.gap * np.log(abs(value)))
        return r, slope, np.maximum(rest, np.finfo(float).tiny)

    def natural(self, phi: Floats) -> Floats:
        """Return Phi."""
        return np.tanh(phi)

    def link(self, natural: Floats) -> Floats:
        """Return Fisher's z."""
        return np.arctanh(natural)

    def unlink(self, linked: Floats) -> Floats:
        """Return Phi of Fisher's z."""
        return np.tanh(linked)

    def at_boundary(self, phi: Floats) -> bool:
        """Return True where neighbours are perfectly correlated."""
        return bool(1.0 - abs(np.tanh(phi[0])) < 1e-5)
