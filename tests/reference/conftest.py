"""For the tests against R: what they compared goes into their reports; R says nothing of slopes for two levels."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.reference.comparison import GAINS, LEDGER


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/reference/" in str(item.path) or "/tests/crosscheck/" in str(item.path):
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:.*within and between the units:alliancekit.core.errors.DesignWarning"
                )
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Hand on the comparisons of a test with its report."""
    LEDGER.clear()
    GAINS.clear()
    try:
        return (yield)
    finally:
        item.user_properties.append(("numbers", [list(entry) for entry in LEDGER]))
        item.user_properties.append(("gains", [list(entry) for entry in GAINS]))
