"""An adapter a task behind a selector keeps what was learned, and beats joint training."""

from lawcheck.declare.design import Law, Measure, difference
from lawcheck.studies.adapters_selector.arms import (
    BASE,
    BEST_SIX,
    LOOKUP,
    MFT,
    MOLA,
    MTL,
    ORACLE,
    ROUTED,
    SIX,
    SIZES,
    SOUP,
    STATES,
    answers,
    grid,
    primary,
    secondary,
)

# Points that a wrong choice may cost, and that a joint model has to be behind.
MARGIN = 2.0
NAMES = 95.0

LAW = Law(
    name="route_by_selector",
    title="Routing by a selector",
    claim=(
        "A selector that names each item's task loses almost nothing against the right adapter, "
        "and the routed adapters beat one jointly trained adapter and a mixture of experts."
    ),
    source="Tian et al., sections 4 and 5.1; Table 1",
    base=BASE,
    # For Table 1.
    shown=(*(a for k in SIZES for a in grid(SIX, k)), MTL, STATES),
    tables=("selector_table_1",),
    hypotheses=(
        primary(
            name="retains",
            claim="the right adapter for every item gains less than two points over the selector's",
            estimand=difference([ORACLE], [ROUTED], SIX),
            alternative="no_gain",
            sesoi=MARGIN,
            margin=MARGIN,
        ),
        primary(
            name="beats_joint",
            claim="routed adapters beat one adapter trained on all tasks with balanced loss",
            estimand=difference([ROUTED], [MFT], SIX),
            alternative="greater",
            sesoi=MARGIN,
        ),
        primary(
            name="beats_moe",
            claim="routed adapters beat a mixture of low-rank experts trained on all tasks",
            estimand=difference([ROUTED], [MOLA], SIX),
            alternative="greater",
            sesoi=MARGIN,
        ),
        primary(
            name="names_task",
            claim="the selector names domain and task of more than 95 % of the items",
            estimand=Measure(
                metric="accuracy", weights=((BEST_SIX, 1.0),), target=SIX, against=NAMES
            ),
            alternative="greater",
            checks=answers([BEST_SIX], SIX),
        ),
        secondary(
            name="beats_soup",
            claim="routed adapters beat all adapters at once, with equal weights",
            estimand=difference([ROUTED], [SOUP], SIX),
            alternative="greater",
            sesoi=MARGIN,
        ),
        secondary(
            name="beats_lookup",
            claim="the selector names more tasks than a regression on the vectors it was chosen by",
            estimand=difference([BEST_SIX], [LOOKUP], SIX),
            alternative="greater",
            checks=answers([BEST_SIX, LOOKUP], SIX),
        ),
    ),
)
