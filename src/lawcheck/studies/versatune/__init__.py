"""VersaTune: what it printed; no law of it is judged yet."""

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
    order=2,
)
