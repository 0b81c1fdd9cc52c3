"""What several figures draw alike: series of points with intervals, gaps and their notes."""

from __future__ import annotations

import math
import string
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from lawcheck.declare.design import AVERAGE, Arm, Target
from lawcheck.show.context import RenderContext
from lawcheck.show.labels import method_label
from lawcheck.show.style import BLACK, BLUE, GREEN, ORANGE, RED, SKY, hatched
from lawcheck.show.summary import ITEMS_ONLY, Measure

# Of every caption with levels.
LEVELS = (
    "Levels are means without intervals: those of two arms overlap whatever their difference is, "
    "since they share seeds and items; differences have 95 % intervals, paired over both."
)
# Characters of a note that fit beside each other over two columns.
NOTE_WIDTH = 135
MOST_NAMED = 6


@dataclass(frozen=True)
class Look:
    """Colour, marker and line of a series; no two of a figure share marker or line."""

    color: str
    marker: str
    line: LineStyleType = "none"


# A method looks the same in every figure.
METHOD_LOOKS = {
    "Discipline LoRA": Look(BLACK, "o", "-"),
    "LoRA": Look(BLUE, "s", "--"),
    "LoRA-MoE": Look(ORANGE, "^", "-."),
    "LoRA-Comp": Look(GREEN, "D", ":"),
    "FT": Look(RED, "v", (0, (6, 2, 1, 2, 1, 2))),
}
OTHER_LOOKS = (Look(SKY, "P", (0, (1, 3))), Look(BLACK, "X", (0, (5, 4))))
FRACTION_LOOKS = (
    Look(BLUE, "o", "--"),
    Look(ORANGE, "s", "-"),
    Look(GREEN, "^", ":"),
    Look(RED, "D", "-."),
)


def fraction_look(k: int) -> Look:
    """Look of the k-th data fraction that a figure shows."""
    return FRACTION_LOOKS[k % len(FRACTION_LOOKS)]


def method_looks(arms: Iterable[Arm]) -> dict[str, Look]:
    """Look of each method, in the paper's order and then in that of first mention."""
    named = dict.fromkeys(method_label(a) for a in arms)
    ordered = [
        *(n for n in METHOD_LOOKS if n in named),
        *(n for n in named if n not in METHOD_LOOKS),
    ]
    spare = iter(range(len(ordered)))
    return {
        n: METHOD_LOOKS[n] if n in METHOD_LOOKS else OTHER_LOOKS[next(spare) % len(OTHER_LOOKS)]
        for n in ordered
    }


def series(
    axes: Axes,
    xs: Sequence[float],
    measures: Sequence[Measure | None],
    look: Look,
    label: str,
    joined: bool = True,
    size: float | None = None,
) -> ErrorbarContainer:
    """Points with intervals. A None breaks the line; a point without interval has no bar.

    label: of the legend; its line's gid is `series <label>`, so that the numbers can be read back.
    """
    values = [math.nan if m is None else m.value for m in measures]
    halves = [math.nan if m is None or m.half is None else m.half for m in measures]
    drawn = axes.errorbar(
        xs,
        values,
        yerr=halves,
        marker=look.marker,
        linestyle=look.line if joined else "none",
        color=look.color,
        markersize=size,
        capsize=1.8,
        elinewidth=0.8,
        capthick=0.8,
        label=label,
    )
    drawn.lines[0].set_gid(f"series {label}")
    return drawn


def scores(
    axes: Axes,
    xs: Sequence[float],
    measures: Sequence[Measure | None],
    look: Look,
    label: str,
    half: float,
    joined: bool = False,
    size: float | None = None,
) -> None:
    """As `series`, and its gaps hatched, `half` to either side."""
    series(axes, xs, measures, look, label, joined, size)
    gaps(axes, xs, measures, half)


def gaps(axes: Axes, xs: Sequence[float], measures: Sequence[Measure | None], half: float) -> None:
    """Hatch the places of a series that have no measure, `half` to either side."""
    for x, m in zip(xs, measures, strict=True):
        if m is None:
            hatched(axes, x - half, x + half)


def points(
    axes: Axes,
    xs: Sequence[float],
    values: Sequence[float | None],
    look: Look,
    label: str,
    joined: bool = False,
    size: float | None = None,
    published: bool = False,
) -> Line2D:
    """Numbers without intervals, drawn in full at the edge of a panel; None: a gap.

    published: in print, one run each, hence open markers.
    """
    (line,) = axes.plot(
        xs,
        [math.nan if v is None else v for v in values],
        linestyle=look.line if joined else "none",
        linewidth=0.7 if published else None,
        marker=look.marker,
        markersize=size,
        color=look.color,
        markerfacecolor="white" if published else look.color,
        markeredgecolor=look.color,
        clip_on=False,
        zorder=3,
        gid=f"{'published' if published else 'series'} {label}",
    )
    return line


def levels(
    axes: Axes,
    xs: Sequence[float],
    measures: Sequence[Measure | None],
    look: Look,
    label: str,
    half: float,
    joined: bool = False,
    size: float | None = None,
) -> None:
    """Means of arms that are compared with each other, gaps hatched, `half` to either side.

    They have no bars: the intervals of two arms overlap whatever their difference is, because they
    share seeds and items. The panel of differences has the interval that compares them.
    """
    values = [None if m is None else m.value for m in measures]
    points(axes, xs, values, look, label, joined, size)
    gaps(axes, xs, measures, half)


