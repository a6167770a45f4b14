"""What a run of the reference tests found: counts by family, and the worst difference of each kind of number.

Every test hands its comparisons on with its report, so that the account is whole when several processes share the run.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.reference.comparison import TOLERANCES

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "reference_results.md"
NOTABLE = 1e-5
"""A log-likelihood above R's by more than this share of itself, or of one, is listed."""
HEAD = """# Reference results

Made by `python docs/make_reference.py`, which runs every test of `tests/reference`; a run of all of them says when the
counts on this page are no longer those of the tests. Each family holds stored results of R packages: `mlm` lme4 with
lmerTest, pbkrtest and clubSandwich; `mlm_tests` F tables and tests of random terms; `mlm_means` emmeans; `mlm_profile`
profile intervals; `rows` residuals, predictions and influence of lme4; `nlme` lme and gls; `glmm` glmer and glmmTMB,
`glmm_second` glmmTMB alone; `sem` and its relatives lavaan, `sem_after` lavaan and semTools on what follows a fit,
`growth_mixed` lme4 on the growth cases in long form; `dominance`, `psych` and `regression` the packages named in their
folders.

*Worst* is the largest difference between our number and R's, in units of what its tolerance allows: 1 would just pass,
0.01 is a hundredth of that. Differences of rounding vary from machine to machine; counts do not.
"""


@dataclass
class Kind:
    """Numbers of one kind in one family: how many, the worst difference over its tolerance, and where it is."""

    count: int = 0
    worst: float = -1.0
    where: str = ""

    def add(self, count: int, ratio: float, where: str) -> None:
        """Count some numbers, and keep the place of the worst."""
        self.count += count
        if ratio > self.worst:
            self.worst, self.where = ratio, where


@dataclass
class Family:
    """One family: tests by outcome, numbers by kind, log-likelihoods by test (ours minus R's, and R's)."""

    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, Kind] = field(default_factory=dict)
    gains: list[tuple[str, float]] = field(default_factory=list)


def collect(reports: dict[str, list[Any]]) -> dict[str, Family]:
    """Return the families of a run, from pytest's reports by outcome."""
    families: dict[str, Family] = {}
    for outcome in ("passed", "failed", "error"):
        for report in reports.get(outcome, []):
            parts = report.nodeid.split("/")
            if len(parts) < 3 or parts[1] != "reference" or (outcome == "passed" and report.when != "call"):
                continue
            family = families.setdefault(parts[2].removeprefix("test_").split(".py")[0], Family())
            found = dict(getattr(report, "user_properties", []))
            excused = found.get("excused", False) and outcome == "passed"
            family.outcomes["excused" if excused else "compared" if outcome == "passed" else "failed"] += 1
            place = _place(report.nodeid)
            for kind, what, count, ratio in found.get("numbers", []):
                where = f"{place}: {what}" if what and what not in place else place
                family.kinds.setdefault(kind, Kind()).add(count, ratio, where)
            family.gains += [(what or place, gain) for what, gain in found.get("gains", [])]
    return dict(sorted(families.items()))


def _place(nodeid: str) -> str:
    """Return what stands in the brackets of a test's name, or the name."""
    found = re.search(r"\[(.*)\]$", nodeid)
    return found.group(1) if found else nodeid.rsplit("::", 1)[-1].removeprefix("test_").replace("_", " ")


def tolerance_text(kind: str) -> str:
    """Return the tolerance of a kind: relative, absolute or both."""
    rel, absolute = TOLERANCES[kind]["rel"], TOLERANCES[kind]["abs"]
    parts = [f"{rel:g} relative"] * (rel > 0) + [f"{absolute:g}"] * (absolute > 0)
    return " + ".join(parts) or "exact"


def ratio_text(ratio: float) -> str:
    """Return a difference over its tolerance in two digits."""
    return "0" if ratio == 0 else f"{ratio:.2g}"


def lines(families: dict[str, Family]) -> list[str]:
    """Return the account that is printed after a run: one line a family and one a kind of number."""
    out = []
    for name, family in families.items():
        c = family.outcomes
        out.append(f"{name}: {c['compared']} compared, {c['excused']} excused, {c['failed']} failed")
        for kind, found in sorted(family.kinds.items()):
            where = found.where if len(found.where) <= 60 else found.where[:59] + "…"
            worst = ratio_text(found.worst)
            out.append(f"  {kind:<19}{found.count:>6}  {tolerance_text(kind):<24} worst {worst:<9}{where}")
    return out


def page(families: dict[str, Family]) -> str:
    """Return the text of docs/reference_results.md."""
    text = [HEAD, "## Counts", "", "| family | tests compared | excused | failed | numbers | worst |"]
    text.append("|---|---:|---:|---:|---:|---:|")
    for name, family in families.items():
        c, kinds = family.outcomes, family.kinds.values()
        worst = ratio_text(max((k.worst for k in kinds), default=0.0))
        numbers = sum(k.count for k in kinds)
        text.append(f"| {name} | {c['compared']} | {c['excused']} | {c['failed']} | {numbers:,} | {worst} |")
    text += ["", "Excused tests are those whose quantity has a statistical reason in `not_compared.toml`.", ""]
    text += ["## Worst difference by kind of number", "", "| family | kind | numbers | tolerance | worst | where |"]
    text.append("|---|---|---:|---|---:|---|")
    for name, family in families.items():
        for kind, found in sorted(family.kinds.items()):
            where = "" if found.worst == 0 else found.where.replace("|", "\\|")
            cells = (name, kind, f"{found.count:,}", tolerance_text(kind), ratio_text(found.worst), where)
            text.append(f"| {' | '.join(cells)} |")
    return "\n".join([*text, "", *_gains(families)]) + "\n"


def _gains(families: dict[str, Family]) -> list[str]:
    gains = [(gain, name, where) for name, family in families.items() for where, gain in family.gains]
    high = sorted((g for g in gains if g[0] > NOTABLE), reverse=True)
    low = min((g for g in gains), default=(0.0, "", ""))
    out = ["## Log-likelihoods", ""]
    out.append(
        f"Of {len(gains)} models {len(high)} have a log-likelihood above R's by more than {NOTABLE:g}; R stopped below "
        f"the optimum, or approximates more coarsely. The largest shortfall of ours is {max(-low[0], 0.0):.1e}."
    )
    out += ["", "| family | model | ours minus R's |", "|---|---|---:|"]
    return out + [f"| {name} | {where} | {gain:.2g} |" for gain, name, where in high]


def counts_on_page(text: str) -> dict[str, tuple[int, ...]]:
    """Return the counts of the first table of the page: compared, excused, failed, numbers of each family."""
    rows = re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| ([\d,]+) \|", text, flags=re.MULTILINE)
    return {name: tuple(int(value.replace(",", "")) for value in values) for name, *values in rows}


def outdated(families: dict[str, Family]) -> list[str]:
    """Return the families whose counts on the page are not those of a run that holds every family; else nothing."""
    files = {path.stem.removeprefix("test_") for path in HERE.glob("test_*.py")}
    if not PAGE.exists() or not files <= set(families):
        return []
    there, here = (counts_on_page(text) for text in (PAGE.read_text(encoding="utf-8"), page(families)))
    return sorted(name for name in set(there) | set(here) if there.get(name) != here.get(name))
