"""Tables and figures are found, never listed by hand: a law names the ones it wants.

A table is a module of lawcheck.show.tables, or of a study's folder `tables`, with TABLE and build;
a figure one of lawcheck.show.figures, or of a study's `figures`, with FIGURE and build. Others join
through the entry-point groups `lawcheck.tables` and `lawcheck.figures`, or as files in the folders
named by LAWCHECK_TABLES and LAWCHECK_FIGURES; they are Python code and run with your rights.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any

from lawcheck.declare import discovery
from lawcheck.show.grid import Table
from lawcheck.show.style import Picture

ATTRIBUTES = {"tables": "TABLE", "figures": "FIGURE"}
TYPES = {"tables": Table, "figures": Picture}


def declaration(kind: str, module: ModuleType) -> Any:
    """A renderer's `Table` or `Picture`."""
    return getattr(module, ATTRIBUTES[kind])


@functools.cache
def renderers(kind: str) -> dict[str, ModuleType]:
    """Name -> module, for kind `tables` or `figures`."""
    found = discovery.declared(kind, ATTRIBUTES[kind], TYPES[kind])
    return {declared.name: sys.modules[module] for module, declared in found.items()}


def renderer(kind: str, name: str) -> ModuleType:
    """Raises InputError for an unknown name."""
    return discovery.named(kind, name, renderers(kind))
