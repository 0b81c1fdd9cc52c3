"""Figure 3: n-gram diversity of the upsampled mixtures, what upsampling changes, and their link."""

from __future__ import annotations

from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lawcheck.declare.design import Arm, Upsampling
from lawcheck.declare.estimands import DIVERSITY, RankCorrelation
from lawcheck.errors import InputError
from lawcheck.judging.outcomes import p_text
from lawcheck.show.context import RenderContext
from lawcheck.show.contrasts import change, rank_correlation
from lawcheck.show.drawing import (
    LEVELS,
    Look,
    dodge,
    finish,
    legend_handle,
    light_grid,
    method_looks,
    one_range,
    panel_title,
    points,
    scores,
    seeds_text,
)
from lawcheck.show.labels import method_label
from lawcheck.show.style import BLACK, GREY, TWO_COLUMNS, Picture, empty
from lawcheck.show.summary import Measure
from lawcheck.studies.discipline_laws.published import SCALE, published_value
from lawcheck.studies.discipline_laws.tables.table_5 import mixture_arms

FIGURE = Picture(
    name="figure_3",
    law="balance_then_diversity",
    title="Figure 3. Upsampling and diversity",
    caption=(
        "Mixtures in which scarce disciplines are upsampled to 100K or 300K samples (at paper "
        "size), by duplicating samples at random (diverse) or only those with discipline-specific "
        "tokens (unique). a: distinct n-grams of the training text, in percent of all. b: average "
        "accuracy against that diversity, mixtures numbered as in a; \u03c1: Spearman's rank "
        "correlation over mixtures, mean of the methods named, with the one-sided p of permuted "
        "mixtures, unadjusted. c: change of the average against no upsampling, measured. d: the "
        "same, published (another scale, one run each, no interval), on the axis of c. Hatched: no "
        "scores, or no diversity recorded. " + LEVELS
    ),
)
LOOK_OF_MIXTURES = Look(BLACK, "o")
STEP = 0.2
# Points above the scatter that the numbers of the mixtures take.
NUMBERS = 17
# Mixture -> method -> arm.
Mixtures = dict[Upsampling | None, dict[str, Arm]]


def build(context: RenderContext) -> Figure:
    mixtures = _mixtures(context)
    arms = [a for methods in mixtures.values() for a in methods.values()]
    context.summary.require(arms, FIGURE.name)
    looks = method_looks(arms)
    figure = Figure(figsize=(TWO_COLUMNS, 4.6), layout="constrained")
    (diversity, link), (ours, theirs) = figure.subplots(2, 2)
    _diversity(diversity, context, mixtures)
    _link(link, context, mixtures, looks)
    seeds = seeds_text(context.summary.accuracy(a, "average") for a in arms)
    scale = f"scale {context.shown_scale}, {seeds}"
    panel_title(diversity, 0, f"N-gram diversity, scale {context.shown_scale}")
    heading = ["Accuracy against diversity", *_correlations(context)]
    panel_title(link, 1, "\n".join(heading), pad=NUMBERS)
    _changes(ours, context, mixtures, looks)
    _printed_changes(theirs, mixtures, looks)
    panel_title(ours, 2, f"Measured, {scale}")
    panel_title(theirs, 3, f"{SCALE[0].upper()}{SCALE[1:]}")
    one_range([ours, theirs])
    handles = [legend_handle(look, name, joined=False) for name, look in looks.items()]
    named = {
        a: f"{name} {mixture_label(m)}"
        for m, methods in mixtures.items()
        for name, a in methods.items()
    }
    return finish(figure, context, handles, named)


def mixture_label(mixture: Upsampling | None) -> str:
    return "none" if mixture is None else f"{mixture.kind} {mixture.target // 1000}K"


def _mixtures(context: RenderContext) -> Mixtures:
    """Plain first, then by size and kind. Raises InputError where nothing is upsampled."""
    found = mixture_arms(context, FIGURE.name)
    if not any(found):
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} declares no upsampled arm; declare one, or "
            f"leave {FIGURE.name} out of its list"
        )
    return {m: {method_label(a): a for a in arms} for m, arms in found.items()}


def _diversity_of(context: RenderContext, methods: dict[str, Arm]) -> Measure | None:
    """Methods share their mixture; the first that has it recorded speaks for all."""
    found = (context.summary.diversity(a) for a in methods.values())
    return next((m for m in found if m is not None), None)


