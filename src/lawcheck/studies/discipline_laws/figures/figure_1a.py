"""Figure 1 A: how unequal the disciplines of the corpus are."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import light_grid, panel_title
from lawcheck.show.style import BLACK, BLUE, TWO_COLUMNS, Picture
from lawcheck.studies.discipline_laws.tables.table_1 import NOT_COUNTED, published_lines

FIGURE = Picture(
    name="figure_1a",
    title="Figure 1A. Five disciplines",
    caption=(
        "a: training samples per discipline, before upsampling (logarithmic). b: their share of "
        "the corpus in percent. Filled: counted here; open: the published corpus. Every scale "
        "keeps the published shares. Counts, so without intervals."
    ),
    law="variability",
)


def build(context: RenderContext) -> Figure:
    figure = Figure(figsize=(TWO_COLUMNS, 2.4), layout="constrained")
    samples, share = figure.subplots(1, 2, sharey=True)
    names = [d.name for d in context.science]
    counted = context.corpus["disciplines"] if context.corpus is not None else {}
    theirs = published_lines()
    for axes, key in ((samples, "samples"), (share, "percent")):
        ours = {n: float(counted[n][key]) for n in names if n in counted}
        published = {n: float(theirs[n][key]) for n in names if n in theirs}
        _points(axes, names, ours, published, "{:,.0f}" if key == "samples" else "{:.1f} %")
    everything = [n for line in samples.lines for n in line.get_xdata()]
    samples.set_xscale("log")
    if everything:
        # Room for the labels to the right of the last mark.
        samples.set_xlim(min(everything) / 2, max(everything) * 10)
    share.set_xlim(0, 100)
    samples.set_yticks(range(len(names)), [d.title for d in context.science])
    samples.set_ylim(len(names) - 0.5, -0.5)
    samples.set_xlabel("Training samples")
    share.set_xlabel("Share of the corpus (%)")
    handles, labels = samples.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=max(1, len(labels)))
    scale = f"scale {context.scale_name}" if counted else NOT_COUNTED
    panel_title(samples, 0, f"Samples, {scale}")
    panel_title(share, 1, "Share of the corpus")
    return figure


def _points(
    axes: Axes, names: list[str], ours: dict[str, float], published: dict[str, float], form: str
) -> None:
    """Each discipline's numbers, labelled: ours under the marks, the published ones above."""
    sides: tuple[tuple[dict[str, float], float, dict[str, Any], str], ...] = (
        (published, -0.2, {"marker": "s", "color": BLACK, "markerfacecolor": "white"}, "published"),
        (ours, 0.2, {"marker": "o", "color": BLUE}, "counted here"),
    )
    for values, shift, look, label in sides:
        if not values:
            continue
        places = [names.index(n) + shift for n in values]
        axes.plot(list(values.values()), places, linestyle="none", label=label, **look)
        for (_, value), y in zip(values.items(), places, strict=True):
            axes.annotate(
                form.format(value),
                (value, y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=6,
                color=look["color"],
            )
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")
