"""The registry of questionnaires: one TOML file each, with counts, ranges and keys; never with wording."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alliancekit.core.errors import ReadError, SpecError, check_option, message, nearest

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = ("better", "worse")
SCORINGS = ("mean", "sum")
KEY_STATUS = ("verified", "unverified")
CONSTRUCTS = ("alliance", "cohesion", "empathy", "symptoms", "control", "experience", "insight")
PRORATE_RULES = ("share", "max_missing", "complete")


@dataclass(frozen=True)
class Prorate:
    """When a score is formed although items are missing.

    Attributes
    ----------
    rule : "share" (of each scale's items that must be present), "max_missing" (items missing on the whole form),
        "complete" (every item of the scale).
    share : for "share".
    max_missing : for "max_missing".
    """

    rule: str = "share"
    share: float = 0.75
    max_missing: int = 0


@dataclass(frozen=True)
class Cutoff:
    """A published threshold of a score: scores from ``at`` (to ``to``, where a range is quoted) carry the label."""

    score: str
    label: str
    at: float
    to: float | None = None
    side: str = "at_or_above"


@dataclass(frozen=True)
class Instrument:
    """A questionnaire as the registry knows it.

    Attributes
    ----------
    id, version, title : name, form (who fills it in), full title.
    construct : what it measures, one of ``CONSTRUCTS``.
    n_items, min, max : number of items and response range; None where no source gave the range.
    item_ranges : item -> range, for items whose range differs.
    subscales : subscale -> item numbers; empty where the key is not known.
    unkeyed : subscales that exist but whose item numbers are not known.
    total : items of the total score; empty where there is no total or its key is not known.
    reverse : items to be reversed before scoring.
    scoring : "mean" or "sum".
    direction : score -> "better" or "worse": what a higher value means; under "" for all scores not named.
    prorate : rule for missing items.
    cutoffs : published thresholds.
    key_status : "verified" or "unverified".
    source, note : where the key comes from, and what to know about it.
    not_with : instruments that are mistaken for this one; ``score`` refuses data that look like theirs.
    """

    id: str
    version: str
    title: str
    construct: str
    n_items: int
    min: float | None
    max: float | None
    scoring: str
    key_status: str
    source: str
    subscales: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unkeyed: tuple[str, ...] = ()
    total: tuple[int, ...] = ()
    reverse: tuple[int, ...] = ()
    item_ranges: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    direction: Mapping[str, str] = field(default_factory=dict)
    prorate: Prorate = field(default_factory=Prorate)
    cutoffs: tuple[Cutoff, ...] = ()
    note: str = ""
    not_with: tuple[str, ...] = ()

    @property
    def scorable(self) -> bool:
        """Whether a key for at least one score is known."""
        return bool(self.subscales or self.total)

    @property
    def scores(self) -> dict[str, tuple[int, ...]]:
        """Each score and its items: the subscales, then the total."""
        return {**self.subscales, **({"total": self.total} if self.total else {})}

    def range_of(self, item: int) -> tuple[float, float] | None:
        """Return the response range of an item, None where it is not known."""
        if item in self.item_ranges:
            return self.item_ranges[item]
        return None if self.min is None or self.max is None else (self.min, self.max)


def find_instrument(name: str) -> Instrument:
    """Return an instrument by id, or from the path of a TOML file of your own.

    Raises
    ------
    SpecError : no such id (the nearest is named), or an entry of the file that is not understood.
    ReadError : the TOML file is not there.
    """
    if str(name).lower().endswith(".toml"):
        return load_instrument(Path(name))
    known = registry()
    folded = {key.lower(): key for key in known}
    if str(name).lower() in folded:
        return known[folded[str(name).lower()]]
    close = nearest(str(name), known)
    hint = f"Did you mean '{close}'? " if close else ""
    raise SpecError(
        message(f"the instrument '{name}' is not registered", do=f"{hint}Registered are: {', '.join(sorted(known))}")
    )


@cache
def registry() -> Mapping[str, Instrument]:
    """Return every registered instrument by id."""
    folder = resources.files("alliancekit.study") / "instruments"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    made = [parse_instrument(f.read_text(encoding="utf-8"), f.name) for f in files]
    return {i.id: i for i in made}


def load_instrument(path: Path) -> Instrument:
    """Read one TOML file."""
    if not path.is_file():
        raise ReadError(message(f"there is no instrument file {path.name!r}", do="Check the path"))
    return parse_instrument(path.read_text(encoding="utf-8-sig"), path.name)


def parse_instrument(text: str, where: str) -> Instrument:
    """Make an Instrument of the text of a TOML file; SpecError names what is wrong and in which file."""
    try:
        entry = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(message(f"not valid TOML: {error}", where=where)) from error
    _check_entries(entry, where)
    n_items = entry["n_items"]
    total = entry.get("total", False)
    made = Instrument(
        **{key: entry[key] for key in ("id", "title", "construct", "n_items", "scoring", "key_status", "source")},
        version=entry.get("version", ""),
        min=entry.get("min"),
        max=entry.get("max"),
        subscales={name: tuple(items) for name, items in entry.get("subscales", {}).items()},
        unkeyed=tuple(entry.get("unkeyed", ())),
        total=tuple(range(1, n_items + 1)) if total is True else tuple(total or ()),
        reverse=tuple(entry.get("reverse", ())),
        item_ranges={i: tuple(part["range"]) for part in entry.get("item_ranges", []) for i in part["items"]},
        direction={"": entry["direction"], **entry.get("directions", {})},
        prorate=Prorate(**entry.get("prorate", {})),
        cutoffs=tuple(Cutoff(**c) for c in entry.get("cutoffs", [])),
        note=entry.get("note", ""),
        not_with=tuple(entry.get("not_with", ())),
    )
    _check_items(made, where)
    return made


_REQUIRED = ("id", "title", "construct", "n_items", "scoring", "direction", "key_status", "source")
_OPTIONAL = ("version", "min", "max", "subscales", "unkeyed", "total", "reverse", "item_ranges", "directions",
             "prorate", "cutoffs", "note", "not_with")  # fmt: skip


def _check_entries(entry: Mapping[str, Any], where: str) -> None:
    lost = [key for key in _REQUIRED if key not in entry]
    if lost:
        raise SpecError(message(f"entries are missing: {', '.join(lost)}", where=where))
    for key in entry:
        if key not in (*_REQUIRED, *_OPTIONAL):
            close = nearest(key, (*_REQUIRED, *_OPTIONAL))
            raise SpecError(message(f"the entry '{key}' is not known", where=where, do=f"Did you mean '{close}'?"))
    for key, allowed in (
        ("construct", CONSTRUCTS),
        ("scoring", SCORINGS),
        ("direction", DIRECTIONS),
        ("key_status", KEY_STATUS),
    ):
        check_option(f"{where}: {key}", entry[key], allowed)
    for score, word in entry.get("directions", {}).items():
        check_option(f"{where}: directions.{score}", word, DIRECTIONS)
    check_option(f"{where}: prorate.rule", entry.get("prorate", {}).get("rule", "share"), PRORATE_RULES)
    if not isinstance(entry["n_items"], int) or entry["n_items"] < 1:
        raise SpecError(message(f"n_items is {entry['n_items']!r}, not a number of items", where=where))
    if ("min" in entry) != ("max" in entry) or ("min" in entry and entry["min"] >= entry["max"]):
        raise SpecError(message("min and max must come together, the smaller first", where=where))


def _check_items(made: Instrument, where: str) -> None:
    every = range(1, made.n_items + 1)
    named = [*made.reverse, *made.total, *made.item_ranges, *(i for items in made.subscales.values() for i in items)]
    beyond = sorted({i for i in named if i not in every})
    if beyond:
        raise SpecError(message(f"items {beyond} are not between 1 and {made.n_items}", where=where))
    for name, items in made.scores.items():
        if len(set(items)) != len(items) or not items:
            raise SpecError(message(f"the scale '{name}' is empty or names an item twice", where=where))
    if made.reverse and (made.min is None or made.max is None):
        raise SpecError(message("items cannot be reversed without min and max", where=where))
    for cutoff in made.cutoffs:
        check_option(f"{where}: cutoffs.score", cutoff.score, tuple(made.scores))


def instruments() -> pd.DataFrame:
    """Return the registry as a frame, one row per instrument.

    Returns
    -------
    frame with the columns id, version, title, construct, n_items, min, max, subscales (names, those without a known key
    in brackets), reverse, scoring, direction, prorate, key_status, scorable, source, note; sorted by id.

    Examples
    --------
    >>> frame = instruments().set_index("id")
    >>> int(frame.loc["WAI-SR", "n_items"]), frame.loc["WAI-SR", "key_status"]
    (12, 'verified')

    Checked against
    ---------------
    Every file by the structure test, and every key by its case in tests/unit/study/scoring_cases.toml.

    When not to use
    ---------------
    As a source of wording or norms: the registry holds counts, ranges and keys only.
    """
    import pandas as pd

    rows = []
    for made in sorted(registry().values(), key=lambda i: i.id):
        names = [*made.subscales, *(f"[{name}]" for name in made.unkeyed)]
        rows.append(
            {
                "id": made.id,
                "version": made.version,
                "title": made.title,
                "construct": made.construct,
                "n_items": made.n_items,
                "min": made.min,
                "max": made.max,
                "subscales": ", ".join(names),
                "reverse": ", ".join(map(str, made.reverse)),
                "scoring": made.scoring,
                "direction": made.direction[""],
                "prorate": prorate_text(made.prorate),
                "key_status": made.key_status,
                "scorable": made.scorable,
                "source": made.source,
                "note": made.note,
            }
        )
    return pd.DataFrame(rows)


def prorate_text(prorate: Prorate) -> str:
    """Return the rule for missing items in words."""
    if prorate.rule == "share":
        return f"at least {prorate.share:.0%} of the scale's items"
    if prorate.rule == "max_missing":
        return f"at most {prorate.max_missing} items of the form missing"
    return "every item of the scale"
