"""The same model once more: on another response, by the other criterion."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from alliancekit.core.errors import BoundaryWarning, DesignError, check_option, message
from alliancekit.multilevel.gaussian import fit as gaussian
from alliancekit.multilevel.notices import search_notices
from alliancekit.multilevel.result.base import FitBase


class Again(FitBase):
    """Methods that fit again."""

    def refit(self, y: ArrayLike) -> Self:
        """Return the same model fitted to another response, one value per row used; the design is not built again."""
        values = np.asarray(y, dtype=float)
        if values.shape != (self.nobs,) or not np.isfinite(values).all():
            raise DesignError(
                message(
                    f"the new response has shape {values.shape}",
                    do=f"Give {self.nobs} finite numbers, one per row used",
                )
            )
        fitted = gaussian.refit(self._fit, values)
        notes = search_notices(fitted, self.formula, stacklevel=3)
        return type(self)(self._spec, fitted, self._frame, notes, self.labels)

    def with_method(self, method: str) -> Self:
        """Return the same model fitted by the other criterion ("REML" or "ML")."""
        check_option("method", method, ("REML", "ML"))
        if method == self.method:
            return self
        fitted = gaussian.change_criterion(self._fit, method == "REML")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BoundaryWarning)
            notes = search_notices(fitted, self.formula, stacklevel=3)
        spec = replace(self._spec, method=method)
        return type(self)(spec, fitted, self._frame, tuple(dict.fromkeys([*self.warnings, *notes])), self.labels)
