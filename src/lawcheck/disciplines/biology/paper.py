"""Biology at paper scale: Mol-Instructions, biomolecular text."""

from __future__ import annotations

from lawcheck.corpus.sources import biology as declared
from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.serving import Source

SOURCE = Source(
    "biology", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.mol_instructions)
)

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
