"""Figure 2: which rows of a task three distances keep, and how many.

The paper prints it as a picture only, and no number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.scores import ROW_KEPT, ROW_X, ROW_Y
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    Look,
    finish,
    gaps,
    legend_handle,
    light_grid,
    one_range,
    panel_title,
    seeds_text,
    series,
)
from lawcheck.show.labels import words
from lawcheck.show.style import BLUE, GREEN, GREY, ORANGE, TWO_COLUMNS, Picture, empty
from lawcheck.studies.adapters_selector.arms import DISTANCES, EMBEDDINGS
from lawcheck.studies.adapters_selector.shown import NAMES, chosen, kept_rows

FIGURE = Picture(
    name="selector_figure_2",
    law="select_representatives",
    title="Figure 2 of Tian et al. Rows that are kept",
    caption=(
        "Rows that represent a task, by the distance of the clusters. a to c: first two principal "
        "components of the input embeddings of one task's rows, first seed; grey: up to 200 rows "
        "that are not kept. d, e: rows kept of each of twelve tasks, mean and 95 % interval over "
        "seeds, by size at paper size; fewer rows than wanted: several centres share their nearest "
        "row. Published as a picture only."
    ),
)
LOOKS = {"L2": Look(BLUE, "s", "-"), "COS": Look(GREEN, "o", "--"), "IP": Look(ORANGE, "^", ":")}
SHIFT = 0.08


def build(context: RenderContext) -> Figure:
    tasks = max((a.selection.tasks for a in context.law.arms if a.selection), key=len, default=())
    found = {
        (s.embedding, s.distance, s.k): a
        for a in chosen(context.law.arms, tasks, FIGURE.name)
        if (s := a.selection) and s.by == "kmeans" and s.steps_of is None and s.k and not s.released
    }
    if not found:
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} declares no selector of clustered rows; "
            f"declare one, or leave {FIGURE.name} out of its list"
        )
    sizes = sorted({k for _, _, k in found})
    named = {a: f"{NAMES[e]}, {d}, {k}" for (e, d, k), a in found.items()}
    context.summary.require(list(named), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 4.5), layout="constrained")
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(1, 1.05)))
    planes = above.subplots(1, len(DISTANCES), sharex=True, sharey=True)
    for k, (axes, distance) in enumerate(zip(planes, DISTANCES, strict=True)):
        arm = found.get((EMBEDDINGS[0], distance, sizes[-1]))
        n = _plane(axes, context, arm, tasks[0], LOOKS[distance])
        panel_title(axes, k, distance if n is None else f"{distance}: {n} rows kept")
    planes[0].set_ylabel("Second component")
    planes[1].set_xlabel(f"First component of the rows of {words(tasks[0])}")
    counts = below.subplots(1, len(EMBEDDINGS), sharey=True)
    for k, (axes, embedding) in enumerate(zip(counts, EMBEDDINGS, strict=True)):
        own: dict[str, list[Arm | None]] = {
            d: [found.get((embedding, d, size)) for size in sizes] for d in DISTANCES
        }
        _counts(axes, context, own, sizes)
        name = NAMES[embedding]
        panel_title(axes, len(DISTANCES) + k, name[:1].upper() + name[1:])
    one_range(counts)
    counts[0].set_ylabel("Rows kept of a task")
    handles = [legend_handle(LOOKS[d], d) for d in DISTANCES]
    handles.append(legend_handle(Look(GREY, "."), "not kept", joined=False))
    seeds = seeds_text(kept_rows(context, a) for a in named)
    said = f"Measured at scale {context.shown_scale}, {seeds}."
    return finish(figure, context, handles, named, [said], target=tasks)


def _plane(
    axes: Axes, context: RenderContext, arm: Arm | None, task: str, look: Look
) -> int | None:
    """Rows kept; None, and an empty panel, where nothing is known of them."""
    seeds = () if arm is None else context.scores.seeds(arm.name, task, ROW_KEPT)
    if arm is None or not seeds:
        empty(axes)
        return None
    x, y, kept = (
        context.scores.cube(arm.name, task, seeds[:1], metric)[0]
        for metric in (ROW_X, ROW_Y, ROW_KEPT)
    )
    here = kept > 0
    axes.plot(x[~here], y[~here], ".", color=GREY, markersize=2, alpha=0.5, gid="others")
    axes.plot(x[here], y[here], look.marker, color=look.color, markersize=3.5, gid="kept")
    axes.tick_params(labelsize=6)
    return int(np.count_nonzero(here))


def _counts(
    axes: Axes,
    context: RenderContext,
    own: Mapping[str, Sequence[Arm | None]],
    sizes: Sequence[int],
) -> None:
    for k, (distance, arms) in enumerate(own.items()):
        xs = [x + SHIFT * (k - 1) for x in range(len(sizes))]
        values = [None if a is None else kept_rows(context, a) for a in arms]
        series(axes, xs, values, LOOKS[distance], distance, size=4)
        gaps(axes, xs, values, SHIFT / 2)
    axes.set_xticks(range(len(sizes)), [f"{s}" for s in sizes])
    axes.set_xlabel("Rows wanted of a task, at paper size")
    axes.set_xlim(-0.4, len(sizes) - 0.6)
    light_grid(axes)
