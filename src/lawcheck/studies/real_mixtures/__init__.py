"""VersaTune's mixtures on a pretrained language model, judged by likelihood."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="real_mixtures",
    title="VersaTune's mixtures on a pretrained language model, judged by likelihood",
    source="docs/versatune.md",
    label="VersaTune, real model",
    topic="domain mixtures of a pretrained language model",
    world="domains",
    order=10,
)
