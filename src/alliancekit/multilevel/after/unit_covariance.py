"""The covariance matrix of one unit's rows, as the model says: random effects and residuals together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message, nearest
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.dense import block_codes, covariance

Ints = NDArray[np.intp]


def unit_covariance(fit: GaussianFit, index: pd.Index, unit: object) -> pd.DataFrame:
    """Return the marginal covariance of the rows of one unit, labelled as in ``index`` (the rows used).

    The unit is one of the residual structure's ``by``, else of the finest grouping factor.

    Raises
    ------
    SpecError : the model has no unit whose rows are correlated. DesignError : no such unit.
    """
    name, labels, codes = _units(fit)
    if str(unit) not in labels:
        close = nearest(str(unit), labels)
        hint = f"Did you mean {close!r}? " if close else ""
        do = f"{hint}Units are: {', '.join(labels[:10])}{' ...' if len(labels) > 10 else ''}"
        raise DesignError(message(f"no '{name}' {unit!r} among the rows used", do=do))
    rows = np.flatnonzero(codes == labels.index(str(unit)))
    out, _ = covariance(fit, rows[None])
    return pd.DataFrame(out[0], index=index[rows], columns=index[rows])


def _units(fit: GaussianFit) -> tuple[str, tuple[str, ...], Ints]:
    """Return the name, the labels and the codes (in the order of the data) of the units."""
    part = fit.residual
    if part is not None and part.correlation is not None:
        blocks, codes = part.correlation.blocks, block_codes(part)
        assert codes is not None
        return blocks.name, blocks.labels.all(), codes
    if not fit.factors:
        raise SpecError(
            message("the rows of this model are independent", do="A unit needs a random term or correlated residuals")
        )
    finest = max(fit.factors, key=lambda factor: factor.n_levels)
    return finest.group, finest.labels.all(), finest.codes
