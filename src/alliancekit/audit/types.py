"""What a check returns, and the report of all checks on one result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from alliancekit.core.errors import SpecError, message, nearest

PASS, WARN, REFUSE, NOT_CHECKED = "pass", "warn", "refuse", "not checked"
STATUSES = (PASS, WARN, REFUSE, NOT_CHECKED)


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    name : what was checked, in words, such as "number of clusters".
    status : "pass", "warn", "refuse" (the claim must not be made from this result) or "not checked".
    evidence : what was found, with numbers; for "not checked": which information is lacking.
    advice : what to do; empty where the check passed.
    numbers : the numbers behind the evidence, full precision.
    """

    name: str
    status: str
    evidence: str
    advice: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise SpecError(
                message(f"status={self.status!r} is not an option", do=f"Use one of: {', '.join(STATUSES)}")
            )


@dataclass(frozen=True, eq=False)
class AssumptionReport:
    """All checks on one result.

    Attributes
    ----------
    subject : the result that was checked.
    checks : the outcomes, in the order of the catalogue.

    Examples
    --------
    >>> report = AssumptionReport("a fit", (Check("timing", "pass", "the alliance was rated before the outcome"),))
    >>> report.refused, report.tidy()["status"].tolist()
    (False, ['pass'])
    """

    subject: Any
    checks: tuple[Check, ...]

    @property
    def refused(self) -> bool:
        """True where a check refuses: a report then withholds its headline."""
        return any(c.status == REFUSE for c in self.checks)

    def count(self, status: str) -> int:
        """Return the number of checks with a status."""
        return sum(c.status == status for c in self.checks)

    def check(self, name: str) -> Check:
        """Return one check by its name; SpecError names the nearest."""
        for found in self.checks:
            if found.name == name:
                return found
        names = [c.name for c in self.checks]
        close = nearest(name, names)
        hint = f"Did you mean '{close}'? " if close else ""
        raise SpecError(message(f"there is no check '{name}'", do=f"{hint}Checks are: {', '.join(names)}"))

    def tidy(self) -> pd.DataFrame:
        """Return one row per check: check, status, evidence, advice."""
        rows = [(c.name, c.status, c.evidence, c.advice) for c in self.checks]
        return pd.DataFrame(rows, columns=["check", "status", "evidence", "advice"])

    def glance(self) -> pd.DataFrame:
        """Return one row: number of checks with each status, and whether any refuses."""
        counts = {f"n_{status.replace(' ', '_')}": self.count(status) for status in STATUSES}
        return pd.DataFrame([{"checks": len(self.checks), **counts, "refused": self.refused}])

    def __repr__(self) -> str:
        """Show one line per check."""
        width = max((len(c.name) for c in self.checks), default=0)
        lines = [f"{c.status:<12}{c.name:<{width}}  {c.evidence}" for c in self.checks]
        return "\n".join([f"Assumption checks of {type(self.subject).__name__}", *lines])
