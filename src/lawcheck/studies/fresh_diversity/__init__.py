"""Balance-then-Diversity with true diversity: fresh samples against repeats, in as many tokens."""

from lawcheck.declare.studies import Study

STUDY = Study(
    name="fresh_diversity",
    title="Fresh samples against repeats of the same number of tokens",
    source="docs/proxy.md",
    label="Fresh diversity",
    topic="upsampling with fresh samples",
    world="proxy",
    leave_out=("biology",),
    order=8,
)
