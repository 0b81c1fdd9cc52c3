"""Figure 13 of Lu et al.: merges against their better parent, sorted."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import Look
from lawcheck.show.style import BLUE, GREY, RED, Picture
from lawcheck.show.summary import ALPHA
from lawcheck.studies.merging.panels import (
    as_measure,
    canvas,
    finished,
    forest,
    head,
    named,
    p_words,
    require,
    signed,
)
from lawcheck.studies.merging.strategies import Synergy, merges, synergy

FIGURE = Picture(
    name="merging_figure_13",
    law="merge_synergy",
    title="Figure 13. Merges against their better parent",
    caption=(
        "The smaller of two contrasts, of the merge with either parent, in points, with its 95 % "
        "interval; above 0 the merge is better than both. p: the larger of the two one-sided p "
        "values, the test that a merge is above both parents, not adjusted for the number of "
        "strategies. Blue: the intervals of both contrasts lie above 0 (p below 0.025); red: that "
        "of the smaller lies below; grey: neither. Sorted."
    ),
)
COLORS = {"above both parents": BLUE, "below a parent": RED, "neither shown": GREY}
PRINTED = (
    "The published definition is the better parent less the merge, and its text calls values above "
    "0 better: here they are, as merge less parent. A maximum over noisy parents is too high; two "
    "contrasts need none."
)


def build(context: RenderContext) -> Figure:
    shown = merges(context, FIGURE.name)
    require(context, shown, FIGURE.name)
    found = sorted((synergy(context, s) for s in shown), key=_place)
    figure = canvas(len(found), extra=1.15)
    axes = figure.subplots()
    rows = [as_measure(f.over_better) for f in found]
    kinds = [_kind(f) for f in found]
    series = {
        kind: (
            Look(color, "o"),
            [m if kinds[k] == kind else None for k, m in enumerate(rows)],
        )
        for kind, color in COLORS.items()
    }
    words = [
        "" if f.over_better is None else f"{signed(f.over_better)}  {p_words(f.p)}" for f in found
    ]
    forest(
        axes,
        [f.strategy.label for f in found],
        series,
        unit="Merge less its better parent (points)",
        words=words,
        stacked=True,
    )
    head(figure, context, [s.arm for s in shown])
    handles = [Patch(color=c, label=k) for k, c in COLORS.items()]
    return finished(figure, context, handles, named(shown), [PRINTED])


def _place(found: Synergy) -> tuple[bool, float]:
    """The most above first, those without scores last."""
    return found.over_better is None, 0.0 if found.over_better is None else -found.over_better.value


def _kind(found: Synergy) -> str:
    if found.p is not None and found.p < ALPHA:
        return "above both parents"
    m = as_measure(found.over_better)
    below = m is not None and m.high is not None and m.high < 0
    return "below a parent" if below else "neither shown"
