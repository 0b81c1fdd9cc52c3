"""The generator of a synthetic world is frozen by hash before any law is judged on it."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
from types import ModuleType

from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError


def generator_world(world: str) -> str:
    """The world that a generator is named for, whose texts base models learn.

    A world named `proxy_x` holds other tasks of the generator of `proxy`; worlds of others keep
    their names.
    """
    first = world.partition("_")[0]
    return first if importlib.util.find_spec(f"lawcheck.{first}_world") else world


def generator(world: str) -> ModuleType:
    """The package `lawcheck.<world>_world`: vocabulary(), generator_files().

    Raises InputError for a world of real data, which has none.
    """
    name = f"lawcheck.{generator_world(world)}_world"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise InputError(
            f"world {world!r}: found no generator {name!r}, expected a synthetic world; use "
            f"tokenizer 'bpe' and no 'corpus.frozen' with real data"
        ) from None


@functools.cache
def generator_digest(world: str) -> str:
    """SHA-256 over the generator's source files, by name and content, line ends normalised."""
    total = hashlib.sha256()
    for path in generator(world).generator_files():
        content = path.read_bytes().replace(b"\r\n", b"\n")
        folder = path.parent.name
        total.update(f"{folder}/{path.name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return total.hexdigest()


def require_frozen(scale: Scale) -> None:
    """Refuse a generator that differs from the one the scale froze; no-op where none is frozen."""
    expected = scale.corpus.frozen
    if expected is None:
        return
    found = generator_digest(scale.world)
    if found != expected:
        raise InputError(
            f"scale {scale.name!r}: generator of world {scale.world!r} hashes to {found[:12]}, "
            f"expected {expected[:12]} (corpus.frozen); restore its files, or freeze anew and "
            f"rebuild the bases"
        )
