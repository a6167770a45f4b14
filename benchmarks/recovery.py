"""Write benchmarks/RECOVERY.md: bias, coverage and Type I error with few therapists, by df method.

Takes about ten minutes on one core. The seeds are those of tests/recovery/test_therapists.py.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import pandas as pd  # noqa: E402
from rich.progress import track  # noqa: E402
from tests.recovery.test_therapists import SEED  # noqa: E402
from tests.recovery.therapists import Setting, study  # noqa: E402

SETTINGS = [
    *(Setting("one_row", k, 8, icc) for k, icc in ((6, 0.30), (10, 0.30), (8, 0.10), (20, 0.10), (40, 0.10))),
    *(Setting("sessions", k, 8, 0.10) for k in (6, 10, 20, 40)),
]
HEAD = """# Recovery: effects at three levels with few therapists

Made by `python benchmarks/recovery.py`. Every effect is tested at its true value, so "Type I" is the share of p values
below .05 where .05 is right; its Monte Carlo standard error stands behind it. Designs: `one_row` has one row per
patient and a predictor of the therapist; `sessions` has six sessions per patient and a predictor with effects within
patients (.30), between patients (.30) and between therapists (0). Eight patients per therapist. "singular": share of
fits with a variance at zero. REML.

| design | therapists | ICC | effect | df | R | bias (MC SE) | coverage | Type I (MC SE) | singular |
|---|---:|---:|---|---|---:|---:|---:|---:|---:|
"""


def line(row: pd.Series) -> str:
    cells = [
        row["design"],
        f"{row['therapists']}",
        f"{row['icc']:.2f}",
        row["term"],
        row["ddf"],
        f"{row['R']}",
        f"{row['bias']:+.4f} ({row['bias_se']:.4f})",
        f"{row['coverage']:.3f}",
        f"{row['type_1']:.3f} ({row['type_1_se']:.3f})",
        f"{row['singular']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main(replicates: int = 1000) -> None:
    lines = []
    for number, setting in enumerate(track(SETTINGS, "recovery")):
        found = study(setting, replicates, SEED + 100 + number)
        lines += [line(row) for _, row in found.iterrows()]
    (Path(__file__).parent / "RECOVERY.md").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
