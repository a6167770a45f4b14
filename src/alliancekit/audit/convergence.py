"""Convergence: estimates from a search that stopped early are not estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alliancekit.audit.context import Context
from alliancekit.audit.types import PASS, REFUSE, Check

NAME = "convergence"


def check(context: Context) -> Check:
    """Refuse a result any of whose mixed fits did not converge."""
    fits = _mixed_fits(context)
    if not fits:
        return Check(NAME, PASS, "Least squares needs no search.")
    failed = [name for name, fit in fits.items() if not fit.converged]
    if failed:
        evidence = f"The search stopped before the optimum in {len(failed)} of {len(fits)} fits ({', '.join(failed)})."
        advice = "Rescale predictors of very different size, or leave out a random slope that the data cannot carry."
        return Check(NAME, REFUSE, evidence, advice, {"failed": float(len(failed))})
    return Check(NAME, PASS, f"The search reached the optimum in {len(fits)} of {len(fits)} fits.")


def _mixed_fits(context: Context) -> Mapping[str, Any]:
    if context.kind == "multilevel":
        return {"this fit": context.fit}
    return {name: fit for name, fit in context.step_fits.items() if hasattr(fit, "converged") and hasattr(fit, "sigma")}