def _mixture_axis(axes: Axes, mixtures: Mixtures, numbered: bool) -> None:
    names = [mixture_label(m).replace(" ", "\n") for m in mixtures]
    start = 0 if numbered else 1
    names = [f"{k}: {n}" if numbered else n for k, n in enumerate(names, 1)]
    axes.set_xticks(range(start, len(names)), names[start:])
    axes.set_xlim(start - 0.5, len(names) - 0.5)
    axes.margins(y=0.12)
    light_grid(axes)


def _diversity(axes: Axes, context: RenderContext, mixtures: Mixtures) -> None:
    measures = [_diversity_of(context, methods) for methods in mixtures.values()]
    scores(axes, range(len(measures)), measures, LOOK_OF_MIXTURES, "diversity", 0.35)
    _mixture_axis(axes, mixtures, numbered=True)
    axes.set_ylabel("Distinct n-grams (%)")


def _link(axes: Axes, context: RenderContext, mixtures: Mixtures, looks: dict[str, Look]) -> None:
    """Average against diversity; the mixtures' numbers stand above, at their diversity."""
    places = {
        k: d.value
        for k, methods in enumerate(mixtures.values(), 1)
        if (d := _diversity_of(context, methods)) is not None
    }
    axes.set_ylabel("Average accuracy")
    axes.set_xlabel("Distinct n-grams (%)")
    light_grid(axes)
    axes.margins(y=0.12)
    if not places:
        empty(axes)
        return
    width = max(places.values()) - min(places.values()) or 1.0
    for name, look in looks.items():
        pairs = [
            (places[k], methods[name])
            for k, methods in enumerate(mixtures.values(), 1)
            if k in places and name in methods
        ]
        measures = [context.summary.accuracy(a, "average") for _, a in pairs]
        values = [None if m is None else m.value for m in measures]
        points(axes, [x for x, _ in pairs], values, look, name)
    axes.set_xlim(min(places.values()) - 0.08 * width, max(places.values()) + 0.08 * width)
    # Neighbours get different heights, so that numbers of close mixtures stay apart.
    for (k, x), height in zip(
        sorted(places.items(), key=lambda p: p[1]), cycle((2, 9)), strict=False
    ):
        axes.axvline(x, color=GREY, linestyle=":", linewidth=0.5, zorder=0)
        axes.annotate(
            str(k),
            (x, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, height),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
        )


def _correlations(context: RenderContext) -> list[str]:
    """One line for each link that the law is about."""
    found = []
    for h in context.law.hypotheses:
        estimand = h.estimand
        if not isinstance(estimand, RankCorrelation) or estimand.x != DIVERSITY:
            continue
        names = ", ".join(method_label(group[0]) for group in estimand.groups)
        value = rank_correlation(context, estimand)
        text = "not estimated"
        if value is not None:
            text = f"{value.value:+.2f}, p {p_text(value.p_greater)}".replace("-", "\u2212")
        found.append(f"\u03c1 {text} ({names})")
    return found


def _changes(
    axes: Axes, context: RenderContext, mixtures: Mixtures, looks: dict[str, Look]
) -> None:
    for j, (name, look) in enumerate(looks.items()):
        shown = _upsampled(mixtures, name)
        xs = [x + dodge(j, len(looks), STEP) for x, _, _ in shown]
        measures = [change(context, arm, plain) for _, arm, plain in shown]
        scores(axes, xs, measures, look, name, 0.4 * STEP)
    _change_axis(axes, mixtures)


def _printed_changes(axes: Axes, mixtures: Mixtures, looks: dict[str, Look]) -> None:
    for j, (name, look) in enumerate(looks.items()):
        shown = _upsampled(mixtures, name)
        xs = [x + dodge(j, len(looks), STEP) for x, _, _ in shown]
        pairs = [
            tuple(published_value("table5_upsample", a, "average") for a in (arm, plain))
            for _, arm, plain in shown
        ]
        values = [None if None in pair else 100 * (pair[0] - pair[1]) for pair in pairs]  # type: ignore[operator]
        points(axes, xs, values, look, name, published=True)
    _change_axis(axes, mixtures)


def _upsampled(mixtures: Mixtures, name: str) -> list[tuple[int, Arm, Arm]]:
    """(place, arm, its arm without upsampling) of a method."""
    plain = mixtures.get(None, {}).get(name)
    return [
        (x, methods[name], plain)
        for x, (mixture, methods) in enumerate(mixtures.items())
        if mixture is not None and name in methods and plain is not None
    ]


def _change_axis(axes: Axes, mixtures: Mixtures) -> None:
    axes.axhline(0, color=BLACK, linewidth=0.6)
    _mixture_axis(axes, mixtures, numbered=False)
    axes.set_ylabel("Change (points)")
