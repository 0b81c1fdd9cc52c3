"""Balance-then-Diversity where diversity is real: fresh samples in the place of duplicates."""

import functools

from lawcheck.declare.design import (
    Arm,
    Check,
    Hypothesis,
    Law,
    Measure,
    Recipe,
    beats,
    difference,
    pooled,
)
from lawcheck.declare.estimands import RankCorrelation
from lawcheck.studies.fresh_diversity.arms import (
    BASE,
    NONE,
    SCARCE,
    SHARES,
    TARGETS,
    both,
    lora,
    lora_moe,
    upsampled,
)

primary = functools.partial(Hypothesis, role="primary", sesoi=1.0)
FRESH = tuple(upsampled(t, 1.0) for t in TARGETS)
REPEATS = tuple(upsampled(t, 0.0) for t in TARGETS)
ALONE = Arm(method="lora", recipe=Recipe(), each_alone=True)

LEARNABLE = tuple(
    Check(
        name=f"{name}_is_learnable",
        kind="assay",
        claim=f"discipline LoRA gains more than 3 points on {name} alone",
        estimand=difference([ALONE], [BASE], name),
        above=3.0,
    )
    for name in SCARCE
)
RICHER = Check(
    name="fresh_is_richer",
    kind="manipulation",
    claim="fresh samples add distinct n-grams that repeats lack",
    estimand=Measure(
        metric="distinct_count",
        weights=pooled(both(*FRESH), both(*REPEATS)),
        target="mixture",
        counted=True,
    ),
)

LAW = Law(
    name="fresh_balance_then_diversity",
    title="Balance-then-Diversity, fresh samples",
    claim=(
        "Upsampling scarce disciplines with fresh samples lifts the average; fresh samples beat as "
        "many tokens of repeats, more of them add nothing, and accuracy follows the n-gram "
        "diversity of the mixture."
    ),
    source="Wang et al., section 4.1, with another manipulation (docs/proxy.md)",
    base=BASE,
    hypotheses=(
        primary(
            name="balance",
            claim="fresh upsampling to 100K beats none, LoRA and LoRA-MoE",
            estimand=difference(both(FRESH[0]), both(NONE)),
            alternative="greater",
            checks=LEARNABLE,
        ),
        primary(
            name="diversity",
            claim="fresh samples beat repeats of as many tokens, both sizes, LoRA and LoRA-MoE",
            estimand=difference(both(*FRESH), both(*REPEATS)),
            alternative="greater",
            checks=(RICHER, *LEARNABLE),
        ),
        primary(
            name="saturation",
            claim="fresh upsampling to 200K gains less than one point over 100K",
            estimand=difference(both(FRESH[-1]), both(FRESH[0])),
            alternative="no_gain",
            margin=1.0,
            checks=(*beats(both(FRESH[-1], FRESH[0]), BASE), *LEARNABLE),
        ),
        primary(
            name="link",
            claim="accuracy ranks mixtures of equal size like their n-gram diversity",
            # One group for each method and size: between sizes the share of distinct n-grams
            # follows the number of tokens.
            estimand=RankCorrelation(
                groups=tuple(
                    tuple(method(upsampled(target, share)) for share in SHARES)
                    for method in (lora, lora_moe)
                    for target in TARGETS
                )
            ),
            alternative="greater",
            sesoi=0.3,
            checks=(RICHER,),
        ),
        *(
            Hypothesis(
                name=f"{name}_gains",
                role="secondary",
                sesoi=1.0,
                claim=f"{name} gains more from fresh samples than from repeats",
                estimand=difference(both(*FRESH), both(*REPEATS), name),
                alternative="greater",
            )
            for name in SCARCE
        ),
    ),
)
