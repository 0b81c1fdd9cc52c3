"""Figure 5: which domains the texts of a base model belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lawcheck.declare.design import Arm
from lawcheck.judging.stats import paired_t
from lawcheck.scores import DETECTED, PRETRAINED
from lawcheck.show.context import RenderContext
from lawcheck.show.domains import domain_looks, domains_of
from lawcheck.show.drawing import Look, panel_title, write_notes
from lawcheck.show.printed import lines
from lawcheck.show.style import BLACK, TWO_COLUMNS, Picture, empty
from lawcheck.show.summary import SEEDS, Measure, measure
from lawcheck.studies.versatune.released import DOMAINS
from lawcheck.studies.versatune.shown import PRINTED_DOMAINS, bases_of

FIGURE = Picture(
    name="versatune_figure_5",
    law="detection",
    title="Figure 5 of VersaTune. Detected domains",
    caption=(
        "a: shares of domains among the texts that a base model draws from nothing, mean over "
        "seeds of the mean over iterations, and, where the base is made here, those of the texts "
        "that it learned. Error bars: 95 % interval over seeds of each share, at the end of its "
        "part. b: counts of the released code, other models and other domains, one run each, so "
        "without intervals. Hatched: not detected."
    ),
)
DETECTED_ROW, TRUE_ROW = "detected", "pretrained on"
# A share below this has no room for its number.
SMALLEST_LABEL = 0.055


def build(context: RenderContext) -> Figure:
    arms = [a for a in context.law.arms if not a.has_weights]
    titles = domains_of(context, arms, DETECTED)
    rows = {
        f"{title}, {what}": shares
        for arm, title in zip(arms, _titles(context, arms), strict=True)
        for what, shares in (
            (DETECTED_ROW, _shares(context, arm, titles, DETECTED)),
            (TRUE_ROW, _shares(context, arm, titles, PRETRAINED)),
        )
        if shares
    }
    looks = domain_looks(list(titles))
    published = _published()
    heights = (max(1, len(rows)) + 0.7, len(published) + 0.7)
    figure = Figure(figsize=(TWO_COLUMNS, 1.5 + 0.24 * sum(heights)), layout="constrained")
    ours, theirs = figure.subplots(2, 1, height_ratios=heights)
    counts = {len(context.scores.seeds(a.name, d, DETECTED)) for a in arms for d in titles} - {0}
    seeds = " to ".join(str(n) for n in sorted({min(counts), max(counts)})) if counts else "no"
    panel_title(ours, 0, f"Measured, scale {context.shown_scale}, {seeds} seeds")
    if rows:
        _bars(ours, rows, looks)
        _legend(ours, titles, looks)
    else:
        empty(ours)
        ours.set_yticks([])
    names = {d: PRINTED_DOMAINS[d][1] for d in DOMAINS}
    other_looks = domain_looks(list(names))
    _bars(theirs, published, other_looks)
    panel_title(theirs, 1, "Counts of the released code, shares of the texts with a domain")
    _legend(theirs, names, other_looks)
    theirs.set_xlabel("Share of texts")
    missing = [a.name for a in arms if not domains_of(context, [a], DETECTED)]
    if missing:
        write_notes(figure, [f"Not detected: {', '.join(missing)}; {context.how}."])
    return figure


def _titles(context: RenderContext, arms: Sequence[Arm]) -> list[str]:
    titles = bases_of(context, arms)
    return [titles[a.base] for a in arms]


def _shares(
    context: RenderContext, arm: Arm, domains: Mapping[str, str], metric: str
) -> dict[str, Measure]:
    """Domain -> mean over seeds of its share; empty where the base was not measured."""
    found = {}
    for name in domains:
        seeds = context.scores.seeds(arm.name, name, metric)
        if seeds:
            cube = context.scores.cube(arm.name, name, seeds, metric)
            found[name] = measure(paired_t(np.nanmean(cube, axis=1)), 1.0, SEEDS)
    return found


def _published() -> dict[str, dict[str, Measure]]:
    """Model -> domain -> share of its texts that got a domain."""
    found = {}
    for line in lines("versatune_detected_counts"):
        counts = {d: int(line[d]) for d in DOMAINS}
        whole = sum(counts.values())
        found[line["model"]] = {
            d: Measure(
                value=n / whole,
                low=None,
                high=None,
                interval="none, one run",
                n_seeds=1,
                n_items=whole,
                n_unscored=0,
            )
            for d, n in counts.items()
        }
    return found


def _bars(axes: Axes, rows: Mapping[str, Mapping[str, Measure]], looks: Mapping[str, Look]) -> None:
    for y, shares in enumerate(rows.values()):
        left = 0.0
        for name, found in shares.items():
            axes.barh(
                y,
                found.value,
                0.72,
                left=left,
                color=looks[name].color,
                alpha=0.8,
                edgecolor="white",
                linewidth=0.5,
                gid=f"bar {name}",
            )
            if found.value >= SMALLEST_LABEL:
                axes.text(
                    left + found.value / 2,
                    y,
                    f"{100 * found.value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=6,
                )
            left += found.value
            if found.half:
                axes.errorbar(
                    left, y, xerr=found.half, color=BLACK, capsize=1.6, elinewidth=0.7, capthick=0.7
                )
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    # A little more than all, for the last interval.
    axes.set_xlim(0, 1.02)
    axes.tick_params(axis="y", length=0)


def _legend(axes: Axes, titles: Mapping[str, str], looks: Mapping[str, Look]) -> None:
    handles = [Patch(color=looks[n].color, alpha=0.8, label=title) for n, title in titles.items()]
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.03),
        handlelength=1.0,
        borderaxespad=0.2,
    )
