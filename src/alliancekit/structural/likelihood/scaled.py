"""Scaling factors of the likelihood-ratio test of raw data that are not normal (Yuan and Bentler 2000).

Both compare the saturated model with the fitted one. The form of Mplus subtracts the traces of the two sandwiches; the
original takes the trace of U Omega, U the residual weight of the fitted model and Omega the covariance of the moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block, Likelihood
from alliancekit.structural.likelihood.inference import moment_meat
from alliancekit.structural.likelihood.saturation import SaturatedModel

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Scaling factor of the test, and those of the log-likelihoods of the saturated and the fitted model."""

    factor: float
    saturated: float
    model: float


@dataclass(frozen=True, eq=False, slots=True)
class Tested:
    """A fitted model as its scaled test sees it.

    implied: moments at which structured information is taken; jacobian of each group; bread: inverse information and
    meat: summed squared scores, of the parameters; df; parameters: how many, equal ones counted one by one.
    """

    implied: tuple[Block, ...]
    jacobian: tuple[Floats, ...]
    bread: Floats
    meat: Floats
    df: int
    parameters: int


def mplus_scaling(data: Likelihood, saturated: SaturatedModel, model: Tested, kind: str) -> Scaling:
    """Return the scaling in the form of Mplus: (trace of the saturated - trace of the fitted model) / df.

    kind: of the information at the saturated moments.
    """
    breads, meats = saturated.information(data, kind), saturated.meats(data)
    total, moments = _saturated_trace(breads, meats, saturated.counted)
    own = float((model.bread * model.meat).sum())
    return _scaling((total - own) / model.df, total / moments, own / max(model.parameters, 1))


def original_scaling(data: Likelihood, saturated: SaturatedModel, model: Tested, kind: str) -> Scaling:
    """Return the scaling of Yuan and Bentler: trace(U Omega) / df, the information in U and Omega of the given kind."""
    meats, counted = saturated.meats(data), saturated.counted
    free_information = saturated.information(data, "expected" if kind == "expected" else "observed")
    total, moments = _saturated_trace(free_information, meats, counted)
    own_meats = moment_meat(data, model.implied, saturated.clusters)
    weights = own_meats if kind == "first.order" else data.information(kind, model.implied)
    trace, own = 0.0, 0.0
    for weight, first, second, third, slope, free in zip(
        weights, free_information, meats, own_meats, model.jacobian, counted, strict=True
    ):
        cut = np.ix_(free, free)
        inverse = np.linalg.inv(first[cut])
        omega = inverse @ second[cut] @ inverse
        delta, part = slope[free], weight[cut]
        spread = delta @ model.bread @ delta.T
        trace += float(((part - part @ spread @ part) * omega).sum())
        own += float((third[cut] * spread).sum())
    return _scaling(trace / model.df, total / moments, own / max(model.parameters, 1))


def _saturated_trace(
    breads: Sequence[Floats], meats: Sequence[Floats], counted: Sequence[Booleans]
) -> tuple[float, int]:
    """Return the trace of inverse information times squared scores of the saturated model, and its parameters."""
    total, moments = 0.0, 0
    for first, second, free in zip(breads, meats, counted, strict=True):
        cut = np.ix_(free, free)
        total += float((np.linalg.inv(first[cut]) * second[cut]).sum())
        moments += int(free.sum())
    return total, moments


def _scaling(factor: float, saturated: float, model: float) -> Scaling:
    """Return the scaling; a negative factor means nothing and is nan."""
    return Scaling(factor if factor >= 0 else float("nan"), saturated, model)
