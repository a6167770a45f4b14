"""Factor scores from raw data: incomplete rows by the variables they have, two levels by the expected parts of each.

Regression scores are the expected factors given all that is observed (Thomson 1934); in a two-level model those of the
upper level are one per cluster and use its size. Bartlett scores are for models of one level. Values of covariates
between clusters count; lavaan 0.6-14 takes zero for them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.after.scores import measurement
from alliancekit.structural.after.whole import whole
from alliancekit.structural.continuous.missing.estimate import IncompleteFit
from alliancekit.structural.continuous.missing.scores import bartlett_scores, regression_scores
from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]


def incomplete_scores(source: IncompleteFit, method: str) -> tuple[Floats, ...]:
    """Return scores of each group, (n, factors), for the rows that have a value, in their order.

    method: "regression" or "bartlett".
    """
    out = []
    for block, patterns in zip(source.model.blocks, source.data.groups, strict=True):
        at = whole(block, source.x)
        p = len(block.observed)
        if method == "bartlett":
            loadings = measurement(block, at)
            k = len(block.latent)
            found = bartlett_scores(patterns, loadings, at.cov[:p, :p], at.mean[:p], k)
            out.append(at.mean[p:] + found[:, :k])
            continue
        out.append(regression_scores(patterns, at.cov[:p, :p], at.mean[:p], at.cov[p:, :p], at.mean[p:]))
    return tuple(out)


def level_scores(source: ClusteredFit, level: str) -> tuple[Floats, ...]:
    """Return regression scores of each group: (rows, factors) for "within", (clusters, factors) for "between".

    Clusters stand in the order in which they first appear.
    """
    out = []
    upper = level == "between"
    for g, parts in enumerate(source.parts()):
        block = source.model.blocks[2 * g + upper]
        at = whole(block, source.x)
        p = len(block.observed)
        weight = np.linalg.pinv(at.cov[:p, :p]) @ at.cov[:p, p:]
        out.append((parts.between if upper else parts.within) @ weight + at.mean[p:])
    return tuple(out)
