"""What a table or a figure may look at: scores, a verdict and planned costs, never logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lawcheck.declare.design import Arm, Discipline, Law, Verdict
from lawcheck.scores import ScoreTable
from lawcheck.show.summary import Summary


def _unknown(arm: Arm, quantity: str) -> float | None:
    return None


@dataclass(frozen=True, kw_only=True)
class RenderContext:
    """One law's measured world.

    disciplines: in table order, companions included. world: which of their worlds was run.
    costs: `trainable_share` (%) or `gpu_hours` of an arm, planned at paper scale; None = not
    known. families: an arm's `base` -> title of that family of base models; one that is not
    named goes by its base. bases: seed -> base model, where seeds share bases. measured: arm name
    -> CPU seconds of training a seed, mean over seeds; may be empty. corpus: content of the
    scale's mixtures.json (lawcheck.corpus.statistics), None where there is none, as beside
    somebody's own scores. step: as `how`, where it is not to run the law. scale_name: empty for
    somebody's own scores.
    """

    law: Law
    scores: ScoreTable
    verdict: Verdict | None
    disciplines: tuple[Discipline, ...]
    world: str
    scale_name: str
    costs: Callable[[Arm, str], float | None] = _unknown
    families: Mapping[str, str] = field(default_factory=dict)
    bases: Mapping[int, str] | None = None
    measured: Mapping[str, float] = field(default_factory=dict)
    corpus: Mapping[str, Any] | None = None
    step: str = ""

    @property
    def how(self) -> str:
        """What to do about scores that are missing."""
        return self.step or self.summary.evidence.how

    @property
    def shown_scale(self) -> str:
        """The scale as captions print it, marked where the design was not fixed beforehand."""
        exploratory = self.verdict is not None and not self.verdict.preregistered
        return f"{self.scale_name}, exploratory" if exploratory else self.scale_name

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The law's arms; beside somebody's own scores those that are compared or have scores."""
        if self.scale_name:
            return self.law.arms
        compared = {a for h in self.law.hypotheses for a in h.arms}
        return tuple(a for a in self.law.arms if a in compared or self.summary.scored(a.name))

    def of_role(self, role: str) -> tuple[Discipline, ...]:
        """Disciplines of a role that exist in this world, in table order."""
        return tuple(d for d in self.disciplines if d.role == role and self.world in d.worlds)

    @property
    def science(self) -> tuple[Discipline, ...]:
        return self.of_role("discipline")

    @cached_property
    def diverged(self) -> dict[str, int]:
        """Diverged runs of each arm that has any, over all seeds."""
        found: dict[str, int] = {}
        for (arm, _), n in self.scores.diverged.items():
            found[arm] = found.get(arm, 0) + n
        return found

    @property
    def unmeasured(self) -> tuple[Discipline, ...]:
        """Disciplines that no arm has scores of, which the average leaves out."""
        places = self.summary.evidence.places
        tasks = [places[t] for t in self.scores.item_metric if t in places]
        here = {place.discipline for place in tasks}
        return tuple(d for d in self.science if d.name not in here)

    @cached_property
    def summary(self) -> Summary:
        """Means and intervals of this context, each computed once."""
        return Summary(
            law=self.law.name,
            scores=self.scores,
            disciplines=self.disciplines,
            world=self.world,
            scale_name=self.scale_name,
            bases=self.bases,
        )
