"""Estimated marginal means: the model's mean in each cell, at stated covariate values, averaged over everything else.

Source: Searle, Speed & Milliken (1980), Am Stat 34, 216-221.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.contrast_rows import RowInference
from alliancekit.multilevel.after.contrasts import Contrasts, contrasts_of
from alliancekit.multilevel.after.grid_values import check_names, chosen_values
from alliancekit.multilevel.after.margins import Margin, make_setting
from alliancekit.multilevel.after.margins_text import margin_text
from alliancekit.multilevel.after.reference_grid import WEIGHTS, averaged_lines, make_coder
from alliancekit.multilevel.after.response_scale import ResponseScale

_PRINTED = {"mean": "emmean", "probability": "prob", "rate": "rate", "response": "response"}


@dataclass(frozen=True, slots=True, eq=False)
class MarginalMeans(Margin):
    """Estimated marginal means (read-only). Made by ``fit.means``.

    Attributes
    ----------
    setting : where they hold: what was averaged over, at which covariate values. scale : response or link.
    level : of the intervals. lines : weights of the fixed effects, one row per mean. inference : covariance and df.
    """

    def tidy(self) -> pd.DataFrame:
        """Return one row per mean: term, a column for each factor, estimate, std_error, df, conf_low, conf_high."""
        frame = self.estimates()
        out = self.labelled(self.scale.means(frame).drop(columns=["statistic", "p_value"]))
        out.attrs.update(
            df_method=self.inference.method, level=self.level, scale=self.scale.word, quantity=self.scale.mean_name
        )
        return out

    def glance(self) -> pd.DataFrame:
        """Return one row: how many means, over how many rows, and how they were made."""
        return self.overview("n_means")

    def contrasts(
        self,
        method: str | Mapping[str, Any] = "pairwise",
        *,
        interaction: bool | str | Sequence[str] = False,
        adjust: str | None = None,
    ) -> Contrasts:
        """Return contrasts among these means, within each group of ``by``; see ``fit.contrasts``."""
        return contrasts_of(self, method, interaction, adjust)

    def __repr__(self) -> str:
        title = f"Estimated marginal means of {self.setting.response}"
        return margin_text(self, self.tidy(), title, _PRINTED[self.scale.mean_name])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def marginal_means(
    design: Design,
    frame: pd.DataFrame,
    inference: RowInference,
    scale: ResponseScale,
    factors: str | Sequence[str],
    *,
    at: Mapping[str, Any] | None,
    by: str | Sequence[str] | None,
    level: float,
    weights: str,
) -> MarginalMeans:
    """Return the means of the cells of ``factors`` within ``by``; ``frame`` holds the rows used."""
    check_level(level)
    check_option("weights", weights, WEIGHTS)
    coder = make_coder(design, frame)
    groups = check_names(by, coder.variables, "by")
    shown = tuple(n for n in check_names(factors, coder.variables, "factors") if n not in groups)
    if not shown and groups:
        do = 'Name the factor whose means are wanted first: fit.means("arm", by="site")'
        raise SpecError(message("factors names nothing beside by", where=", ".join(groups), do=do))
    values = chosen_values(coder.variables, at)
    lines, _, _ = averaged_lines(coder, values, (*shown, *groups), weights)
    setting = make_setting(design, coder.variables, values, shown, groups, weights, list(at or ()))
    return MarginalMeans(setting, scale, level, lines, inference)
