"""Words for the parts of a mixed model: its outcome, terms, variance components and sample."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alliancekit.multilevel.after.generalised_components import DISPERSION
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.residual.components import GROUP


def component_name(row: Any) -> str:
    """Return the name of a row of ``variance_components``."""
    if row.term_1 is None or pd.isna(row.term_1):
        return "Residual SD"
    if row.group == GROUP:
        return f"Residual structure: {row.term_1}"
    if row.group == DISPERSION:
        return f"Dispersion ({row.term_1})"
    if row.term_2 is None or pd.isna(row.term_2):
        return f"{row.group}: SD of {row.term_1}"
    return f"{row.group}: r of {row.term_1} and {row.term_2}"


def sample_note(fit: MixedFit) -> str:
    """Return how many rows and units a fit used."""
    groups = ", ".join(f"{count} {plural(name)}" for name, count in fit.sample.groups.items())
    dropped = fit.sample.n_rows - fit.sample.n_used
    left_out = f"; {dropped} of {fit.sample.n_rows} rows not used" if dropped else ""
    of = f" of {groups}" if groups else ""
    return f"{fit.nobs:,} observations{of}{left_out}."


def plural(name: str) -> str:
    """Return the plural of a grouping factor: patients, levels of a:b."""
    return f"levels of {name}" if ":" in name else (name if name.endswith("s") else f"{name}s")


def outcome_label(fit: MixedFit) -> str:
    """Return the codebook's label of the outcome, or its name."""
    return fit.labels.get(fit.design.response, fit.design.response)


def term_label(fit: MixedFit, term: str) -> str:
    """Return a term with the codebook's labels in place of column names: ``armCBT:time`` -> "Arm (CBT) by time"."""
    parts = []
    for piece in term.split(":"):
        column = max((c for c in fit.labels if piece.startswith(c)), key=len, default=None)
        if column is None or column == fit.design.response:
            parts.append(piece)
            continue
        level = piece[len(column) :]
        parts.append(f"{fit.labels[column]} ({level})" if level else fit.labels[column])
    return " by ".join(parts)
