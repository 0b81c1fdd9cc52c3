"""Adapters and a selector that never errs: each item has the answer of its own task's adapter."""

from __future__ import annotations

from lawcheck.methods.base import Method
from lawcheck.methods.derived import added_parameters, build, load, save, trainable_parameters

__all__ = ["METHOD", "added_parameters", "build", "load", "save", "trainable_parameters"]

METHOD = Method(
    name="oracle",
    title="Routed to the right adapter",
    short="Oracle",
    version=1,
    trains="nothing",
    group="none",
    takes="adapters",
    trains_rows=False,
    derived=True,
)
