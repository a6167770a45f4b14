"""Time ak.cfa beside lavaan and semopy, and write the section on structural models of benchmarks/RESULTS.md.

Timed is the public call, from frame and text to estimates, standard errors and the full table with standardised values
(lavaan: cfa and parameterEstimates with standardized = TRUE; semopy: fit and inspect).
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from scale import put_section  # noqa: E402

MODEL = "bond =~ x1 + x2 + x3 + x4\ngoal =~ x5 + x6 + x7 + x8\ntask =~ x9 + x10 + x11 + x12"
LEVELS = f"level: 1\n{MODEL}\nlevel: 2\nall =~ " + " + ".join(f"x{i}" for i in range(1, 13))
HEADING = "## Structural models"
HEAD = f"""{HEADING}

Twelve items on three correlated factors, 1,000 rows unless said otherwise; one core, one thread. *Log-likelihood*: that
of the engine minus ours. semopy's own log-likelihood is another quantity and is left out."""


@dataclass(frozen=True)
class Case:
    """Title, data, our options, model, lavaan's arguments, and whether semopy can do it."""

    title: str
    make: Callable[[], Any]
    options: dict[str, Any]
    model: str
    r_arguments: str
    semopy: bool = False


def items(n: int = 1000, missing: float = 0.0, clusters: int = 0) -> Any:
    """Return answers to twelve items of three factors; with ``clusters``, with a common factor between them."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(7)
    correlations = np.array([[1.0, 0.5, 0.4], [0.5, 1.0, 0.3], [0.4, 0.3, 1.0]])
    factors = rng.multivariate_normal(np.zeros(3), correlations, n)
    loadings = np.kron(np.eye(3), np.array([[1.0, 0.8, 0.9, 0.7]]))
    values = factors @ loadings + rng.normal(0, 0.7, (n, 12)) + 3.0
    frame = pd.DataFrame(values, columns=[f"x{i}" for i in range(1, 13)])
    if clusters:
        group = np.arange(n) % clusters
        frame += rng.normal(0, 0.5, clusters)[group][:, None] + rng.normal(0, 0.6, (clusters, 12))[group]
        frame["cluster"] = group
    return frame.mask(rng.random(frame.shape) < missing) if missing else frame


def answers() -> Any:
    """Return the items as answered in five categories."""
    import numpy as np

    frame = items()
    return frame.apply(lambda x: np.digitize(x, np.quantile(x, [0.1, 0.3, 0.6, 0.85])) + 1)


CASES = (
    Case("CFA, maximum likelihood", items, {}, MODEL, "", True),
    Case("CFA, robust (MLR)", items, {"estimator": "MLR"}, MODEL, ', estimator = "MLR"'),
    Case("CFA, generalised least squares", items, {"estimator": "GLS"}, MODEL, ', estimator = "GLS"', True),
    Case("CFA, a sixth missing, full information", lambda: items(missing=0.15), {"missing": "fiml"}, MODEL,
         ', missing = "fiml"'),
    Case("CFA, five categories, WLSMV", answers, {"ordered": True}, MODEL, ", ordered = TRUE"),
    Case("two-level CFA, 100 groups of 8", lambda: items(800, clusters=100), {"cluster": "cluster"}, LEVELS,
         ', cluster = "cluster"'),
)  # fmt: skip


def ours(case: Case, frame: Any) -> dict[str, Any]:
    """Return the median seconds of our call, and the log-likelihood."""
    import alliancekit as ak

    def call() -> Any:
        fit = ak.cfa(case.model, frame, **case.options)
        return fit, fit.tidy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit, _ = call()
        seconds = _median(call)
    return {"engine": f"alliancekit {ak.__version__}", "seconds": seconds, "log_likelihood": fit.log_likelihood}


def semopy(case: Case, frame: Any) -> dict[str, Any]:
    """Return semopy's median seconds."""
    try:
        import semopy as package
    except ImportError:
        return {"engine": "semopy", "note": "absent: the package is not installed"}

    def call() -> Any:
        model = package.Model(case.model)
        model.fit(frame, obj="GLS" if "GLS" in case.r_arguments else "MLW")
        return model.inspect(std_est=True)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
        return {"engine": f"semopy {package.__version__}", "seconds": _median(call)}


