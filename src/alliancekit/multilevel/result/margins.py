"""Means, contrasts, simple slopes and effect sizes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from alliancekit.core.errors import DesignWarning
from alliancekit.multilevel.after import coefficients as after_coefficients
from alliancekit.multilevel.after import means as after_means
from alliancekit.multilevel.after import slopes as after_slopes
from alliancekit.multilevel.after.contrast_rows import RowInference, row_inference
from alliancekit.multilevel.after.contrasts import Contrasts
from alliancekit.multilevel.after.margins import Margin
from alliancekit.multilevel.after.means import MarginalMeans
from alliancekit.multilevel.after.response_scale import make_scale
from alliancekit.multilevel.after.slopes import Slopes
from alliancekit.multilevel.result.base import FitBase

M = TypeVar("M", bound=Margin)


class Margins(FitBase):
    """Methods that ask the fixed part for its mean, a difference or a slope somewhere."""

    def means(
        self,
        factors: str | Sequence[str],
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        scale: str = "response",
        weights: str = "equal",
    ) -> MarginalMeans:
        return self._warned(self._means(factors, at, by, ddf, level, scale, weights))

    def _means(
        self,
        factors: str | Sequence[str],
        at: Mapping[str, Any] | None,
        by: str | Sequence[str] | None,
        ddf: str | None,
        level: float,
        scale: str,
        weights: str,
    ) -> MarginalMeans:
        return after_means.marginal_means(
            self._fit.design,
            self.data,
            self._row_inference(ddf),
            make_scale(scale, getattr(self._fit, "link", None), self.family),
            factors,
            at=at,
            by=by,
            level=level,
            weights=weights,
        )

    def contrasts(
        self,
        factors: str | Sequence[str],
        method: str | Mapping[str, Any] = "pairwise",
        *,
        at: Mapping[str, Any] | None = None,
        by: str | Sequence[str] | None = None,
        interaction: bool | str | Sequence[str] = False,
        adjust: str | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        scale: str = "response",
        weights: str = "equal",
    ) -> Contrasts:
        means = self._warned(self._means(factors, at, by, ddf, level, scale, weights))
        return means.contrasts(method, interaction=interaction, adjust=adjust)

    def slopes(
        self,
        variable: str,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        regions: str | None = None,
        ddf: str | None = None,
        level: float = 0.95,
        weights: str = "equal",
    ) -> Slopes:
        slopes = after_slopes.simple_slopes(
            self._fit.design,
            self.data,
            self._row_inference(ddf),
            make_scale("link", getattr(self._fit, "link", None), self.family),
            variable,
            by=by,
            at=at,
            level=level,
            weights=weights,
            regions=regions,
        )
        return self._warned(slopes)

    @staticmethod
    def _warned(result: M) -> M:
        """Warn of values outside the data, in the name of the caller's caller."""
        for text in result.setting.outside:
            warnings.warn(text, DesignWarning, stacklevel=3)
        return result

    def _row_inference(self, ddf: str | None) -> RowInference:
        word = after_coefficients.check_ddf(ddf)
        return row_inference(self._fit, word, self._uncertainty if word == "satterthwaite" else None)
