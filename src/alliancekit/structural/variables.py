"""The roles of a model's variables, in lavaan's order: latent, observed, exogenous, dependent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Relation = tuple[str, str, str, int]
"""lhs, op, rhs, and 1 where the user wrote it."""


@dataclass(frozen=True, slots=True)
class Variables:
    """Names by role within one block; each tuple in lavaan's order.

    Attributes
    ----------
    latent : defined by =~ or <~. observed : all others. exogenous : observed covariates that nothing depends on and
        whose moments are not modelled. endogenous : the other observed ones.
    latent_x, latent_y : latent ones that are not dependent; dependent ones that predict nothing and measure nothing.
    observed_y : the same of observed ones. indicators : observed indicators. composites : defined by <~.
    """

    latent: tuple[str, ...]
    observed: tuple[str, ...]
    exogenous: tuple[str, ...]
    endogenous: tuple[str, ...]
    latent_x: tuple[str, ...]
    latent_y: tuple[str, ...]
    observed_y: tuple[str, ...]
    indicators: tuple[str, ...]
    composites: tuple[str, ...]


def find_variables(relations: Sequence[Relation]) -> Variables:
    """Return the roles of the variables of one block's statements."""
    latent = _unique(lhs for lhs, op, _, _ in relations if op in ("=~", "<~"))
    is_latent = set(latent)
    measured = _unique(rhs for _, op, rhs, _ in relations if op == "=~")
    formed = _unique(rhs for _, op, rhs, _ in relations if op == "<~")
    dependent = _unique(lhs for lhs, op, _, _ in relations if op == "~")
    predictors = _unique(rhs for _, op, rhs, _ in relations if op == "~")
    indicators = [v for v in measured if v not in is_latent]
    observed = list(indicators)
    observed += [v for v in dependent if v not in is_latent and v not in observed]
    covariates = [v for v in _unique([*predictors, *formed]) if v not in is_latent and v not in observed]
    observed += covariates
    mentioned = [lhs for lhs, op, _, _ in relations if op == "~~"] + [r for _, op, r, _ in relations if op == "~~"]
    mentioned += [lhs for lhs, op, _, _ in relations if op in ("~1", "|", "~*~")]
    observed += [v for v in _unique(mentioned) if v not in is_latent and v not in set(observed)]
    written = {v for lhs, op, rhs, user in relations if user and op in ("~~", "~1") for v in (lhs, rhs)}
    exogenous = [v for v in covariates if v not in written]
    outside = set(exogenous)
    measures, depends, predicts = set(measured), set(dependent), set(predictors)
    return Variables(
        tuple(latent),
        tuple(observed),
        tuple(exogenous),
        tuple(v for v in observed if v not in outside),
        tuple(v for v in latent if v not in measures and v not in depends),
        tuple(v for v in latent if v in depends and v not in measures and v not in predicts),
        tuple(v for v in dependent if v not in is_latent and v not in measures and v not in predicts),
        tuple(indicators),
        tuple(_unique(lhs for lhs, op, _, _ in relations if op == "<~")),
    )


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
