"""For every test: repeatable property tests, and the account of the reference quantities after a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.reference import results

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--reference-page", help="write the account of the reference quantities to this file")


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """Let a whole run fail where docs/reference_results.md has other counts than the tests."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    chosen = session.config.option.keyword or session.config.getoption("--reference-page")
    if exitstatus == 0 and not chosen and results.outdated(results.collect(reporter.stats)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: Any) -> None:
    """Print how many reference quantities were compared, excused and failed, and the worst difference of each kind."""
    families = results.collect(terminalreporter.stats)
    if not families:
        return
    terminalreporter.section("reference quantities")
    for line in results.lines(families):
        terminalreporter.write_line(line)
    target = config.getoption("--reference-page")
    if target:
        Path(target).write_text(results.page(families), encoding="utf-8")
    elif not config.option.keyword and (names := results.outdated(families)):
        terminalreporter.write_line(
            f"docs/reference_results.md has other counts for {', '.join(names)}. Run: python docs/make_reference.py",
            red=True,
        )
