"""Modules that are not installed, and the extra of lawcheck that brings them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable


def check(modules: Iterable[str]) -> None:
    """Raises ModuleNotFoundError for the first that is not installed, without importing any."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(name=module)


def advice(error: ModuleNotFoundError) -> str | None:
    """What to install, in one line; None for a module that lawcheck does not ask for."""
    import importlib.metadata

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        metadata = importlib.metadata.metadata("lawcheck")
    except importlib.metadata.PackageNotFoundError:
        return None
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist") or ()]
    brings = {
        extra: {
            canonicalize_name(r.name)
            for r in requirements
            if r.marker is None or r.marker.evaluate({"extra": extra})
        }
        for extra in ("", *(metadata.get_all("Provides-Extra") or ()))
    }
    module = (error.name or "").partition(".")[0]
    bringing = [extra for extra, names in brings.items() if canonicalize_name(module) in names]
    if not bringing:
        return None
    least = min(bringing, key=lambda extra: len(brings[extra]))
    wanted = f"'lawcheck[{least}]'" if least else "lawcheck"
    return f"needs {module}, not installed; pip install {wanted}"
