"""A structural model as a graph: who predicts whom, and who goes with whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))


@dataclass(frozen=True)
class Edge:
    """An arrow: kind "loading", "regression", "covariance", "variance" or "mean" (of ``start``); its number."""

    start: str
    end: str
    kind: str
    value: float
    certain: bool
    """False where the interval of the parameter holds zero."""
    stars: str = ""
    """One for p below .05, two for .01, three for .001."""


@dataclass(frozen=True)
class Graph:
    """One block of a model: variables in order, arrows, and a title for the panel (group or level)."""

    title: str
    observed: tuple[str, ...]
    latent: tuple[str, ...]
    edges: tuple[Edge, ...]


def graph_of(
    table: pd.DataFrame,
    observed: Sequence[str],
    latent: Sequence[str],
    value: str,
    title: str = "",
    *,
    means: bool = False,
) -> Graph:
    """Return the graph of rows as ``tidy`` gives them; ``value`` : the column that labels the arrows.

    Moments of covariates that are fixed at their sample values are left out, and so are parameters fixed at zero;
    ``means`` : whether means and intercepts are arrows, too.
    """
    edges = []
    explained = {*table.loc[table["op"] == "=~", "rhs"], *table.loc[table["op"] == "~", "lhs"], *latent}
    for row in table.to_dict("records"):
        lhs, op, rhs = row["lhs"], row["op"], row["rhs"]
        kinds = {"=~": "loading", "<~": "regression", "~": "regression", "~~": "covariance"} | (
            {"~1": "mean"} if means else {}
        )
        if op not in kinds:
            continue
        kind = "variance" if op == "~~" and lhs == rhs else kinds[op]
        fixed = not row["std_error"] > 0
        covariate = fixed and op in ("~~", "~1") and not {lhs, rhs or lhs} & explained
        if fixed and (row["estimate"] == 0 or covariate):
            continue
        start, end = (lhs, rhs) if op in ("=~", "~~") else (lhs, lhs) if op == "~1" else (rhs, lhs)
        clear = bool(row["conf_low"] > 0 or row["conf_high"] < 0) if "conf_low" in row else row["p_value"] < 0.05
        p = np.nan if fixed else row["p_value"]
        stars = next((text for bound, text in STARS if p < bound), "")
        edges.append(Edge(start, end, kind, float(row[value]), bool(fixed or clear), stars))
    return Graph(title, tuple(observed), tuple(latent), tuple(edges))
