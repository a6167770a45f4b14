"""Words for the parts of a mixed model: its outcome, terms, variance components and sample."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def units_text(fit: MixedFit) -> str:
    """Return the units of a fit: "120 patients in 15 therapists, crossed with 6 rooms"; "" where there are none."""
    codes = {block.group: (block.codes, block.n_groups) for block in fit.design.random}
    names = sorted(fit.sample.groups, key=lambda name: -fit.sample.groups[name])
    counted = {name: f"{fit.sample.groups[name]} {plural(name)}" for name in names}
    if not names or set(names) - set(codes):
        return " in ".join(counted.values())
    if fit._rows_absent:
        return ", ".join(counted.values())  # which are nested in which is not kept
    chain, crossed = [names[0]], list[str]()
    for name in names[1:]:
        inner, outer = codes[chain[-1]], codes[name]
        pairs = np.unique(inner[0].astype(np.int64) * outer[1] + outer[0]).size
        (chain if pairs == np.unique(inner[0]).size else crossed).append(name)
    text = " in ".join(counted[name] for name in chain)
    return text + (f", crossed with {' and '.join(counted[name] for name in crossed)}" if crossed else "")


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
