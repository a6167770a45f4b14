"""Shared by the reference tests: tolerances by kind of number, and the reasons for what is not compared."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
TOLERANCES = tomllib.loads((HERE / "tolerances.toml").read_text())
LEDGER: list[tuple[str, str, int, float]] = []
"""What the test that runs has compared: kind, name, how many numbers, worst difference over its tolerance."""
GAINS: list[tuple[str, float]] = []
"""What the test that runs has found of log-likelihoods: name, ours minus R's."""


def load_case(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return model.json and expected.json of a case."""
    return json.loads((folder / "model.json").read_text()), json.loads((folder / "expected.json").read_text())


def assert_close(ours: Any, reference: Any, kind: str, what: str) -> None:
    """Fail where any number differs from the reference by more than the tolerance of its kind."""
    tolerance = TOLERANCES[kind]
    a, b = np.asarray(ours, dtype=float), np.asarray(reference, dtype=float)
    assert a.shape == b.shape, f"{what}: {a.shape} numbers where R has {b.shape}"
    assert (np.isnan(a) == np.isnan(b)).all(), f"{what}: missing where R is not, or the other way round: {a} and {b}"
    same = np.isnan(b) | (a == b)  # infinite df are equal, their difference is not a number
    gap = np.abs(a[~same] - b[~same])
    limit = tolerance["abs"] + tolerance["rel"] * np.abs(b[~same])
    assert_within(gap, limit, kind, what, f"{a[~same].tolist()[:5]} where R has {b[~same].tolist()[:5]}", b.size)


def assert_within(gap: Any, limit: Any, kind: str, what: str, shown: str, count: int | None = None) -> None:
    """Write down the worst of some differences in units of what is allowed, and fail where it is above one."""
    gaps, limits = np.atleast_1d(np.asarray(gap, dtype=float)), np.atleast_1d(np.asarray(limit, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(gaps == 0.0, 0.0, gaps / limits)
    worst = float(ratio.max()) if ratio.size else 0.0
    LEDGER.append((kind, what, gaps.size if count is None else count, worst))
    assert worst <= 1.0, f"{what}: {shown}"


def note_gain(ours: float, reference: float, what: str = "") -> None:
    """Write down by how much our log-likelihood is the higher one."""
    GAINS.append((what, float(ours) - float(reference)))


def not_compared(folder: Path) -> dict[str, str]:
    """Return quantity -> statistical reason, from the family's not_compared.toml."""
    path = folder / "not_compared.toml"
    return tomllib.loads(path.read_text()) if path.exists() else {}
