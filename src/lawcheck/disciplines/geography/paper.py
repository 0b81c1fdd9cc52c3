"""Geography at paper scale: GeoSignal trains, GeoBench's choices evaluate."""

from __future__ import annotations

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources import geography as declared
from lawcheck.corpus.sources.serving import Source

SOURCE = Source(
    "geography",
    declared.TRAIN,
    dict(
        zip(
            declared.EVALUATION,
            (evaluation.geobench_apstudy, evaluation.geobench_npee),
            strict=True,
        )
    ),
)

samples = SOURCE.samples
source_files = SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
