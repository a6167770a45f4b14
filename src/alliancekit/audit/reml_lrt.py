"""Likelihood-ratio tests of fixed effects: REML likelihoods of different fixed parts cannot be compared.

Source: Pinheiro & Bates (2000, Mixed-effects models in S and S-PLUS, section 2.4.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alliancekit.audit.context import Context
from alliancekit.audit.types import NOT_CHECKED, PASS, REFUSE, Check
from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.api import MixedFit

NAME = "likelihood-ratio tests"


def check(context: Context) -> Check:
    """Refuse comparisons of REML fits whose fixed parts differ."""
    compared = [_fits(c) for c in context.asked.comparisons]
    if context.kind == "prediction":
        steps = [f for name, f in context.step_fits.items() if isinstance(f, MixedFit) and name != "final, REML"]
        compared += [steps] if len(steps) > 1 else []
    if not compared:
        need = "No comparison of models was handed over."
        return Check(NAME, NOT_CHECKED, need, "Give comparisons=[ak.compare(fit0, fit1)] where a claim rests on one.")
    wrong = sum(_wrong(fits) for fits in compared)
    if wrong:
        evidence = (
            f"{wrong} of {len(compared)} comparisons use REML likelihoods of models with different fixed effects."
        )
        return Check(
            NAME, REFUSE, evidence, "Refit with method='ML' (ak.compare does it), then test.", {"wrong": wrong}
        )
    return Check(NAME, PASS, f"{len(compared)} of {len(compared)} comparisons use likelihoods that can be compared.")


def _fits(comparison: Any) -> list[MixedFit]:
    held = getattr(comparison, "fits", comparison)
    fits = list(held) if isinstance(held, Iterable) else [held]
    if not all(isinstance(f, MixedFit) for f in fits):
        raise SpecError(message("comparisons= holds something else", do="Give results of ak.compare or lists of fits"))
    return fits


def _wrong(fits: list[MixedFit]) -> bool:
    fixed = {tuple(sorted(f.design.names)) for f in fits}
    return len(fixed) > 1 and any(f.method == "REML" for f in fits)
