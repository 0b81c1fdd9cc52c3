"""Figure 4: four kinds of adapters at two ranks and two scaling factors.

The paper prints its accuracies as a picture only; its trainable shares stand in the caption.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.methods.selector import METHOD
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change
from lawcheck.show.drawing import (
    LEVELS,
    Look,
    dodge,
    finish,
    gaps,
    legend_handle,
    levels,
    light_grid,
    panel_title,
    seeds_text,
    series,
)
from lawcheck.show.printed import lines
from lawcheck.show.style import BLACK, BLUE, GREEN, ORANGE, RED, TWO_COLUMNS, Picture
from lawcheck.studies.adapters_selector.names import KINDS as NAMES

FIGURE = Picture(
    name="selector_figure_4",
    law="selector_adapters",
    title="Figure 4 of Tian et al. Kinds of adapters",
    caption=(
        "Selectors of six tasks by the kind of their adapter, its rank r and scaling factor alpha. "
        "a: share of items whose domain and task are both named. b: change against LoRA of the "
        "same rank and factor, in points. " + LEVELS + " Published as a picture only."
    ),
)
LOOKS = {
    "lora": Look(BLUE, "s"),
    "rslora": Look(ORANGE, "^"),
    "dora": Look(GREEN, "D"),
    "pissa": Look(RED, "v"),
}
STEP, HALF = 0.17, 0.08
Setting = tuple[int, int]


def cells(arms: tuple[Arm, ...]) -> dict[tuple[str, Setting], Arm]:
    """(initialisation, (rank, alpha)) -> selector. Raises InputError for a law with none."""
    found: dict[tuple[str, Setting], Arm] = {}
    for arm in arms:
        if arm.method == METHOD.name and not arm.parents:
            chosen = METHOD.validate(arm.choices)
            found.setdefault((chosen["init"], (chosen["rank"], chosen["alpha"])), arm)
    if not found:
        raise InputError(
            f"{FIGURE.name}: the law declares no selector; declare one, or leave {FIGURE.name} out "
            f"of its list"
        )
    return found


def build(context: RenderContext) -> Figure:
    found = cells(context.law.arms)
    inits = [i for i in LOOKS if any(i == init for init, _ in found)]
    settings = sorted({setting for _, setting in found})
    named = {a: f"{NAMES[i]} r {s[0]}, alpha {s[1]}" for (i, s), a in found.items()}
    context.summary.require(list(named), FIGURE.name)
    figure = Figure(figsize=(TWO_COLUMNS, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    some = next(iter(found.values()))
    target = some.selection.tasks if some.selection is not None else "average"
    for k, init in enumerate(inits):
        xs = [x + dodge(k, len(inits), STEP) for x in range(len(settings))]
        own = [found.get((init, s)) for s in settings]
        values = [None if a is None else context.summary.accuracy(a, target) for a in own]
        levels(left, xs, values, LOOKS[init], NAMES[init], HALF, size=4.5)
        if init == "lora":
            continue
        changes = [
            None
            if a is None or (base := found.get(("lora", s))) is None
            else change(context, a, base, target)
            for s, a in zip(settings, own, strict=True)
        ]
        series(right, xs, changes, LOOKS[init], NAMES[init], joined=False, size=4)
        gaps(right, xs, changes, HALF)
    right.axhline(0, color=BLACK, linewidth=0.6)
    left.set_ylabel("Tasks named (accuracy)")
    right.set_ylabel("Change against LoRA (points)")
    for k, (axes, title) in enumerate(((left, "Levels"), (right, "Against LoRA"))):
        _settings(axes, settings)
        panel_title(axes, k, title)
    seeds = seeds_text(context.summary.accuracy(a, target) for a in named)
    said = [
        f"Measured at scale {context.shown_scale}, {seeds}.",
        *shares(context, found),
    ]
    handles = [legend_handle(LOOKS[i], NAMES[i], joined=False) for i in inits]
    return finish(figure, context, handles, named, said, target=target)


def _settings(axes: Axes, settings: list[Setting]) -> None:
    axes.set_xticks(range(len(settings)), [f"r {r}\n\u03b1 {a}" for r, a in settings])
    axes.set_xlim(-0.5, len(settings) - 0.5)
    light_grid(axes)


def shares(context: RenderContext, found: dict[tuple[str, Setting], Arm]) -> list[str]:
    """Trainable parameters in percent at paper scale, here and in print."""
    printed = {
        (r["method"], int(r["rank"])): r["trainable_pct"] for r in lines("adapters_selector_f4")
    }
    parts = []
    for (init, (rank, _)), arm in sorted(found.items(), key=lambda c: (c[0][1], c[0][0])):
        key = ("DoRA" if init == "dora" else "LoRA", rank)
        value = context.costs(arm, "trainable_share")
        if init in ("lora", "dora") and key in printed and value is not None:
            parts.append(f"{key[0]} r {rank} {value:.4f} (published {printed.pop(key)})")
    if not parts:
        return []
    return [f"Trainable share in percent of the planned base: {', '.join(parts)}."]
