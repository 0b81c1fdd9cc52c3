"""Arms that expand a domain, as Figures 2 and 4 show them: strategies by target and base."""

from __future__ import annotations

from collections.abc import Sequence

from lawcheck.declare.design import Arm, Discipline
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.labels import part_label
from lawcheck.studies.versatune.shown import domains, method_of, target_of

Panel = tuple[str, str]


def panels(context: RenderContext, wanted: Sequence[str], by: str) -> dict[Panel, dict[str, Arm]]:
    """(base, target) -> strategy -> arm. Raises InputError where the law has none of them."""
    found: dict[Panel, dict[str, Arm]] = {}
    for arm in context.law.arms:
        name, target = method_of(arm), target_of(arm)
        if name is not None and name in wanted and target is not None:
            found.setdefault((arm.base, target), {})[name] = arm
    if not found:
        raise InputError(
            f"{by}: law {context.law.name!r} declares no arm that expands a domain; declare one, "
            f"or leave {by} out of its list"
        )
    return {key: {n: own[n] for n in wanted if n in own} for key, own in found.items()}


def others(context: RenderContext, target: str) -> tuple[Discipline, ...]:
    """The domains that are not the target."""
    return tuple(d for d in domains(context) if d.name != target)


def panel_name(context: RenderContext, panel: Panel, several: bool) -> str:
    """`Biology`; with its base where a figure shows several."""
    base, target = panel
    titles = {d.name: d.title for d in domains(context)}
    title = titles.get(target, part_label(target))
    return f"{title}, {part_label(base)}" if several else title
