"""Tables and figures are found, never listed by hand: a law names the ones it wants.

A table is a module of lawcheck.show.tables, or of a study's folder `tables`, with TABLE and build;
a figure one of lawcheck.show.figures, or of a study's `figures`, with FIGURE and build. Others join
through the entry-point groups `lawcheck.tables` and `lawcheck.figures`, or as files in the folders
named by LAWCHECK_TABLES and LAWCHECK_FIGURES; they are Python code and run with your rights.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any

from lawcheck.declare import discovery
from lawcheck.errors import InputError, look_up

ATTRIBUTES = {"tables": "TABLE", "figures": "FIGURE"}


def declaration(kind: str, module: ModuleType) -> Any:
    """A renderer's `Table` or `Picture`."""
    return getattr(module, ATTRIBUTES[kind])


@functools.cache
def renderers(kind: str) -> dict[str, ModuleType]:
    """Name -> module, for kind `tables` or `figures`."""
    found: dict[str, ModuleType] = {}
    own = map(importlib.import_module, discovery.own_modules(kind))
    for module in (*own, *discovery.strangers(kind)):
        if not hasattr(module, ATTRIBUTES[kind]):
            continue
        name = declaration(kind, module).name
        if name in found:
            raise InputError(
                f"{kind[:-1]} {name!r}: declared twice, in {found[name].__name__} and "
                f"{module.__name__}; rename one"
            )
        found[name] = module
    return found


def renderer(kind: str, name: str) -> ModuleType:
    """Raises InputError for an unknown name."""
    return look_up(name, renderers(kind), f"{kind[:-1]} {name!r}: unknown")
