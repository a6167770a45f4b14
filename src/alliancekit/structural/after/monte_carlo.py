"""Limits of defined parameters from draws of the estimates' normal distribution (Monte Carlo).

MacKinnon, Lockwood & Williams (2004), Multivariate Behav Res 39, 99-128; Preacher & Selig (2012), Commun Methods Meas
6, 77-98. A product such as an indirect effect is not normal; draws of its factors show how skewed it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import FitError, SpecError, message
from alliancekit.structural.arguments import check_count, check_level, check_seed
from alliancekit.structural.estimates import StructuralEstimates

Floats = NDArray[np.float64]
FEWEST = 1000


def monte_carlo_table(fit: StructuralEstimates, n: int, seed: int, level: float) -> pd.DataFrame:
    """Return one row per defined parameter; see ``StructuralFit.monte_carlo``."""
    definitions = fit.constraints.definitions
    if not definitions:
        raise SpecError(message("the model defines no parameters", do="Add a line such as indirect := a*b"))
    check_level(level)
    check_count("n", n)
    check_seed(seed)
    if n < FEWEST:
        raise SpecError(message(f"n={n} draws are too few for limits", do=f"Take at least {FEWEST}"))
    if not np.isfinite(fit.vcov).all():
        raise FitError(message("the estimates have no covariance matrix", do="The model may not be identified"))
    known = fit.constraints.values(draw_estimates(fit, n, seed))
    ours = fit.constraints.define(fit.x)[0]
    ends = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for (name, expression), estimate in zip(definitions.items(), ours, strict=True):
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(expression.evaluate(known), dtype=np.float64), (n,))
        used = values[np.isfinite(values)]
        low, high = np.quantile(used, ends) if used.size else (np.nan, np.nan)
        rows.append(
            {
                "term": name,
                "estimate": float(estimate),
                "std_error": float(used.std(ddof=1)) if used.size > 1 else float("nan"),
                "conf_low": float(low),
                "conf_high": float(high),
                "draws": int(used.size),
            }
        )
    frame = pd.DataFrame(rows)
    frame.attrs.update(level=level, n=n, seed=seed)
    return frame


def draw_estimates(fit: StructuralEstimates, n: int, seed: int) -> Floats:
    """Return draws (n, size) from the normal distribution of the estimates."""
    values, vectors = np.linalg.eigh(fit.vcov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((n, fit.x.size))
    return np.asarray(fit.x + normal @ root.T)
