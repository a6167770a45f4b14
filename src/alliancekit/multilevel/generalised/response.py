"""The outcome checked against its family: what a binary, a count and a proportion outcome must look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.generalised.conditional import Conditional
from alliancekit.multilevel.generalised.families import Binomial, BinomialLogit, Family, Poisson
from alliancekit.multilevel.generalised.links import Log
from alliancekit.multilevel.generalised.overdispersed import (
    BetaBinomial,
    NegativeBinomialLinear,
    NegativeBinomialQuadratic,
)
from alliancekit.multilevel.generalised.words import COUNTS, FamilyWords

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """The outcome of the user's rows: successes or counts (n,), trials (n,) or 1, weights of rows or None."""

    y: Floats
    trials: Floats | float
    weights: Floats | None


def read_outcome(design: Design, words: FamilyWords) -> Counted:
    """Return the outcome, checked.

    Raises
    ------
    DesignError : values that the family cannot have; the message names the first rows.
    """
    assert design.y is not None
    if words.family in COUNTS:
        _check_counts(design)
        return Counted(design.y, 1.0, design.weights)
    if design.trials is not None:
        return Counted(design.y, design.trials, design.weights)
    return _binary_or_proportion(design, words)


def _check_counts(design: Design) -> None:
    y = design.y
    assert y is not None
    if design.trials is not None:
        raise SpecError(
            message(
                f"{design.response} is a count out of a total, which has an upper limit",
                do='Give family="binomial" or family="beta-binomial"; for a rate, use offset(log(total))',
            )
        )
    if (y < 0).any():
        raise DesignError(
            message(f"the count '{design.response}' is negative", where=_rows(design, y < 0), do="Correct these rows")
        )
    broken = y != np.round(y)
    if broken.any():
        do = "Counts are whole numbers; for a rate model the count with offset(log(time)), for a mean use gaussian"
        raise DesignError(
            message(f"the count '{design.response}' is not a whole number", where=_rows(design, broken), do=do)
        )


def _binary_or_proportion(design: Design, words: FamilyWords) -> Counted:
    y = design.y
    assert y is not None
    outside = (y < 0) | (y > 1)
    if outside.any():
        do = "Give 0 and 1, a factor of two levels, or counts out of a total: successes(taken, of = days)"
        raise DesignError(
            message(f"the outcome '{design.response}' is not between 0 and 1", where=_rows(design, outside), do=do)
        )
    if design.weights is None:
        part = (y != 0) & (y != 1)
        if part.any():
            do = "Give the counts: successes(taken, of = days); or the number of trials as weights"
            raise DesignError(
                message(f"the outcome '{design.response}' is a proportion", where=_rows(design, part), do=do)
            )
        if words.family == "beta-binomial":
            do = 'With one trial per row it is the binomial: give family="binomial", or counts out of a total'
            raise DesignError(message(f"the outcome '{design.response}' has one trial per row", do=do))
        return Counted(y, 1.0, None)
    successes = y * design.weights
    whole = np.round(successes)
    broken = (np.abs(successes - whole) > 1e-8 * np.maximum(design.weights, 1.0)) | (
        design.weights != np.round(design.weights)
    )
    if broken.any():
        do = "The weights of a proportion are its numbers of trials, so that both and their product are whole numbers"
        raise DesignError(
            message(f"'{design.response}' times its weight is not a count", where=_rows(design, broken), do=do)
        )
    return Counted(whole, design.weights, None)


def _rows(design: Design, bad: NDArray[np.bool_]) -> str:
    """Return the first places, counted from 1, among the rows used."""
    hit = (
        np.flatnonzero(design.sample.rows_used)[np.flatnonzero(bad)]
        if design.sample.rows_used.size
        else bad.nonzero()[0]
    )
    shown = ", ".join(str(int(i) + 1) for i in hit[:5])
    more = f" and {hit.size - 5} more" if hit.size > 5 else ""
    return f"row{'s' if hit.size > 1 else ''} {shown}{more}, counted from 1"


def make_conditional(words: FamilyWords, counted: Counted) -> Conditional:
    """Return the outcome given the random effects, rows in the order of ``counted``."""
    zero = counted.y == 0 if words.inflated else None
    return Conditional(_family(words, counted), zero, counted.weights)


def _family(words: FamilyWords, counted: Counted) -> Family:
    link = words.link_function
    if words.family == "poisson":
        return Poisson(counted.y)
    if words.family == "negative-binomial":
        quadratic = words.variance == "quadratic"
        return NegativeBinomialQuadratic(counted.y) if quadratic else NegativeBinomialLinear(counted.y)
    assert not isinstance(link, Log)
    if words.family == "beta-binomial":
        return BetaBinomial(counted.y, np.broadcast_to(np.asarray(counted.trials, float), counted.y.shape), link)
    return (
        BinomialLogit(counted.y, counted.trials) if link.name == "logit" else Binomial(counted.y, counted.trials, link)
    )
