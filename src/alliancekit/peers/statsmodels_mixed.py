"""statsmodels' MixedLM on the design of our fit: columns are handed over as arrays, no formula is parsed again.

MixedLM knows one grouping factor with correlated effects, and independent variance components inside its units. So it
can say: one factor with any effects; intercepts of units nested in another factor; and, with the whole data as one
unit, independent effects of several factors, nested or crossed, as long as a dense matrix of rows x units stays small.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.blocks import RandomBlock
from alliancekit.formula.design import Design
from alliancekit.multilevel.api import MixedFit
from alliancekit.peers.attempt import attempt
from alliancekit.peers.verdict import PeerEstimate

Floats = NDArray[np.float64]
METHODS = {"default": None, "powell": ["powell"]}
LARGEST = 250_000  # rows x units of the dense matrix; statsmodels takes about ten seconds there
OTHER_ERRORS = (
    "statsmodels' standard errors come from the observed information of all parameters, ours from generalised least "
    "squares; they are shown, the verdict is on the estimates"
)


class _NotExpressible(Exception):
    """The model has something that MixedLM cannot say."""


@dataclass(frozen=True, eq=False)
class Component:
    """An independent effect: one variance, for column ``z``, by the units in ``codes``.

    Attributes
    ----------
    group, place : grouping factor, and which of its columns (in our order) this is.
    codes : unit of each row; None where the units are those of the plan's own grouping.
    z : the column, shape (n,).
    """

    group: str
    place: int
    codes: NDArray[np.intp] | None
    z: Floats


@dataclass(frozen=True, eq=False)
class Plan:
    """How a model is said in MixedLM.

    Attributes
    ----------
    codes : MixedLM's grouping, shape (n,). Z : columns of its correlated effects, or None. group : the factor they
    belong to. components : independent effects. sizes : group -> number of columns.
    """

    codes: NDArray[np.intp]
    Z: Floats | None
    group: str
    components: tuple[Component, ...]
    sizes: dict[str, int]

    def model(self, fit: MixedFit) -> Any:
        """Return the unfitted MixedLM."""
        from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

        design = fit.design
        rows = [np.flatnonzero(self.codes == unit) for unit in range(int(self.codes.max()) + 1)]
        made = [[_matrix(part, r) for r in rows] for part in self.components]
        names = [f"v{i}" for i in range(len(self.components))]
        columns = [[[str(j) for j in range(m.shape[1])] for m in matrices] for matrices in made]
        components = VCSpec(names, columns, made) if names else None
        return MixedLM(
            outcome_without_offset(design), np.asarray(design.X), self.codes, exog_re=self.Z, exog_vc=components
        )

    def covariances(self, result: Any) -> dict[str, Floats]:
        """Return group -> covariance matrix, our order of columns."""
        out = {group: np.zeros((size, size)) for group, size in self.sizes.items()}
        if self.Z is not None:
            out[self.group] = np.atleast_2d(np.asarray(result.cov_re, dtype=float))
        for part, variance in zip(self.components, np.asarray(result.vcomp, dtype=float), strict=True):
            out[part.group][part.place, part.place] = variance
        return out


def outcome_without_offset(design: Design) -> Floats:
    """Return the outcome with the offset taken off, (n,)."""
    assert design.y is not None
    return np.asarray(design.y if design.offset is None else design.y - design.offset)


def fit_statsmodels(fit: MixedFit, method: str = "default") -> PeerEstimate:
    """Fit the same model by MixedLM; ``method`` is "default" or "powell". Never raises because the peer fails."""
    name = f"statsmodels {metadata.version('statsmodels')}" + ("" if method == "default" else f" ({method})")
    try:
        plan = make_plan(fit)
    except _NotExpressible as reason:
        return PeerEstimate(name, status="not expressible", note=str(reason))
    answer = attempt(lambda: _call(fit, plan, method, name))
    if answer.error:
        return PeerEstimate(name, status="failed", note=answer.error)
    found: PeerEstimate = answer.value
    return replace(found, note="; ".join(n for n in (found.note, answer.note) if n))


def _call(fit: MixedFit, plan: Plan, method: str, name: str) -> PeerEstimate:
    """Fit and read everything: some of statsmodels' numbers are computed (and warned about) when they are read."""
    result = plan.model(fit).fit(reml=fit.method == "REML", method=METHODS[method])
    names = fit.design.names
    return PeerEstimate(
        name,
        dict(zip(names, np.asarray(result.fe_params, dtype=float).tolist(), strict=True)),
        dict(zip(names, np.asarray(result.bse_fe, dtype=float).tolist(), strict=True)),
        plan.covariances(result),
        float(result.scale),
        float(result.llf),
        note="" if bool(result.converged) else "did not report convergence",
        other_errors=OTHER_ERRORS,
    )


