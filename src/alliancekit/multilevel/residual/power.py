"""Residual SD as a power of a covariate, or of the fitted values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.multilevel.residual.rows import RowReader
from alliancekit.multilevel.residual.terms import BoundVariance, Names, Variance, column_names

Floats = NDArray[np.float64]
FITTED = "fitted"


def power_of(column: str) -> PowerOf:
    """The residual SD is sigma |v|^power, v being a column or the fitted values.

    Parameters
    ----------
    column : name of a column without zeros, or "fitted" for the fitted values (with random effects).

    Returns
    -------
    PowerOf : for ``ak.mixed(..., residual_structure=)``; may be joined with a correlation by ``+``.

    Raises
    ------
    SpecError : the name is not text. When fitted, DesignError: the column is not numeric, holds zeros, or is constant.

    Notes
    -----
    ``fit.sigma`` is the residual SD where \\|v\\| = 1. With "fitted" the weights are taken from the current fit and the
    model is estimated again until neither changes, as nlme does (``varPower``; Pinheiro & Bates 2000, section 5.2.1);
    standard errors and degrees of freedom then take the weights' covariate as known.

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.power_of("severity")
    ak.power_of("severity")

    Checked against
    ---------------
    nlme 3.1-162 (tests/reference/nlme, cases made for this structure).

    When not to use
    ---------------
    A covariate that is zero or changes sign: shift it first, or use strata with ``ak.heteroscedastic``.
    """
    return PowerOf(column_names(column, "column", "ak.power_of", several=False)[0])


@dataclass(frozen=True, slots=True, repr=False)
class PowerOf(Variance):
    """See ``power_of``."""

    column: str

    @property
    def of_fitted(self) -> bool:
        """Whether the variance depends on fitted values."""
        return self.column == FITTED

    @property
    def columns(self) -> Names:
        """Columns read."""
        return () if self.of_fitted else (self.column,)

    def __str__(self) -> str:
        return f'ak.power_of("{self.column}")'

    __repr__ = __str__

    def bind(self, reader: RowReader, fitted: Floats | None) -> BoundVariance:
        """Return the structure for given rows."""
        if self.of_fitted:
            assert fitted is not None
            return of_fitted_values(fitted)
        return _bind(reader.numbers(self.column), self.column, f"a value of '{self.column}'")


def of_fitted_values(fitted: Floats) -> BoundVariance:
    """Return the structure for given fitted values."""
    return _bind(fitted, FITTED, "a fitted value")


def _bind(values: Floats, column: str, what: str) -> BoundVariance:
    where = f'ak.power_of("{column}")'
    if (values == 0).any():
        do = "Use a column without zeros, or ak.heteroscedastic(by=)"
        raise DesignError(message(f"{what} is zero, and so would be its variance", where=where, do=do))
    size = np.log(np.abs(values))
    if float(np.ptp(size)) <= 1e-10 * max(1.0, float(np.abs(size).max())):
        what = f"'{column}' has the same size in every row, so variances cannot depend on it"
        raise DesignError(message(what, where=where, do="Leave the structure out"))
    return BoundVariance(size[None, :], ("power",), "power", (column,), None)
