"""Variability: multi-discipline fine-tuning follows the data less smoothly than one discipline."""

import math

from lawcheck.declare.design import Law, Recipe, beats, difference
from lawcheck.declare.estimands import RoughnessRatio, SeedSpread
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    SCARCE,
    discipline_lora,
    full,
    lora,
    lora_comp,
    lora_moe,
    primary,
    secondary,
)

FRACTIONS = (0.1, 0.2, 0.5, 0.7, 1.0)
LORA = tuple(lora(Recipe(fraction=f)) for f in FRACTIONS)
LORA_MOE = tuple(lora_moe("plain", Recipe(fraction=f)) for f in FRACTIONS)
LORA_COMP = tuple(lora_comp(Recipe(fraction=f)) for f in FRACTIONS)
DISCIPLINE_LORA = tuple(discipline_lora(f) for f in FRACTIONS)
FULL = full()

MIXED = (LORA, LORA_MOE)
# A quarter more standard deviation is the smallest difference of interest.
SD_RATIO = math.log(1.25)

LAW = Law(
    name="variability",
    title="Variability",
    claim=(
        "Learning several disciplines at once is rougher over data scales, spreads more over "
        "seeds and scores below learning each discipline alone."
    ),
    source="Wang et al., section 4; Table 4, Figure 2",
    base=BASE,
    tables=("table_1", "table_4"),
    figures=("figure_1a", "figure_1c", "figure_2"),
    hypotheses=(
        primary(
            name="rough",
            claim="mixed LoRA and LoRA-MoE are rougher over data fractions than discipline LoRA",
            estimand=RoughnessRatio(treatments=MIXED, controls=(DISCIPLINE_LORA,), components=True),
            alternative="greater",
            sesoi=SD_RATIO,
        ),
        primary(
            name="spread",
            claim="mixed LoRA and LoRA-MoE vary more over seeds than discipline LoRA, all data",
            estimand=SeedSpread(
                treatments=(LORA[-1], LORA_MOE[-1]), controls=(DISCIPLINE_LORA[-1],), base=BASE
            ),
            alternative="greater",
            sesoi=2 * SD_RATIO,
        ),
        primary(
            name="worse",
            claim="mixed LoRA and LoRA-MoE score below discipline LoRA, mean of all fractions",
            estimand=difference([*LORA, *LORA_MOE], DISCIPLINE_LORA),
            alternative="less",
            checks=beats((LORA[-1], LORA_MOE[-1], DISCIPLINE_LORA[-1]), BASE),
        ),
        secondary(
            name="composition_rougher",
            claim="LoRA composition is rougher over data fractions than discipline LoRA",
            estimand=RoughnessRatio(
                treatments=(LORA_COMP,), controls=(DISCIPLINE_LORA,), components=True
            ),
            alternative="greater",
            sesoi=SD_RATIO,
        ),
        secondary(
            name="composition_smoother",
            claim="LoRA composition is less rough over data fractions than LoRA and LoRA-MoE",
            estimand=RoughnessRatio(treatments=(LORA_COMP,), controls=MIXED, components=True),
            alternative="less",
            sesoi=SD_RATIO,
        ),
        secondary(
            name="full_worse",
            claim="full fine-tuning scores below LoRA, LoRA-MoE and LoRA composition, all data",
            estimand=difference([FULL], [LORA[-1], LORA_MOE[-1], LORA_COMP[-1]]),
            alternative="less",
        ),
        secondary(
            name="scarce_rougher",
            claim="biology and geography are rougher than chemistry and math in mixed training",
            estimand=RoughnessRatio(
                treatments=MIXED,
                controls=MIXED,
                disciplines=SCARCE,
                control_disciplines=("chemistry", "math"),
                components=True,
            ),
            alternative="greater",
            sesoi=SD_RATIO,
        ),
    ),
)
