"""Moving shares towards what can still be learned beats leaving them as they are."""

from lawcheck.declare.design import Law, difference
from lawcheck.declare.estimands import SeedSpread
from lawcheck.studies.versatune.arms import (
    AS_RELEASED,
    CONSTANT,
    CURRICULUM,
    CURRICULUM_REVERSED,
    DOMAINS,
    DOREMI,
    DYNAMIC,
    FEWER_UPDATES,
    ODM,
    PLACEBO,
    UNIFORM,
    UNIFORM_DYNAMIC,
    UNTRAINED,
    apart,
    can_learn,
    learned,
    primary,
    secondary,
)

# Nats: at most 7 % of the rows are of another domain.
MOVED = 0.01
# Potentials that are all alike, or close to 0, move no share either.
MOVES, PLACEBO_MOVES = (
    apart(f"{name}_moves", f"the shares of {name} leave the detected ones", group, MOVED)
    for name, group in (("dynamic", DYNAMIC), ("placebo", PLACEBO))
)

LAW = Law(
    name="dynamic_potential",
    title="Shares that follow learnable potential",
    claim=(
        "Raising the shares of domains that can still be learned while training goes on beats "
        "constant shares and even ones, and not because shares move at all."
    ),
    source="VersaTune, Algorithm 2 and section 5; Tables 1 and 4, Figure 3",
    base=UNTRAINED[0],
    tables=("versatune_table_4",),
    figures=("versatune_figure_3",),
    shown=(
        *UNTRAINED,
        *FEWER_UPDATES,
        *AS_RELEASED,
        *DOREMI,
        *ODM,
        *CURRICULUM,
        *CURRICULUM_REVERSED,
    ),
    hypotheses=(
        primary(
            name="beats_constant",
            claim="moving shares beat the detected ones left as they are",
            estimand=difference(DYNAMIC, CONSTANT, DOMAINS),
            alternative="greater",
            checks=(*learned(DYNAMIC, CONSTANT), *can_learn(DYNAMIC), MOVES),
        ),
        primary(
            name="beats_uniform",
            claim="moving shares beat even ones",
            estimand=difference(DYNAMIC, UNIFORM, DOMAINS),
            alternative="greater",
            checks=(*learned(DYNAMIC, UNIFORM), *can_learn(DYNAMIC)),
        ),
        primary(
            name="not_mere_motion",
            claim="shares that follow their own potential beat those that follow another's",
            estimand=difference(DYNAMIC, PLACEBO, DOMAINS),
            alternative="greater",
            checks=(*learned(DYNAMIC, PLACEBO), *can_learn(DYNAMIC, PLACEBO), MOVES, PLACEBO_MOVES),
        ),
        secondary(
            name="steadier",
            claim="constant shares scatter more over seeds than moving ones",
            estimand=SeedSpread(treatments=CONSTANT, controls=DYNAMIC),
            conjuncts=tuple(
                (base.base, SeedSpread(treatments=(still,), controls=(moving,), base=base))
                for base, still, moving in zip(UNTRAINED, CONSTANT, DYNAMIC, strict=True)
            ),
            alternative="greater",
            sesoi=0.5,
        ),
        secondary(
            name="update_alone",
            claim="moving shares that start even beat even ones",
            estimand=difference(UNIFORM_DYNAMIC, UNIFORM, DOMAINS),
            alternative="greater",
            checks=(*learned(UNIFORM_DYNAMIC, UNIFORM), *can_learn(UNIFORM_DYNAMIC)),
        ),
    ),
)
