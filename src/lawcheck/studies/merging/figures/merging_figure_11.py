"""Figure 11 of Lu et al.: schedules of the merge, and what each scores."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.errors import InputError
from lawcheck.methods.merging import SCHEDULES
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import Look, legend_handle
from lawcheck.show.labels import words
from lawcheck.show.style import GREEN, GREY, PURPLE, TWO_COLUMNS, Picture
from lawcheck.studies.merging.panels import SLERPED, as_measure, finished, forest, head, signed
from lawcheck.studies.merging.strategies import Strategy, by_tuned, over, strategies

FIGURE = Picture(
    name="merging_figure_11",
    law="merge_schedule",
    title="Figure 11. Schedules of the merge",
    caption=(
        "Left: t of each layer, from the first to the last, for attention and feed-forward "
        "tensors; 0 is the instruct model, 1 the adapted one; norms, embeddings and head lie at "
        "0.5. Right: accuracy of the merge less that of the reference schedule, in points, with "
        "95 % intervals, paired over seeds and items; last: the adapted model before the merge."
    ),
)
ATTENTION, MLP = Look(GREEN, "", "-"), Look(PURPLE, "", "--")
ROW = 0.36
PRINTED = (
    "In print (Llama 8B, no numbers): variants F and G score highest, G a simple linear "
    "progression; which curve belongs to which letter is not in the text, so letters are not used."
)


def build(context: RenderContext) -> Figure:
    merges, reference = _merges(context)
    arms = [s.arm for s in merges]
    context.summary.require(arms, FIGURE.name)
    others = [s for s in merges if s.schedule != "reference"]
    rows = [reference, *sorted(others, key=lambda s: list(SCHEDULES).index(s.schedule))]
    n = len(rows) + 1
    figure = Figure(figsize=(TWO_COLUMNS, ROW * n + 1.15), layout="constrained")
    left, axes = figure.subplots(1, 2, width_ratios=(1, 3))
    left.axis("off")
    for k, s in enumerate(rows):
        # Beside its row of the forest.
        place = left.inset_axes((0.0, (n - k - 0.85) / n, 1.0, 0.7 / n))
        _curve(place, s.schedule, last=k == len(rows) - 1)
    changes = [
        *(None if s is reference else as_measure(over(context, [s.arm], [reference.arm]))
          for s in rows),
        as_measure(over(context, [reference.tuned], [reference.arm])),
    ]  # fmt: skip
    names = [_name(s) for s in rows] + ["before the merge"]
    texts = ["0, by definition", *(signed(c) for c in changes[1:])]
    forest(axes, names, {"schedules": (SLERPED, changes)}, "Less the reference (points)", texts)
    _reference(axes, n)
    head(figure, context, arms)
    handles = [
        legend_handle(look, name)
        for look, name in ((ATTENTION, "attention"), (MLP, "feed-forward"))
    ]
    named = {s.arm: f"schedule {_name(s)}" for s in rows}
    named[reference.tuned] = "the adapted model"
    return finished(figure, context, handles, named, [PRINTED])


def _merges(context: RenderContext) -> tuple[list[Strategy], Strategy]:
    """SLERP merges of one tuned model by several schedules, and the reference among them."""
    found = [s for s in strategies(context.law, FIGURE.name) if s.kind == "SLERP"]
    for group in by_tuned(found).values():
        reference = [s for s in group if s.schedule == "reference"]
        if reference and len(group) > 1:
            return group, reference[0]
    raise InputError(
        f"{FIGURE.name}: law {context.law.name!r} declares no model that is merged by the "
        f"reference schedule and by another; declare both, or leave {FIGURE.name} out of its list"
    )


def _name(s: Strategy) -> str:
    return words(s.schedule).replace("mlp", "feed-forward")


def _curve(axes: Axes, name: str, last: bool) -> None:
    schedule = SCHEDULES[name]
    for values, look in ((schedule.attention, ATTENTION), (schedule.mlp, MLP)):
        line = values if len(values) > 1 else values * 2
        xs = [k / (len(line) - 1) for k in range(len(line))]
        axes.plot(xs, line, color=look.color, linestyle=look.line, clip_on=False)
    axes.set_ylim(-0.15, 1.15)
    axes.set_xlim(0, 1)
    axes.set_yticks([0, 1])
    axes.tick_params(axis="y", labelsize=5.5)
    axes.set_xticks([0, 1], ["first layer", "last"] if last else [])
    axes.tick_params(axis="x", length=0, labelsize=6)


def _reference(axes: Axes, n: int) -> None:
    """The first row is what the others are compared with; rows stand beside their curves."""
    for patch in list(axes.patches):
        if patch.get_y() < 0:  # type: ignore[attr-defined]
            patch.remove()
    axes.plot(0, 0, marker="|", markersize=9, color=GREY, linestyle="none")
    axes.set_ylim(n - 0.5, -0.5)
