"""F tests of the terms of the fixed part: the table that lmerTest's ``anova`` prints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliancekit.core.errors import check_option
from alliancekit.multilevel.after.ddf import DDF_WORDS, Precision
from alliancekit.multilevel.after.layout import columns_text, number_text, p_text
from alliancekit.multilevel.after.term_hypotheses import TYPES, term_hypotheses
from alliancekit.multilevel.estimates import Estimates
from alliancekit.numerics.distributions import f_upper


@dataclass(frozen=True, eq=False)
class AnovaTable:
    """F tests of the terms of a mixed model (read-only). Made by ``fit.anova``.

    Attributes
    ----------
    frame : one row per term. type : "I", "II" or "III". ddf : method of the denominator df. formula : the model's.
    nobs : rows used. notes : what was left out, as text.
    """

    frame: pd.DataFrame
    type: str
    ddf: str
    formula: str
    nobs: int
    notes: tuple[str, ...]

    def tidy(self) -> pd.DataFrame:
        """Return one row per term: term, sum_sq, mean_sq, df_numerator, df, statistic (F), p_value."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: number of terms, rows used, type and method."""
        return pd.DataFrame([{"terms": len(self.frame), "nobs": self.nobs, "type": self.type, "df_method": self.ddf}])

    def __repr__(self) -> str:
        lines = [("", "Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)")]
        for row in self.frame.to_dict("records"):
            shown = [number_text(row[c]) for c in ("sum_sq", "mean_sq", "df_numerator", "df", "statistic")]
            lines.append((row["term"], *shown, p_text(row["p_value"])))
        head = f"Type {self.type} Analysis of Variance Table with {DDF_WORDS[self.ddf]}"
        return "\n".join([head, *columns_text(lines, left=1), *self.notes])


def anova(fit: Estimates, precision: Precision, frame: pd.DataFrame, kind: str, formula: str) -> AnovaTable:
    """Return the F table of a fit; see ``MixedFit.anova``."""
    check_option("type", kind, TYPES)
    rows, untested = [], []
    for term, hypothesis in term_hypotheses(fit.design, frame, kind).items():
        if not len(hypothesis):
            untested.append(term)
            rows.append((term, *[np.nan] * 6))
            continue
        found = precision.f(hypothesis, hypothesis @ fit.beta)
        mean = found.statistic / found.scaling * fit.sigma**2
        p = float(f_upper(found.statistic, found.df_numerator, found.df))
        rows.append((term, mean * found.df_numerator, mean, found.df_numerator, found.df, found.statistic, p))
    columns = ["term", "sum_sq", "mean_sq", "df_numerator", "df", "statistic", "p_value"]
    notes = []
    if untested:
        notes.append(
            f"Not tested, because none of its columns could be told from earlier terms: {', '.join(untested)}."
        )
    if fit.design.dropped:
        notes.append(
            f"Columns were dropped as redundant ({', '.join(fit.design.dropped)}): some cells may be empty, and the "
            "hypotheses of terms that are part of interactions are then about the cells that are there."
        )
    table = pd.DataFrame(rows, columns=columns)
    table.attrs.update(df_method=precision.method, type=kind)
    return AnovaTable(table, kind, precision.method, formula, fit.design.sample.n_used, tuple(notes))
