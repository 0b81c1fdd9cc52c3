"""Figure 10 of Lu et al.: correlations over strategies, beside what arithmetic forces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from lawcheck.declare.estimands import RankCorrelation
from lawcheck.judging.outcomes import minus
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import panel_title
from lawcheck.show.style import GREY, TWO_COLUMNS, Picture
from lawcheck.studies.merging.levels import Levels, measured
from lawcheck.studies.merging.panels import finished, head, named
from lawcheck.studies.merging.strategies import merges

FIGURE = Picture(
    name="merging_figure_10",
    law="merge_synergy",
    title="Figure 10. Correlations over strategies, and what arithmetic forces",
    caption=(
        "Descriptive: Pearson correlations over the merges. Merged: score of the merge; better "
        "parent and gap: largest and absolute difference of the parents' scores; improvement: "
        "merged less better parent; DPO, ORPO, SFT and Instruct start: 1 or 0. a: measured, means "
        "over seeds; below each, the range over single seeds. b: the same with every merge at one "
        "score, the mean of all: what the parents alone force, whatever merging does. Hatched: "
        "undefined."
    ),
)
FORCED = (
    "What arithmetic forces: the partner's score is one number for all strategies, so improvement, "
    "gap and better parent share the tuned parent's score; a large number in both maps says "
    "nothing about merging. Published maps (Llama, Mistral) print no numbers in the text."
)
NAMES = (
    "Merged",
    "Improvement",
    "Gap of parents",
    "Better parent",
    "SFT",
    "DPO",
    "ORPO",
    "Instruct start",
)
Floats = NDArray[np.float64]


def attributes(levels: Levels, constant: bool = False) -> Floats:
    """(8, n_strategies) of a mean or one seed. constant: every merge at the mean of all."""
    merged = levels.merged[0]
    if constant:
        merged = np.full_like(merged, merged.mean())
    better = np.broadcast_to(levels.better[0], merged.shape)
    flags = [
        [float(stage in s.stages) for s in levels.strategies] for stage in ("SFT", "DPO", "ORPO")
    ]
    start = [float(s.start == "Instruct") for s in levels.strategies]
    return np.array([merged, merged - better, levels.gap[0], better, *flags, start])


def correlations(values: Floats) -> Floats:
    """(n, n); NaN where a row does not vary."""
    spread = values.std(axis=1)
    still = spread <= 1e-9
    scaled = (values - values.mean(axis=1, keepdims=True)) / np.where(still, 1.0, spread)[:, None]
    found = scaled @ scaled.T / values.shape[1]
    found[still, :] = np.nan
    found[:, still] = np.nan
    return np.asarray(found)


def build(context: RenderContext) -> Figure:
    levels = measured(context, FIGURE.name)
    ours = correlations(attributes(levels.mean()))
    alone = [correlations(attributes(one)) for one in levels.seeds()]
    forced = correlations(attributes(levels.mean(), constant=True))
    figure = Figure(figsize=(TWO_COLUMNS, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    _map(left, ours, alone)
    _map(right, forced, [])
    right.tick_params(axis="y", labelleft=False)
    n = len(levels.strategies)
    panel_title(left, 0, f"Measured, {n} merges")
    panel_title(right, 1, "If every merge scored the same")
    head(figure, context, [s.arm for s in levels.strategies], legend=False)
    return finished(
        figure, context, [], named(merges(context, FIGURE.name)), [FORCED, *_judged(context)]
    )


def _judged(context: RenderContext) -> list[str]:
    parts = [h.name for h in context.law.hypotheses if isinstance(h.estimand, RankCorrelation)]
    return [f"Judged, with gap and merge on different items: {', '.join(parts)}."] if parts else []


def _map(axes: Axes, found: Floats, alone: Sequence[Floats]) -> None:
    """The lower triangle; what is above it says the same."""
    n = len(found)
    shown = np.where(np.tri(n, k=-1, dtype=bool), found, np.nan)[1:, :-1]
    axes.imshow(shown, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    for row in range(n - 1):
        for column in range(row + 1):
            value = shown[row, column]
            if np.isnan(value):
                corner = (column - 0.5, row - 0.5)
                axes.add_patch(
                    Rectangle(corner, 1, 1, fill=False, hatch="/////", edgecolor=GREY, linewidth=0)
                )
                continue
            color = "white" if abs(value) > 0.6 else "black"
            single = [one[row + 1, column] for one in alone]
            # Attributes that are 0 or 1 are the same in every seed.
            ranged = bool(single) and max(single) - min(single) > 1e-9
            axes.text(column, row - 0.15 * ranged, _short(value), ha="center", va="center",
                      fontsize=6, color=color)  # fmt: skip
            if ranged:
                text = f"{_short(min(single))} {_short(max(single))}"
                axes.text(column, row + 0.22, text, ha="center", va="center", fontsize=4.6,
                          color=color)  # fmt: skip
    axes.set_xticks(range(n - 1), NAMES[:-1], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n - 1), NAMES[1:])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _short(value: float) -> str:
    text = f"{value:.2f}"
    return minus("0" if text in ("0.00", "-0.00") else text.replace("0.", ".", 1))
