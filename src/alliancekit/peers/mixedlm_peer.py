"""mixedlm (optional) on the design of our fit: its formula names only columns that we made."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata, util
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.multilevel.api import MixedFit
from alliancekit.peers.attempt import attempt
from alliancekit.peers.statsmodels_mixed import outcome_without_offset
from alliancekit.peers.verdict import PeerEstimate

Floats = NDArray[np.float64]


def fit_mixedlm(fit: MixedFit) -> PeerEstimate:
    """Fit the same model by ``mixedlm.lmer``. Never raises because the peer fails or is absent."""
    if util.find_spec("mixedlm") is None:
        return PeerEstimate("mixedlm", status="not installed", note="install it with pip install mixedlm")
    name = f"mixedlm {metadata.version('mixedlm')}"
    if fit.design.weights is not None:
        return PeerEstimate(name, status="not expressible", note="its answers with prior weights are known to be wrong")
    answer = attempt(lambda: _answer(fit))
    if answer.error:
        return PeerEstimate(name, status="failed", note=answer.error)
    fixed, errors, covariances, sigma2, likelihood = answer.value
    names = fit.design.names
    return PeerEstimate(
        name,
        {n: float(fixed[f"x{j}"]) for j, n in enumerate(names)},
        dict(zip(names, errors.tolist(), strict=True)),
        covariances,
        sigma2,
        likelihood,
        note=answer.note,
    )


def _answer(fit: MixedFit) -> tuple[Any, Floats, dict[str, Floats], float, float]:
    """Return mixedlm's fixed effects, their standard errors, covariances, residual variance and log-likelihood."""
    import mixedlm

    frame, formula = _columns(fit)
    result = mixedlm.lmer(formula, frame, REML=fit.method == "REML")
    errors = np.sqrt(np.diag(result.vcov()))
    likelihood = float(getattr(result.logLik(), "value", np.nan))
    covariances = _covariances(fit, result.VarCorr().groups)
    return result.fixef(), errors, covariances, float(result.sigma) ** 2, likelihood


def _columns(fit: MixedFit) -> tuple[pd.DataFrame, str]:
    """Return our design as a frame of plainly named columns, and the formula that puts them together."""
    design = fit.design
    data: dict[str, object] = {"y": outcome_without_offset(design)}
    for j in range(design.X.shape[1]):
        data[f"x{j}"] = design.X[:, j]
    terms = [f"x{j}" for j in range(design.X.shape[1])]
    groups = list(dict.fromkeys(block.group for block in design.random))
    for i, block in enumerate(design.random):
        group = f"g{groups.index(block.group)}"
        data[group] = np.char.add("u", block.codes.astype(str))
        columns = []
        for j in range(block.Z.shape[1]):
            data[f"z{i}_{j}"] = block.Z[:, j]
            columns.append(f"z{i}_{j}")
        terms.append(f"(0 + {' + '.join(columns)} | {group})")
    return pd.DataFrame(data), f"y ~ 0 + {' + '.join(terms)}"


def _covariances(fit: MixedFit, groups: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return group -> covariance matrix in our order, joining the parts of uncorrelated terms."""
    at = {f"z{i}_{j}": place for (i, j), place in _places(fit).items()}
    sizes: dict[str, int] = {}
    for group, place in at.values():
        sizes[group] = max(sizes.get(group, 0), place + 1)
    out = {group: np.zeros((size, size)) for group, size in sizes.items()}
    for part in groups.values():
        terms = list(part.term_names)
        matrix = np.asarray(part.cov, dtype=float)
        for a, left in enumerate(terms):
            for b, right in enumerate(terms):
                group, row = at[left]
                out[group][row, at[right][1]] = matrix[a, b]
    return out


def _places(fit: MixedFit) -> dict[tuple[int, int], tuple[str, int]]:
    """Return (term, column) -> (group, place of the column among all columns of that grouping factor)."""
    count: dict[str, int] = {}
    out: dict[tuple[int, int], tuple[str, int]] = {}
    for i, block in enumerate(fit.design.random):
        for j in range(block.Z.shape[1]):
            out[i, j] = (block.group, count.get(block.group, 0))
            count[block.group] = count.get(block.group, 0) + 1
    return out
