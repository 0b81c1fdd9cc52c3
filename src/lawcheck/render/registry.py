"""Tables and figures are found, never listed by hand: a law names the ones it wants.

A table is a module of lawcheck.render.tables with TABLE and build, a figure a module of
lawcheck.render.figures with FIGURE and build. Others join through the entry-point groups
`lawcheck.tables` and `lawcheck.figures`, or as files in the folders named by LAWCHECK_TABLES and
LAWCHECK_FIGURES; they are Python code and run with your rights.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from types import ModuleType
from typing import Any

from lawcheck import discovery
from lawcheck.errors import InputError, nearest

ATTRIBUTES = {"tables": "TABLE", "figures": "FIGURE"}


def declaration(kind: str, module: ModuleType) -> Any:
    """A renderer's `Table` or `Picture`."""
    return getattr(module, ATTRIBUTES[kind])


@functools.cache
def renderers(kind: str) -> dict[str, ModuleType]:
    """Name -> module, for kind `tables` or `figures`."""
    package = importlib.import_module(f"lawcheck.render.{kind}")
    own = [f"{package.__name__}.{m.name}" for m in pkgutil.iter_modules(package.__path__)]
    found: dict[str, ModuleType] = {}
    for module in (*map(importlib.import_module, own), *discovery.strangers(kind)):
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
    known = renderers(kind)
    if name not in known:
        raise InputError(f"{kind[:-1]} {name!r}: unknown; {nearest(name, known)}")
    return known[name]
