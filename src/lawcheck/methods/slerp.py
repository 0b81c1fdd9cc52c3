"""SLERP: the tensors of two whole models, joined along the arc between them."""

from __future__ import annotations

from lawcheck.methods import full, merging
from lawcheck.methods.derived import added_parameters, trainable_parameters

__all__ = ["METHOD", "added_parameters", "build", "load", "save", "trainable_parameters"]

METHOD = merging.declared("slerp", "SLERP merge", "SLERP")
build = merging.builder(METHOD, "slerp")
save, load = merging.save, full.load
