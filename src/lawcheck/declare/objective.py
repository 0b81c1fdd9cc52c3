"""The declaration of an objective. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from lawcheck.declare.design import Recipe, require_name
from lawcheck.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a run learns from its rows.

    learns: which tokens carry loss, in words. columns: what a row has to hold. pairs: rows are
    preference pairs, which lawcheck.corpus.preferences makes where they lack the columns.
    reference: the loss needs the log-probabilities of the model that the run starts from. beta:
    the weight of the preference where the recipe names none; None for an objective without one.
    dropout: whether the model keeps its dropout. like: the objective with whose settings it trains
    at a scale that names none of its own: a control has the rate of what it controls.

    A module may have prepare(model), which is called once before training.
    """

    name: str
    title: str
    version: int
    learns: str
    columns: tuple[str, ...]
    pairs: bool = False
    reference: bool = False
    beta: float | None = None
    dropout: bool = True
    like: str = ""

    def __post_init__(self) -> None:
        require_name("objective", self.name)
        if self.reference and not self.pairs:
            raise InputError(
                f"objective {self.name!r}: a reference without pairs; log-probabilities are kept "
                f"per pair, set pairs"
            )

    def weight(self, recipe: Recipe) -> float | None:
        """The recipe's beta, or the default. Raises InputError where there can be none."""
        if recipe.beta is not None and self.beta is None:
            raise InputError(
                f"recipe: beta {recipe.beta:g}, but objective {self.name!r} has none; leave it out"
            )
        return self.beta if recipe.beta is None else recipe.beta
