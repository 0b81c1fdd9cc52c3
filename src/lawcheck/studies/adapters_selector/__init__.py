"""Adapters Selector (Tian et al.): what it printed; no law of it is judged yet."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="adapters_selector",
    title=(
        "Adapters Selector: Cross-domains and Multi-tasks LoRA Modules Integration Usage Method"
    ),
    source="Tian et al.",
    label="Tian et al.",
    published="printed",
    printed_from="single runs of 1.5B to 9B models",
    order=3,
)
