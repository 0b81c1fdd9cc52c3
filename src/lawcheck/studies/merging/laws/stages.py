"""Stages: merges of preference-tuned models are best; what each stage adds before merging."""

from lawcheck.declare.design import Law
from lawcheck.studies.merging.arms import (
    BASE,
    FROM,
    INSTRUCT,
    LORA_SFT,
    STARTS,
    TUNED,
    learned,
    merges,
    name_of,
    on_domain,
    primary,
    secondary,
    stages_of,
    tuned,
)

FINAL = ("cpt.sft.dpo", "cpt.sft.orpo")
CHECKS = (learned("tuned_learn", TUNED, BASE),)

LAW = Law(
    name="stages",
    title="Stages",
    claim=(
        "Merges of models after CPT, SFT and preference optimisation score above every model "
        "that is not merged."
    ),
    source="Lu et al., section 2; Figures 4 and 5, Table 4",
    base=BASE,
    tables=("merging_table_1",),
    hypotheses=(
        primary(
            name="merged_best",
            claim="merges after CPT, SFT and DPO or ORPO beat each unmerged model of their start",
            estimand=on_domain(merges(stages_of(*FINAL)), TUNED),
            alternative="greater",
            checks=CHECKS,
            # Their mean is beaten by what equals the best of them.
            conjuncts=tuple(
                (
                    f"{start}_over_{name_of(model).rpartition(f'{start}.')[2].replace('.', '_')}",
                    on_domain(merges(tuned(start, stage) for stage in FINAL), [model]),
                )
                for start in STARTS
                for model in (*FROM[start], INSTRUCT)
            ),
        ),
        secondary(
            name="cpt_adds",
            claim="CPT and SFT of the partner beat LoRA fine-tuning of it",
            estimand=on_domain([tuned("instruct", "cpt.sft")], [LORA_SFT]),
            alternative="greater",
            checks=(learned("lora_learns", [LORA_SFT], BASE),),
        ),
        secondary(
            name="tuning_hurts",
            claim="CPT, and CPT with SFT, leave the partner worse than it was (claimed of Llama)",
            estimand=on_domain(
                [tuned("instruct", "cpt"), tuned("instruct", "cpt.sft")], [INSTRUCT]
            ),
            alternative="less",
        ),
        secondary(
            name="orpo_over_dpo",
            claim="merges after ORPO beat merges after DPO",
            estimand=on_domain(
                merges(stages_of("cpt.orpo", "cpt.sft.orpo")),
                merges(stages_of("cpt.dpo", "cpt.sft.dpo")),
            ),
            alternative="greater",
            checks=CHECKS,
        ),
    ),
)
