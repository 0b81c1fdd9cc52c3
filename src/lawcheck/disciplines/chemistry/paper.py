"""Chemistry at paper scale: ChemData trains, ChemBench's nine tasks evaluate."""

from __future__ import annotations

from lawcheck.corpus.sources import chemistry as declared
from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.serving import Source

SOURCE = Source(
    "chemistry", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.chembench)
)

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
