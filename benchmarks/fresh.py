"""Time a fresh process from its start to the first printed fit, beside R packages that print a fit."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import CASES, growth

TIMES = 7
FORMULA = CASES["3-level growth, 200 x 12"][1]
OURS = """
import sys
import pandas as pd
import alliancekit as ak
print(ak.mixed(sys.argv[2], pd.read_csv(sys.argv[1])))
"""
PANDAS = """
import sys
import pandas as pd
print(pd.read_csv(sys.argv[1]))
"""
LME4 = """
suppressMessages(library(lme4))
given <- commandArgs(trailingOnly = TRUE)
print(summary(lmer(as.formula(given[2]), read.csv(given[1]))))
"""
LAVAAN = """
suppressMessages(library(lavaan))
print(cfa("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", HolzingerSwineford1939))
"""


def fresh_lines() -> list[str]:
    """Return the lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        growth(200).to_csv(path, index=False)
        given = [str(path), FORMULA]
        calls = {
            "alliancekit, read a file, fit, print": [sys.executable, "-c", OURS, *given],
            "pandas alone, read the file, print": [sys.executable, "-c", PANDAS, *given],
        }
        for name, code in (("lavaan, fit a CFA, print", LAVAAN), ("lme4, read the file, fit, print", LME4)):
            script = Path(folder) / f"{name.split(',')[0]}.R"
            script.write_text(code)
            calls[name] = ["Rscript", str(script), *given]
        if shutil.which("Rscript") is None:
            calls = {name: call for name, call in calls.items() if call[0] != "Rscript"}
        seconds = _seconds(calls)
    lines = ["## Fresh process to the first printed fit", "", "| process | s |", "|---|---:|"]
    return [*lines, *(f"| {name} | {value} |" for name, value in seconds.items()), ""]


def _seconds(calls: dict[str, list[str]]) -> dict[str, str]:
    """Return the median time of each process; they take turns, so that all see the same load."""
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(TIMES + 1):  # in the first turn bytecode is written and files come into memory
        for name, call in calls.items():
            start = time.perf_counter()
            done = subprocess.run(call, capture_output=True, env=settings, timeout=120, check=False)
            if turn and not done.returncode:
                found[name].append(time.perf_counter() - start)
    return {name: f"{statistics.median(values):.2f}" if values else "failed" for name, values in found.items()}
