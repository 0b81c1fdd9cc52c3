"""Tasks that nobody can tell apart hurt each other, and no task of another domain."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.adapters_selector.arms import (
    AMBIGUOUS,
    BASE,
    BEST_SIX,
    BEST_TWELVE,
    CHANCE,
    SIX,
    answers,
    primary,
    secondary,
)

DOUBLED = AMBIGUOUS[0]
DOMAIN = DOUBLED.partition("_")[0]
OUTSIDE = tuple(t for t in SIX if not t.startswith(DOMAIN))

LAW = Law(
    name="ambiguity",
    title="Ambiguous tasks",
    claim=(
        "Six more tasks, one of them with the inputs of a task that is there, cost that task and "
        "no task of another domain."
    ),
    source="Tian et al., section 5.1; Table 2",
    base=BASE,
    tables=("selector_confusion",),
    hypotheses=(
        primary(
            name="outside",
            claim="tasks of other domains are named as often among twelve as among six",
            estimand=difference([BEST_TWELVE], [BEST_SIX], OUTSIDE),
            alternative="equivalent",
            margin=1.0,
            floor=CHANCE[SIX],
        ),
        secondary(
            name="inside",
            claim="the task whose inputs come a second time is named less often",
            estimand=difference([BEST_TWELVE], [BEST_SIX], DOUBLED),
            alternative="less",
            sesoi=5.0,
            checks=answers([BEST_SIX], SIX),
        ),
    ),
)
