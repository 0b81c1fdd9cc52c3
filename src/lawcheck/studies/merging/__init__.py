"""Domain adaptation by stages and merges (Lu, Luu, Buehler): seven laws."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="merging",
    title=(
        "Fine-tuning large language models for domain adaptation: exploration of training "
        "strategies, scaling, model merging and synergistic capabilities"
    ),
    source="Lu, Luu and Buehler",
    label="Lu et al.",
    topic="stages of adaptation and merging",
    published="printed",
    printed_from="single runs of 1.7B to 8B models",
    order=3,
)
