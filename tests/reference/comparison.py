"""Shared by the reference tests: tolerances by kind of number, and the reasons for what is not compared."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
TOLERANCES = tomllib.loads((HERE / "tolerances.toml").read_text())


def load_case(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return model.json and expected.json of a case."""
    return json.loads((folder / "model.json").read_text()), json.loads((folder / "expected.json").read_text())


def assert_close(ours: Any, reference: Any, kind: str, what: str) -> None:
    """Fail where any number differs from the reference by more than the tolerance of its kind."""
    tolerance = TOLERANCES[kind]
    a, b = np.asarray(ours, dtype=float), np.asarray(reference, dtype=float)
    assert a.shape == b.shape, f"{what}: {a.shape} numbers where R has {b.shape}"
    assert (np.isnan(a) == np.isnan(b)).all(), f"{what}: missing where R is not, or the other way round: {a} and {b}"
    known = ~np.isnan(b)
    gap = np.abs(a[known] - b[known])
    limit = tolerance["abs"] + tolerance["rel"] * np.abs(b[known])
    worst = int(np.argmax(gap - limit)) if gap.size else 0
    assert not gap.size or (gap <= limit).all(), f"{what}: {a[known][worst]!r} where R has {b[known][worst]!r}"


def not_compared(folder: Path) -> dict[str, str]:
    """Return quantity -> statistical reason, from the family's not_compared.toml."""
    path = folder / "not_compared.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}
