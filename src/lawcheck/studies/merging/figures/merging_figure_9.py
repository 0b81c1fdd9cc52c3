"""Figure 9 of Lu et al.: a larger corpus with broken texts."""

from __future__ import annotations

from matplotlib.figure import Figure

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import legend_handle
from lawcheck.show.printed import lines
from lawcheck.show.style import Picture
from lawcheck.studies.merging.panels import (
    LOOKS,
    NAMES,
    SLERPED,
    as_measure,
    canvas,
    finished,
    forest,
    groups,
    handles,
    head,
)
from lawcheck.studies.merging.strategies import STARTS, Strategy, over, strategies

FIGURE = Picture(
    name="merging_figure_9",
    law="clean_text",
    title="Figure 9. A larger corpus with broken texts",
    caption=(
        "Change by continued pretraining on the extended corpus, whose added half has its words "
        "shuffled, against the clean half alone and against the same rows in order, in points, "
        "with 95 % intervals, paired over seeds and items. Open: published difference of the best "
        "Mistral 7B strategy, single runs, to two digits; its extended corpus has broken texts of "
        "another kind."
    ),
)
AGAINST = ("less its clean half", "less the same rows in order")


def build(context: RenderContext) -> Figure:
    found = [s for s in strategies(context.law, FIGURE.name) if s.kind in ("", "SLERP")]
    rows: list[tuple[str, str, dict[str, tuple[Arm, Arm]]]] = []
    for start in STARTS:
        corpora = {kind: _corpora(found, start, kind) for kind in ("", "SLERP")}
        for k, words in enumerate(AGAINST):
            pairs = {
                kind: (noisy, clean[k])
                for kind, (noisy, clean) in corpora.items()
                if noisy is not None and clean[k] is not None
            }
            if pairs:
                rows.append((start, f"{start}-CPT, extended\n{words}", pairs))  # type: ignore[arg-type]
    if not rows:
        raise InputError(
            f"{FIGURE.name}: law {context.law.name!r} declares no CPT on shuffled rows beside one "
            f"on clean rows; declare both, or leave {FIGURE.name} out of its list"
        )
    named = _named(found)
    context.summary.require(list(named), FIGURE.name)
    kinds = [k for k in ("", "SLERP") if any(k in pairs for *_, pairs in rows)]
    figure = canvas(2 * len(rows), extra=0.9)
    axes = figure.subplots()
    changes = [
        [as_measure(over(context, [p[k][0]], [p[k][1]])) if k in p else None for *_, p in rows]
        for k in kinds
    ]
    series = {NAMES[k]: (LOOKS[k], found) for k, found in zip(kinds, changes, strict=True)}
    forest(axes, [name for _, name, _ in rows], series)
    published = _in_print()
    for y, (_, name, _) in enumerate(rows):
        if name.endswith(AGAINST[0]):
            axes.plot(
                published,
                y + 0.35,
                marker="o",
                markersize=3.6,
                markerfacecolor="white",
                markeredgecolor=SLERPED.color,
                linestyle="none",
                gid="published",
            )
    groups(axes, [start for start, *_ in rows])
    head(figure, context, list(named))
    legend = [
        *handles(kinds),
        legend_handle(SLERPED, "published (Mistral 7B)", joined=False, filled=False),
    ]
    return finished(figure, context, legend, named, [_factors()])


Corpora = tuple[Arm | None, tuple[Arm | None, Arm | None]]


def _corpora(found: list[Strategy], start: str, kind: str) -> Corpora:
    """CPT on shuffled rows; on the smallest clean corpus, and on as many clean rows."""
    own = [
        s
        for s in found
        if s.start == start and s.kind == kind and len(s.stages) == 1 and s.epoch is None
    ]
    noisy = next((s for s in own if s.stages == ("noisy CPT",)), None)
    clean = sorted((s for s in own if s.stages == ("CPT",)), key=_fraction)
    if noisy is None or not clean:
        return None, (None, None)
    same = next((s.arm for s in clean if _fraction(s) == _fraction(noisy)), None)
    half = clean[0].arm if _fraction(clean[0]) < _fraction(noisy) else None
    return noisy.arm, (half, same)


def _fraction(s: Strategy) -> float:
    return 1.0 if s.tuned.recipe is None else s.tuned.recipe.fraction


def _named(found: list[Strategy]) -> dict[Arm, str]:
    return {
        s.arm: f"{s.label}, {100 * _fraction(s):g} % of the rows"
        for s in found
        if len(s.stages) == 1
    }


def _in_print() -> float:
    """In points."""
    best = {
        line["subject"]: float(line["value"])
        for line in lines("domain_adaptation_text")
        if line["quantity"] == "best accuracy"
    }
    return 100 * (best["Mistral on the extended data"] - best["Mistral on the integrated data"])


def _factors() -> str:
    also = next(
        line["value"]
        for line in lines("domain_adaptation_text")
        if line["quantity"] == "also changed"
    )
    return f"In print, the extended corpus of Llama came with {also} as well: two factors changed."
