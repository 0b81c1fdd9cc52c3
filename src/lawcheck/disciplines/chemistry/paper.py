"""Chemistry: ChemData trains, ChemBench evaluates."""

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Choices, Pairs
from lawcheck.corpus.sources.serving import Source

TRAIN = (
    DataSet(
        name="chemdata700k",
        title="ChemData700K",
        licence="MIT on the hub; CC BY-NC 4.0 by another list",
        rows=713_218,
        counted_in="Table 1",
        hub="AI4Chem/ChemData700K",
        files=(("data/train-*.parquet",), ("train*",), ("*.json",)),
        mapping=Pairs(prompt=("instruction", "input"), response="output", history="history"),
        unit="notation",
        note="its authors speak of 730 thousand rows, the paper of 713,218 samples",
    ),
)

EVALUATION = (
    DataSet(
        name="chembench4k",
        title="ChemBench4K, test files of nine tasks",
        licence="MIT",
        rows=4_100,
        counted_in="data card; other counts of the files give 4,009",
        hub="AI4Chem/ChemBench4K",
        files=(("test/*_benchmark.json",),),
        mapping=Choices("question", ("A", "B", "C", "D"), "answer"),
        # Published counts of the test files range from 4,009 to 4,100.
        tolerance=0.03,
    ),
)

SOURCE = Source("chemistry", TRAIN, dict.fromkeys(EVALUATION, evaluation.chembench))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
