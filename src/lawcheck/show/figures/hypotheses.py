"""A law's hypotheses: estimate, interval, margin and smallest effect of interest."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lawcheck.declare.design import ConjunctVerdict, PartVerdict
from lawcheck.errors import InputError
from lawcheck.judging.outcomes import fixed, minus
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import beside_row, forest_axis
from lawcheck.show.labels import part_label
from lawcheck.show.style import BLACK, OUTCOME_COLORS, TWO_COLUMNS, Picture

FIGURE = Picture(
    name="hypotheses",
    title="The law's hypotheses",
    caption=(
        "Estimate and two-sided (1 - 2 alpha) interval of every hypothesis, the interval that "
        "the one-sided tests read. Filled: primary, the verdict needs all of them; open: "
        "secondary. Small, under a part: the cases that decide it; its own row, grey, only pools "
        "them. Shaded: effects smaller than the smallest effect of interest. Dashed: "
        "the margin of a no-gain or equivalence claim. Arrows: the claimed direction."
    ),
    per_law=True,
    needs_verdict=True,
)
POOLED = "#9A9A9A"
ROW = 0.25
# Height of a case's row over that of a part.
CASE = 0.7


def build(context: RenderContext) -> Figure:
    verdict = context.verdict
    if verdict is None:
        raise InputError(
            f"hypotheses: law {context.law.name!r} has no verdict; judge it before rendering"
        )
    # Counted quantities have no interval and other magnitudes: they get their own axis.
    kinds = list(dict.fromkeys(_kind(p) for p in verdict.parts))
    groups = [[p for p in verdict.parts if _kind(p) == kind] for kind in kinds]
    heights = [_height(g) + 1.9 for g in groups]
    figure = Figure(
        figsize=(TWO_COLUMNS, ROW * sum(heights) + 0.75),
        layout=ConstrainedLayoutEngine(hspace=0.02),
    )
    grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)
    for axes, (unit, _), parts in zip(grid.flat, kinds, groups, strict=True):
        _panel(axes, context, unit, parts)
    own = "" if verdict.preregistered else ", exploratory"
    place = f" at scale {context.shown_scale}" if context.scale_name else own
    seeds = "1 seed" if verdict.n_seeds == 1 else f"{verdict.n_seeds} seeds"
    figure.suptitle(
        f"{context.law.title}: {verdict.outcome}{place} ({seeds})",
        fontsize=9,
        x=0.01,
        ha="left",
    )
    handles: list[Artist] = [
        Patch(color=color, label=name) for name, color in OUTCOME_COLORS.items()
    ]
    handles += [_marker("o", BLACK, "primary"), _marker("s", "white", "secondary")]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _kind(part: PartVerdict) -> tuple[str, bool]:
    return part.unit, part.low is None and part.estimate is not None


def _marker(shape: str, face: str, label: str) -> Line2D:
    return Line2D(
        [], [], marker=shape, color=BLACK, markerfacecolor=face, linestyle="none", label=label
    )


def _height(parts: list[PartVerdict]) -> float:
    return sum(1 + CASE * len(p.conjuncts) for p in parts)


def _rows(parts: list[PartVerdict]) -> Iterator[tuple[float, PartVerdict, ConjunctVerdict | None]]:
    """Middle of every row: parts, each followed by its cases."""
    top = -0.5
    for part in parts:
        yield top + 0.5, part, None
        top += 1
        for case in part.conjuncts:
            yield top + CASE / 2 - 0.05, part, case
            top += CASE


def _panel(axes: Axes, context: RenderContext, unit: str, parts: list[PartVerdict]) -> None:
    rows = list(_rows(parts))
    for y, part, case in rows:
        if case is None:
            _part(axes, y, part)
        else:
            _case(axes, y, part, case)
    names = [_name(context, (part if case is None else case).name) for _, part, case in rows]
    forest_axis(axes, names, [y for y, *_ in rows], _height(parts))
    for tick, (_, part, case) in zip(axes.get_yticklabels(), rows, strict=True):
        primary = part.role == "primary" and case is None
        tick.set_fontweight("bold" if primary else "normal")
        if case is not None:
            tick.set_fontsize(6)
    axes.set_xlabel(unit, labelpad=1)


def _name(context: RenderContext, name: str) -> str:
    """A base model for a case of its name; the task for a part about one task."""
    tasks = {h.name: h.claim for h in context.law.hypotheses if h.claim in context.law.tasks}
    return context.families.get(name) or tasks.get(name) or part_label(name)


def _case(axes: Axes, y: float, part: PartVerdict, case: ConjunctVerdict) -> None:
    color = OUTCOME_COLORS[case.outcome]
    if case.low is not None and case.high is not None:
        axes.plot([case.low, case.high], [y, y], color=color, linewidth=0.9)
    if case.estimate is not None:
        axes.plot(case.estimate, y, marker="o", markersize=2.5, color=color, linestyle="none")
    beside_row(axes, y, _words(part, case), 5.5)


def _part(axes: Axes, y: float, part: PartVerdict) -> None:
    # The mean of cases on either side of a claim must not look like what was decided.
    color = POOLED if part.conjuncts else OUTCOME_COLORS[part.outcome]
    axes.fill_betweenx([y - 0.4, y + 0.4], -part.sesoi, part.sesoi, color="#E6E6E6", linewidth=0)
    if part.margin is not None:
        sides = (part.margin,) if part.alternative == "no_gain" else (-part.margin, part.margin)
        for x in sides:
            axes.plot([x, x], [y - 0.4, y + 0.4], color=BLACK, linestyle="--", linewidth=0.8)
    if part.estimate is not None:
        if part.low is not None and part.high is not None:
            axes.plot([part.low, part.high], [y, y], color=color, linewidth=1.6)
        axes.plot(
            part.estimate,
            y,
            marker="o" if part.role == "primary" else "s",
            markerfacecolor=color if part.role == "primary" else "white",
            markeredgecolor=color,
            linestyle="none",
        )
    beside_row(axes, y, _words(part, part))


ARROWS = {
    "greater": "\u2192",
    "less": "\u2190",
    "below": "\u2190",
    "no_gain": "\u2264",
    "equivalent": "=",
}


def _words(part: PartVerdict, row: PartVerdict | ConjunctVerdict) -> str:
    """Direction, estimate and interval, outcome, of a part or of one of its cases."""
    if row.estimate is None:
        return f"{ARROWS[part.alternative]}  not estimated, {row.outcome}"
    text = minus(fixed(row.estimate, part.unit, "+"))
    if row.low is not None and row.high is not None:
        low, high = (minus(fixed(v, part.unit, "+")) for v in (row.low, row.high))
        text += f" [{low}, {high}]"
    pooled = "pooled " if row is part and part.conjuncts else ""
    return f"{ARROWS[part.alternative]}  {pooled}{text}  {row.outcome}"
