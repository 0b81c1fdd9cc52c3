"""Control of selectors: logistic regression on the vectors that rows are selected by."""

from __future__ import annotations

from lawcheck.methods.base import Method
from lawcheck.methods.derived import added_parameters, build, load, save, trainable_parameters

__all__ = ["METHOD", "added_parameters", "build", "load", "save", "trainable_parameters"]

METHOD = Method(
    name="lookup",
    title="Selector by logistic regression",
    short="Lookup",
    version=1,
    trains="no weights of the model",
    group="none",
    trains_rows=False,
    selects=True,
    derived=True,
)
