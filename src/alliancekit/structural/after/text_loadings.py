"""The printed exploratory solutions, as users of lavaan know them: small loadings are left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from alliancekit.structural.after.loadings import (
    correlation_table,
    eigenvalues,
    explained_table,
    loading_table,
    reliable_terms,
)
from alliancekit.structural.estimates import StructuralEstimates

_MEASURES = ("aic", "bic", "bic2", "chisq", "df", "pvalue", "cfi", "rmsea", "srmr")


def solutions_text(
    fits: Mapping[int, StructuralEstimates], measures: Mapping[int, pd.Series], cutoff: float, dot: float, alpha: float
) -> str:
    """Return fit measures of all solutions, eigenvalues, and the loadings of each.

    cutoff, dot : loadings below are left out, or shown as a dot. alpha : level of the stars.
    """
    first = next(iter(fits.values()))
    words = first.options.rotation
    how = "orthogonal" if words.orthogonal else "oblique"
    lines = [
        "Exploratory factor analysis",
        f"  Estimator {first.options.estimator}, rotation {words.criterion} ({how}), {first.sample.n} rows",
        "",
        *_overview(measures),
        "",
        f"Eigenvalues of the {'correlation' if words.std_ov else 'covariance'} matrix:",
        "  " + " ".join(f"{value:.3f}" for value in eigenvalues(first)),
    ]
    for number, fit in fits.items():
        lines += ["", f"Number of factors: {number}", "", *_solution(fit, cutoff, dot, alpha)]
    return "\n".join(lines)


def _overview(measures: Mapping[int, pd.Series]) -> list[str]:
    names = [name for name in _MEASURES if all(name in m for m in measures.values())]
    lines = [" " * 12 + "".join(f"{name:>10}" for name in names)]
    for number, m in measures.items():
        cells = (f"{m[name]:>10.0f}" if name == "df" else f"{m[name]:>10.3f}" for name in names)
        lines.append(f"{number:>3} factor{'s' if number > 1 else ' '} " + "".join(cells))
    return lines


def _solution(fit: StructuralEstimates, cutoff: float, dot: float, alpha: float) -> list[str]:
    sure = set() if np.isnan(fit.vcov).any() else reliable_terms(fit, alpha)
    loadings, factors = loading_table(fit), list(fit.model.blocks[0].latent)
    width = max(len(str(name)) for name in [*loadings["item"], *factors]) + 1
    star = f" (* = significant at {alpha * 100:g}% level)" if sure else ""
    lines = [f"Standardized loadings:{star}", ""]
    lines.append(" " * width + "".join(f"{name:>8} " for name in factors) + "  uniqueness communality")
    for row in loadings.to_dict("records"):
        cells = ""
        for name in factors:
            value = float(row[name])
            shown = f"{value:.3f}" if abs(value) >= cutoff else "." if abs(value) >= dot else ""
            cells += f"{shown:>8}" + ("*" if (name, "=~", row["item"]) in sure else " ")
        lines.append(f"{row['item']:<{width}}{cells}{row['uniqueness']:>12.3f}{row['communality']:>12.3f}")
    return [*lines, "", *_explained(fit), *_correlations(fit, sure, width)]


def _explained(fit: StructuralEstimates) -> list[str]:
    found = explained_table(fit).set_index("factor").loc[list(fit.model.blocks[0].latent)].reset_index()
    found["cumulative"] = found["share"].cumsum()
    lines = [" " * 26 + "".join(f"{name:>8}" for name in found["factor"]) + f"{'total':>8}"]
    titles = {"sum_of_squares": "Sum of squared loadings", "share_of_common": "Proportion of total"}
    for name, title in (titles | {"share": "Proportion var", "cumulative": "Cumulative var"}).items():
        total = found["share"].sum() if name == "cumulative" else found[name].sum()
        lines.append(f"{title:<26}" + "".join(f"{value:>8.3f}" for value in [*found[name], total]))
    return lines


def _correlations(fit: StructuralEstimates, sure: set[tuple[str, str, str]], width: int) -> list[str]:
    found = correlation_table(fit)
    if len(found) < 2 or fit.options.rotation.orthogonal:
        return []
    lines = ["", "Factor correlations:", "", " " * width + "".join(f"{name:>8} " for name in found.columns)]
    for k, name in enumerate(found.index):
        cells = ""
        for other in found.columns[: k + 1]:
            known = (other, "~~", name) in sure or (name, "~~", other) in sure
            cells += f"{found.loc[name, other]:>8.3f}" + ("*" if known else " ")
        lines.append(f"{name:<{width}}{cells}")
    return lines
