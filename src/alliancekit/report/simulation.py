"""Tables, figures and sentences of simulated studies: their truth, estimates beside it, and recovery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.report.formatting import ci_text, decimals_for, format_fixed
from alliancekit.report.parts import Figure, Sentence, Table
from alliancekit.report.style import INK, MARKERS, MUTED, SERIES, figure_style, new_figure
from alliancekit.simulation.comparison import TruthComparison
from alliancekit.simulation.recovery import Recovery
from alliancekit.simulation.types import Simulated

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

VARIANTS = {
    "true": "the effect is there",
    "null": "the key effect is zero",
    "trap": "the key effect is zero, but a wrong model finds one",
}
OBSERVED_NOTE = (
    "True (scored) is the population value for the recorded and scored variables, nobody lost to follow-up, from one "
    "run of a million cases; true (error-free) is the value for the variables behind them, in standard deviations."
)


def make_table(*results: Any) -> Table:
    """Return the truth of a simulated study, estimates beside the truth, or the table of a recovery study.

    Raises
    ------
    ReportError : several results, or one of another kind.
    """
    makers: dict[type, Callable[[Any], Table]] = {
        TruthComparison: _comparison,
        Simulated: _truth,
        Recovery: _recovery,
    }
    if len(results) != 1 or type(results[0]) not in makers:
        raise ReportError(message("results of simulations are shown one at a time", do="Call ak.table for each"))
    return makers[type(results[0])](results[0])


def make_figure(result: Any, kind: str | None = None) -> Figure:
    """Return the figure of a comparison ("truth": estimates with limits and the true values).

    Raises
    ------
    ReportError : another result. SpecError : no such kind.
    """
    if not isinstance(result, TruthComparison):
        raise ReportError(message(f"a {type(result).__name__} has no figure", do="Use ak.table(result)"))
    check_option("kind", kind or "truth", ["truth"])
    return _truth_figure(result)


def make_sentence(result: Any) -> Sentence:
    """Return what a comparison or a recovery study says, made from its rows.

    Raises
    ------
    ReportError : a result without sentence.
    """
    if isinstance(result, TruthComparison):
        return Sentence(text=_comparison_text(result), source=result)
    if isinstance(result, Recovery):
        return Sentence(text=_recovery_text(result), source=result)
    raise ReportError(message(f"a {type(result).__name__} has no sentence", do="Use ak.table(result)"))


def _comparison(result: TruthComparison) -> Table:
    frame = result.tidy()
    inside = {True: "yes", False: "no", None: ""}
    several = frame["wrong"].any()
    data = pd.DataFrame(
        {
            "part": np.where(frame["wrong"], "What the wrong model would have said", "What the analysis found"),
            "quantity": frame["label"],
            "model": frame["model"].where(frame["wrong"], ""),
            "estimate": frame["estimate"],
            "conf_low": frame["conf_low"],
            "conf_high": frame["conf_high"],
            "observed": frame["observed"],
            "latent": frame["latent"],
            "covered": [inside[c] for c in frame["covered"]],
        }
    )
    data = data if several else data.drop(columns=["part", "model"])
    marks = {(i, "covered"): "good" if c else "warn" for i, c in enumerate(frame["covered"]) if c is not None}
    numbers = ("estimate", "conf_low", "conf_high", "observed", "latent")
    notes = [_about(result.about), OBSERVED_NOTE]
    if frame["covered"].notna().any():
        notes.append("Of many 95% intervals one in twenty misses the truth although nothing is wrong.")
    return Table(
        title="Estimates Beside the Truth of the Simulated Study",
        data=data,
        kinds=dict.fromkeys(numbers, "estimate"),
        labels={
            "quantity": "Quantity",
            "model": "Wrong model",
            "observed": "True (scored)",
            "latent": "True (error-free)",
            "covered": "Truth inside CI",
        },
        decimals=dict.fromkeys(numbers, _digits(frame)),
        stub=("quantity", "model") if several else ("quantity",),
        group="part" if several else None,
        marks=marks,
        notes=tuple(n for n in notes if n),
        source=result,
    )


def _digits(frame: pd.DataFrame) -> int:
    values = pd.concat([frame[c] for c in ("estimate", "observed")]).dropna().abs()
    return 3 if len(values) and values.max() < 1 else max(2, decimals_for(values))


def _about(about: Any) -> str:
    if not about.get("generator"):
        return ""
    variant = about.get("variant")
    what = f", {VARIANTS[variant]}" if variant in VARIANTS else ""
    size = f", n = {about['n']}" if about.get("n") is not None else ""
    return f"Simulated data ({about['generator']}, variant '{variant}'{size}, seed {about.get('seed')}){what}."


def _truth(result: Simulated) -> Table:
    frame = result.tidy()
    return Table(
        title="Truth of the Simulated Study",
        data=frame,
        kinds=dict.fromkeys(("latent", "observed", "monte_carlo_se"), "estimate"),
        labels={
            "quantity": "Quantity",
            "latent": "True (error-free)",
            "observed": "True (scored)",
            "monte_carlo_se": "Monte Carlo SE of true (scored)",
        },
        decimals=dict.fromkeys(("latent", "observed", "monte_carlo_se"), 4),
        stub=("quantity",),
        notes=(_about(result.glance().iloc[0].to_dict()), OBSERVED_NOTE),
        source=result,
    )


def _recovery(result: Recovery) -> Table:
    frame = result.tidy()
    columns = ["quantity", "truth", "mean", "bias", "bias_se", "bias_limit", "coverage", "rejection"]
    marks: dict[tuple[int, str], str] = {}
    for i, row in enumerate(rows(frame)):
        marks[i, "bias"] = "good" if row.bias_ok else "bad"
        if row.coverage_ok is not None:
            marks[i, "coverage"] = "good" if row.coverage_ok else "bad"
        if row.truth == 0 and row.rejection_ok is not None:
            marks[i, "rejection"] = "good" if row.rejection_ok else "bad"
    sizes = ("truth", "mean", "bias", "bias_se", "bias_limit")
    about = result.about
    return Table(
        title="Recovery of the Truth in Simulated Studies",
        data=frame[columns],
        kinds={**dict.fromkeys(sizes, "estimate"), "coverage": "proportion", "rejection": "proportion"},
        labels={
            "quantity": "Quantity",
            "truth": "Truth",
            "mean": "Mean estimate",
            "bias": "Bias",
            "bias_se": "Monte Carlo SE",
            "bias_limit": "Largest bias allowed",
            "coverage": "Coverage",
            "rejection": f"Share p < {about['alpha']:g}",
        },
        decimals=dict.fromkeys(sizes, 3) | dict.fromkeys(("coverage", "rejection"), 3),
        stub=("quantity",),
        marks=marks,
        notes=(
            f"{about['replicates']} simulated studies ({about['generator']}, variant '{about['variant']}'), seed "
            f"{about['seed']}; {len(result.failures)} analyses failed.",
            "Largest bias allowed: the larger of 5% of the truth and .01, plus three Monte Carlo SEs. Coverage and, "
            "where the truth is zero, the share of rejections must lie in the central 99.9% of a binomial.",
        ),
        source=result,
    )


def _comparison_text(result: TruthComparison) -> str:
    frame = result.tidy()
    digits = _digits(frame)
    parts = []
    for row in rows(frame[~frame["wrong"]]):
        found = f"{row.label}: estimate {_number(row.estimate, digits)}"
        if row.covered is not None:
            found += f", {ci_text(row.conf_low, row.conf_high, decimals=digits)}"
        found += f", truth {_number(row.observed, digits)}"
        if row.covered is not None:
            found += " (inside the interval)" if row.covered else " (outside the interval)"
        parts.append(found)
    text = f"{'; '.join(parts)}."
    for row in rows(frame[frame["wrong"]]):
        text += (
            f" The wrong model ({row.model}) would have said {_number(row.estimate, digits)} for {row.label} where "
            f"{_number(row.observed, digits)} is true."
        )
    return text


def _number(value: float, digits: int) -> str:
    return format_fixed(value, digits)


def _recovery_text(result: Recovery) -> str:
    frame = result.tidy()
    unbiased = int(frame["bias_ok"].sum())
    text = f"In {result.about['replicates']} simulated studies {unbiased} of {len(frame)} quantities were without bias"
    known = frame[frame["coverage_ok"].notna()]
    if len(known):
        text += f", and {int(known['coverage_ok'].astype(bool).sum())} of {len(known)} had the coverage they claim"
    null = frame[(frame["truth"] == 0) & frame["rejection"].notna()]
    for row in rows(null):
        text += f"; {row.quantity}, truly zero, was rejected in {100 * row.rejection:.1f}% of them"
    return text + "."


def _truth_figure(result: TruthComparison) -> Figure:
    frame = result.tidy()[
        ["label", "model", "wrong", "estimate", "conf_low", "conf_high", "observed", "latent"]
    ].reset_index(drop=True)

    def draw() -> MplFigure:
        with figure_style():
            figure, axes = new_figure(height=1.1 + 0.45 * len(frame))
            places = np.arange(len(frame))[::-1]
            for place, row in zip(places, rows(frame), strict=True):
                colour = SERIES[1] if row.wrong else SERIES[0]
                if np.isfinite(row.conf_low) and np.isfinite(row.conf_high):
                    axes.plot([row.conf_low, row.conf_high], [place, place], color=colour, linestyle="-")
                axes.plot([row.estimate], [place], MARKERS[1] if row.wrong else MARKERS[0], color=colour)
                axes.plot([row.observed], [place], "|", color=INK, markersize=16, markeredgewidth=2)
            names = [f"{r.label}\n({r.model})" if r.wrong else r.label for r in rows(frame)]
            axes.set_yticks(places, names)
            axes.set_ylim(-0.6, len(frame) - 0.4)
            axes.axvline(0, color=MUTED, linewidth=0.7, linestyle="-")
            axes.set_xlabel("Estimate with 95% CI; bar: true value for scored variables")
            axes.plot([], [], MARKERS[0], color=SERIES[0], linestyle="-", label="analysis")
            if frame["wrong"].any():
                axes.plot([], [], MARKERS[1], color=SERIES[1], linestyle="-", label="wrong model")
            axes.plot([], [], "|", color=INK, markersize=12, markeredgewidth=2, linestyle="none", label="truth")
            figure.legend(loc="outside upper left", ncols=3)
            return figure

    shown = "; ".join(f"{r.label} {r.estimate:.3f}, truth {r.observed:.3f}" for r in rows(frame))
    return Figure(
        title="Estimates and Truth",
        draw=draw,
        caption="Points: estimates with 95% limits where there are any; bars: what is true for the scored variables.",
        alt=f"Estimates beside true values: {shown}.",
        data=frame,
        source=result,
    )
