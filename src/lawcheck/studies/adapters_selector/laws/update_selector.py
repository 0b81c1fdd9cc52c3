"""A selector can be trained further to add or delete tasks, but not to tell apart what is alike."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.adapters_selector.arms import (
    AMBIGUOUS,
    BASE,
    OLD_SIX,
    OLD_TWELVE,
    RATIOS,
    SIX,
    TEN,
    TWELVE,
    added,
    answers,
    balanced,
    deleted,
    primary,
    secondary,
)

FIRST, SECOND = ((t,) for t in AMBIGUOUS)
# Points that a task has to move for the balance to have done anything.
MOVED = 5.0

LAW = Law(
    name="update_selector",
    title="Updating a selector",
    claim=(
        "A tenth of the old rows keeps the old tasks when new ones are added, half of them is as "
        "good as training on all again, deletion needs a tenth, and balancing does not help tasks "
        "that have the same inputs."
    ),
    source="Tian et al., sections 3.4 and 5.3; Table 3",
    base=BASE,
    shown=(
        OLD_SIX,
        *(
            update(r)
            for update in (added, balanced, deleted)
            for r in RATIOS
            if r or update != deleted
        ),
    ),
    tables=("selector_table_3",),
    hypotheses=(
        primary(
            name="add_keeps",
            claim="a tenth of the old tasks' rows keeps what no old row loses",
            estimand=difference([added(0.1)], [added(0.0)], SIX),
            alternative="greater",
            sesoi=5.0,
            checks=answers([OLD_SIX], SIX),
        ),
        primary(
            name="add_as_good",
            claim="training on twelve tasks at once gains less than a point over adding six",
            estimand=difference([OLD_TWELVE], [added(0.5)], TWELVE),
            alternative="no_gain",
            margin=1.0,
            checks=answers([OLD_TWELVE, added(0.5)], TWELVE),
        ),
        primary(
            name="delete_cheap",
            claim="all rows of the tasks that stay gain less than a point over a tenth of them",
            estimand=difference([deleted(1.0)], [deleted(0.1)], TEN),
            alternative="no_gain",
            margin=1.0,
            checks=answers([deleted(1.0), deleted(0.1)], TEN),
        ),
        primary(
            name="balance_fails",
            claim="balancing gains less than a point on the tasks that it is for",
            estimand=difference([balanced(0.5)], [OLD_TWELVE], AMBIGUOUS),
            alternative="no_gain",
            margin=1.0,
            checks=answers([OLD_TWELVE, balanced(0.5)], TWELVE),
        ),
        secondary(
            name="balance_lifts_new",
            claim="balancing lifts the ambiguous task that came later",
            estimand=difference([balanced(0.5)], [OLD_TWELVE], SECOND),
            alternative="greater",
            sesoi=MOVED,
            checks=answers([OLD_TWELVE, balanced(0.5)], TWELVE),
        ),
        secondary(
            name="balance_lowers_old",
            claim="balancing lowers the ambiguous task that was there first",
            estimand=difference([balanced(0.5)], [OLD_TWELVE], FIRST),
            alternative="less",
            sesoi=MOVED,
            checks=answers([OLD_TWELVE, balanced(0.5)], TWELVE),
        ),
    ),
)
