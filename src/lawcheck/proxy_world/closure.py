"""What the proxy world consists of: its generators, its source files and its vocabulary."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path

from lawcheck.proxy_world.words import SHARED_WORDS

MODULES = {
    name: f"lawcheck.disciplines.{name}.proxy"
    for name in (
        "chemistry",
        "medicine",
        "biology",
        "math",
        "geography",
        "general",
        "out_of_domain",
    )
}


@functools.cache
def _vocabulary() -> tuple[str, ...]:
    words = set(SHARED_WORDS)
    for source in MODULES.values():
        words |= importlib.import_module(source).words()
    return tuple(sorted(words))


def vocabulary() -> list[str]:
    """Every word that any split of any discipline can emit, sorted; no special tokens."""
    return list(_vocabulary())


def generator_files() -> list[Path]:
    """The source files that define the world and its evaluation tasks, sorted by path."""
    here = Path(__file__).resolve().parent
    files = list(here.glob("*.py"))
    for name in MODULES:
        folder = here.parent / "disciplines" / name
        files += [folder / "proxy.py", *folder.glob("tasks/proxy_*")]
    files.append(here.parent / "disciplines" / "general" / "constraints.py")
    return sorted(f for f in files if f.is_file())