def make_plan(fit: MixedFit) -> Plan:
    """Return how the model can be said; the private exception with the reason where it cannot."""
    design = fit.design
    if design.weights is not None:
        raise _NotExpressible("MixedLM has no prior weights")
    groups: dict[str, list[RandomBlock]] = {}
    for block in design.random:
        groups.setdefault(block.group, []).append(block)
    sizes = {group: sum(b.Z.shape[1] for b in blocks) for group, blocks in groups.items()}
    if len(groups) == 1:
        return _one_factor(next(iter(groups.values())), sizes)
    nested = _nested(list(groups.values())) if len(groups) == 2 else None
    if nested is not None:
        outer, inner = nested
        plan = _one_factor(outer, sizes)
        inside = Component(inner.group, 0, inner.codes, inner.Z[:, 0])
        return Plan(plan.codes, plan.Z, plan.group, (*plan.components, inside), sizes)
    return _dense(design.random, sizes)


def _one_factor(blocks: list[RandomBlock], sizes: dict[str, int]) -> Plan:
    """Return the plan of one factor: correlated effects, or independent ones, not both."""
    first = blocks[0]
    if len(blocks) == 1:
        return Plan(first.codes, first.Z, first.group, (), sizes)
    if any(block.Z.shape[1] > 1 for block in blocks):
        raise _NotExpressible(f"MixedLM cannot mix correlated and uncorrelated effects of {first.group}")
    parts = [Component(first.group, place, None, block.Z[:, 0]) for place, block in enumerate(blocks)]
    return Plan(first.codes, None, first.group, tuple(parts), sizes)


def _nested(groups: list[list[RandomBlock]]) -> tuple[list[RandomBlock], RandomBlock] | None:
    """Return the outer factor's blocks and the inner factor's only column, where one factor is nested so."""
    outer, inner = sorted(groups, key=lambda blocks: blocks[0].n_groups)
    pairs = np.unique(np.stack([inner[0].codes, outer[0].codes]), axis=1)
    if pairs.shape[1] != inner[0].n_groups:
        return None
    if len(inner) > 1 or inner[0].Z.shape[1] > 1:
        raise _NotExpressible(f"MixedLM has no correlated random slope of {inner[0].group} inside {outer[0].group}")
    if len(outer) > 1 and any(block.Z.shape[1] > 1 for block in outer):
        return None
    return outer, inner[0]


def _dense(blocks: tuple[RandomBlock, ...], sizes: dict[str, int]) -> Plan:
    """Return the plan in which all rows are one unit and every effect is an independent component."""
    together = " and ".join(sizes)
    if any(block.Z.shape[1] > 1 for block in blocks):
        raise _NotExpressible(f"MixedLM has no correlated effects of several factors ({together})")
    rows, units = blocks[0].codes.size, sum(block.n_groups for block in blocks)
    if rows * units > LARGEST:
        raise _NotExpressible(
            f"MixedLM would need a dense matrix of {rows} rows x {units} units for {together}: too large"
        )
    count: dict[str, int] = {}
    parts = []
    for block in blocks:
        place = count.get(block.group, 0)
        count[block.group] = place + 1
        parts.append(Component(block.group, place, block.codes, block.Z[:, 0]))
    return Plan(np.zeros(rows, dtype=np.intp), None, "", tuple(parts), sizes)


def _matrix(part: Component, rows: NDArray[np.intp]) -> Floats:
    """Return one component's columns for the rows of one of MixedLM's groups."""
    if part.codes is None:
        return part.z[rows, None]
    _, local = np.unique(part.codes[rows], return_inverse=True)
    out = np.zeros((rows.size, int(local.max()) + 1))
    out[np.arange(rows.size), local] = part.z[rows]
    return out
