"""Multi-discipline fine-tuning (Wang et al.): six laws, eight tables, six figures."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="discipline_laws",
    title=("Charting Empirical Laws for LLM Fine-Tuning in Scientific Multi-Discipline Learning"),
    source="Wang et al.",
    label="Wang et al.",
    topic="multi-discipline fine-tuning",
    published="printed",
    printed_from="single runs of 7B models",
    leave_out=("biology",),
    order=1,
)
