"""Choosing an adapter for every item (Tian et al.): six laws."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="adapters_selector",
    title=(
        "Adapters Selector: Cross-domains and Multi-tasks LoRA Modules Integration Usage Method"
    ),
    source="Tian et al.",
    label="Tian et al.",
    topic="choosing adapters",
    published="printed",
    printed_from="single runs of 1.5B to 9B models",
    order=3,
    world="proxy_tasks",
)
