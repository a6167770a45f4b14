"""Prints, after a run, how many reference quantities were compared, excused and failed in each family."""

from __future__ import annotations

from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
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
