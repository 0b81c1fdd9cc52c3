"""Figure 3: how the shares of domains move, beside those that stay.

The paper prints it as a picture only, so no published numbers stand beside ours.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.scores import LOSS, WEIGHT
from lawcheck.show.context import RenderContext
from lawcheck.show.domains import domain_looks, domains_of
from lawcheck.show.drawing import legend_handle, one_range, panel_title, write_notes
from lawcheck.show.figures.mixture_paths import draw_paths, lost_note, path_of, seeds_note
from lawcheck.show.style import TWO_COLUMNS, Picture
from lawcheck.studies.versatune.shown import bases_of, methods

FIGURE = Picture(
    name="versatune_figure_3",
    law="dynamic_potential",
    title="Figure 3 of VersaTune. Shares of domains while training",
    caption=(
        "Share of every domain in the rows of each phase, of detected shares left as they are and "
        "moved by learnable potential, and the loss on held-out rows under the latter, in nats per "
        "response token, before training (0) and after each phase; one row a base model. Mean over "
        "seeds; shaded: its 95 % interval over seeds. Hatched: not measured. Published as a "
        "picture only."
    ),
)
STILL, MOVING = "VersaTune Constant", "VersaTune"


def build(context: RenderContext) -> Figure:
    found = methods(context, (STILL, MOVING), FIGURE.name)
    arms = [arm for own in found.values() for arm in own.values()]
    context.summary.require(arms, FIGURE.name)
    titles = domains_of(context, arms)
    looks, bases = domain_looks(list(titles)), bases_of(context, arms)
    figure = Figure(figsize=(TWO_COLUMNS, 0.8 + 1.9 * len(found)), layout="constrained")
    grid = figure.subplots(len(found), 3, squeeze=False)
    for row, (base, own) in zip(grid, found.items(), strict=True):
        columns = ((STILL, WEIGHT, 1), (MOVING, WEIGHT, 1), (MOVING, LOSS, 0))
        for axes, (name, metric, first) in zip(row, columns, strict=True):
            paths = path_of(context, own[name], titles, metric, first) if name in own else {}
            draw_paths(axes, paths, looks, first)
            axes.set_xlabel("Phase")
        row[0].set_ylabel(f"{bases[base]}\nShare of rows")
        row[2].set_ylabel("Held-out loss (nats)")
    one_range(grid[:, :2].flat)
    one_range(grid[:, 2].flat)
    for k, title in enumerate(
        ("Constant shares", "Moved by potential", "Moved by potential: loss")
    ):
        panel_title(grid[0, k], k, title)
    handles = [legend_handle(looks[name], title) for name, title in titles.items()]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    write_notes(figure, [*seeds_note(context, arms, titles), *lost_note(context, arms)])
    return figure
