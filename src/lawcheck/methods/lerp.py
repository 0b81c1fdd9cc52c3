"""LERP: the tensors of two whole models, joined along the line between them; the twin of SLERP."""

from __future__ import annotations

from lawcheck.methods import full, merging
from lawcheck.methods.derived import added_parameters, trainable_parameters

__all__ = ["METHOD", "added_parameters", "build", "load", "save", "trainable_parameters"]

METHOD = merging.declared("lerp", "LERP merge", "LERP")
build = merging.builder(METHOD, "lerp")
save, load = merging.save, full.load
