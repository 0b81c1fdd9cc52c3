"""Estimates over several arms that figures show: changes, rank correlations, margins.

They are the judge's own estimators, so that a figure never disagrees with a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable

from lawcheck.declare.design import Arm, Law, Target, difference
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.errors import InputError
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import MissingScoresError
from lawcheck.judging.stats import PermutationEstimate
from lawcheck.show.context import RenderContext
from lawcheck.show.summary import CROSSED, ITEMS_ONLY, Measure, measure


def change(
    context: RenderContext, treatment: Arm, control: Arm, target: Target = "average"
) -> Measure | None:
    """Accuracy of an arm less another's, in points, paired over the seeds that both have.

    target: as in `Contrast`. None where either has no scores or no seed is common.
    """
    summary = context.summary
    if None in (summary.accuracy(treatment, target), summary.accuracy(control, target)):
        return None
    try:
        found = estimate(difference([treatment], [control], target), summary.evidence).estimate
    except MissingScoresError:
        return None
    return measure(found, 1.0, ITEMS_ONLY if found.single_run else CROSSED)


def rank_correlation(
    context: RenderContext, estimand: RankCorrelation
) -> PermutationEstimate | None:
    """A rank correlation over design points, or None where it is undefined.

    It is undefined while a point has no scores or no diversity, and where either does not vary.
    """
    try:
        found = estimate(estimand, context.summary.evidence).estimate
    except InputError:
        return None
    assert isinstance(found, PermutationEstimate)
    return found


def no_gain_margin(law: Law, arms: Iterable[Arm]) -> float | None:
    """The smallest margin, in points, of the law's no-gain claims that are about these arms."""
    wanted = set(arms)
    margins = [
        h.margin
        for h in law.hypotheses
        if h.alternative == "no_gain" and h.margin is not None and wanted & set(h.estimand.arms)
    ]
    return min(margins, default=None)
