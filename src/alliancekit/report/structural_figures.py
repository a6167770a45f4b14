"""Figures beside the path diagram: residual correlations, largest modification indices, eigenvalues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, message
from alliancekit.report.formatting import format_fixed
from alliancekit.report.parts import Figure
from alliancekit.structural.exploratory import FactorSolutions
from alliancekit.structural.result.fit import StructuralFit

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

NOTABLE = 0.10
SHOWN = 12


def residual_figure(fit: StructuralFit) -> Figure:
    """Return residual correlations as a coloured triangle, one panel per group or level."""
    found = {name: frame for name, frame in fit.residual_matrix("cor.bollen").items() if name.startswith("cov")}
    titles = [name.removeprefix("cov").strip() for name in found]
    frames = list(found.values())
    data = pd.concat([_long(frame, title) for frame, title in zip(frames, titles, strict=True)], ignore_index=True)
    size = max(len(frame) for frame in frames)

    def draw() -> MplFigure:
        from alliancekit.report.style import new_figure

        count = len(frames)
        figure, axes = new_figure(count, 1, height=(0.34 * size + 1.1) * count, squeeze=False)
        for own, frame, title in zip(axes.ravel(), frames, titles, strict=True):
            _triangle(own, frame)
            if title:
                own.set_title(title)
        return figure

    worst = data.iloc[int(np.argmax(data["residual"].abs()))]
    large = int((data["residual"].abs() >= NOTABLE).sum())
    return Figure(
        title="Residual Correlations",
        draw=draw,
        caption="Correlations of the sample less those of the model. Blue: the variables go together more than the "
        f"model says, orange: less. Bold: {NOTABLE:.2f} or more in size.",
        alt=f"{large} of {len(data)} residual correlations are {NOTABLE:.2f} or larger; the largest is "
        f"{worst['residual']:.2f}, {worst['variable_1']} with {worst['variable_2']}.",
        data=data,
        source=fit,
    )


def _long(frame: pd.DataFrame, title: str) -> pd.DataFrame:
    """Return the lower triangle as one row per pair."""
    i, j = np.tril_indices(len(frame), -1)
    names = np.array(frame.index)
    out = pd.DataFrame({"variable_1": names[i], "variable_2": names[j], "residual": frame.to_numpy()[i, j]})
    if title:
        out.insert(0, "panel", title)
    return out


def _triangle(axes: object, frame: pd.DataFrame) -> None:
    """Draw the lower triangle with its numbers."""
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    from alliancekit.report.style import INK, SERIES

    assert isinstance(axes, Axes)
    values, names = frame.to_numpy(), list(frame.index)
    p = len(names)
    for i in range(1, p):
        for j in range(i):
            value = values[i, j]
            strength = 0.75 * min(abs(value) / 0.3, 1.0)
            color = SERIES[0] if value > 0 else SERIES[1]
            axes.add_patch(Rectangle((j, p - 1 - i), 1, 1, facecolor=color, alpha=strength, edgecolor="none"))
            bold = "bold" if abs(value) >= NOTABLE else "normal"
            axes.text(
                j + 0.5,
                p - 0.5 - i,
                format_fixed(value, 2, leading_zero=False),
                ha="center",
                va="center",
                fontsize=min(7.5, 62 / p + 1.5),
                fontweight=bold,
                color=INK,
            )
    axes.set_xlim(0, max(p - 1, 1))
    axes.set_ylim(0, max(p - 1, 1))
    axes.set_xticks(np.arange(p - 1) + 0.5, names[:-1], rotation=90 if max(map(len, names)) > 4 else 0)
    axes.set_yticks(np.arange(p - 1) + 0.5, names[:0:-1])
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def modification_figure(fit: StructuralFit) -> Figure:
    """Return the largest modification indices as bars, with the standardised change each would bring."""
    found = fit.modification_indices().head(SHOWN)
    found = found[found["mi"] > 1e-6]
    if found.empty:
        raise ReportError(message("the model has no fixed parameter that could be freed", do="It may be saturated"))
    ends = [f" ({row[name]})" for name in ("group", "level") if name in found for row in found.to_dict("records")]
    labels = [f"{r['lhs']} {r['op']} {r['rhs']}".strip() for r in found.to_dict("records")]
    labels = [label + (ends[k] if ends else "") for k, label in enumerate(labels)]
    data = found.assign(parameter=labels)[["parameter", "mi", "epc", "sepc_all"]].reset_index(drop=True)

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, PAPER, SERIES, new_figure

        figure, axes = new_figure(height=0.9 + 0.27 * len(data))
        y = np.arange(len(data))[::-1]
        axes.barh(y, data["mi"], height=0.62, color=SERIES[0])
        axes.axvline(3.84, color=FAINT, linewidth=0.9, linestyle="--", zorder=0.5)
        for place, mi, change in zip(y, data["mi"], data["sepc_all"], strict=True):
            axes.annotate(
                format_fixed(change, 2),
                (mi, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8},
            )
        axes.set_yticks(y, data["parameter"])
        axes.set_xlim(0, float(data["mi"].max()) * 1.12)
        axes.set_xlabel("Modification index (chi-square, 1 df)")
        return figure

    top = data.iloc[0]
    return Figure(
        title="Largest Modification Indices",
        draw=draw,
        caption="What freeing one fixed parameter would take off chi-square; the number beside a bar is the expected "
        "standardised value. Broken line: the 5% point of one test, 3.84, which many bars pass by chance alone.",
        alt=f"The largest index is {top['mi']:.1f}, of {top['parameter']}.",
        data=data,
        source=fit,
    )


def scree_figure(result: FactorSolutions) -> Figure:
    """Return the eigenvalues of the items' correlations, the largest first."""
    values = result.eigenvalues()
    data = pd.DataFrame({"number": values.index, "eigenvalue": values.to_numpy()})
    above = int((values > 1).sum())

    def draw() -> MplFigure:
        from alliancekit.report.style import FAINT, SERIES, new_figure

        figure, axes = new_figure(height=3.0)
        axes.axhline(1, color=FAINT, linewidth=0.9, linestyle="--")
        axes.plot(data["number"], data["eigenvalue"], color=SERIES[0], marker="o", markersize=4)
        axes.set_xticks(data["number"])
        axes.set_ylim(0, None)
        axes.set_xlabel("Number")
        axes.set_ylabel("Eigenvalue")
        return figure

    of_what = "correlations" if next(iter(result.fits.values()))._fit.options.rotation.std_ov else "covariances"
    return Figure(
        title="Eigenvalues of the Items",
        draw=draw,
        caption=f"Eigenvalues of the items' {of_what}, the largest first (scree plot). Broken line: one.",
        alt=f"The first eigenvalues are {', '.join(f'{v:.2f}' for v in values.head(3))}; {above} of {len(values)} are "
        "above one.",
        data=data,
        source=result,
    )
