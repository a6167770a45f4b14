"""The residual variance of new rows where a structure lets it vary."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message
from alliancekit.formula.columns import Columns, name_rows
from alliancekit.formula.factors import match_levels
from alliancekit.formula.recipe import group_factor
from alliancekit.multilevel.residual.part import ResidualPart

Floats = NDArray[np.float64]


def variance_ratios(part: ResidualPart, new: pd.DataFrame, mean: Floats, needed: NDArray[np.bool_]) -> Floats:
    """Return the residual variance of each new row over sigma^2, (n,); NaN where a value of the structure is missing.

    Parameters
    ----------
    mean : predicted outcome of each row, for variances by fitted values. needed : rows that are predicted at all.

    Raises
    ------
    DesignError : a stratum that was not fitted, or a covariate of zero.
    """
    bound, structure = part.variance, part.structure.variance
    if bound is None or structure is None:
        return np.ones(len(new))
    if bound.strata is None:
        values = mean if structure.of_fitted else Columns(new, bound.labels, where="new data").numbers(bound.labels[0])
        zero = needed & (values == 0)
        if zero.any():
            what = "the column of the variances is zero, and so would be the residual variance"
            raise DesignError(message(what, where=f"{name_rows(new.index, zero)}; {structure}", do="Correct the rows"))
        with np.errstate(divide="ignore"):
            return np.asarray(np.abs(values) ** (2.0 * float(part.variance_phi[0])), dtype=np.float64)
    factor = group_factor(Columns(new, structure.columns, where="new data"), structure.columns)
    place = match_levels(factor, bound.labels)
    codes = np.where(factor.codes < 0, -2, place[factor.codes])
    unknown = needed & (codes == -1)
    if unknown.any():
        what = f"no residual variance was estimated for some values of '{':'.join(structure.columns)}'"
        do = f"Values with a variance are: {', '.join(bound.labels[:10])}"
        raise DesignError(message(what, where=name_rows(new.index, unknown), do=do))
    ratio = np.concatenate([[1.0], bound.natural(part.variance_phi) ** 2])
    return np.asarray(np.where(codes < 0, np.nan, ratio[np.maximum(codes, 0)]), dtype=np.float64)
