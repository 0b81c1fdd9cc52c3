"""VersaTune: domain mixtures that follow what a base model knows, four laws."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="versatune",
    title=(
        "VersaTune: Harnessing Vertical Domain Insights for Multi-Ability LLM Supervised "
        "Fine-Tuning"
    ),
    source="VersaTune",
    label="VersaTune",
    published="printed",
    printed_from="single runs of 7B to 14B models",
    topic="domain mixtures",
    order=2,
)
