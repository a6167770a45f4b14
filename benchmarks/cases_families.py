"""Benchmark cases beside nlme (growth, residual structures), glmer and glmmTMB (binary outcomes and counts).

``python benchmarks/cases_families.py`` times them alone and prints the section; ``run.py`` adds it to RESULTS.md.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from data import answers, counts, growth, remissions, trial  # noqa: E402

GROWTH = "symptoms ~ time + alliance_within"
NLME = "symptoms ~ time + alliance_within, data = d"
AR1 = "correlation = corAR1(form = ~ time | patient)"
TIMED_AGAIN = 1.0


@dataclass(frozen=True)
class Case:
    """A model: its data, our formula and options, factors of R's data, and R's calls as (package, text)."""

    title: str
    make: Callable[[], Any]
    formula: str
    options: Callable[[], dict[str, Any]]
    factors: str
    peers: tuple[tuple[str, str], ...]
    note: str = field(default="")


def _ar1() -> dict[str, Any]:
    import alliancekit as ak

    return {"residual_structure": ak.ar1(time="time", by="patient")}


def _unstructured() -> dict[str, Any]:
    import alliancekit as ak

    return {"residual_structure": ak.unstructured(time="visit", by="patient")}


def _both(formula: str, family: str) -> tuple[tuple[str, str], ...]:
    return (
        ("lme4", f"glmer({formula}, data = d, family = {family})"),
        ("glmmTMB", f"glmmTMB({formula}, data = d, family = {family})"),
    )


def _growth(patients: int) -> Callable[[], Any]:
    return lambda: growth(patients)


MMRM = 'gls(y ~ factor(visit) * arm, data = d, correlation = corSymm(form = ~ visit | patient), weights = varIdent(form = ~ 1 | visit))'  # fmt: skip  # noqa: E501
CASES = (
    *(
        Case(
            f"2-level growth, {patients:,} x 12, beside nlme",
            _growth(patients),
            f"{GROWTH} + (1 + time | patient)",
            dict,
            "patient",
            (
                ("nlme", f"lme({NLME}, random = ~ time | patient)"),
                ("nlme", f'lme({NLME}, random = ~ time | patient, control = lmeControl(opt = "optim"))'),
            ),
        )
        for patients in (200, 2000)
    ),
    Case(
        "random intercept and AR(1), 200 x 12",
        _growth(200),
        f"{GROWTH} + (1 | patient)",
        _ar1,
        "patient",
        (("nlme", f"lme({NLME}, random = ~ 1 | patient, {AR1})"),),
    ),
    Case(
        "random intercept and AR(1), 2,000 x 12",
        _growth(2000),
        f"{GROWTH} + (1 | patient)",
        _ar1,
        "patient",
        (("nlme", f"lme({NLME}, random = ~ 1 | patient, {AR1})"),),
    ),
    Case("AR(1) alone, 200 x 12", _growth(200), GROWTH, _ar1, "patient", (("nlme", f"gls({NLME}, {AR1})"),)),
    Case(
        "unstructured (MMRM), 200 x 5",
        lambda: trial(200),
        "y ~ factor(visit) * arm",
        _unstructured,
        "patient",
        (("nlme", MMRM),),
    ),
    Case(
        "unstructured (MMRM), 1,000 x 5",
        lambda: trial(1000),
        "y ~ factor(visit) * arm",
        _unstructured,
        "patient",
        (("nlme", MMRM),),
    ),
    Case(
        "binomial, 316 persons x 24 items crossed",
        lambda: answers(316, 24),
        "y ~ trait + (1 | person) + (1 | item)",
        lambda: {"family": "binomial"},
        "person,item",
        _both("y ~ trait + (1 | person) + (1 | item)", "binomial"),
    ),
    Case(
        "binomial, 3 levels, 1,000 x 8",
        lambda: remissions(1000),
        "y ~ time + (1 | patient) + (1 | therapist)",
        lambda: {"family": "binomial"},
        "patient,therapist",
        _both("y ~ time + (1 | patient) + (1 | therapist)", "binomial"),
    ),
    Case(
        "Poisson, intercept and slope, 200 x 12",
        lambda: counts(200),
        "y ~ time * arm + (1 + time | patient)",
        lambda: {"family": "poisson"},
        "patient",
        _both("y ~ time * arm + (1 + time | patient)", "poisson"),
    ),
    Case(
        "negative binomial, random intercept, 200 x 12",
        lambda: counts(200),
        "y ~ time * arm + (1 | patient)",
        lambda: {"family": "negative-binomial"},
        "patient",
        (
            ("lme4", "glmer.nb(y ~ time * arm + (1 | patient), data = d)"),
            ("glmmTMB", "glmmTMB(y ~ time * arm + (1 | patient), data = d, family = nbinom2)"),
        ),
        "glmer.nb approximates the likelihood with the expected curvature: its value is not quite the same quantity",
    ),
)


def time_ours(case: Case, frame: Any) -> dict[str, Any]:
    """Return our row: median of the public call, from frame and formula to estimates and standard errors."""
    import alliancekit as ak

    options = case.options()
    seconds: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ak.mixed(case.formula, frame, **options)
        while len(seconds) < 3 or (sum(seconds) < TIMED_AGAIN and len(seconds) < 7):
            start = time.perf_counter()
            fit = ak.mixed(case.formula, frame, **options)
            _ = fit.fixed_effects, fit.vcov()
            seconds.append(time.perf_counter() - start)
    value = float(fit.log_likelihood)
    return {"engine": f"alliancekit {ak.__version__}", "seconds": statistics.median(seconds), "log_likelihood": value}


def time_peers(case: Case, frame: Any) -> list[dict[str, Any]]:
    """Return one row per call of R."""
    if shutil.which("Rscript") is None:
        return [{"engine": package, "note": "absent: R is not installed"} for package, _ in case.peers]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        frame.to_csv(path, index=False)
        words = [word for peer in case.peers for word in peer]
        call = ["Rscript", str(HERE / "peers_calls.R"), str(path), case.factors, "3", *words]
        try:
            done = subprocess.run(call, capture_output=True, text=True, timeout=900, check=False)
        except subprocess.TimeoutExpired:
            return [{"engine": package, "note": "stopped after 900 s"} for package, _ in case.peers]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1][:120]
        return [{"engine": "R", "note": f"failed: {last}"}]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a table; the first row is ours, and the others are in units of its time."""
    base = rows[0]
    lines = ["| engine | ms | times ours | log-likelihood minus ours | note |", "|---|---:|---:|---:|---|"]
    for row in rows:
        if "seconds" not in row:
            lines.append(f"| {row['engine']} | | | | {row['note']} |")
            continue
        gap = row["log_likelihood"] - base["log_likelihood"]
        lines.append(
            f"| {row['engine']} | {1000 * row['seconds']:.1f} | {row['seconds'] / base['seconds']:.1f} | {gap:+.4f} | "
            f"{row.get('note', '')} |"
        )
    return lines


def section(case: Case) -> list[str]:
    """Return the lines of RESULTS.md about one case."""
    frame = case.make()
    rows = [time_ours(case, frame), *time_peers(case, frame)]
    options = ", ".join(f"{name}={value!r}" for name, value in case.options().items())
    call = f"`{case.formula}`" + (f", `{options}`" if options else "")
    lines = [f"## {case.title}", "", f"{call}, {len(frame):,} rows", "", *table(rows), ""]
    return [*lines, f"{case.note}.", ""] if case.note else lines


def family_sections(show: Callable[[str], object] = print) -> list[str]:
    """Time every case; return the lines of RESULTS.md, and show each as it comes."""
    out = []
    for case in CASES:
        lines = section(case)
        show("\n".join(lines))
        out += lines
    return out


if __name__ == "__main__":
    family_sections()
