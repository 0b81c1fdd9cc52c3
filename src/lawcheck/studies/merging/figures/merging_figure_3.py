"""What the arc adds to the line: every SLERP merge less its LERP twin (figure 3 of Lu et al.)."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.style import GREY, Picture
from lawcheck.studies.merging.panels import (
    SLERPED,
    as_measure,
    canvas,
    finished,
    forest,
    groups,
    head,
    named,
    signed,
)
from lawcheck.studies.merging.strategies import Strategy, by_tuned, over, strategies

FIGURE = Picture(
    name="merging_figure_3",
    law="slerp_geometry",
    title="Figure 3. Merges along the arc and along the line",
    caption=(
        "Accuracy of each merge by SLERP less that of its twin by LERP, with the same parents and "
        "schedule, in points, with 95 % intervals, paired over seeds and items. Dashed: the margin "
        "within which the law calls them equal."
    ),
)
FORCED = (
    "At half way SLERP is LERP times 1 / cos(w / 2), w the angle between the parents' tensors; "
    "where w is small the two are one model, and this difference is 0 whatever merging does."
)


def twins(context: RenderContext) -> list[tuple[Strategy, Strategy]]:
    """(by SLERP, by LERP) with the same parents and schedule."""
    found = []
    for group in by_tuned(strategies(context.law, FIGURE.name)).values():
        for arc in group:
            for line in group:
                if (arc.kind, line.kind) == ("SLERP", "LERP") and arc.schedule == line.schedule:
                    found.append((arc, line))
    if not found:
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} declares no SLERP merge with its LERP twin; "
            f"declare one, or leave {FIGURE.name} out of its list"
        )
    return found


def build(context: RenderContext) -> Figure:
    pairs = twins(context)
    arms = [s.arm for pair in pairs for s in pair]
    context.summary.require(arms, FIGURE.name)
    figure = canvas(len(pairs), extra=1.0)
    axes = figure.subplots()
    changes = [as_measure(over(context, [a.arm], [b.arm])) for a, b in pairs]
    names = [f"{a.start}-{a.chain}" for a, _ in pairs]
    words = [
        "" if m is None else signed(m) + ("" if m.half is None else f" \u00b1 {m.half:.1f}")
        for m in changes
    ]
    forest(axes, names, {"SLERP less LERP": (SLERPED, changes)}, words=words)
    margins = [h.margin for h in context.law.hypotheses if h.alternative == "equivalent"]
    for margin in (m for m in margins if m is not None):
        for x in (-margin, margin):
            axes.axvline(x, color=GREY, linestyle="--", linewidth=0.8)
    groups(axes, [a.start for a, _ in pairs])
    head(figure, context, arms, legend=False)
    return finished(figure, context, [], named(s for pair in pairs for s in pair), [FORCED])
