from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

REFERENCE = json.loads((Path(__file__).parent / "reference" / "designs.json").read_text(encoding="utf-8"))


def r_data() -> pd.DataFrame:
    """Return the data of the reference designs with the kinds of columns that R had."""
    frame = pd.DataFrame(REFERENCE["data"])
    frame["drug"] = frame["drug"].astype(bool)
    frame["dose"] = pd.Categorical(frame["dose"], ["low", "mid", "high", "top"], ordered=True)
    return frame


def small(n: int = 40) -> pd.DataFrame:
    """Return a small frame with one column of each kind."""
    random = np.random.default_rng(20)
    return pd.DataFrame(
        {
            "y": random.normal(size=n),
            "x": random.normal(size=n) + 3,
            "time": np.tile(np.arange(4), n // 4),
            "arm": random.choice(["act", "cbt", "tau"], n),
            "drug": random.random(n) > 0.5,
            "g": np.repeat([f"p{i}" for i in range(n // 4)], 4),
        }
    )
