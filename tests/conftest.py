"""For every test: repeatable property tests, and the count of reference quantities after a run."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print how many reference quantities were compared, excused and failed in each family."""
    counts: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            parts = report.nodeid.split("/")
            if len(parts) < 3 or parts[1] != "reference" or (outcome == "passed" and report.when != "call"):
                continue
            family = parts[2].removeprefix("test_").split(".py")[0]
            excused = dict(getattr(report, "user_properties", [])).get("excused", False)
            kind = "excused" if excused and outcome == "passed" else ("compared" if outcome == "passed" else "failed")
            counts.setdefault(family, Counter())[kind] += 1
    if counts:
        terminalreporter.section("reference quantities")
    for family in sorted(counts):
        c = counts[family]
        terminalreporter.write_line(f"{family}: {c['compared']} compared, {c['excused']} excused, {c['failed']} failed")
