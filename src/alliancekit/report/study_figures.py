"""Figures of the sample: the flow as boxes and arrows, and how many were observed at each occasion."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from alliancekit.core.frames import rows
from alliancekit.report.formatting import format_integer
from alliancekit.report.grid import SMALLEST_COUNT, exported
from alliancekit.report.parts import Figure
from alliancekit.report.study_flow import flow_table
from alliancekit.report.study_words import SMALL, plural, reason_text
from alliancekit.study.flow import OVERALL, SampleFlow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MplFigure

FONT: Final = 8.0
LINE: Final = 0.155  # height of a line of text, inches
CHARACTER: Final = 0.057  # width of a character, inches
PAD: Final = 0.09
GAP: Final = 0.24
MOST_ARMS: Final = 2


@dataclass(frozen=True)
class Box:
    """A box of the diagram: its lines of text (the first is bold) and its width in inches."""

    lines: tuple[str, ...]
    width: float

    @property
    def height(self) -> float:
        """Height in inches."""
        return len(self.lines) * LINE + 2 * PAD


def flow_figure(flow: SampleFlow) -> Figure:
    """Return the flow as boxes and arrows, one column per arm where there are two."""
    arms = flow.groups if len(flow.groups) == MOST_ARMS else []
    people = plural(flow.by)
    data = exported(flow_table(flow))
    data = data[data["part"] == "Flow"].drop(columns="part").reset_index(drop=True)
    caption = f"Numbers of {people} and other units at each stage; boxes to the right say who was left out and why."
    if len(flow.groups) > MOST_ARMS:
        caption += " The arms are in the table."
    if arms:
        caption += (
            f" Counts of 1 to {SMALLEST_COUNT - 1} in an arm are shown as {SMALL}, reasons of so few are not shown."
        )
    stages = data[~data["label"].str.startswith("\u2003")]
    told = "; ".join(f"{row['label']}: {format_integer(row[flow.by])} {people}" for row in stages.to_dict("records"))

    def draw() -> MplFigure:
        return _draw_flow(flow, arms)

    return Figure("Sample Flow", draw, caption, f"Flow diagram. {told}.", data, flow)


def _draw_flow(flow: SampleFlow, arms: list[str]) -> MplFigure:
    from matplotlib.figure import Figure as Canvas

    from alliancekit.report.style import WIDTH

    stages = [str(s) for s in flow.stages["stage"].drop_duplicates()]
    columns = arms or [OVERALL]
    room = WIDTH / len(columns)
    main = room * (0.5 if arms else 0.46)
    chains = [_chain(flow, group, stages[1:] if arms else stages, main, room - main - 0.25) for group in columns]
    top = _stage_box(flow, stages[0], OVERALL, WIDTH * 0.46) if arms else None
    chains = _level(chains)
    height = sum(box.height + (max(GAP, side.height + 0.14) if side else GAP) for box, side in chains[0])
    height += 0.1 - GAP
    height += (top.height + 2 * GAP) if top else 0
    figure = Canvas(figsize=(WIDTH, height))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(-height, 0))
    axes.axis("off")
    y = -0.05
    if top is not None:
        _draw_box(axes, top, WIDTH / 2, y)
        y -= top.height
        _fork(axes, WIDTH / 2, y, [room * k + 0.03 + main / 2 for k in range(len(columns))])
        y -= 2 * GAP
    for k, chain in enumerate(chains):
        _draw_chain(axes, chain, room * k + 0.03, main, y)
    return figure


Chain = list[tuple[Box, "Box | None"]]


def _chain(flow: SampleFlow, group: str, stages: list[str], width: float, side_width: float) -> Chain:
    """Return the boxes of one column: each stage with the box of those who do not go on to the next."""
    every = [str(s) for s in flow.stages["stage"].drop_duplicates()]
    chain: Chain = []
    if group != OVERALL:
        chain.append((_arm_box(flow, group, width), _loss_box(flow, stages[0], group, side_width) if stages else None))
    for stage in stages:
        following = every[every.index(stage) + 1] if stage != every[-1] else None
        loss = _loss_box(flow, following, group, side_width) if following else None
        chain.append((_stage_box(flow, stage, group, width), loss))
    return chain


def _level(chains: list[Chain]) -> list[Chain]:
    """Give the boxes of one row of several columns the same height, by empty lines."""
    out: list[Chain] = [[] for _ in chains]
    for row in zip(*chains, strict=True):
        tallest = max(len(box.lines) for box, _ in row)
        sides = [side for _, side in row if side]
        longest = max((len(side.lines) for side in sides), default=0)
        for k, (box, side) in enumerate(row):
            grown = Box(box.lines + ("",) * (tallest - len(box.lines)), box.width)
            width = side.width if side else (sides[0].width if sides else 0.0)
            lines = side.lines if side else ("None left out",)
            other = Box(lines + ("",) * (longest - len(lines)), width) if longest else None
            out[k].append((grown, other))
    return out


def _wrap(text: str, width: float) -> list[str]:
    return textwrap.wrap(text, max(10, int((width - 2 * PAD) / CHARACTER)), break_long_words=True) or [""]


def _stage_box(flow: SampleFlow, stage: str, group: str, width: float) -> Box:
    told = flow.stages[(flow.stages["stage"] == stage) & (flow.stages["group"] == group)]
    levels = [row for row in rows(told) if group == OVERALL or row.level == flow.by]
    units = next(row.n for row in levels if row.level == flow.by)
    lines = _wrap(stage, width)
    for row in levels:
        if row.level == "row" and row.n == units:
            continue
        name = plural(row.level, row.n)
        lines += _wrap(f"{_shown(row.n, group)} {name}", width)
    return Box(tuple(lines), width)


def _arm_box(flow: SampleFlow, group: str, width: float) -> Box:
    first = flow.stages["stage"].iloc[0]
    told = flow.stages[(flow.stages["stage"] == first) & (flow.stages["group"] == group)]
    n = int(told.loc[told["level"] == flow.by, "n"].iloc[0])
    return Box((*_wrap(group, width), f"{_shown(n, group)} {plural(flow.by, n)}"), width)


def _loss_box(flow: SampleFlow, stage: str, group: str, width: float) -> Box | None:
    told = flow.exclusions[(flow.exclusions["stage"] == stage) & (flow.exclusions["group"] == group)]
    lost = int(told["n_units"].sum())
    if not lost and (group != OVERALL or not int(told["n_rows"].sum())):
        return None
    lines = _wrap(f"Left out: {_shown(lost, group)} {plural(flow.by, lost)}", width)
    for row in rows(told):
        if row.n_units and (group == OVERALL or row.n_units >= SMALLEST_COUNT):
            lines += _wrap(f"{reason_text(row.reason)}: {format_integer(row.n_units)}", width)
    rows_lost = int(told["n_rows"].sum())
    if group == OVERALL and rows_lost != lost:
        lines += _wrap(f"{format_integer(rows_lost)} rows in all", width)
        for row in rows(told):
            if not row.n_units:
                lines += _wrap(f"{reason_text(row.reason)}: {format_integer(row.n_rows)} rows", width)
    return Box(tuple(lines), width)


def _shown(n: int, group: str) -> str:
    return SMALL if group != OVERALL and 0 < n < SMALLEST_COUNT else format_integer(n)


def _draw_box(axes: Axes, box: Box, centre: float, top: float, *, dashed: bool = False) -> None:
    from matplotlib.patches import FancyBboxPatch

    from alliancekit.report.style import INK, MUTED, PAPER

    axes.add_patch(
        FancyBboxPatch(
            (centre - box.width / 2, top - box.height),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=PAPER,
            edgecolor=MUTED if dashed else INK,
            linewidth=0.7 if dashed else 0.9,
        )
    )
    for i, line in enumerate(box.lines):
        axes.text(
            centre - box.width / 2 + PAD if dashed else centre,
            top - PAD - (i + 0.5) * LINE,
            line,
            ha="left" if dashed else "center",
            va="center_baseline",
            fontsize=FONT,
            fontweight="bold" if i == 0 and not dashed else "normal",
        )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    from alliancekit.report.style import INK

    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": INK,
            "linewidth": 0.8,
            "mutation_scale": 8,
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def _fork(axes: Axes, centre: float, top: float, ends: list[float]) -> None:
    from alliancekit.report.style import INK

    middle = top - GAP
    axes.plot([centre, centre], [top, middle], color=INK, linewidth=0.8, linestyle="-", marker="")
    axes.plot([min(ends), max(ends)], [middle, middle], color=INK, linewidth=0.8, linestyle="-", marker="")
    for x in ends:
        _arrow(axes, (x, middle), (x, middle - GAP))


def _draw_chain(axes: Axes, chain: Chain, left: float, main: float, top: float) -> None:
    centre = left + main / 2
    for position, (box, side) in enumerate(chain):
        _draw_box(axes, box, centre, top)
        bottom = top - box.height
        if position == len(chain) - 1:
            return
        gap = max(GAP, side.height + 0.14) if side else GAP
        _arrow(axes, (centre, bottom), (centre, bottom - gap))
        if side is not None:
            x = left + main + 0.12
            _draw_box(axes, side, x + side.width / 2, bottom - (gap - side.height) / 2, dashed=True)
            _arrow(axes, (centre, bottom - gap / 2), (x, bottom - gap / 2))
        top = bottom - gap


def retention_figure(flow: SampleFlow) -> Figure:
    """Return the share of units observed at each occasion, by arm where there are arms."""
    told = flow.retention
    groups = flow.groups or [OVERALL]
    shown = told[told["group"].isin(groups)].copy()
    small = (shown["group"] != OVERALL) & shown["n_observed"].between(1, SMALLEST_COUNT - 1)
    shown.loc[small, ["n_observed", "percent"]] = float("nan")
    people = plural(flow.by)
    outcome = flow.labels.get(str(flow.outcome), str(flow.outcome))
    caption = f"Share of {people} with a value of {outcome} at each occasion, of those in the study."
    if bool(small.any()):
        caption += f" Occasions with fewer than {SMALLEST_COUNT} {people} in an arm are left out."
    last = shown.dropna(subset=["percent"]).groupby("group", sort=False).tail(1)
    ends = "; ".join(f"{row.group}: {row.percent:.0f}% at {row.time}" for row in rows(last))

    def draw() -> MplFigure:
        return _draw_retention(flow, shown, groups)

    return Figure("Retention by Occasion", draw, caption, f"Line chart of retention. {ends}.", shown, flow)


def _draw_retention(flow: SampleFlow, shown: pd.DataFrame, groups: list[str]) -> MplFigure:
    from alliancekit.report.style import FAINT, LINES, MARKERS, SERIES, new_figure

    figure, axes = new_figure(height=3.0)
    times: list[Any] = shown["time"].drop_duplicates().tolist()
    numeric = pd.api.types.is_numeric_dtype(shown["time"])
    places = {t: float(t) if numeric else float(i) for i, t in enumerate(times)}
    for k, group in enumerate(groups):
        own = shown[shown["group"] == group]
        sizes = own["n_expected"].max()
        axes.plot(
            [places[t] for t in own["time"]],
            own["percent"],
            color=SERIES[k % len(SERIES)],
            linestyle=LINES[k % len(LINES)],
            marker=MARKERS[k % len(MARKERS)],
            label=f"{group} (n = {_shown(int(sizes), group)})",
        )
    axes.set_ylim(0, 103)
    axes.yaxis.grid(True, color=FAINT, linewidth=0.4)
    few = times if len(times) <= 16 else times[:: -(-len(times) // 12)]
    axes.set_xticks([places[t] for t in few], [f"{t:g}" if numeric else str(t) for t in few])
    axes.set_xlabel(flow.labels.get(str(flow.time), str(flow.time)))
    axes.set_ylabel("Observed (%)")
    if len(groups) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(groups), 3), borderaxespad=0.2)
    return figure
