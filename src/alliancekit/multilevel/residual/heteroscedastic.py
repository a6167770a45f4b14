"""A residual variance of its own for each stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.multilevel.residual.rows import RowReader
from alliancekit.multilevel.residual.terms import BoundVariance, Names, Variance, column_names, shown

Floats = NDArray[np.float64]


def heteroscedastic(*, by: str | Sequence[str]) -> Heteroscedastic:
    """Residual variances differ between strata, such as the arms of a trial.

    Parameters
    ----------
    by : column (or columns) of the stratum: text, a categorical or numbers.

    Returns
    -------
    Heteroscedastic : for ``ak.mixed(..., residual_structure=)``; may be joined with a correlation by ``+``.

    Raises
    ------
    SpecError : a name is not text. When fitted, DesignError: one stratum only, or one with a single row.

    Notes
    -----
    ``fit.sigma`` is the residual SD of the first stratum (in the order of a categorical, else sorted);
    ``fit.variance_components()`` gives every stratum's SD, ``fit.residual_parameters()`` the ratios. As ``varIdent`` of
    nlme, whose reference is the stratum that comes first in the data.

    Examples
    --------
    >>> import alliancekit as ak
    >>> ak.heteroscedastic(by="arm")
    ak.heteroscedastic(by="arm")

    Checked against
    ---------------
    nlme 3.1-162 (tests/reference/nlme).

    When not to use
    ---------------
    Strata of a few rows each: their variances are hardly estimable.
    """
    return Heteroscedastic(column_names(by, "by", "ak.heteroscedastic", several=True))


@dataclass(frozen=True, slots=True, repr=False)
class Heteroscedastic(Variance):
    """See ``heteroscedastic``."""

    by: Names

    @property
    def columns(self) -> Names:
        """Columns read."""
        return self.by

    def __str__(self) -> str:
        return f"ak.heteroscedastic(by={shown(self.by)})"

    __repr__ = __str__

    def bind(self, reader: RowReader, fitted: Floats | None) -> BoundVariance:
        """Return the structure for given rows."""
        strata = reader.factor(self.by)
        labels, name = strata.labels.all(), ":".join(self.by)
        if len(labels) < 2:
            raise DesignError(
                message(
                    f"'{name}' has one value in the rows used, so variances cannot differ by it",
                    where="residual_structure",
                    do="Leave the structure out, or name the column of the strata in by=",
                )
            )
        counts = np.bincount(strata.codes, minlength=len(labels))
        small = np.flatnonzero(counts < 2)
        if len(small):
            raise DesignError(
                message(
                    f"{len(small)} of {len(labels)} values of '{name}' have a single row, so they have no variance",
                    where=f"residual_structure: {', '.join(labels[i] for i in small[:5])}",
                    do="Name a column whose values repeat, such as the arm",
                )
            )
        slopes = np.zeros((len(labels) - 1, len(strata.codes)))
        for k in range(1, len(labels)):
            slopes[k - 1] = strata.codes == k
        return BoundVariance(slopes, labels[1:], "ratio", labels, strata.codes)
