"""Which of a law's arms a table shows, in what order and under what name."""

from __future__ import annotations

from collections.abc import Callable

from lawcheck.declare.design import Arm
from lawcheck.errors import InputError
from lawcheck.show.context import RenderContext
from lawcheck.show.labels import method_label as method_label  # tables of others take it from here


def fitting(context: RenderContext, wanted_by: str, fits: Callable[[Arm], bool]) -> list[Arm]:
    """The law's trained arms on its own base model that fit, in the order of the law.

    Arms of named disciplines are left out. Raises InputError where none fits.
    """
    found = [
        a
        for a in context.law.arms
        if a.recipe is not None
        and a.recipe.disciplines is None
        and a.base == context.law.base.base
        and fits(a)
    ]
    if not found:
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares no arm for it; declare one, or leave "
            f"{wanted_by} out of its list"
        )
    return found


def one(context: RenderContext, wanted_by: str, **wanted: object) -> Arm:
    """The law's only arm with these attributes, recipe fields or design choices.

    Raises InputError where none or several fit.
    """
    fits = [a for a in context.law.arms if all(_value(a, k) == v for k, v in wanted.items())]
    if len(fits) != 1:
        asked = ", ".join(f"{k}={v}" for k, v in wanted.items())
        raise InputError(
            f"{wanted_by}: law {context.law.name!r} declares {len(fits)} arms with {asked}, "
            f"expected 1; declare it in the law, or leave the table out of its list"
        )
    return fits[0]


def _value(arm: Arm, key: str) -> object:
    if key in arm.choices:
        return arm.choices[key]
    if arm.recipe is not None and hasattr(arm.recipe, key):
        return getattr(arm.recipe, key)
    return getattr(arm, key, None)


def fraction(arm: Arm) -> float:
    """Data fraction of a trained arm, in (0, 1]."""
    assert arm.recipe is not None
    return arm.recipe.fraction


def fraction_block(arm: Arm) -> str:
    return f"Data {100 * fraction(arm):g} %"


def general_share(arm: Arm) -> float:
    """Share of the general pool that a trained arm sees, in [0, 1]."""
    assert arm.recipe is not None
    return arm.recipe.general_share
