"""Figure 4: c, the designs of LoRA-MoE at each data fraction."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.design import Arm
from lawcheck.published import published_value
from lawcheck.render.context import RenderContext
from lawcheck.render.style import GREY, MARKERS, SERIES, TWO_COLUMNS, Picture, hatched
from lawcheck.render.tables.table_8 import design_arms, design_label

FIGURE = Picture(
    name="figure_4c",
    law="share_then_specialize",
    title="Figure 4 c. Designs of LoRA-MoE",
    caption=(
        "Average accuracy over the disciplines by design of LoRA-MoE and share of the training "
        "data. Left: measured here, mean and 95 % interval (seeds and items crossed); the dotted "
        "line is the base model; hatched: no scores yet. Right: the published values, another "
        "scale, one run each and therefore without an interval. The axes differ."
    ),
)
BASE = "base model"
Groups = dict[float, list[tuple[str, Arm]]]


def build(context: RenderContext) -> Figure:
    groups = design_arms(context, FIGURE.name)
    arms = [a for pairs in groups.values() for _, a in pairs]
    context.summary.require(arms, FIGURE.name)
    designs = list(dict.fromkeys(v for pairs in groups.values() for v, _ in pairs))
    figure = Figure(figsize=(TWO_COLUMNS, 2.3), layout="constrained")
    ours, theirs = figure.subplots(1, 2)
    seeds = _ours(ours, context, groups, designs)
    _theirs(theirs, groups, designs)
    ours.set_title(f"(c) measured, scale {context.shown_scale}, {seeds}", loc="left")
    theirs.set_title("(c) published, 7B, one run", loc="left")
    for axes in (ours, theirs):
        axes.set_xticks(range(len(designs)), [_wrapped(design_label(d)) for d in designs])
        axes.set_xlim(-0.5, len(designs) - 0.5)
        axes.grid(axis="y", linewidth=0.4, color="#DDDDDD")
        axes.set_axisbelow(True)
        axes.margins(y=0.15)
    ours.set_ylabel("Average accuracy")
    handles, labels = ours.get_legend_handles_labels()
    # matplotlib lists lines before error bars; the designs come first here.
    lines = sum(label == BASE for label in labels)
    handles, labels = handles[lines:] + handles[:lines], labels[lines:] + labels[:lines]
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return figure


def _wrapped(label: str) -> str:
    return label.replace(" ", "\n", 1) if len(label) > 10 else label


def _offset(k: int, n: int) -> float:
    return 0.22 * (k - (n - 1) / 2)


def _ours(axes: Axes, context: RenderContext, groups: Groups, designs: list[str]) -> str:
    seeds = set()
    for k, (fraction, pairs) in enumerate(groups.items()):
        shown = [(designs.index(v), context.summary.accuracy(a, "average")) for v, a in pairs]
        points = [(x, m) for x, m in shown if m is not None]
        seeds |= {m.n_seeds for _, m in points}
        for x in (x + _offset(k, len(groups)) for x, m in shown if m is None):
            hatched(axes, x - 0.08, x + 0.08)
        axes.errorbar(
            [x + _offset(k, len(groups)) for x, _ in points],
            [m.value for _, m in points],
            yerr=[m.half or 0.0 for _, m in points],
            fmt=MARKERS[k],
            color=SERIES[k],
            capsize=2,
            elinewidth=0.9,
            label=f"data {100 * fraction:g} %",
        )
    base = context.summary.accuracy(context.law.base, "average")
    if base is not None:
        axes.axhline(base.value, linestyle=":", color=GREY, label=BASE)
    if not seeds:
        return "no averages"
    low, high = min(seeds), max(seeds)
    return f"{low} to {high} seeds" if low < high else f"{low} seed{'s' * (low > 1)}"


def _theirs(axes: Axes, groups: Groups, designs: list[str]) -> None:
    for k, (fraction, pairs) in enumerate(groups.items()):
        values = {v: published_value("table8_design", a, "average") for v, a in pairs}
        points = [(designs.index(v), value) for v, value in values.items() if value is not None]
        axes.plot(
            [x + _offset(k, len(groups)) for x, _ in points],
            [value for _, value in points],
            linestyle="none",
            marker=MARKERS[k],
            markerfacecolor="white",
            markeredgecolor=SERIES[k],
            label=f"data {100 * fraction:g} %",
        )
