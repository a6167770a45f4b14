"""What the model says about rows and units: fitted values, residuals, predictions, random effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import check_option
from alliancekit.multilevel.after import predict as after_predict
from alliancekit.multilevel.result.base import FitBase
from alliancekit.study.types import frame_of

Floats = NDArray[np.float64]


class Rows(FitBase):
    """Methods about rows and units."""

    def augment(self) -> pd.DataFrame:
        """Return the rows used with fitted values and residuals (columns fitted, fixed_part, residual)."""
        return self.data.assign(
            fitted=self.fitted(), fixed_part=after_predict.fitted(self._fit, False), residual=self.residuals()
        )

    def random_effects(self) -> pd.DataFrame:
        """Return the conditional modes: group, unit, term, estimate, std_error (conditional SD, as in lme4)."""
        return after_predict.random_effects(self._fit)

    def fitted(self) -> Floats:
        """Return fitted values with random effects, one per row used."""
        return after_predict.fitted(self._fit)

    def residuals(self) -> Floats:
        """Return conditional residuals, one per row used."""
        return after_predict.residuals(self._fit)

    def predict(
        self, new: Any = None, include_random: bool = True, interval: str | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """Return estimate, std_error, conf_low, conf_high, new_group for the rows of ``new`` (default: rows used).

        ``std_error`` and the interval are those of the fixed part. ``interval`` takes None or "confidence".
        """
        check_option("interval", interval or "confidence", ("confidence",))
        frame = self.data if new is None else frame_of(new)
        return after_predict.predict(self._fit, frame, include_random, level)
