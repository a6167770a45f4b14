"""What a report can say about itself: facts read from the results that stand in it, never from a claim.

Results of every layer are looked at through the few attributes they share (``sample``, ``warnings``, ``seed``,
``refused``), so that no layer has to be imported here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from alliancekit.core.errors import AllianceError
from alliancekit.report.formatting import format_integer
from alliancekit.report.parts import Banner, Equation, Figure, Sentence, Table

PARTS = (Table, Figure, Sentence, Equation, Banner, str)


@dataclass(frozen=True, slots=True)
class Placement:
    """One thing that stands in the report: what it is, the result it was made from, and where it stands."""

    kind: str
    item: Any
    sources: tuple[Any, ...]
    section: str
    where: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A check that refuses the headline: of which result, which check, on what evidence, what to do."""

    subject: Any
    check: str
    evidence: str
    advice: str


@dataclass
class Evidence:
    """Everything that was placed, in order, and what follows from it."""

    placements: list[Placement] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    def note_results(self, items: Iterable[Any]) -> None:
        """Remember results, each once, by identity."""
        for item in items:
            if not any(item is known for known in self.results):
                self.results.append(item)

    @property
    def audits(self) -> list[Any]:
        """Reports of assumption checks."""
        return [r for r in self.results if is_audit(r)]

    @property
    def crosschecks(self) -> list[Any]:
        """Comparisons with other engines."""
        return [r for r in self.results if type(r).__name__ == "CrossCheck"]

    @property
    def fits(self) -> list[Any]:
        """Results that account for the rows they used."""
        return [r for r in self.results if hasattr(getattr(r, "sample", None), "n_used")]

    @property
    def refusals(self) -> list[Refusal]:
        """Checks that refuse."""
        found = [refusal for audit in self.audits for refusal in _refusals(audit)]
        return found + [refusal for fit in self.structural for refusal in _of_structural(fit)]

    @property
    def structural(self) -> list[Any]:
        """Fits of structural models, those inside of comparisons, too: they are checked while they are fitted."""
        parts = [part for r in self.results for part in (r, *_fits_of(r)) if layer_of(part) == "structural"]
        fits = [part for part in parts if hasattr(part, "converged") and hasattr(part, "sample")]
        return [fit for k, fit in enumerate(fits) if not any(fit is other for other in fits[:k])]

    @property
    def warnings(self) -> list[str]:
        """Warnings that fits gave, each once, in order."""
        texts = [str(w) for r in self.results for w in (getattr(r, "warnings", None) or ())]
        return list(dict.fromkeys(texts))

    @property
    def seeds(self) -> list[int]:
        """Random seeds of the results, each once, in order."""
        found = [getattr(part, "seed", None) for r in self.results for part in (r, *_fits_of(r))]
        return list(dict.fromkeys(int(s) for s in found if isinstance(s, int) and not isinstance(s, bool)))

    def withheld(self, sentence: Sentence) -> Refusal | None:
        """Return why a headline is withheld, or None. One that names no source cannot be cleared by any audit."""
        if not sentence.headline:
            return None
        return self.refused(sentence)

    def refused(self, sentence: Sentence) -> Refusal | None:
        """Return the refusal that touches a sentence's source, or None."""
        refusals = self.refusals
        if sentence.source is None:
            return refusals[0] if refusals and sentence.headline else None
        for refusal in refusals:
            if _touches(sentence.source, refusal.subject):
                return refusal
        return None


def is_audit(item: Any) -> bool:
    """Return True for the result of ``ak.check_assumptions``."""
    return all(hasattr(item, name) for name in ("refused", "subject", "checks"))


def layer_of(item: Any) -> str:
    """Return the layer of alliancekit that a result's type lives in, or an empty text."""
    parts = type(item).__module__.split(".")
    if isinstance(item, pd.DataFrame):  # a frame that a result's method gave may name its layer
        return str(item.attrs.get("layer", ""))
    return parts[1] if parts[0] == "alliancekit" and len(parts) > 1 else ""


def sources_of(item: Any) -> tuple[Any, ...]:
    """Return the results that an item was made from: itself, where it is one."""
    if isinstance(item, Table | Figure | Sentence):
        return tuple(_flat(item.source))
    return () if isinstance(item, PARTS) else (item,)


def unstated_by(item: Any) -> str:
    """Return the option that a fit behind an item left open though a report must state it; empty where all is said."""
    frame = item if isinstance(item, pd.DataFrame) else getattr(item, "source", None)
    if isinstance(frame, pd.DataFrame) and frame.attrs.get("unstated"):
        return str(frame.attrs["unstated"])
    for source in sources_of(item):
        for fit in (source, *_flat(getattr(source, "fits", ()))):
            option = getattr(fit, "unstated", "")
            if option:
                return str(option)
    return ""


def _flat(source: Any) -> Iterator[Any]:
    if isinstance(source, tuple | list):
        for part in source:
            yield from _flat(part)
    elif source is not None and not isinstance(source, str | pd.DataFrame):
        yield source


