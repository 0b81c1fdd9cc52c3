"""General instructions at paper scale: open substitutes train, IFEval evaluates."""

from __future__ import annotations

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources import general as declared
from lawcheck.corpus.sources.serving import Source

SOURCE = Source(
    "general", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.instructions)
)

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
