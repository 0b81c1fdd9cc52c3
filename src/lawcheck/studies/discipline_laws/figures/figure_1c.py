"""Figure 1C: which parameters each method trains, and which stay frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Polygon, Rectangle

from lawcheck.declare.design import Arm
from lawcheck.declare.discovery import method
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import panel_title
from lawcheck.show.style import BLACK, BLUE, TWO_COLUMNS, Picture

FIGURE = Picture(
    name="figure_1c",
    title="Figure 1C. What trains",
    caption=(
        "Parameters of one adapted module by method: W, the pretrained weight; A and B, a low-rank "
        "pair, drawn once for each expert; the gate mixes the pairs' outputs. Blue: trained; "
        "hatched: frozen. Below: trained share of all parameters, planned at paper scale. Counted, "
        "so without intervals."
    ),
    law="variability",
)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Whether each part trains; None where a method has no such part."""

    weight: bool
    pairs: bool | None = None
    gate: bool | None = None


# A method that is not drawn here, such as a stranger's, shows its share only.
DRAWN = {
    "full": Parts(weight=True),
    "lora": Parts(weight=False, pairs=True),
    "lora_moe": Parts(weight=False, pairs=True, gate=True),
    "lora_comp": Parts(weight=False, pairs=False, gate=True),
}
FROZEN = "#EEEEEE"


def build(context: RenderContext) -> Figure:
    arms = _arms(context)
    figure = Figure(figsize=(TWO_COLUMNS, 1.85), layout="constrained")
    panels = figure.subplots(1, len(arms), squeeze=False)
    for k, (axes, arm) in enumerate(zip(panels.flat, arms, strict=True)):
        _panel(axes, arm, context.costs(arm, "trainable_share"))
        panel_title(axes, k, method(arm.method).title, fontsize=7.5)
    handles = [
        Patch(facecolor=BLUE, edgecolor=BLACK, label="trained"),
        Patch(facecolor=FROZEN, edgecolor=BLACK, hatch="////", label="frozen"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=2)
    return figure


def _arms(context: RenderContext) -> list[Arm]:
    """One arm a method, the first that the law names; in the order of the drawings, then others."""
    found: dict[str, Arm] = {}
    for arm in context.law.arms:
        if arm.recipe is not None:
            found.setdefault(arm.method, arm)
    if not found:
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} trains no arm; leave the figure out of its "
            f"list"
        )
    order = [*(m for m in DRAWN if m in found), *(m for m in found if m not in DRAWN)]
    return [found[m] for m in order]


def _panel(axes: Axes, arm: Arm, share: float | None) -> None:
    parts = DRAWN.get(arm.method)
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 8.2)
    axes.set_aspect("equal")
    axes.axis("off")
    if parts is not None:
        _draw(axes, parts, int(arm.choices.get("experts", 5)))
    text = "trained share unknown" if share is None else f"trains {share:.3g} % of parameters"
    axes.text(5, 0.1, text, ha="center", va="bottom", fontsize=6.5)


def _draw(axes: Axes, parts: Parts, experts: int) -> None:
    alone = parts.pairs is None
    axes.add_patch(Rectangle((3.0 if alone else 0.6, 2.2), 4, 4, **_look(parts.weight)))
    _label(axes, 5.0 if alone else 2.6, 4.2, "W", parts.weight)
    if parts.pairs is None:
        return
    # Pairs behind one another stand for the experts.
    copies = 1 if parts.gate is None else experts
    step = 0.7 / max(2, copies - 1)
    for k in reversed(range(copies)):
        x, y = 7.0 + step * k, 2.2 + step * k
        down = [(x - 1.4, y), (x + 1.4, y), (x + 0.5, y + 1.7), (x - 0.5, y + 1.7)]
        up = [(x - 0.5, y + 1.9), (x + 0.5, y + 1.9), (x + 1.4, y + 3.6), (x - 1.4, y + 3.6)]
        axes.add_patch(Polygon(down, **_look(parts.pairs)))
        axes.add_patch(Polygon(up, **_look(parts.pairs)))
    _label(axes, 7.0, 3.0, "A", parts.pairs)
    _label(axes, 7.0, 5.0, "B", parts.pairs)
    if parts.gate is None:
        return
    axes.text(7.35, 1.9, f"{experts} pairs of A and B", ha="center", va="top", fontsize=6)
    axes.add_patch(Circle((7.35, 7.45), 0.62, **_look(parts.gate)))
    axes.annotate("gate", (6.6, 7.45), ha="right", va="center", fontsize=6.5)


def _look(trained: bool) -> dict[str, Any]:
    look = {"edgecolor": BLACK, "linewidth": 0.6}
    if trained:
        return {**look, "facecolor": BLUE}
    return {**look, "facecolor": FROZEN, "hatch": "////"}


def _label(axes: Axes, x: float, y: float, text: str, trained: bool) -> None:
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=8,
        fontweight="bold",
        color="white" if trained else BLACK,
        bbox=None if trained else {"facecolor": "white", "edgecolor": "none", "pad": 1.0},
    )
