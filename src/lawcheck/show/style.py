"""One look for every figure, and the same bytes for the same input."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.declare.design import PartOutcome
from lawcheck.show.grid import Fixed

# Okabe and Ito (2008): told apart by every common kind of colour vision; with the markers below
# they are told apart in grey, too.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#6E6E6E"
# Of a part's outcome, in the order of legends.
OUTCOME_COLORS: dict[PartOutcome, str] = {
    "shown": BLUE,
    "reversed": RED,
    "negligible": ORANGE,
    "open": GREY,
    "not tested": PURPLE,
}
# Inches. Both columns of an A4 page with two columns.
TWO_COLUMNS = 6.3
DPI = 300

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    # TrueType outlines, so that text in the PDF stays text and every font is embedded.
    "pdf.fonttype": 42,
    "svg.hashsalt": "lawcheck",
    "figure.dpi": 100,
    "savefig.dpi": DPI,
}


@dataclass(frozen=True, kw_only=True)
class Picture(Fixed):
    """A figure's fixed part."""

    needs_verdict: bool = False


def hatched(axes: Axes, left: float, right: float) -> None:
    """Mark a place on the x axis, full height, where scores are missing."""
    axes.axvspan(left, right, facecolor="none", edgecolor=GREY, hatch="/////", linewidth=0.0)


def empty(axes: Axes) -> None:
    """A panel that has nothing to show: hatched throughout, without an x scale."""
    hatched(axes, 0.0, 1.0)
    axes.set_xlim(0.0, 1.0)
    axes.set_xticks([])


def figure_bytes(build: Callable[..., Figure], *arguments: Any) -> dict[str, bytes]:
    """Draw with the project's settings; the figure as `pdf` and `png`, without any date."""
    with mpl.rc_context():
        # A user's own settings must not leak into the bytes.
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        figure = build(*arguments)
        found = {}
        for suffix, metadata in {
            "pdf": {"CreationDate": None, "Creator": "lawcheck", "Producer": None},
            "png": {"Software": None},
        }.items():
            stream = io.BytesIO()
            figure.savefig(stream, format=suffix, metadata=metadata)
            found[suffix] = stream.getvalue()
    return found
