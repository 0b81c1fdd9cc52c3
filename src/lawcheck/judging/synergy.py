"""Whether a merge of two models gives more than they do, from the scores of all three."""

from __future__ import annotations

from collections.abc import Sequence

from lawcheck.declare.design import Arm, Contrast, Hypothesis, Law
from lawcheck.errors import InputError
from lawcheck.judging.comparing import (
    MARGIN,
    MOST_NAMED,
    check_sizes,
    declared_name,
    gain,
    require_same_seeds,
    shared_tasks,
)
from lawcheck.scores import ScoreTable

MEAN = (
    "over_mean alone is no evidence of synergy: a merge that equals its better parent lies above "
    "the mean of both by half of what they differ"
)


def synergy(
    scores: ScoreTable,
    merged: str,
    tuned: str,
    other: str,
    margin: float = MARGIN,
    tasks: Sequence[str] | None = None,
) -> tuple[Law, list[str]]:
    """The law that a merge scores above both of its parents, for `compared`, and notes.

    Both primary parts have to be shown, each at the full level (an intersection-union test), so
    that no maximum of two noisy estimates is taken. The contrast with the mean of the parents is a
    secondary part. Raises InputError for an arm or a task that is not there, and for no seed in
    common.
    """
    check_sizes("synergy", margin=margin)
    arms = (merged, tuned, other)
    for name in arms:
        if name not in scores.arms:
            raise InputError(f"synergy: no arm {name!r}; arms: {', '.join(scores.arms)}")
    if len(set(arms)) < len(arms):
        raise InputError(
            f"synergy: {', '.join(arms)} are not three arms; name the merge and both of its parents"
        )
    chosen, notes = shared_tasks(scores, arms, tasks, "synergy")
    for parent in (tuned, other):
        require_same_seeds(scores, merged, parent, chosen, "synergy")
    shown = chosen if len(chosen) <= MOST_NAMED else [*chosen[: MOST_NAMED - 1], "..."]
    average = f"the average of {len(chosen)} tasks ({', '.join(shown)})"
    where = average if len(chosen) > 1 else chosen[0]
    m, a, b = (Arm(method=name) for name in arms)
    law = Law(
        name=declared_name(f"{merged}_synergy", set()),
        title=f"Synergy of {merged}",
        claim=f"{merged} scores above {tuned} and above {other} on {where}",
        source="scores of a merge and its parents, without a law file",
        # An arm that is not there stands for none.
        base=Arm(method="no base"),
        hypotheses=(
            gain("over_tuned", "primary", f"{merged} scores above {tuned}", m, a, margin),
            gain("over_other", "primary", f"{merged} scores above {other}", m, b, margin),
            Hypothesis(
                name="over_mean",
                role="secondary",
                claim=f"{merged} scores above the mean of {tuned} and {other}",
                estimand=Contrast(weights=((m, 1.0), (a, -0.5), (b, -0.5))),
                alternative="greater",
                sesoi=margin,
            ),
        ),
        tasks=tuple(chosen),
    )
    return law, [MEAN, *notes]
