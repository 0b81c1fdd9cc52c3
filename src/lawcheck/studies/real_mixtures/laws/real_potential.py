"""On a real model, shares that follow what can still be learned beat shares that do not."""

from lawcheck.declare.design import Law, difference
from lawcheck.studies.real_mixtures.arms import (
    BASE,
    BITS,
    CONSTANT,
    DOMAINS,
    DYNAMIC,
    MOVED,
    PLACEBO,
    UNIFORM,
    UNIFORM_DYNAMIC,
    learned,
    primary,
    secondary,
)
from lawcheck.studies.versatune.arms import apart, can_learn

MOVES = apart("dynamic_moves", "the shares of dynamic leave the detected ones", [DYNAMIC], MOVED)
PLACEBO_MOVES = apart(
    "placebo_moves", "the shares of placebo leave the detected ones", [PLACEBO], MOVED
)

LAW = Law(
    name="real_potential",
    title="Shares that follow learnable potential on a real model",
    claim=(
        "Raising the shares of domains that can still be learned makes gold answers likelier than "
        "constant shares and even ones do, and not because shares move at all."
    ),
    source="VersaTune, Algorithm 2; docs/versatune.md",
    base=BASE,
    hypotheses=(
        primary(
            name="beats_constant",
            claim="moving shares beat the detected ones left as they are",
            estimand=difference([DYNAMIC], [CONSTANT], DOMAINS, BITS),
            alternative="less",
            checks=(*learned([DYNAMIC, CONSTANT]), *can_learn([DYNAMIC]), MOVES),
        ),
        primary(
            name="beats_uniform",
            claim="moving shares beat even ones",
            estimand=difference([DYNAMIC], [UNIFORM], DOMAINS, BITS),
            alternative="less",
            checks=(*learned([DYNAMIC, UNIFORM]), *can_learn([DYNAMIC])),
        ),
        primary(
            name="not_mere_motion",
            claim="shares that follow their own potential beat those that follow another's",
            estimand=difference([DYNAMIC], [PLACEBO], DOMAINS, BITS),
            alternative="less",
            checks=(
                *learned([DYNAMIC, PLACEBO]),
                *can_learn([DYNAMIC, PLACEBO]),
                MOVES,
                PLACEBO_MOVES,
            ),
        ),
        secondary(
            name="update_alone",
            claim="moving shares that start even beat even ones",
            estimand=difference([UNIFORM_DYNAMIC], [UNIFORM], DOMAINS, BITS),
            alternative="less",
            checks=(*learned([UNIFORM_DYNAMIC, UNIFORM]), *can_learn([UNIFORM_DYNAMIC])),
        ),
    ),
)
