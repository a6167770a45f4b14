"""What a fit tells its user beside the numbers: labels of columns, and warnings in words."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import BoundaryWarning, ConvergenceWarning, DesignWarning, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.estimates import Estimates
from alliancekit.multilevel.gaussian.identification import unidentified
from alliancekit.multilevel.pooled import pooled_predictors, pooled_text
from alliancekit.study.types import Study

Floats = NDArray[np.float64]

if TYPE_CHECKING:
    from alliancekit.multilevel.gaussian.fit import GaussianFit
    from alliancekit.multilevel.generalised.fit import GeneralisedFit


def column_labels(data: Any, columns: tuple[str, ...]) -> dict[str, str]:
    """Return the codebook's labels of the columns of a Study; warn of labelled codes that enter as numbers."""
    if not isinstance(data, Study):
        return {}
    infos = {name: data.column_info(name) for name in columns}
    for name, info in infos.items():
        values = data.data[name]
        if len(info.values) > 2 and info.role is None and pd.api.types.is_numeric_dtype(values):
            text_ = message(
                f"'{name}' enters as a number, but its values have labels such as {next(iter(info.values.values()))!r}",
                do=f'If they are categories, write ak.mixed(..., study.labelled("{name}"))',
            )
            warnings.warn(text_, DesignWarning, stacklevel=3)
    return {name: info.label for name, info in infos.items() if info.label}


def pooled_notices(design: Design, data: Any, labels: dict[str, str], stacklevel: int) -> tuple[str, ...]:
    """Warn of predictors that vary within and between persons and have one slope for both; return the texts."""
    times = [data.role(role) for role in ("time", "session", "date")] if isinstance(data, Study) else []
    found = pooled_predictors(design, [name for name in times if name])
    if not found:
        return ()
    text = pooled_text(design, found, labels)
    warnings.warn(text, DesignWarning, stacklevel=stacklevel)
    return (text,)


def boundary_text(group: str, names: tuple[str, ...], variances: Floats) -> str:
    """Return the message about a singular covariance matrix: what it means and what can be done.

    ``variances``, shape (q,), are those of the effects ``names`` in the user's columns.
    """
    zero = [name for name, variance in zip(names, variances, strict=True) if variance == 0]
    if zero:
        many, verb = ("s", "are") if len(zero) > 1 else ("", "is")
        return message(
            f"the variance{many} of {', '.join(zero)} by {group} {verb} estimated as zero",
            do="Keep the term if the design has it: the other estimates are right, and leaving it out would not change "
            "them",
        )
    return message(
        f"the random effects of {group} ({', '.join(names)}) are singular: a correlation is one, or one effect is a "
        "sum of others",
        do=f"The estimates are right. A simpler term, such as (1 | {group}) or uncorrelated effects (||), describes "
        "much the same data",
    )


def identification_notices(fit: GaussianFit, stacklevel: int) -> tuple[str, ...]:
    """Warn of random effects whose variances the data cannot tell; return the texts."""
    notes = []
    for found in unidentified(fit.engine):
        named = ", ".join(found.effects)
        if found.kind == "fixed":
            what = f"the fixed part explains every unit of '{found.group}': {named} by {found.group} adds nothing"
            do = f"Leave out the random term, or the fixed effects that tell the units of '{found.group}' apart"
        elif found.kind == "correlation":
            what = f"no unit of '{found.group}' shows {named} together, so that their correlation is arbitrary"
            parts = " + ".join(f"(0 + {name} | {found.group})" for name in found.effects)
            do = f"Let them vary independently: one column for each, and {parts}"
        else:
            what = (
                f"the variances of {named} by {found.group} cannot be told apart: the columns do not vary within its "
                "units independently of each other"
            )
            do = "A predictor that is constant within a unit has no slope that varies over these units: take it out"
        notes.append(message(what, do=do))
        warnings.warn(notes[-1], DesignWarning, stacklevel=stacklevel)
    return tuple(notes)


def search_notices(fit: Estimates, formula: str, stacklevel: int) -> tuple[str, ...]:
    """Warn of boundaries and of a search that stopped early; return the texts of the warnings."""
    notes: list[str] = []
    for factor, covariance, singular in zip(fit.factors, fit.covariances, fit.singular, strict=True):
        if singular:
            notes.append(boundary_text(factor.group, factor.names, np.diag(covariance)))
            warnings.warn(notes[-1], BoundaryWarning, stacklevel=stacklevel)
    if not fit.converged:
        notes.append(
            message(
                "the search for the variances stopped before the optimum",
                where=formula,
                do="Rescale predictors of very different size, or drop a random slope that the data cannot carry",
            )
        )
        warnings.warn(notes[-1], ConvergenceWarning, stacklevel=stacklevel)
    return tuple(notes)


def generalised_notices(fit: GeneralisedFit, formula: str, stacklevel: int) -> tuple[str, ...]:
    """Warn as ``search_notices`` does, and of infinite coefficients and a dispersion at its limit."""
    for text in fit.notes:
        warnings.warn(text, DesignWarning, stacklevel=stacklevel)
    return fit.notes + search_notices(fit, formula, stacklevel + 1)
