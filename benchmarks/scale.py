"""Time ak.mixed from 10^3 to 10^7 rows, and write the section on scale of benchmarks/RESULTS.md.

Every size is a process of its own, so that its peak of memory is its own. The floor is one pass: one evaluation of the
objective with its gradient over the cross-products, of which a fit needs a number that does not depend on the rows.

``python benchmarks/scale.py`` runs all sizes; ``python benchmarks/scale.py 5`` those up to 10^5 rows.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from data import CASES, growth  # noqa: E402

SESSIONS = 12
FORMULA = CASES["3-level growth, 200 x 12"][1]
EXPONENTS = (3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7)
HEADING = "## How cost grows with the rows"
HEAD = """{heading}

3-level growth, `{formula}`, 20 patients per therapist, integer ids; one process per size. *Fit*: the public call, from
the frame to estimates and standard errors. Its parts: *design*, columns from formula and frame; *products*, forming the
cross-products of the rows, once per fit; *pass*, one objective with gradient over the cross-products, of which a fit
needs about ten whatever its size. *Memory*: peak of the process beyond what it had with packages and data loaded;
*data*: size of the frame.
"""
TABLE = """| rows | patients | fit, s | design, s | products, s | pass, s | µs per row | data, MB | memory, MB |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""
SHARES = {"Every patient has 12 sessions": 1.0, "A fifth of the sessions is missing, rows in no order": 0.8}


def median_seconds(call: Callable[[], object], least: int, most: int, enough: float) -> float:
    """Return the median time of at least ``least`` and at most ``most`` calls, until ``enough`` seconds are spent."""
    seconds: list[float] = []
    while len(seconds) < least or (len(seconds) < most and sum(seconds) < enough):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def floor_seconds(fit: Any, frame: Any) -> dict[str, float]:
    """Return seconds of the design, the cross-products and one pass over them. The only place that knows the engine."""
    from alliancekit.formula.design import build_design
    from alliancekit.multilevel.gaussian.design import build
    from alliancekit.multilevel.gaussian.optimise import criterion

    found = fit._fit
    return {
        "design": median_seconds(lambda: build_design(FORMULA, frame), 1, 7, 1.0),
        "products": median_seconds(lambda: build(fit.design), 1, 7, 1.0),
        "pass": median_seconds(lambda: criterion(found.engine, found.optimum.theta, True), 3, 25, 0.5),
    }


def peak_megabytes() -> float:
    """Return the highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path: str) -> dict[str, float]:
    """Fit the data of a file in this process; return seconds and megabytes."""
    import pandas as pd
    import pyarrow.parquet as pq

    import alliancekit as ak

    ak.mixed(FORMULA, growth(20))  # load what a fit loads
    columns = pq.ParquetFile(path).schema_arrow.names
    frame = pd.concat([pq.read_table(path, columns=[name]).to_pandas() for name in columns], axis=1)
    before = peak_megabytes()
    start = time.perf_counter()
    fit = ak.mixed(FORMULA, frame)
    _ = fit.fixed_effects, fit.vcov()
    first = time.perf_counter() - start
    memory = peak_megabytes() - before
    again = median_seconds(lambda: ak.mixed(FORMULA, frame).vcov(), 3, 7, 1.0) if first < 5.0 else first
    return {
        "rows": len(frame),
        "patients": fit.sample.groups["patient"],
        "fit": min(first, again),
        **floor_seconds(fit, frame),
        "data": float(frame.memory_usage().sum()) / 2**20,
        "memory": memory,
    }


def write_data(rows: int, share: float, path: Path) -> None:
    """Write growth data of about so many rows to a parquet file, with integers for ids."""
    frame = growth(max(round(rows / SESSIONS / share), 20), SESSIONS)
    if share < 1.0:
        frame = frame.sample(frac=share, random_state=4).reset_index(drop=True)
    for name in ("patient", "therapist"):
        frame[name] = frame[name].str[1:].astype("int64")
    frame.to_parquet(path)


def in_child(*arguments: str) -> str:
    """Run this script in a process of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, timeout=1800, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


def line(found: dict[str, float]) -> str:
    """Return one line of the table."""
    cells = (
        f"{found['rows']:,}",
        f"{found['patients']:,}",
        *(f"{found[name]:.3g}" for name in ("fit", "design", "products", "pass")),
        f"{1e6 * found['fit'] / found['rows']:.2f}",
        *(f"{found[name]:,.0f}" for name in ("data", "memory")),
    )
    return f"| {' | '.join(cells)} |"


def scale_section(largest: float = EXPONENTS[-1], show: Callable[[str], object] = print) -> list[str]:
    """Measure every size up to 10^largest rows; return the lines of the section, and show each size as it comes."""
    lines = HEAD.format(heading=HEADING, formula=FORMULA).rstrip("\n").split("\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.parquet"
        for title, share in SHARES.items():
            lines += ["", f"{title}:", "", *TABLE.split("\n")]
            show(title)
            for exponent in (e for e in EXPONENTS if e <= largest):
                in_child("--write", str(round(10**exponent)), str(share), str(path))
                lines.append(line(json.loads(in_child("--measure", str(path)))))
                show(lines[-1])
    return [*lines, ""]


def put_section(path: Path, heading: str, lines: list[str]) -> None:
    """Put a section into a page, in place of the section of that heading, or at the end."""
    old = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
    start = old.index(heading) if heading in old else len(old)
    ends = [i for i, text in enumerate(old) if i > start and text.startswith("## ")]
    after = old[ends[0] :] if ends else []
    before = "\n".join(old[:start]).rstrip("\n")
    page = [*([before, ""] if before else []), *lines, *after]
    path.write_text("\n".join(page).rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write_data(int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
    elif sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        put_section(
            HERE / "RESULTS.md", HEADING, scale_section(float(sys.argv[1]) if len(sys.argv) > 1 else EXPONENTS[-1])
        )
