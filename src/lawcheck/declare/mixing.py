"""Rules that move the shares of a mixture while an arm is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lawcheck.declare.design import Mixture, require_name
from lawcheck.errors import InputError

# The smallest share of a domain: one that is never seen again has a loss that cannot fall.
FLOOR = 1e-3


@dataclass(frozen=True)
class Phase:
    """weights: shares of the domains in a phase's rows. losses: measured before it, per domain, in
    nats per response token of held-out rows.
    """

    weights: Mapping[str, float]
    losses: Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """What a smaller model reaches that is trained on each domain alone.

    losses: per domain, the lowest of its held-out rows, in nats per response token. transfer:
    domain that was trained on -> per domain, relative change of its loss (above 0: forgotten).
    """

    losses: Mapping[str, float]
    transfer: Mapping[str, Mapping[str, float]]


# (weights, losses, history, mixture) -> weights, and the reference for rules that read one.
Update = Callable[..., Mapping[str, float]]


def potentials(losses: Mapping[str, float], reference: Reference) -> dict[str, float]:
    """Per domain, the share of its loss that the reference is below it, from 0."""
    return {name: max(0.0, (loss - reference.losses[name]) / loss) for name, loss in losses.items()}


@dataclass(frozen=True, kw_only=True)
class MixingRule:
    """How weights follow from losses.

    update: (weights, losses, history, mixture) -> weights of the next phase, above or at 0, of any
    sum; a pure function. weights: of the phase that has ended. losses: after it. history: the
    phases until then, the one that has ended last. version: raise it when weights can change.
    references: whether it takes a Reference, after the mixture. targeted: whether the mixture has
    to name a target. opens: whether it sets the first phase's weights as well, from those of the
    start and an empty history.
    """

    name: str
    title: str
    version: int
    update: Update
    references: bool = False
    targeted: bool = False
    opens: bool = False

    def __post_init__(self) -> None:
        require_name("mixing rule", self.name)

    def check(self, mixture: Mixture) -> None:
        """Raises InputError for a mixture without the target that the rule needs."""
        if self.targeted and mixture.target is None:
            raise InputError(
                f"mixture {mixture.label!r}: no target, which mixing rule {self.name!r} favours; "
                f"name one of its domains"
            )

    def __call__(
        self,
        weights: Mapping[str, float],
        losses: Mapping[str, float],
        history: Sequence[Phase],
        mixture: Mixture,
        reference: Reference | None = None,
    ) -> dict[str, float]:
        """The next weights, at least FLOOR each and of sum 1, in the order of `weights`.

        Raises InputError for weights of other domains, below 0, not finite, or all 0, and for a
        rule that fails.
        """
        self.check(mixture)
        try:
            more = (reference,) if self.references else ()
            given = self.update(dict(weights), dict(losses), tuple(history), mixture, *more)
            found = {domain: float(weight) for domain, weight in given.items()}
        except InputError as error:
            # Which names its own next step.
            raise InputError(f"mixing rule {self.name!r}: {error}") from error
        # Somebody else's code: whatever it raises is the rule's fault.
        except Exception as error:
            raise InputError(
                f"mixing rule {self.name!r}: fails on losses of {', '.join(losses)} "
                f"({type(error).__name__}: {error}); correct the rule"
            ) from error
        if set(found) != set(weights):
            odd = sorted(set(found) ^ set(weights))[0]
            raise InputError(
                f"mixing rule {self.name!r}: weights of {len(found)} domains, expected one for "
                f"each of {', '.join(weights)} ({odd!r} differs); return one for each"
            )
        for domain, weight in found.items():
            if not 0 <= weight < math.inf:
                raise InputError(
                    f"mixing rule {self.name!r}: weight of {domain!r} is {weight}, expected a "
                    f"finite number from 0; correct the rule"
                )
        if not sum(found.values()) > 0:
            raise InputError(
                f"mixing rule {self.name!r}: all weights are 0, expected one above; correct the "
                f"rule"
            )
        return floored({domain: found[domain] for domain in weights})


def floored(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares that sum to 1, none below FLOOR. weights: from 0, not all 0.

    Those below are raised to it; the others share what is left in their proportions.
    """
    low: set[str] = set()
    while True:
        total = math.fsum(w for name, w in weights.items() if name not in low)
        left = 1 - FLOOR * len(low)
        found = {n: FLOOR if n in low else left * w / total for n, w in weights.items()}
        below = {name for name, share in found.items() if share < FLOOR}
        if not below:
            return found
        low |= below
