"""Three small runs of their own in one job, to be interrupted."""

from lawcheck.declare.design import Hypothesis, Law, Recipe, difference
from lawcheck.studies.discipline_laws.arms import full, lora, lora_moe

# A share of its own, so that no other law wants these runs.
SHARE = Recipe(fraction=0.35)
MOE, LORA, FULL = lora_moe("shared_a", SHARE), lora(SHARE), full(SHARE)

LAW = Law(
    name="interrupted",
    title="Interrupted",
    claim="LoRA-MoE beats LoRA",
    source="a test",
    shown=(FULL,),
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="LoRA-MoE beats LoRA",
            estimand=difference([MOE], [LORA]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
