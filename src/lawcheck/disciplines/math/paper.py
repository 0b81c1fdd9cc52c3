"""Mathematics at paper scale: OpenMathInstruct-2 trains, GSM8K evaluates."""

from __future__ import annotations

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources import math as declared
from lawcheck.corpus.sources.serving import Source

SOURCE = Source("math", declared.TRAIN, dict.fromkeys(declared.EVALUATION, evaluation.gsm8k))

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
