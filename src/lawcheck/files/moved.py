"""Import paths of version 0.1 that documentation named: they lead to where things are now.

For one release. A module under its old name is the very module under its new one.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

# Packages stand for all that lies below them.
MOVED = {
    "arms": "studies.discipline_laws.arms",
    "cost": "planning.cost",
    "design": "declare.design",
    "discovery": "declare.discovery",
    "estimands": "declare.estimands",
    "estimators": "judging.estimators",
    "importing": "judging.importing",
    "layout": "declare.layout",
    "plan": "planning.plan",
    "pytest_plugin": "cli.pytest_plugin",
    "render": "show",
    "scale": "declare.scale",
    "stages": "pipeline.stages",
    "stats": "judging.stats",
    "verdict": "judging.verdict",
}


class _Forward(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, rest = name.partition(".")
        first, _, below = rest.partition(".")
        if package != "lawcheck" or first not in MOVED:
            return None
        new = ".".join(filter(None, ("lawcheck", MOVED[first], below)))
        if importlib.util.find_spec(new) is None:
            return None
        warnings.warn(f"{name} is now {new}", DeprecationWarning, stacklevel=2)
        return importlib.machinery.ModuleSpec(name, self, origin=new)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        assert spec.origin is not None
        self._spec = importlib.import_module(spec.origin).__spec__
        return sys.modules[spec.origin]

    def exec_module(self, module: ModuleType) -> None:
        # Importing under the old name replaced the module's own description of itself.
        module.__spec__ = self._spec


def forward() -> None:
    """First of the finders: below a forwarded package, another one would make a second copy."""
    if not any(isinstance(finder, _Forward) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Forward())
