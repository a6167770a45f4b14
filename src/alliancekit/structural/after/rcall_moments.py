"""Covariances, means and numbers of rows written out as R code: ``S``, ``n`` and ``m``."""

from __future__ import annotations

from collections.abc import Sequence

from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.sample import GroupSample


def moments_code(fit: StructuralEstimates) -> list[str]:
    """Return the lines that make the moments a fit was given: of one group, or lists by group.

    Covariances have the divisor n - 1, and all numbers the digits that tell them apart.
    """
    groups = fit.sample.groups
    lines = [f"S <- {_listed(groups, [_covariances(group) for group in groups])}"]
    lines.append(f"n <- {_listed(groups, [str(group.n) for group in groups])}")
    if "~1" in fit.table.op:
        means = [f"c({', '.join(repr(float(value)) for value in group.mean)})" for group in groups]
        lines.append(f"m <- {_listed(groups, means)}")
    return lines


def _listed(groups: Sequence[GroupSample], parts: Sequence[str]) -> str:
    if len(groups) == 1:
        return parts[0]
    labels = [group.label.replace("\\", "\\\\").replace('"', '\\"') for group in groups]
    return "list(" + ", ".join(f'"{label}" = {part}' for label, part in zip(labels, parts, strict=True)) + ")"


def _covariances(group: GroupSample) -> str:
    """Return a call of ``getCov``: the lower triangle, row by row."""
    unbiased = group.cov * (group.n / (group.n - 1))
    rows = [" ".join(repr(float(value)) for value in row[: k + 1]) for k, row in enumerate(unbiased)]
    names = ", ".join(f'"{name}"' for name in group.names)
    return "getCov('\n" + "\n".join(rows) + f"\n', names = c({names}))"
