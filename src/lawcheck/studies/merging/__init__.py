"""CPT, SFT, DPO, ORPO and SLERP (Lu, Luu and Buehler)."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="merging",
    title=(
        "Fine-tuning large language models for domain adaptation: Exploration of training "
        "strategies, scaling, model merging and synergistic capabilities"
    ),
    source="Lu et al.",
    label="Lu et al.",
    topic="domain adaptation and model merging",
    published="printed",
    printed_from="single runs of 1.7B to 8B models",
    order=4,
)
