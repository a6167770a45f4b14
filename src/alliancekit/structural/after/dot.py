"""The path diagram of a model in the DOT language of Graphviz."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from alliancekit.core.errors import check_option
from alliancekit.structural.after.coefficients import coefficients
from alliancekit.structural.after.whole import block_titles
from alliancekit.structural.estimates import StructuralEstimates

Row = Mapping[Hashable, Any]
VALUES = ("std_all", "std_lv", "estimate")


def dot_text(fit: StructuralEstimates, value: str) -> str:
    """Return a digraph of the model; see ``StructuralFit.dot``."""
    check_option("value", value, VALUES)
    table = coefficients(fit, 0.95)
    lines = ["digraph model {", "  rankdir=LR;", '  node [fontname="Helvetica"];', '  edge [fontname="Helvetica"];']
    several = len(fit.model.blocks) > 1
    for b, (title, block) in enumerate(zip(block_titles(fit.table), fit.model.blocks, strict=True)):
        own = table[table["op"].isin(["=~", "<~", "~", "~~"])]
        for column, word in title.items():
            own = own[own[column] == word]
        pad = "    " if several else "  "
        if several:
            lines += [f"  subgraph cluster_{b} {{", f"    label={_quoted(', '.join(title.values()))};"]
        start = f"b{b}_" if several else ""
        lines += [f"{pad}{_quoted(start + v)} [label={_quoted(v)}, shape=box];" for v in block.observed]
        lines += [f"{pad}{_quoted(start + v)} [label={_quoted(v)}, shape=ellipse];" for v in block.latent]
        lines += [pad + _arrow(row, start, value) for row in own.to_dict("records")]
        if several:
            lines.append("  }")
    return "\n".join([*lines, "}"]) + "\n"


def _arrow(row: Row, start: str, value: str) -> str:
    """Return one arrow: from cause to effect, or in both directions."""
    lhs, op, rhs = str(row["lhs"]), row["op"], str(row["rhs"])
    first, second = (lhs, rhs) if op in ("=~", "~~") else (rhs, lhs)
    looks = [f'label="{row[value]:.2f}"']
    if op == "~~":
        looks += ["dir=both", "constraint=false"]
    if row["std_error"] > 0 and not row["p_value"] < 0.05:
        looks.append("style=dashed")
    return f"{_quoted(start + first)} -> {_quoted(start + second)} [{', '.join(looks)}];"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
