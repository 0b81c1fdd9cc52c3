"""Out of domain at paper scale: all of MMLU's test split; nothing trains."""

from __future__ import annotations

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources import out_of_domain as declared
from lawcheck.corpus.sources.serving import Source

SOURCE = Source(
    "out_of_domain", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.mmlu)
)

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
