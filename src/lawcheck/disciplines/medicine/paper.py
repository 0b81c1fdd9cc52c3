"""Medicine at paper scale: twelve sources train, MedMCQA's validation split evaluates."""

from __future__ import annotations

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources import medicine as declared
from lawcheck.corpus.sources.serving import Source

SOURCE = Source("medicine", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.medmcqa))

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
