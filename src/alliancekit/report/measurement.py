"""Tables, figures and sentences of reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.columns import Kind
from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.measurement.reliability import Reliability
from alliancekit.report.formatting import ci_text, format_fixed, is_missing
from alliancekit.report.parts import Figure, Sentence, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#595959"
FIGURES = ("scales", "items")
COEFFICIENTS = {"α": ("alpha", "conf_low", "conf_high"), "ω": ("omega", "omega_low", "omega_high")}
RELIABILITIES = ("alpha", "conf_low", "conf_high", "omega", "omega_conf_low", "omega_conf_high", "srmr")


def make_table(*results: Any) -> Table:
    """Return the table of scales; several reliabilities stand under one another.

    Raises
    ------
    ReportError : something else than a reliability, or reliabilities of different confidence levels.
    """
    found = [_check(result) for result in results]
    if len({r.level for r in found}) > 1:
        raise ReportError(message("reliabilities of different confidence levels cannot share a table"))
    data = pd.concat([r.scales for r in found], ignore_index=True)
    for column in ("share_missing", "floor", "ceiling"):
        data[column] = 100.0 * data[column]
    wanted = ["scale", "items", "n", "mean", "sd", "alpha", "conf_low", "conf_high", "omega", "omega_conf_low"]
    wanted += ["omega_conf_high", "srmr", "share_missing", "floor", "ceiling"]
    data = data.rename(columns={"omega_low": "omega_conf_low", "omega_high": "omega_conf_high"})
    data = data[[c for c in wanted if c in data and data[c].notna().any()]]
    data.attrs["level"] = found[0].level
    shares = [
        c for c in ("alpha", "conf_low", "conf_high", "omega", "omega_conf_low", "omega_conf_high", "srmr") if c in data
    ]
    kinds: dict[str, Kind] = dict.fromkeys(shares, "proportion")
    kinds |= dict.fromkeys(("share_missing", "floor", "ceiling"), "percent")
    kinds |= {"items": "integer", "n": "integer"}
    labels = {"scale": "Scale", "alpha": "α", "omega": "ω", "srmr": "SRMR", "items": "Items"}
    labels |= {"share_missing": "% missing", "floor": "% floor", "ceiling": "% ceiling"}
    return Table(
        title="Reliability of the Scales",
        data=data,
        kinds={c: k for c, k in kinds.items() if c in data},
        labels={c: text for c, text in labels.items() if c in data},
        decimals={c: (3 if c == "srmr" else 2) for c in shares},
        stub=("scale",),
        notes=_notes(found),
        source=results[0] if len(results) == 1 else None,
    )


def make_figure(result: Any, kind: str | None = None) -> Figure:
    """Return "scales" (alpha and omega with limits) or "items" (item-rest correlations and loadings)."""
    found = _check(result)
    chosen = check_option("kind", kind or "scales", FIGURES)
    return _scales_figure(found) if chosen == "scales" else _items_figure(found)


def make_sentence(result: Any) -> Sentence:
    """Return the reliability of each scale, and items that correlate negatively with theirs."""
    found = _check(result)
    parts = []
    for row in found.scales.to_dict("records"):
        numbers = []
        for symbol, (name, low, high) in COEFFICIENTS.items():
            if name in row and not is_missing(row[name]):
                ends = ci_text(row[low], row[high], level=found.level, leading_zero=False)
                numbers.append(f"{symbol} = {_share(row[name])}, {ends}")
        parts.append(f"{row['scale']} ({row['items']} items, n = {row['n']}) was {', and '.join(numbers)}")
    sentences = [f"The reliability of {'; that of '.join(parts)}."]
    for row in found.items[found.items["item_rest_r"] < 0.0].to_dict("records"):
        sentences.append(f"Item {row['item']} correlated {_share(row['item_rest_r'])} with the rest of its scale.")
    return Sentence(" ".join(sentences), source=result)


def _share(value: float) -> str:
    return format_fixed(value, 2, leading_zero=False)


def _check(result: Any) -> Reliability:
    if isinstance(result, Reliability):
        return result
    raise ReportError(
        message(f"a {type(result).__name__} is not a reliability", do="Hand over a result of ak.reliability")
    )


def _notes(found: list[Reliability]) -> tuple[str, ...]:
    cases = {
        "complete": "persons with every item of the scale",
        "pairwise": "covariances of pairs of items by the persons who have both; n counts rows with any answer",
    }
    notes = [f"Cases: {' / '.join(dict.fromkeys(cases[r.missing] for r in found))}. M and SD: persons' mean answers."]
    if any("alpha" in r.scales for r in found):
        notes.append("α: Cronbach's alpha with Feldt's limits.")
    if any("omega" in r.scales and r.scales["omega"].notna().any() for r in found):
        notes.append(
            "ω: omega total of one factor fitted by maximum likelihood, delta-method limits on the logit; SRMR above "
            ".08 says that one factor does not describe the items well."
        )
    for result in found:
        turned = result.items.loc[result.items["reversed"], "item"].tolist()
        if turned:
            notes.append(f"Reversed items: {', '.join(turned)}.")
        notes += [text[:1].upper() + text[1:] for text in (*result.warnings, *result.notes)]
    return tuple(dict.fromkeys(notes))


def _canvas(width: float, height: float) -> tuple[MplFigure, Any]:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(width, height), layout="constrained")
    ax = figure.subplots()
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def _scales_figure(found: Reliability) -> Figure:
    columns = [c for c in ("alpha", "conf_low", "conf_high", "omega", "omega_low", "omega_high") if c in found.scales]
    data = found.scales[["scale", *columns]].reset_index(drop=True)
    shifts = {"α": (BLUE, 0.13), "ω": (ORANGE, -0.13)}
    series = [(symbol, *shifts[symbol], *names) for symbol, names in COEFFICIENTS.items() if names[0] in data]

    def draw() -> MplFigure:
        figure, ax = _canvas(6.0, 1.1 + 0.5 * len(data))
        positions = np.arange(len(data))[::-1].astype(float)
        for symbol, colour, shift, name, low, high in series:
            ax.hlines(positions + shift, data[low], data[high], color=colour, linewidth=1.8)
            ax.plot(data[name], positions + shift, "o", color=colour, markersize=6, label=symbol)
        ax.axvline(0.7, color=GREY, linewidth=0.8, linestyle=":")
        ax.set_yticks(positions, data["scale"])
        ax.set_ylim(-0.6, len(data) - 0.4)
        ax.set_xlim(right=1.0)
        ax.set_xlabel(f"Reliability, {100 * found.level:g}% CI")
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize="small")
        return figure

    shown = "; ".join(
        f"{row['scale']}: " + ", ".join(f"{symbol} {_share(row[name])}" for symbol, _, _, name, _, _ in series)
        for row in data.to_dict("records")
    )
    return Figure(
        title="Reliability of the Scales",
        draw=draw,
        caption="Points with confidence limits. The dotted line at .70 is a common rule of thumb, no standard.",
        alt=f"Points with intervals; {shown}.",
        data=data,
        source=found,
    )


def _items_figure(found: Reliability) -> Figure:
    columns = [c for c in ("item_rest_r", "loading") if c in found.items]
    data = found.items[["scale", "item", *columns]].reset_index(drop=True)

    def draw() -> MplFigure:
        figure, ax = _canvas(6.0, 1.0 + 0.27 * len(data))
        positions = np.arange(len(data))[::-1].astype(float)
        ax.axvline(0.0, color=GREY, linewidth=0.8)
        ax.plot(data["item_rest_r"], positions, "o", color=BLUE, markersize=6, label="item-rest correlation")
        if "loading" in data:
            ax.plot(
                data["loading"], positions, "D", color=ORANGE, markersize=5, mfc="white", label="loading (standardised)"
            )
        several = data["scale"].nunique() > 1
        names = data["scale"] + ": " + data["item"] if several else data["item"]
        ax.set_yticks(positions, names)
        ax.set_ylim(-0.7, len(data) - 0.3)
        ax.set_xlim(min(0.0, float(data[columns].min().min()) - 0.05), 1.0)
        ax.set_xlabel("Correlation or loading")
        figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize="small")
        return figure

    lowest = data.sort_values("item_rest_r", kind="stable").iloc[0]
    weakest = f"{_share(lowest['item_rest_r'])} ({lowest['item']})"
    return Figure(
        title="Items and Their Scale",
        draw=draw,
        caption="Item-rest correlation of each item, and its loading on one factor. Below zero: is the item reversed?",
        alt=f"Points, one line per item; the lowest item-rest correlation is {weakest}.",
        data=data,
        source=found,
    )