def _median(call: Callable[[], object]) -> float:
    seconds: list[float] = []
    while len(seconds) < 3 or (len(seconds) < 40 and sum(seconds) < 1.0):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _run_r(code: str, case: Case, frame: Any) -> subprocess.CompletedProcess[str]:
    """Run R code that finds the rows and the model in the files named by its two arguments."""
    with tempfile.TemporaryDirectory() as folder:
        data, model, script = (Path(folder) / name for name in ("d.csv", "model.txt", "run.R"))
        frame.to_csv(data, index=False)
        model.write_text(case.model + "\n")
        script.write_text(code)
        command = ["Rscript", str(script), str(data), str(model)]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def afterwards(case: Case, frame: Any) -> list[str]:
    """Return the lines about what comes after the first fit; the fit is not timed."""
    import alliancekit as ak
    from alliancekit.structural.result.fit import StructuralFit

    theirs: dict[str, float] = {}
    calls: dict[str, tuple[Callable[[StructuralFit], object], str]] = {
        "modification indices": (lambda f: f.modification_indices(), "modindices(f)"),
        "standardised solution, standard errors": (lambda f: f.standardized(), "standardizedSolution(f)"),
        "fit measures": (lambda f: f.fit_measures(), "fitMeasures(f)"),
        "residuals with tests": (lambda f: f.residual_matrix("cor.bollen", z=True), "lavResiduals(f)"),
        "factor scores": (lambda f: f.factor_scores(), "lavPredict(f)"),
    }
    if shutil.which("Rscript"):
        timed = "; ".join(
            f"cat('{name}', '\\t', system.time(for (i in 1:10) {call})[['elapsed']] / 10, '\\n')"
            for name, (_, call) in calls.items()
        )
        code = (
            "suppressPackageStartupMessages(library(lavaan)); a <- commandArgs(trailingOnly = TRUE)\n"
            f"f <- cfa(paste(readLines(a[2]), collapse = '\\n'), read.csv(a[1])); {timed}"
        )
        done = _run_r(code, case, frame)
        pairs = (line.split("\t") for line in done.stdout.splitlines() if "\t" in line)
        theirs = {name.strip(): float(value) for name, value in pairs}
    lines = ["", "### After the first fit, which is not timed", "", "| what | ms | lavaan, ms | times ours |"]
    lines.append("|---|---:|---:|---:|")
    for name, (call, _) in calls.items():
        mine = _after(lambda: ak.cfa(case.model, frame), call)
        r = theirs.get(name)
        lines.append(
            f"| {name} | {1e3 * mine:.2f} | " + (f"{1e3 * r:.1f} | {r / mine:.0f} |" if r is not None else "| |")
        )
    print("\n".join(lines))
    return lines


def _after(make: Callable[[], Any], call: Callable[[Any], object]) -> float:
    """Return the median seconds of a call on a fit that has not answered anything yet."""
    call(make())
    seconds = []
    for _ in range(20):
        fit = make()
        start = time.perf_counter()
        call(fit)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def bootstraps(samples: dict[int, int]) -> list[str]:
    """Return the lines about 500 bootstrap samples of some cases; lavaan's from fewer (case -> samples), scaled up."""
    import alliancekit as ak

    lines = ["", "### 500 bootstrap samples", "", "| model | engine | ms | times ours | note |"]
    lines.append("|---|---|---:|---:|---|")
    for number, few in samples.items():
        case = CASES[number]
        frame = case.make()
        fit = ak.cfa(case.model, frame, **case.options)
        mine = _median(lambda fit=fit: fit.bootstrap(500, seed=1))
        lines.append(f"| {case.title} | alliancekit {ak.__version__} | {1e3 * mine:.1f} | 1.0 | |")
        theirs = _lavaan_bootstrap(case, frame, few)
        if theirs is not None:
            theirs *= 500 / few
            note = f"bootstrapLavaan, {few} samples, times {500 // few}"
            lines.append(f"| {case.title} | lavaan | {1e3 * theirs:.0f} | {theirs / mine:.0f} | {note} |")
    print("\n".join(lines))
    return lines


