"""Out of domain: MMLU evaluates, nothing trains."""

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Choices
from lawcheck.corpus.sources.serving import Source

TRAIN: tuple[DataSet, ...] = ()

EVALUATION = (
    DataSet(
        name="mmlu",
        title="MMLU, test split",
        licence="MIT",
        rows=14_042,
        counted_in="Hendrycks et al. 2021",
        hub="cais/mmlu",
        files=(("all/test-*.parquet",), ("test_full.jsonl.gz",)),
        mapping=Choices("question", ("choices",), "answer"),
    ),
)

SOURCE = Source("out_of_domain", TRAIN, dict.fromkeys(EVALUATION, evaluation.mmlu))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
