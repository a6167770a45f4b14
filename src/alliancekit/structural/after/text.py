"""The printed summary of a structural model, in the order and under the headings that users of lavaan know."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alliancekit.structural.after import text_fit, text_measures, text_rows
from alliancekit.structural.estimates import StructuralEstimates


def summary_text(
    fit: StructuralEstimates,
    table: pd.DataFrame,
    measures: pd.Series,
    notes: Sequence[str],
    *,
    standardized: bool = False,
    fit_measures: bool = False,
    rsquare: bool = False,
    ci: bool = False,
) -> str:
    """Return the summary; ``table`` as ``tidy`` returns it, ``measures`` as ``fit_measures`` does.

    standardized, ci : more columns. fit_measures, rsquare : more sections.
    """
    lines = [*text_fit.head(fit), "", *text_fit.tests(fit, measures), ""]
    if fit_measures:
        lines += [*text_measures.fit_measures(fit, measures), ""]
    lines += text_fit.how_estimated(fit)
    errors = text_fit.has_errors(fit)
    columns = ["estimate", *(["std_error", "statistic", "p_value"] if errors else [])]
    columns += ["conf_low", "conf_high"] if ci and errors else []
    columns += ["std_lv", "std_all"] if standardized else []
    lines += text_rows.parameters(fit, table, columns, rsquare=rsquare)
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"
