"""Rows of the bootstrap samples of tests/reference/sem_bootstrap/more.json. python sem_bootstrap_more.py FILE.csv

One line per sample: the numbers (from 1) of its rows, in the order in which ``fit.bootstrap(999, seed=11)`` draws them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tests.reference.test_sem_bootstrap import SEED, boot_data

from alliancekit.core.seeds import spawn

n = len(boot_data())
lines = [",".join(map(str, np.random.default_rng(seed).integers(0, n, n) + 1)) for seed in spawn(SEED, 999)]
Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")
