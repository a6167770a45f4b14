"""How figures look: one clean style for every figure, drawn so that it can be recoloured for a dark page.

Text, axes and ticks are drawn in one neutral ink (``INK``), reference lines in ``MUTED``, grids in ``FAINT``, fills
that should have the colour of the page in ``PAPER``. The HTML writer replaces these by the page's own colours, so a
presenter uses them (or leaves the defaults alone) rather than shades of its own.

The five series colours differ from white and from the dark page by a contrast of at least 3:1, and from each other
under normal vision and the three dichromacies. Where colour would be the only cue, give the lines the styles of
``LINES`` and the points the shapes of ``MARKERS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

INK: Final = "#1c2024"
MUTED: Final = "#666d75"
FAINT: Final = "#9aa0a6"
PAPER: Final = "#fefefe"
SERIES: Final = ("#1f62cf", "#d97414", "#22a375", "#c95fbe", "#70652a")
ACCENT: Final = SERIES[0]
LINES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS: Final = ("o", "s", "^", "D", "v")
WIDTH: Final = 6.3
"""Width of a figure in inches: the text of an A4 page with 2.5 cm margins."""

_RC: Final[dict[str, Any]] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelpad": 5.0,
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.unicode_minus": True,
    "errorbar.capsize": 0.0,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100.0,
    "figure.facecolor": "none",
    "figure.figsize": (WIDTH, 3.7),
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "mathtext.fontset": "dejavusans",
    "patch.linewidth": 0.7,
    "savefig.facecolor": "none",
    "savefig.transparent": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "alliancekit",
    "svg.id": None,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "xtick.direction": "out",
    "xtick.labelsize": 8.5,
    "xtick.major.size": 3.0,
    "xtick.major.width": 0.7,
    "ytick.color": INK,
    "ytick.direction": "out",
    "ytick.labelsize": 8.5,
    "ytick.major.size": 3.0,
    "ytick.major.width": 0.7,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw in the report's style inside the ``with`` block; the user's own settings are back afterwards.

    The style starts from matplotlib's defaults, so a personal matplotlibrc changes nothing. Fonts come with matplotlib
    and letters become outlines: a figure looks, and its bytes are, the same on every machine with that version.

    Examples
    --------
    >>> with figure_style():
    ...     figure, axes = new_figure()
    >>> figure.get_size_inches().tolist()
    [6.3, 3.7]
    """
    import matplotlib
    from cycler import cycler

    with matplotlib.rc_context():
        settings: Any = matplotlib.rcParams
        settings.update({k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")})
        # A setting that a version of matplotlib does not know yet is its default behaviour.
        settings.update({k: v for k, v in _RC.items() if k in settings})
        settings["axes.prop_cycle"] = cycler(color=SERIES)
        yield


def new_figure(
    rows: int = 1, columns: int = 1, *, height: float = 3.7, width: float = WIDTH, **options: Any
) -> tuple[MplFigure, Any]:
    """Return a new matplotlib figure and its axes, without pyplot (nothing stays open, no window appears).

    Parameters
    ----------
    rows, columns : panels.
    height, width : inches.
    **options : handed to ``Figure.subplots`` (``sharex=True`` ...).
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, **options)
