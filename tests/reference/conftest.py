"""Reference models are those of R, which says nothing of predictors with one slope for two levels."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/reference/" in str(item.path) or "/tests/crosscheck/" in str(item.path):
            item.add_marker(
                pytest.mark.filterwarnings(
                    "ignore:.*within and between the units:alliancekit.core.errors.DesignWarning"
                )
            )
