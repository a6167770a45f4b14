"""A solution with its uncertainty and tests: information, sandwich, likelihood-ratio test and its scaled form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.likelihood.contract import Block, Likelihood, Mapping
from alliancekit.structural.likelihood.inference import inverse_information, model_information, moment_meat
from alliancekit.structural.likelihood.saturation import SaturatedModel
from alliancekit.structural.likelihood.scaled import Scaling, Tested, mplus_scaling, original_scaling
from alliancekit.structural.likelihood.search import parameter_information

Floats = NDArray[np.float64]


Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """How uncertainty is computed, in lavaan's words; of a pair the first is for standard errors, the second for tests.

    information: "observed", "expected" or "first.order"; observed: "hessian" or "h1" (without the curvature of the
    moments); h1: information about moments is taken at those of the model, "structured", or "unstructured"; sandwich:
    robust standard errors; test: "standard", "yuan.bentler" or "yuan.bentler.mplus".
    """

    information: Pair = ("observed", "observed")
    observed: Pair = ("hessian", "hessian")
    h1: Pair = ("structured", "structured")
    sandwich: bool = False
    test: str = "standard"

    @property
    def scaled(self) -> bool:
        """Whether a scaled test is asked for."""
        return self.test != "standard"


@dataclass(frozen=True, eq=False, slots=True)
class Solution:
    """A fitted model: log-likelihood, information, covariance of the parameters, test against the saturated model.

    bread: inverse information; meat: summed squared scores (zero unless robust); vcov (size, size).
    """

    x: Floats
    log_likelihood: float
    implied: tuple[Block, ...]
    information: Floats
    bread: Floats
    meat: Floats
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
    spent: int | None = None,
    limited: bool = False,
) -> Solution:
    """Return the uncertainty and the tests of a model whose maximum is at ``x`` (-2 log L there is ``value``).

    parameters: number of free parameters before equality constraints, by which the scaling factor of the
    log-likelihood is divided; spent: degrees of freedom that the model uses (both the size of the mapping where None);
    limited: whether there are bounds or inequalities, so that a model without degrees of freedom may not fit exactly.
    """
    implied, slopes = mapping.moments(x), mapping.jacobian(x)
    parts = [_parts(data, mapping, x, implied, slopes, saturated, request, 0)]
    df = int(sum(free.sum() for free in saturated.counted)) - (mapping.size if spent is None else spent)
    information, bread, meat = parts[0]
    scaling = None
    if request.scaled and df > 0:
        same = all(pair[0] == pair[1] for pair in (request.information, request.observed, request.h1))
        parts.append(parts[0] if same else _parts(data, mapping, x, implied, slopes, saturated, request, 1))
        weighed = saturated.blocks if request.h1[1] == "unstructured" else implied
        own = Tested(weighed, slopes, parts[1][1], parts[1][2], df, mapping.size if parameters is None else parameters)
        scale = mplus_scaling if request.test == "yuan.bentler.mplus" else original_scaling
        scaling = scale(data, saturated, own, request.information[1])
    vcov = bread @ meat @ bread if request.sandwich else bread
    statistic = max(value + 2 * saturated.log_likelihood, 0.0) if df > 0 or limited else 0.0
    log_likelihood = -value / 2 - saturated.outside
    return Solution(x, log_likelihood, implied, information, bread, meat, vcov, statistic, df, scaling)


def _parts(
    data: Likelihood,
    mapping: Mapping,
    x: Floats,
    implied: tuple[Block, ...],
    slopes: tuple[Floats, ...],
    saturated: SaturatedModel,
    request: Request,
    use: int,
) -> tuple[Floats, Floats, Floats]:
    """Return information, its inverse and the summed squared scores, for standard errors (use 0) or tests (1)."""
    information = model_information(
        request.information[use],
        data,
        mapping,
        x,
        observed=request.observed[use],
        clusters=saturated.clusters,
        at=saturated.blocks if request.h1[use] == "unstructured" else None,
    )
    bread = inverse_information(information)
    meat = np.zeros_like(bread)
    if request.sandwich or request.scaled:
        free = request.h1[0 if request.sandwich else use] == "unstructured"
        meats = saturated.meats(data) if free else moment_meat(data, implied, saturated.clusters)
        meat = parameter_information(meats, slopes)
    return information, bread, meat


def solve_plainly(mapping: Mapping, x: Floats, value: float, saturated: SaturatedModel) -> Solution:
    """Return log-likelihood and test of a model whose standard errors and scaled test nobody asks for."""
    empty = np.zeros((0, 0))
    df = int(sum(free.sum() for free in saturated.counted)) - mapping.size
    statistic = max(value + 2 * saturated.log_likelihood, 0.0) if df > 0 else 0.0
    log_likelihood = -value / 2 - saturated.outside
    return Solution(x, log_likelihood, mapping.moments(x), empty, empty, empty, empty, statistic, df, None)