def _lavaan_bootstrap(case: Case, frame: Any, count: int) -> float | None:
    """Return the seconds of some bootstrap samples in lavaan; None where it is not there."""
    if shutil.which("Rscript") is None:
        return None
    code = (
        "suppressPackageStartupMessages(library(lavaan))\n"
        "a <- commandArgs(trailingOnly = TRUE); d <- read.csv(a[1])\n"
        f"f <- cfa(paste(readLines(a[2]), collapse = '\\n'), d{case.r_arguments})\n"
        f"cat(system.time(bootstrapLavaan(f, R = {count}, iseed = 1))[['elapsed']])"
    )
    done = _run_r(code, case, frame)
    return None if done.returncode else float(done.stdout.strip().split()[-1])


R_CODE = """
a <- commandArgs(trailingOnly = TRUE)
if (!suppressWarnings(requireNamespace("lavaan", quietly = TRUE))) {{
  cat('{{"engine": "lavaan", "note": "absent: the package is not installed"}}')
}} else {{
  suppressPackageStartupMessages(library(lavaan))
  d <- read.csv(a[1]); model <- paste(readLines(a[2]), collapse = "\\n")
  run <- function() {{ f <- cfa(model, d{arguments}); parameterEstimates(f, standardized = TRUE); f }}
  f <- suppressWarnings(run()); s <- numeric(0)
  while (length(s) < 3 || (length(s) < 20 && sum(s) < 3)) s <- c(s, system.time(suppressWarnings(run()))[["elapsed"]])
  m <- fitMeasures(f)
  ll <- if ("logl" %in% names(m)) sprintf('%.8f', m[["logl"]]) else 'null'
  cat(sprintf('{{"engine": "lavaan %s", "seconds": %.6f, ', packageVersion("lavaan"), mean(s)))
  cat(sprintf('"log_likelihood": %s}}', ll))
}}
"""


def lavaan(case: Case, frame: Any) -> dict[str, Any]:
    """Return lavaan's mean seconds (R's clock has milliseconds), and its log-likelihood."""
    if shutil.which("Rscript") is None:
        return {"engine": "lavaan", "note": "absent: R is not installed"}
    done = _run_r(R_CODE.format(arguments=case.r_arguments), case, frame)
    if done.returncode:
        return {"engine": "lavaan", "note": f"failed: {done.stderr[-200:]}"}
    found: dict[str, Any] = json.loads(done.stdout.strip().split("\n")[-1])
    return found


def section() -> list[str]:
    """Time every case; return the lines of the section."""
    lines = HEAD.split("\n")
    for case in CASES:
        frame = case.make()
        rows = [ours(case, frame), lavaan(case, frame), *([semopy(case, frame)] if case.semopy else [])]
        lines += ["", f"### {case.title}", "", "| engine | ms | times ours | log-likelihood minus ours | note |"]
        lines.append("|---|---:|---:|---:|---|")
        for row in rows:
            if "seconds" not in row:
                lines.append(f"| {row['engine']} | | | | {row['note']} |")
                continue
            ratio = row["seconds"] / rows[0]["seconds"]
            gap = row.get("log_likelihood")
            known = gap is not None and gap == gap
            shown = f"{gap - rows[0]['log_likelihood']:+.4f}" if known else ""
            lines.append(f"| {row['engine']} | {1e3 * row['seconds']:.2f} | {ratio:.1f} | {shown} | |")
        print("\n".join(lines[-len(rows) - 3 :]))
    lines += afterwards(CASES[0], CASES[0].make())
    lines += bootstraps({0: 100, 3: 10, 4: 20})
    return [*lines, ""]


if __name__ == "__main__":
    put_section(HERE / "RESULTS.md", HEADING, section())
