"""Modules that are loaded on first use, so that a first fit does not wait for what it does not need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module until one of its names is used; the type checker is shown the module itself.

    Examples
    --------
    >>> from alliancekit.core.later import Later
    >>> Later("math").sqrt(4.0)
    2.0
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self._module), name)

    def __repr__(self) -> str:
        return f"<module {self._module}, loaded on first use>"
