"""Models of tests/reference/sem_bootstrap and the rows of their bootstrap samples. python sem_bootstrap.py FOLDER

Writes cases.json, from which sem_bootstrap.R makes expected.json. Data: sem_models/data.csv, items cut in categories.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from tests.reference.test_sem_bootstrap import CASES, SAMPLES, SEED, boot_data

from alliancekit.core.seeds import spawn
from alliancekit.structural.after.draws import Draws


def drawn(scheme: str) -> list[dict[str, list[int]]]:
    """Return the numbers (from 1) of the rows of each sample, and of their clusters."""
    data = boot_data()
    groups = (
        [np.flatnonzero(data["g2"] == g) for g in data["g2"].unique()] if scheme == "g2" else [np.arange(len(data))]
    )
    clusters = tuple(data["cl"].to_numpy()[own] - 1 if scheme == "cl" else None for own in groups)
    draws = Draws(tuple(own[:, None].astype(float) for own in groups), clusters)
    out = []
    for seed in spawn(SEED, SAMPLES):
        parts = draws.sample(seed)
        rows = [int(row) + 1 for part, _ in parts for row in part[:, 0]]
        out.append({"rows": rows, "clusters": [int(c) for _, own in parts if own is not None for c in own]})
    return out


schemes = {scheme: drawn(scheme) for scheme in ("rows", "g2", "cl")}
text = json.dumps({"samples": schemes, "cases": CASES}, indent=1)
Path(sys.argv[1], "cases.json").write_text(text, encoding="utf-8")