def joined_pair(
    axes: Axes, xs: tuple[float, float], pair: tuple[Measure | None, Measure | None], color: str
) -> None:
    """An arrow from one arm's mean to another's; nothing where one is missing."""
    before, after = pair
    if before is not None and after is not None:
        axes.annotate(
            "",
            (xs[1], after.value),
            (xs[0], before.value),
            arrowprops={"arrowstyle": "->", "color": color, "linewidth": 0.8, "shrinkA": 2},
        )


def panel_title(axes: Axes, k: int, text: str, **more: Any) -> None:
    """Title of panel k of a figure, behind its letter: a, b, ..., z, aa, bb, ..."""
    plain = text.replace("$", r"\$")
    again, letter = divmod(k, len(string.ascii_lowercase))
    name = string.ascii_lowercase[letter] * (again + 1)
    axes.set_title(f"$\\mathbf{{{name}}}$  {plain}", loc="left", **more)


def one_range(panels: Iterable[Axes]) -> None:
    """The same y range for panels that are compared."""
    panels = list(panels)
    low, high = zip(*(axes.get_ylim() for axes in panels), strict=True)
    for axes in panels:
        axes.set_ylim(min(low), max(high))


def legend_handle(look: Look, label: str, joined: bool = True, filled: bool = True) -> Line2D:
    return Line2D(
        [],
        [],
        color=look.color,
        marker=look.marker,
        markerfacecolor=look.color if filled else "white",
        linestyle=look.line if joined else "none",
        label=label,
    )


def forest_axis(
    axes: Axes,
    names: Sequence[str],
    places: Sequence[float] | None = None,
    height: float | None = None,
) -> None:
    """Rows of a forest plot from top to bottom, around 0.

    places: of the rows, height: of them all, in rows; one row each where they are left out.
    """
    axes.axvline(0, color=BLACK, linewidth=0.7)
    axes.set_ylim((len(names) if height is None else height) - 0.4, -0.6)
    at = range(len(names)) if places is None else places
    axes.set_yticks(at, names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def beside_row(axes: Axes, y: float, text: str, size: float = 6.5) -> None:
    """Words to the right of a row of a forest plot."""
    axes.annotate(
        text,
        (1.0, y),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=size,
        annotation_clip=False,
    )


def dodge(k: int, n: int, step: float) -> float:
    """Offset of series k of n, so that intervals stand side by side."""
    return step * (k - (n - 1) / 2)


def light_grid(axes: Axes, axis: Literal["x", "y"] = "y") -> None:
    axes.grid(axis=axis, linewidth=0.4, color="#DDDDDD")
    axes.set_axisbelow(True)


def seeds_text(measures: Iterable[Measure | None]) -> str:
    """`3 seeds`, or the range where arms differ."""
    seeds = {m.n_seeds for m in measures if m is not None}
    if not seeds:
        return "no scores"
    low, high = min(seeds), max(seeds)
    if low < high:
        return f"{low} to {high} seeds"
    return "1 seed" if low == 1 else f"{low} seeds"


def percent(fraction: float) -> str:
    return f"{100 * fraction:g} %"


def gap_notes(
    context: RenderContext, named: Mapping[Arm, str], target: Target = AVERAGE
) -> list[str]:
    """What a reader must know: what is hatched and why, diverged runs, what intervals leave out.

    named: arm -> how the figure calls it. target: what the figure shows.
    """
    summary, diverged = context.summary, context.diverged
    found = []
    lost = [a for a in named if not summary.scored(a.name)]
    missing = [named[a] for a in lost if a.name not in diverged]
    if missing:
        found.append(f"Hatched: no scores of {_listed(missing)}; {context.how}.")
    gone = [f"{named[a]} ({diverged[a.name]})" for a in lost if a.name in diverged]
    if gone:
        found.append(f"Hatched: every run diverged of {_listed(gone)}.")
    titles = {d.name: d.title for d in context.disciplines}
    partial = [
        f"{named[a]} lacks {', '.join(titles.get(d, d) for d in lacking)}"
        for a in named
        if a not in lost and (lacking := summary.lacking(a.name))
    ]
    if partial:
        found.append(
            f"Hatched: scores missing, and no average without every discipline: {_listed(partial)}."
        )
    some = [f"{named[a]} {diverged[a.name]}" for a in named if a.name in diverged and a not in lost]
    if some:
        found.append(f"Diverged runs, not in the means: {_listed(some)}.")
    shown = [m for a in named if (m := summary.accuracy(a, target)) is not None]
    if any(m.interval == ITEMS_ONLY for m in shown):
        found.append("Intervals of a single seed cover items only, not a new training run.")
    return [*found, *(_unmeasured(context) if target == AVERAGE else [])]


def _unmeasured(context: RenderContext) -> list[str]:
    lost = [d.title for d in context.unmeasured]
    if not lost:
        return []
    return [
        f"No scores of {', '.join(lost)} in any arm: the average is of "
        f"{len(context.science) - len(lost)} of {len(context.science)} disciplines, the published "
        f"one of all."
    ]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def finish(
    figure: Figure,
    context: RenderContext,
    handles: Sequence[Artist],
    named: Mapping[Arm, str],
    more: Sequence[str] = (),
    target: Target = AVERAGE,
    **legend: Any,
) -> Figure:
    """The figure with its legend, and under it what a reader must know of the arms named.

    target: what it shows.
    """
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), **legend)
    write_notes(figure, [*gap_notes(context, named, target), *more])
    return figure


def write_notes(figure: Figure, lines: Sequence[str]) -> None:
    """Sentences under the figure; nothing where there are none."""
    if lines:
        text = "\n".join("\n".join(textwrap.wrap(line, NOTE_WIDTH)) for line in lines)
        figure.supxlabel(text, x=0.01, ha="left", fontsize=6, linespacing=1.25)
