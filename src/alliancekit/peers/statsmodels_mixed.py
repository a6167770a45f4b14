"""statsmodels' MixedLM on the design of our fit: columns are handed over as arrays, no formula is parsed again.

MixedLM knows one top-level grouping factor with correlated effects, and variance components inside it. So it can
express
one grouping factor, or intercepts of units nested in another factor. Anything else is "not expressible".
"""

from __future__ import annotations

import warnings
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.formula.blocks import RandomBlock
from alliancekit.formula.design import Design
from alliancekit.multilevel.api import MixedFit
from alliancekit.peers.verdict import PeerEstimate

Floats = NDArray[np.float64]
METHODS = {"default": None, "powell": ["powell"]}


class _NotExpressible(Exception):
    """The model has something that MixedLM cannot say."""


def fit_statsmodels(fit: MixedFit, method: str = "default") -> PeerEstimate:
    """Fit the same model by MixedLM; ``method`` is "default" or "powell". Never raises because the peer fails."""
    name = f"statsmodels {metadata.version('statsmodels')}" + ("" if method == "default" else f" ({method})")
    try:
        plan = _Plan(fit)
    except _NotExpressible as reason:
        return PeerEstimate(name, status="not expressible", note=str(reason))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = plan.model().fit(reml=fit.method == "REML", method=METHODS[method])
        except (ValueError, np.linalg.LinAlgError, ZeroDivisionError, FloatingPointError) as error:
            return PeerEstimate(name, status="failed", note=f"{type(error).__name__}: {error}")
    told = sorted({w.category.__name__ for w in caught})
    note = f"warned: {', '.join(told)}" if told else ""
    return _read(fit, plan, result, name, note)


def _read(fit: MixedFit, plan: _Plan, result: Any, name: str, note: str) -> PeerEstimate:
    names = fit.design.names
    scale = float(result.scale)
    covariances: dict[str, Floats] = {}
    if plan.correlated:
        covariances[plan.top] = np.atleast_2d(np.asarray(result.cov_re, dtype=float))
    else:
        covariances[plan.top] = np.diag(np.asarray(result.vcomp, dtype=float)[: plan.n_top])
    if plan.inner is not None:
        inner = np.asarray(result.vcomp, dtype=float)[-1:]
        covariances[plan.inner] = np.diag(inner)
    if not bool(result.converged):
        note = "; ".join(n for n in ("did not report convergence", note) if n)
    return PeerEstimate(
        name,
        dict(zip(names, np.asarray(result.fe_params, dtype=float).tolist(), strict=True)),
        dict(zip(names, np.asarray(result.bse_fe, dtype=float).tolist(), strict=True)),
        covariances,
        scale,
        float(result.llf),
        note=note,
    )


def outcome_without_offset(design: Design) -> Floats:
    """Return the outcome with the offset taken off, (n,)."""
    assert design.y is not None
    return design.y if design.offset is None else np.asarray(design.y - design.offset)


class _Plan:
    """How the model can be said in MixedLM: the top factor, its columns, and the inner factor with one column each."""

    def __init__(self, fit: MixedFit) -> None:
        design = fit.design
        if design.weights is not None:
            raise _NotExpressible("MixedLM has no prior weights")
        self.y = outcome_without_offset(design)
        self.X = design.X
        groups: dict[str, list[RandomBlock]] = {}
        for block in design.random:
            groups.setdefault(block.group, []).append(block)
        if len(groups) > 2:
            raise _NotExpressible("MixedLM has at most two grouping factors, one nested in the other")
        self.inner: str | None = None
        self.inner_block: RandomBlock | None = None
        top = next(iter(groups.values()))
        if len(groups) == 2:
            top = self._nest(groups)
        self.top = top[0].group
        self.codes = top[0].codes
        self.Z = np.concatenate([b.Z for b in top], axis=1)
        self.n_top = self.Z.shape[1]
        self.correlated = len(top) == 1
        if not self.correlated and any(b.Z.shape[1] > 1 for b in top):
            raise _NotExpressible("MixedLM cannot mix correlated and uncorrelated effects of one factor")

    def _nest(self, groups: dict[str, list[RandomBlock]]) -> list[RandomBlock]:
        ordered = sorted(groups.values(), key=lambda blocks: blocks[0].n_groups)
        outer, inner = ordered
        pairs = np.unique(np.stack([inner[0].codes, outer[0].codes]), axis=1)
        if pairs.shape[1] != inner[0].n_groups:
            raise _NotExpressible(
                f"{inner[0].group} is crossed with {outer[0].group}; MixedLM needs one nested in the other"
            )
        if len(inner) > 1 or inner[0].Z.shape[1] > 1:
            raise _NotExpressible(f"MixedLM has no correlated random slope of {inner[0].group} inside {outer[0].group}")
        self.inner, self.inner_block = inner[0].group, inner[0]
        return outer

    def model(self) -> Any:
        """Return the unfitted MixedLM."""
        from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

        names: list[str] = []
        columns: list[list[list[str]]] = []
        matrices: list[list[Floats]] = []
        rows = [np.flatnonzero(self.codes == level) for level in range(int(self.codes.max()) + 1)]
        if not self.correlated:
            for j in range(self.n_top):
                names.append(f"z{j}")
                matrices.append([self.Z[r, j : j + 1] for r in rows])
                columns.append([["all"] for _ in rows])
        if self.inner_block is not None:
            names.append("inner")
            made = [self._inner_matrix(r) for r in rows]
            matrices.append(made)
            columns.append([[str(i) for i in range(m.shape[1])] for m in made])
        vc = VCSpec(names, columns, matrices) if names else None
        return MixedLM(
            np.asarray(self.y), np.asarray(self.X), self.codes, exog_re=self.Z if self.correlated else None, exog_vc=vc
        )

    def _inner_matrix(self, rows: NDArray[np.intp]) -> Floats:
        assert self.inner_block is not None
        _, local = np.unique(self.inner_block.codes[rows], return_inverse=True)
        out = np.zeros((rows.size, int(local.max()) + 1))
        out[np.arange(rows.size), local] = self.inner_block.Z[rows, 0]
        return out
