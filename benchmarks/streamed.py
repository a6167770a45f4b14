"""Fit 20 million sessions from a parquet file in chunks; write the section of benchmarks/RESULTS.md.

``python benchmarks/streamed.py`` runs 2 and 20 million rows; ``python benchmarks/streamed.py 2`` the first alone. The
smaller file is fitted in memory, too, and the estimates are compared.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from scale import put_section  # noqa: E402

HEADING = "## Larger than memory"
FORMULA = "y ~ time + x + base + (1 + time | patient) + (1 | therapist)"
SESSIONS = 12
HEAD = f"""{HEADING}

`{FORMULA}`, 12 sessions a patient, a therapist for about 83 patients (text ids), read from a parquet file in chunks
(`ak.mixed(formula, path)`); one process per size. *Memory*: peak of the whole process. *Difference*: largest difference
of an estimate from that of the same rows in memory, in standard errors.

| rows | patients | file, MB | seconds | peak memory, GB | difference |
|---:|---:|---:|---:|---:|---:|"""


def write_data(path: Path, millions: int) -> None:
    """Write so many million rows to a parquet file, a million at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(5)
    rows = millions * 1_000_000
    patients = rows // SESSIONS + 1
    therapists = max(patients // 83, 10)
    start, slope, base = rng.normal(0, 1, patients), rng.normal(0, 0.2, patients), rng.normal(size=patients)
    therapist, shift = rng.integers(0, therapists, patients), rng.normal(0, 0.5, therapists)
    writer = None
    for first in range(0, rows, 1_000_000):
        row = np.arange(first, first + 1_000_000)
        patient, time_ = row // SESSIONS, (row % SESSIONS).astype(float)
        x = rng.normal(size=row.size)
        y = 20 - 0.5 * time_ + 0.3 * x + 0.4 * base[patient] + start[patient] + slope[patient] * time_
        y += shift[therapist[patient]] + rng.normal(0, 1.5, row.size)
        names = pa.array([f"th{k:05d}" for k in therapist[patient]])
        columns = {"patient": pa.array(patient, pa.int32()), "therapist": names, "time": time_, "x": x}
        table = pa.table({**columns, "base": base[patient], "y": y})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=250_000)
    assert writer is not None
    writer.close()


def measure(path: Path, millions: int) -> dict[str, float]:
    """Fit the file in this process; return seconds, memory and, for small files, the difference from memory."""
    import alliancekit as ak

    begin = time.perf_counter()
    fit = ak.mixed(FORMULA, path)
    table = fit.tidy()
    out = {"seconds": time.perf_counter() - begin, "patients": fit.sample.groups["patient"]}
    out["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if millions <= 2:
        import pandas as pd

        whole = ak.mixed(FORMULA, pd.read_parquet(path)).tidy()
        out["difference"] = float(((table["estimate"] - whole["estimate"]) / whole["std_error"]).abs().max())
    return out


def section(sizes: tuple[int, ...]) -> list[str]:
    """Return the lines of the section."""
    lines = HEAD.split("\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sessions.parquet"
        for millions in sizes:
            write_data(path, millions)
            command = [sys.executable, __file__, "--measure", str(path), str(millions)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            found = json.loads(done.stdout)
            gap = f"{found['difference']:.1e}" if "difference" in found else ""
            size = path.stat().st_size / 2**20
            cells = [f"{millions},000,000", f"{found['patients']:,}", f"{size:.0f}", f"{found['seconds']:.1f}"]
            cells += [f"{found['memory']:.2f}", gap]
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1])
    return [*lines, ""]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        chosen = tuple(n for n in (2, 20) if n <= (int(sys.argv[1]) if len(sys.argv) > 1 else 20))
        put_section(HERE / "RESULTS.md", HEADING, section(chosen))