def _fits_of(result: Any) -> Iterator[Any]:
    """Return the fits that a comparison, or a set of solutions, holds."""
    held = getattr(result, "fits", ())
    return _flat(tuple(held.values()) if isinstance(held, Mapping) else held)


_ADVICE = "change the model, or fit it to more data, before anything is concluded from it"


def _of_structural(fit: Any) -> list[Refusal]:
    """Return the refusals of a structural model: its search, identification, constraints, variances."""
    from alliancekit.structural.checks import refusals

    return [Refusal(fit, check, text, _ADVICE) for check, text in refusals(fit._fit)] if hasattr(fit, "_fit") else []


def _touches(source: Any, subject: Any) -> bool:
    """Return True where a source is the refused subject, holds it, or was computed from it (its ``fit``)."""
    for part in _flat(source):
        if any(held is subject for held in _fits_of(part) if layer_of(held) == "structural"):
            return True
        if part is subject or getattr(part, "fit", None) is subject or getattr(part, "subject", None) is subject:
            return True
    return any(part is s for part in _flat(source) for s in _flat(subject))


def _refusals(audit: Any) -> list[Refusal]:
    if not audit.refused:
        return []
    failed = [c for c in audit.checks if getattr(c, "status", "") == "refuse"]
    if not failed:
        return [Refusal(audit.subject, "assumptions", "the audit refuses the result", "")]
    return [Refusal(audit.subject, str(c.name), str(c.evidence), str(c.advice)) for c in failed]


def audit_state(evidence: Evidence) -> tuple[str, str]:
    """Return (tone, words) for the assumption checks of a report."""
    audits = evidence.audits
    if not audits:
        return _structural_state(evidence)
    checks = [c for a in audits for c in a.checks]
    counts = {s: [str(c.name) for c in checks if getattr(c, "status", "") == s] for s in ("pass", "warn", "refuse")}
    if evidence.refusals:
        return "bad", f"refused: {_listed([r.check for r in evidence.refusals])}"
    done = sum(len(names) for names in counts.values())
    rest = f"; {len(checks) - done} not checked" if done < len(checks) else ""
    if counts["warn"]:
        passed = f"{len(counts['pass'])} of {done} checks passed"
        return "warn", f"{passed}{rest}; look at: {_listed(counts['warn'])}"
    return ("good" if done else "warn"), f"all {done} checks passed{rest}" if done else "none could be done"


def _structural_state(evidence: Evidence) -> tuple[str, str]:
    """Return (tone, words) where no checks were asked for: those that structural models make while they are fitted."""
    fits = evidence.structural
    if not fits or any(not any(fit is own for own in fits) for fit in evidence.fits):
        return "warn", "not run"
    if evidence.refusals:
        return "bad", f"refused: {_listed([r.check for r in evidence.refusals])}"
    count = len(dict.fromkeys(str(w) for fit in fits for w in fit.warnings))
    what = "those made while a structural model is fitted (search, identification, variances)"
    if not count:
        return "good", f"{what}: no warning"
    return "warn", f"{what}: {count} warning{'s' if count > 1 else ''}, listed under Software and Reproduction"


def second_opinion_state(evidence: Evidence) -> tuple[str, str]:
    """Return (tone, words) for the comparison with other engines."""
    colours = [str(c) for check in evidence.crosschecks for c in check.tidy()["colour"]]
    if not colours:
        return "warn", "not run"
    counts = {name: colours.count(name) for name in dict.fromkeys(colours)}
    compared = sum(counts.get(c, 0) for c in ("green", "amber", "red"))
    words = [f"{counts.get('green', 0)} of {compared} estimates agree within .01 standard errors"]
    if counts.get("amber"):
        words.append(f"{counts['amber']} within .1")
    if counts.get("red"):
        words.append(f"{counts['red']} differ by more")
    words += [f"{counts[c]} {c}" for c in counts if c not in ("green", "amber", "red")]
    tone = "bad" if counts.get("red") else "warn" if counts.get("amber") or not compared else "good"
    return tone, "; ".join(words)


def sample_lines(evidence: Evidence) -> list[str]:
    """Return the samples of the fits, each once: rows used, rows left out, units at each level."""
    lines: dict[tuple[int, tuple[tuple[str, int], ...]], str] = {}
    for fit in evidence.fits:
        sample = fit.sample
        left_out = sample.n_rows - sample.n_used
        used = (int(sample.n_used), tuple(sorted(dict(sample.groups).items())))
        # A model may be refitted to the complete rows only; the first says how many were left out.
        if used in lines:
            continue
        parts = [
            f"{format_integer(sample.n_used)} rows" + (f" ({format_integer(left_out)} left out)" if left_out else "")
        ]
        parts += [f"{name}: {format_integer(n)}" for name, n in dict(sample.groups).items()]
        lines[used] = "; ".join(parts)
    return list(lines.values())


def r_calls(evidence: Evidence) -> list[str]:
    """Return the fits as R code, each once; a model that R's packages cannot express is left out."""
    calls = []
    for result in evidence.results:
        write = getattr(result, "as_r", None)
        if write is None:
            continue
        try:
            calls.append(str(write()))
        except AllianceError:
            continue
    return list(dict.fromkeys(calls))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
