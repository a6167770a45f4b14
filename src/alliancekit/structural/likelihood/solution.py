"""A solution with its uncertainty and tests: information, sandwich, likelihood-ratio test and its scaled form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block, Likelihood, Mapping
from alliancekit.structural.likelihood.inference import (
    Scaling,
    inverse_information,
    model_information,
    moment_meat,
    mplus_scaling,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Request:
    """How uncertainty is computed, in lavaan's words.

    information: "observed", "expected" or "first.order"; observed: "hessian" or "h1"; h1: "structured" or
    "unstructured"; sandwich: robust standard errors; scaled: the Yuan-Bentler test in the form of Mplus.
    """

    information: str = "observed"
    observed: str = "hessian"
    h1: str = "structured"
    sandwich: bool = False
    scaled: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class SaturatedModel:
    """Saturated moments of all groups, the log-likelihood there, and which moments count as free in each group.

    outside: log-likelihood of exogenous variables with fixed moments, which is taken off both log-likelihoods.
    clusters: number of the cluster of each unit of each group, for standard errors robust to clustering.
    """

    blocks: tuple[Block, ...]
    log_likelihood: float
    counted: tuple[Booleans, ...]
    outside: float = 0.0
    clusters: tuple[Integers, ...] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Solution:
    """A fitted model: log-likelihood, information, covariance of the parameters, test against the saturated model.

    bread: inverse information; meat: summed squared scores where robust; vcov (size, size).
    """

    x: Floats
    log_likelihood: float
    implied: tuple[Block, ...]
    information: Floats
    bread: Floats
    meat: Floats | None
    vcov: Floats
    statistic: float
    df: int
    scaling: Scaling | None


def solve(
    data: Likelihood,
    mapping: Mapping,
    x: Floats,
    value: float,
    saturated: SaturatedModel,
    request: Request,
    *,
    parameters: int | None = None,
) -> Solution:
    """Return the uncertainty and the tests of a model whose maximum is at ``x`` (-2 log L there is ``value``).

    parameters: number of free parameters before equality constraints, by which the scaling factor of the
    log-likelihood is divided (size of the mapping where None).
    """
    at = saturated.blocks if request.h1 == "unstructured" else None
    information = model_information(
        request.information, data, mapping, x, observed=request.observed, at=at, clusters=saturated.clusters
    )
    bread = inverse_information(information)
    meat = None
    if request.sandwich or request.scaled:
        implied = mapping.moments(x) if at is None else at
        meats = moment_meat(data, implied, saturated.clusters)
        meat = sum((j.T @ m @ j for j, m in zip(mapping.jacobian(x), meats, strict=True)), np.zeros_like(bread))
    df = int(sum(free.sum() for free in saturated.counted)) - mapping.size
    scaling = None
    if request.scaled and meat is not None and df > 0:
        scaling = mplus_scaling(
            data,
            saturated.blocks,
            saturated.counted,
            bread,
            meat,
            df,
            kind=request.information,
            parameters=parameters,
            clusters=saturated.clusters,
        )
    vcov = bread @ meat @ bread if request.sandwich and meat is not None else bread
    statistic = max(value + 2 * saturated.log_likelihood, 0.0) if df > 0 else 0.0
    log_likelihood = -value / 2 - saturated.outside
    return Solution(x, log_likelihood, mapping.moments(x), information, bread, meat, vcov, statistic, df, scaling)
