"""A selector and adapters: each item has the answer of the adapter that the selector names."""

from __future__ import annotations

from lawcheck.methods.base import Method
from lawcheck.methods.derived import added_parameters, build, load, save, trainable_parameters

__all__ = ["METHOD", "added_parameters", "build", "load", "save", "trainable_parameters"]

METHOD = Method(
    name="routed",
    title="Routed by a selector",
    short="Routed",
    version=1,
    trains="nothing",
    group="none",
    takes="adapters",
    trains_rows=False,
    derived=True,
)
