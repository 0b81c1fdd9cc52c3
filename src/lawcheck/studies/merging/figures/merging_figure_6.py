"""Figure 6 of Lu et al.: merges after each epoch of continued pretraining."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import (
    LEVELS,
    dodge,
    legend_handle,
    levels,
    light_grid,
    panel_title,
    scores,
)
from lawcheck.show.printed import lines
from lawcheck.show.style import BLACK, TWO_COLUMNS, Picture
from lawcheck.studies.merging.panels import (
    START_LOOKS,
    as_measure,
    finished,
    head,
    instruct_line,
    percent,
)
from lawcheck.studies.merging.strategies import (
    STARTS,
    Strategy,
    instructs,
    level,
    over,
    strategies,
)

FIGURE = Picture(
    name="merging_figure_6",
    law="cpt_epochs",
    title="Figure 6. Merges by epochs of continued pretraining",
    caption=(
        "Accuracy of CPT-SLERP merges on the adapted disciplines, by the epoch after which "
        "continued pretraining was stopped, for both starts. a: levels; dotted: the instruct "
        "model. b: change against the merge after the first epoch. " + LEVELS
    ),
)


def build(context: RenderContext) -> Figure:
    found = [
        s
        for s in strategies(context.law, FIGURE.name)
        if s.kind == "SLERP" and s.stages == ("CPT",) and s.schedule == "reference"
    ]
    series = {start: _series([s for s in found if s.start == start]) for start in STARTS}
    series = {start: epochs for start, epochs in series.items() if len(epochs) > 1}
    if not series:
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} declares no merges after several epochs of "
            f"one CPT; declare them, or leave {FIGURE.name} out of its list"
        )
    shown = [s for epochs in series.values() for s in epochs.values()]
    context.summary.require([s.arm for s in shown], FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    handles = []
    for k, (start, epochs) in enumerate(series.items()):
        look, label = START_LOOKS[start], f"{start}-CPT-SLERP"
        steps = list(epochs)
        xs = [e + dodge(k, len(series), 0.16) for e in steps]
        measures = [percent(level(context, epochs[e].arm)) for e in steps]
        levels(left, xs, measures, look, label, 0.08, joined=True)
        first = epochs[steps[0]].arm
        changes = [as_measure(over(context, [epochs[e].arm], [first])) for e in steps[1:]]
        scores(right, xs[1:], changes, look, label, 0.08, joined=True)
        handles.append(legend_handle(look, label))
    partner = instructs(context.law)[context.law.base.base]
    line = instruct_line(left, context, partner, "instruct model")
    handles += [line] if line is not None else []
    right.axhline(0, color=BLACK, linewidth=0.6)
    every = sorted({e for epochs in series.values() for e in epochs})
    for axes in (left, right):
        axes.set_xlim(min(every) - 0.4, max(every) + 0.4)
        axes.set_xticks(every)
        axes.set_xlabel("Epochs of CPT")
        axes.margins(y=0.12)
        light_grid(axes)
    left.set_ylabel("Accuracy (%)")
    right.set_ylabel("Change (points)")
    panel_title(left, 0, "Levels")
    panel_title(right, 1, f"Less epoch {min(every)}")
    head(figure, context, [s.arm for s in shown])
    arms = {
        s.arm: f"{s.label} after epoch {e}" for epochs in series.values() for e, s in epochs.items()
    }
    return finished(figure, context, handles, arms, [_in_print()])


def _series(found: list[Strategy]) -> dict[int, Strategy]:
    """Epoch -> the merge of what was stopped after it."""
    by_epoch = {}
    for s in found:
        recipe = s.tuned.recipe
        epoch = None if recipe is None else recipe.stop_after or recipe.epochs
        if epoch is not None:
            by_epoch[epoch] = s
    return dict(sorted(by_epoch.items()))


def _in_print() -> str:
    best = [
        f"{line['subject'].split()[1]} after epoch {line['value']}"
        for line in lines("domain_adaptation_text")
        if line["quantity"] == "best epoch"
    ]
    return (
        f"In print (Mistral 7B, single runs, no numbers): highest are {' and '.join(best)}; the "
        f"peak of five noisy scores lies anywhere when nothing changes."
    )
