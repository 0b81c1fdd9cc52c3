"""Domains of mixtures whose shares may move, as tables and figures show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lawcheck.declare.design import Arm, Law
from lawcheck.scores import WEIGHT
from lawcheck.show.context import RenderContext
from lawcheck.show.drawing import Look
from lawcheck.show.labels import part_label
from lawcheck.show.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY

LOOKS = (
    Look(BLUE, "o", "-"),
    Look(ORANGE, "s", "--"),
    Look(GREEN, "^", "-."),
    Look(RED, "D", ":"),
    Look(SKY, "v", (0, (5, 1))),
    Look(PURPLE, "P", (0, (3, 1, 1, 1))),
    Look(BLACK, "X", (0, (1, 1))),
)


def mixed_arms(law: Law) -> tuple[Arm, ...]:
    """The arms of a law whose shares may move, moved or not."""
    return tuple(a for a in law.arms if a.mixture is not None)


def moves(law: Law) -> bool:
    """Whether a rule moves the shares of any of a law's arms."""
    return any(a.mixture is not None and a.mixture.update != "none" for a in law.arms)


def domains_of(context: RenderContext, arms: Iterable[Arm], metric: str = WEIGHT) -> dict[str, str]:
    """Name -> title of the domains that these arms were measured on, in table order."""
    names = {
        task
        for task, found in context.scores.measured
        if found == metric and any(context.scores.seeds(a.name, task, metric) for a in arms)
    }
    titles = {d.name: d.short or d.title for d in context.disciplines if d.name in names}
    return titles | {name: part_label(name) for name in sorted(names - titles.keys())}


def domain_looks(names: Sequence[str]) -> dict[str, Look]:
    """The same look for a domain in every figure that names the same ones."""
    return {name: LOOKS[k % len(LOOKS)] for k, name in enumerate(names)}
