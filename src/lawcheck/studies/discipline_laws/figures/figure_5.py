"""Figure 5: which expert the final feed-forward layer routes each discipline to, by design."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import gap_notes, panel_title, write_notes
from lawcheck.show.style import TWO_COLUMNS, Picture, empty
from lawcheck.show.summary import Routing
from lawcheck.studies.discipline_laws.tables.table_8 import design_arms, design_label

FIGURE = Picture(
    name="figure_5",
    law="share_then_specialize",
    title="Figure 5. Routing by discipline",
    caption=(
        "Mean routing probability at the final feed-forward layer, over prompt tokens and then "
        "items, for each discipline and expert; rows sum to 1. Each panel shows one run, that of "
        "the lowest seed, because expert numbers permute between seeds and must not be averaged. "
        "Above it, MI over all seeds, mean and range: mutual information of discipline and expert "
        "as a share of its maximum, which does not depend on the experts' numbers. Hatched: no "
        "routing recorded yet."
    ),
)


def build(context: RenderContext) -> Figure:
    groups = design_arms(context, FIGURE.name)
    # The paper shows the full data; the largest fraction is that.
    pairs = groups[max(groups)]
    panels = [(design_label(variant), context.summary.routing(arm)) for variant, arm in pairs]
    recorded = [r for _, r in panels if r is not None]
    if not recorded:
        raise InputError(
            f"{FIGURE.name}: arm {pairs[0][1].name!r}, and every other, has no routing "
            f"probabilities for every discipline; evaluate it with the router recorded, "
            f"{context.summary.evidence.how}"
        )
    top = max(float(r.matrices[0].max()) for r in recorded)
    columns = min(len(panels), 4)
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(TWO_COLUMNS, 0.55 + 1.75 * lines), layout="constrained")
    seeds = sorted({len(r.seeds) for r in recorded})
    over = " or ".join(map(str, seeds)) + (" seeds" if seeds != [1] else " seed")
    said = f"Measured, scale {context.shown_scale}: routing of one seed, MI over {over}"
    figure.suptitle(said, fontsize=8, x=0.01, ha="left")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    image = None
    for k, (axes, (title, routing)) in enumerate(zip(grid.flat, panels, strict=False)):
        if routing is None:
            empty(axes)
            axes.set_yticks([])
            panel_title(axes, k, f"{title}\nno routing recorded", fontsize=6.5)
        else:
            first = k % columns == 0 or panels[k - 1][1] is None
            image = _panel(axes, routing, top, first)
            panel_title(axes, k, f"{title}\n{information_label(routing)}", fontsize=6.5)
    assert image is not None
    bar = figure.colorbar(image, ax=grid, shrink=0.85, pad=0.01, aspect=25)
    bar.set_label("Routing probability")
    bar.outline.set_linewidth(0.5)
    write_notes(figure, gap_notes(context, {a: design_label(v) for v, a in pairs}))
    return figure


def _panel(axes: Axes, routing: Routing, top: float, first: bool) -> AxesImage:
    matrix = routing.matrices[0]
    # Light to dark, so that a grey print keeps the order.
    image = axes.imshow(matrix, cmap="Blues", vmin=0.0, vmax=top, aspect="auto")
    names = [d.short or d.title for d in routing.disciplines]
    axes.set_yticks(range(len(names)), names if first else [""] * len(names))
    axes.set_xticks(range(matrix.shape[1]), [str(e + 1) for e in range(matrix.shape[1])])
    axes.set_xlabel(f"Expert (seed {routing.seeds[0]})")
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for x, y in np.ndindex(matrix.shape[1], matrix.shape[0]):
        value = matrix[y, x]
        axes.text(
            x,
            y,
            f"{value:.2f}".removeprefix("0"),
            ha="center",
            va="center",
            fontsize=5.5,
            color="white" if value > 0.6 * top else "black",
        )
    for before, after in pairwise(range(len(names))):
        axes.axhline((before + after) / 2, color="white", linewidth=0.6)
    return image


def information_label(routing: Routing) -> str:
    """MI, mean over seeds and range."""
    values = routing.information
    mean = float(np.mean(values))
    if len(values) == 1:
        return f"MI {mean:.3f}"
    return f"MI {mean:.3f} [{min(values):.3f}, {max(values):.3f}]"
