"""How the shares of a mixture move, and the losses that move them: of any law with such arms."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lawcheck.declare.design import Arm
from lawcheck.scores import LOSS, WEIGHT
from lawcheck.show.context import RenderContext
from lawcheck.show.domains import domain_looks, domains_of, mixed_arms, moves
from lawcheck.show.drawing import (
    Look,
    legend_handle,
    light_grid,
    one_range,
    panel_title,
    write_notes,
)
from lawcheck.show.labels import arm_labels
from lawcheck.show.style import TWO_COLUMNS, Picture, empty
from lawcheck.show.summary import Measure

FIGURE = Picture(
    name="mixture_paths",
    title="Shares of domains while training",
    caption=(
        "Above: the share of every domain in the rows of each phase. Below: its loss on held-out "
        "rows, in nats per response token, before training (0) and after each phase; rules that "
        "move shares see no other numbers. Mean over seeds; shaded: its 95 % interval over seeds, "
        "which may leave the panel where few seeds come so far. Hatched: not measured."
    ),
    per_law=True,
    only=moves,
)
ACROSS = 3
# Characters of a title that fit beside each other over two columns.
TITLE_WIDTH = 110
FEWEST_SEEDS = 2
# Of the highest mean; no value is negative, and intervals of two seeds are wider than all of them.
HEADROOM = 1.15


def build(context: RenderContext) -> Figure:
    arms = [a for a in mixed_arms(context.law) if a.mixture and a.mixture.update != "none"]
    titles = domains_of(context, arms)
    looks, labels = domain_looks(list(titles)), _short_labels(context, arms)
    across = min(ACROSS, len(arms))
    lines = math.ceil(len(arms) / across)
    figure = Figure(figsize=(TWO_COLUMNS, 0.7 + 2.3 * lines), layout="constrained")
    grid = figure.subplots(2 * lines, across, squeeze=False, height_ratios=(1.15, 1) * lines)
    for k in range(across * lines):
        line, column = divmod(k, across)
        above, below = grid[2 * line, column], grid[2 * line + 1, column]
        if k >= len(arms):
            above.set_visible(False)
            below.set_visible(False)
            continue
        for axes, metric, first in ((above, WEIGHT, 1), (below, LOSS, 0)):
            paths = path_of(context, arms[k], titles, metric, first)
            draw_paths(axes, paths, looks, first)
            highest = max((m.value for path in paths.values() for m in path), default=0.0)
            axes.set_ylim(0, max(highest, 0.1) * HEADROOM)
        title = "\n".join(textwrap.wrap(labels[arms[k].name], TITLE_WIDTH // across))
        panel_title(above, k, title, fontsize=6)
        below.set_xlabel("Phase")
        if column == 0:
            above.set_ylabel("Share of rows")
            below.set_ylabel("Held-out loss (nats)")
        else:
            # All panels of a kind have one range.
            above.tick_params(labelleft=False)
            below.tick_params(labelleft=False)
    one_range(grid[0::2].flat)
    one_range(grid[1::2].flat)
    figure.align_ylabels(grid[:, 0])
    handles = [legend_handle(looks[name], title) for name, title in titles.items()]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    write_notes(figure, [*seeds_note(context, arms, titles), *lost_note(context, arms)])
    return figure


def lost_note(context: RenderContext, arms: Sequence[Arm]) -> list[str]:
    """Which arms have no weights, and what to do about it."""
    labels = arm_labels(context.law, context.families)
    missing = [labels[a.name] for a in arms if not domains_of(context, [a])]
    return [f"Hatched: no weights of {'; '.join(missing)}; {context.how}."] if missing else []


def path_of(
    context: RenderContext, arm: Arm, domains: Mapping[str, str], metric: str, first: int
) -> dict[str, tuple[Measure, ...]]:
    """Domain -> what was measured of an arm, phase by phase."""
    return {name: context.summary.path(arm, name, metric, first) for name in domains}


def draw_paths(
    axes: Axes, paths: Mapping[str, Sequence[Measure]], looks: Mapping[str, Look], first: int
) -> None:
    """A line a domain with its interval; hatched where nothing was measured."""
    if not any(paths.values()):
        empty(axes)
        return
    for name, path in paths.items():
        look, xs = looks[name], range(first, first + len(path))
        axes.plot(
            xs,
            [m.value for m in path],
            color=look.color,
            marker=look.marker,
            markersize=2.6,
            linestyle=look.line,
            linewidth=0.9,
            gid=f"series {name}",
        )
        known = [(x, m.low, m.high) for x, m in zip(xs, path, strict=True) if m.low is not None]
        if known:
            at, low, high = zip(*known, strict=True)
            axes.fill_between(at, low, high, color=look.color, alpha=0.15, linewidth=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    light_grid(axes)


def _short_labels(context: RenderContext, arms: Sequence[Arm]) -> dict[str, str]:
    """Labels without what all of these arms share."""
    labels = arm_labels(context.law, context.families)
    parts = {a.name: labels[a.name].split(", ") for a in arms}
    shared = set.intersection(*map(set, parts.values())) if len(arms) > 1 else set()
    return {
        name: ", ".join(part for part in own if part not in shared) or labels[name]
        for name, own in parts.items()
    }


def seeds_note(
    context: RenderContext, arms: Sequence[Arm], domains: Mapping[str, str]
) -> list[str]:
    """How many seeds the paths are of, and what one alone does not show."""
    paths = [path_of(context, a, domains, WEIGHT, 1) for a in arms]
    counts = [m.n_seeds for own in paths for path in own.values() for m in path]
    found = {n for n in counts if n}
    if not found:
        return []
    if max(found) < FEWEST_SEEDS:
        return ["1 seed, so without intervals."]
    fewer = "; a run that has diverged ends early" if len(found) > 1 else ""
    text = " to ".join(str(n) for n in sorted({min(found), max(found)}))
    where = f"Scale {context.shown_scale}: " if context.scale_name else ""
    return [f"{where}{text} seeds{fewer}."]
