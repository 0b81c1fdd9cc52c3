"""Merge schedule: a linear progression over the layers beats the up and down of the reference."""

from lawcheck.declare.design import Hypothesis, Law
from lawcheck.studies.merging.arms import (
    BASE,
    INSTRUCT,
    SCHEDULED,
    SCHEDULES,
    learned,
    merged,
    on_domain,
    primary,
    secondary,
)

REFERENCE = merged(SCHEDULED)
CHECKS = (learned("reference_learns", [REFERENCE], BASE),)


def beats_reference(schedule: str) -> Hypothesis:
    return (primary if schedule == "linear" else secondary)(
        name=schedule,
        claim=f"the schedule {schedule} scores above the reference",
        estimand=on_domain([merged(SCHEDULED, schedule=schedule)], [REFERENCE]),
        alternative="greater",
        checks=CHECKS,
    )


LAW = Law(
    name="merge_schedule",
    title="Merge schedule",
    claim="A linear progression of t over the layers merges better than the reference schedule.",
    source="Lu et al., section 2.2; Figure 11",
    base=BASE,
    shown=(INSTRUCT, SCHEDULED),
    figures=("merging_figure_11",),
    hypotheses=tuple(beats_reference(schedule) for schedule in SCHEDULES),
)
