"""Time the mixed-model engine beside its peers in one run and write benchmarks/RESULTS.md.

Timed is the public call, from frame and formula to estimates and standard errors, on one core with one BLAS thread; the
median of several calls. A peer that is not installed is shown as absent; one that takes over the limit is stopped.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

sys.path.insert(0, str(Path(__file__).parent))
from cases_families import family_sections  # noqa: E402
from data import CASES, growth  # noqa: E402
from fresh import fresh_lines  # noqa: E402

LIMIT = 40.0
REPLICATES, PEER_REPLICATES = 1000, 100  # of the parametric bootstrap; the peer's time is scaled up
KENWARD_ROGER = "Kenward-Roger table"
PBKRTEST_ROWS = 3_000  # its n x n matrices take minutes and gigabytes above
HERE = Path(__file__).parent


def repeats(rows: int) -> int:
    return 7 if rows < 30_000 else 3


def time_ours(frame: Any, formula: str) -> list[dict[str, Any]]:
    import alliancekit as ak

    fits, tables, adjusted = [], [], []
    fit = ak.mixed(formula, frame)
    for _ in range(repeats(len(frame))):
        start = time.perf_counter()
        fit = ak.mixed(formula, frame)
        _ = fit.fixed_effects, fit.vcov()
        fits.append(time.perf_counter() - start)
        fit.tidy()
        tables.append(time.perf_counter() - start)
        start = time.perf_counter()
        ak.mixed(formula, frame).tidy(ddf="kenward-roger")
        adjusted.append(time.perf_counter() - start)
    name = f"alliancekit {ak.__version__}"
    return [
        {"engine": name, "seconds": statistics.median(fits), "log_likelihood": fit.log_likelihood},
        {
            "engine": f"{name}, fit and table",
            "seconds": statistics.median(tables),
            "log_likelihood": fit.log_likelihood,
        },
        {
            "engine": f"{name}, fit and {KENWARD_ROGER}",
            "seconds": statistics.median(adjusted),
            "log_likelihood": fit.log_likelihood,
        },
    ]


def time_mixedlm(frame: Any, formula: str) -> dict[str, Any]:
    import mixedlm

    seconds = []
    result: Any = None
    for _ in range(repeats(len(frame))):
        start = time.perf_counter()
        result = mixedlm.lmer(formula, frame)
        seconds.append(time.perf_counter() - start)
    version = getattr(mixedlm, "__version__", "")
    value = result.logLik()
    number = float(getattr(value, "value", value))
    return {"engine": f"mixedlm {version}", "seconds": statistics.median(seconds), "log_likelihood": number}


def time_statsmodels(frame: Any, formula: str) -> dict[str, Any]:
    import statsmodels
    import statsmodels.formula.api as smf

    fixed = formula.split("+ (")[0].strip()
    if "therapist)" in formula:
        call = {"groups": "therapist", "re_formula": "1", "vc_formula": {"patient": "0 + C(patient)"}}
        note = "without the random slope, which it cannot nest"
    elif "rater" in formula:
        return {
            "engine": f"statsmodels {statsmodels.__version__}",
            "note": "not timed: crossed effects need one group of all rows",
        }
    elif "time | patient" in formula:
        call, note = {"groups": "patient", "re_formula": "~time"}, ""
    else:
        call, note = {"groups": "group"}, ""
    start = time.perf_counter()
    result = smf.mixedlm(fixed, frame, **call).fit()
    seconds = time.perf_counter() - start
    return {
        "engine": f"statsmodels {statsmodels.__version__}",
        "seconds": seconds,
        "log_likelihood": float(result.llf),
        "note": note,
    }


def _child(function: Any, frame: Any, formula: str, queue: Any) -> None:
    warnings.simplefilter("ignore")
    try:
        queue.put(function(frame, formula))
    except Exception as error:
        queue.put(
            {
                "engine": function.__name__.removeprefix("time_"),
                "note": f"failed: {type(error).__name__}: {error}"[:160],
            }
        )


def limited(function: Any, frame: Any, formula: str) -> dict[str, Any]:
    """Run a peer in its own process; stop it at the limit."""
    queue: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_child, args=(function, frame, formula, queue))
    process.start()
    try:
        found: dict[str, Any] = queue.get(timeout=LIMIT)
    except Exception:
        found = {"engine": function.__name__.removeprefix("time_"), "note": f"stopped after {LIMIT:.0f} s"}
    process.terminate()
    process.join()
    return found


def time_r(frame: Any, formula: str, replicates: int = 0) -> list[dict[str, Any]]:
    if shutil.which("Rscript") is None:
        return [{"engine": "lme4", "note": "absent: R is not installed"}]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        frame.to_csv(path, index=False)
        count = "3" if len(frame) < 30_000 else "1"
        table = "yes" if "therapist" in formula else "no"
        adjusted = "yes" if "therapist" in formula and len(frame) <= PBKRTEST_ROWS else "no"
        if replicates:
            count, table, adjusted = "1", "no", "no"
        call = ["Rscript", str(HERE / "peers.R"), str(path), formula, count, table, adjusted, str(replicates)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        return [{"engine": "lme4", "note": f"failed: {done.stderr.strip().splitlines()[-1][:120]}"}]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def bootstrap_lines() -> list[str]:
    """Time the parametric bootstrap, 3 levels, 200 patients x 12."""
    import alliancekit as ak

    frame, formula = growth(200), CASES["3-level growth, 200 x 12"][1]
    fit = ak.mixed(formula, frame)
    seconds = []
    for seed in range(5):
        start = time.perf_counter()
        fit.bootstrap(REPLICATES, seed=seed)
        seconds.append(time.perf_counter() - start)
    ours = statistics.median(seconds)
    lines = [
        f"## Parametric bootstrap of the 3-level model, 200 x 12, {REPLICATES:,} replicates",
        "",
        "| engine | s | times ours | note |",
        "|---|---:|---:|---|",
        f"| alliancekit {ak.__version__} | {ours:.2f} | 1.0 | simulation, refits and estimates |",
    ]
    for row in time_r(frame, formula, PEER_REPLICATES):
        if "seconds" not in row:
            lines += [f"| {row['engine']} | | | {row['note']} |"] if row["engine"] != "note" else []
        elif "bootMer" in row["engine"]:
            scaled = row["seconds"] * REPLICATES / PEER_REPLICATES
            note = f"{PEER_REPLICATES} replicates in {row['seconds']:.2f} s, times {REPLICATES // PEER_REPLICATES}"
            lines.append(f"| {row['engine']} | {scaled:.2f} | {scaled / ours:.1f} | {note} |")
    return [*lines, ""]


def main() -> None:
    lines = [
        "# Benchmark of the mixed-model engine",
        "",
        f"{platform.platform()}, Python {platform.python_version()}, one core, one BLAS thread.",
        "",
    ]
    notes = set()
    for case, (make, formula) in CASES.items():
        frame = make()
        peers = [limited(function, frame, formula) for function in (time_mixedlm, time_statsmodels)]
        rows = [*time_ours(frame, formula), *peers]
        rows += time_r(frame, formula)
        notes |= {r["text"] for r in rows if r["engine"] == "note"}
        rows = [r for r in rows if r["engine"] != "note"]
        base, base_table, base_adjusted = (row["seconds"] for row in rows[:3])
        best = max(r["log_likelihood"] for r in rows[:1])
        lines += [
            f"## {case}",
            "",
            f"`{formula}`, {len(frame):,} rows",
            "",
            "| engine | ms | times ours | log-likelihood minus ours | note |",
            "|---|---:|---:|---:|---|",
        ]
        for r in rows:
            if "seconds" not in r:
                lines.append(f"| {r['engine']} | | | | {r['note']} |")
                continue
            against = base_table if "table" in r["engine"] else base
            against = base_adjusted if KENWARD_ROGER in r["engine"] else against
            gap = r["log_likelihood"] - best
            lines.append(
                f"| {r['engine']} | {1000 * r['seconds']:.1f} | {r['seconds'] / against:.1f} | {gap:+.4f} | "
                f"{r.get('note', '')} |"
            )
        lines.append("")
        print("\n".join(lines[-len(rows) - 6 :]), flush=True)
    for more in (bootstrap_lines(), fresh_lines()):
        lines += more
        print("\n".join(more), flush=True)
    lines += family_sections()
    lines += [*sorted(notes), ""]
    (HERE / "RESULTS.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
