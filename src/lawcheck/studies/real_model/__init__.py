"""A pretrained language model at every seat: controls, and a demonstration on part of the rows."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="real_model",
    title="The same arms on a pretrained language model, judged by likelihood",
    source="docs/smollm2.md",
    label="Real model",
    topic="fine-tuning a pretrained language model",
    world="slices",
    order=9,
)
