"""Continuous-time first-order autoregression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.later import Later
from alliancekit.multilevel.residual.markov import Markov
from alliancekit.multilevel.residual.rows import Blocks, RowReader, make_blocks, refuse_duplicates
from alliancekit.multilevel.residual.terms import OverTime, column_names

if TYPE_CHECKING:
    from scipy import special
else:
    special = Later("scipy.special")

Floats = NDArray[np.float64]


def car1(*, time: str, by: str | Sequence[str]) -> CAR1:
    """Residuals of a unit are correlated by Phi^distance, for times of any spacing.

    Parameters
    ----------
    time : column of times, numbers of any spacing (days, weeks, months).
    by : column (or columns) of the unit whose rows are correlated, such as the patient.

    Returns
    -------
    CAR1 : for ``ak.mixed(..., residual_structure=)``; may be joined with a variance structure by ``+``.

    Raises
    ------
    SpecError : a name is not text. When fitted, DesignError: the times are no numbers, or one occurs twice in a unit.

    Notes
    -----
    Phi is the correlation at distance 1, in the unit of ``time``; 0 <= Phi < 1. At the boundary 0 residuals are
    uncorrelated, and a BoundaryWarning says so. As ``corCAR1`` of nlme (Jones 1993, Longitudinal Data with Serial
    Correlation, chapter 3).

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.car1(time="day", by="patient")
    ak.car1(time="day", by="patient")

    Checked against
    ---------------
    nlme 3.1-162 (tests/reference/nlme), irregular times, with and without random effects and unequal variances.

    When not to use
    ---------------
    When neighbours may be correlated negatively: use ``ak.ar1``.
    """
    (column,) = column_names(time, "time", "ak.car1", several=False)
    return CAR1(column, column_names(by, "by", "ak.car1", several=True))


@dataclass(frozen=True, slots=True, repr=False)
class CAR1(OverTime):
    """See ``car1``."""

    word: ClassVar[str] = "car1"
    __repr__ = OverTime.__str__

    def bind(self, reader: RowReader) -> BoundCAR1:
        """Return the structure for given rows."""
        time = reader.numbers(self.time)
        blocks = make_blocks(reader.factor(self.by), ":".join(self.by), time)
        ordered = time[blocks.order]
        refuse_duplicates(blocks, ordered, self.time, None)
        return BoundCAR1(blocks, ordered)


class BoundCAR1(Markov):
    """CAR(1); the inner parameter is the logit of the correlation at the median distance of neighbours."""

    def __init__(self, blocks: Blocks, time: Floats) -> None:
        super().__init__(blocks, time)
        self.unit = float(np.median(self.gap))

    def starts(self, residuals: Floats) -> list[Floats]:
        """Return the correlation of neighbours, and two fixed values (there may be more than one optimum)."""
        first = float(np.clip(self._neighbours(residuals), 0.05, 0.95))
        return [special.logit(np.array([v])) for v in (first, 0.2, 0.6)]

    def _lag(self, phi: Floats) -> tuple[Floats, Floats, Floats]:
        steps = self.gap / self.unit
        log_value = float(special.log_expit(phi[0]))
        r = np.exp(steps * log_value)
        slope = steps * r * float(special.expit(-phi[0]))
        return r, slope, np.maximum(-np.expm1(2.0 * steps * log_value), np.finfo(float).tiny)

    def natural(self, phi: Floats) -> Floats:
        """Return Phi, the correlation at distance 1."""
        return np.exp(special.log_expit(phi) / self.unit)

    def link(self, natural: Floats) -> Floats:
        """Return the logit."""
        return np.asarray(special.logit(natural), dtype=np.float64)

    def unlink(self, linked: Floats) -> Floats:
        """Return Phi of its logit."""
        return np.asarray(special.expit(linked), dtype=np.float64)

    def limit(self, phi: Floats) -> Floats | None:
        """Return no correlation, where neighbours are all but uncorrelated."""
        return np.array([-np.inf]) if special.expit(phi[0]) < 0.02 else None

    def at_boundary(self, phi: Floats) -> bool:
        """Return True where neighbours are uncorrelated, or perfectly correlated."""
        return bool(np.isneginf(phi[0]) or special.expit(-phi[0]) < 1e-5)
