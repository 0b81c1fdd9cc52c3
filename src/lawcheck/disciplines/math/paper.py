"""Mathematics: a part of OpenMathInstruct-2 trains, GSM8K's test split evaluates."""

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Pairs
from lawcheck.corpus.sources.serving import Source

TRAIN = (
    DataSet(
        name="openmathinstruct2",
        title="OpenMathInstruct-2, split train_2M",
        licence="CC BY 4.0",
        rows=2_000_000,
        counted_in="Table 1",
        hub="nvidia/OpenMathInstruct-2",
        files=(("data/train_2M-*.parquet",), ("train_2M*",)),
        mapping=Pairs(prompt=("problem",), response="generated_solution", kind="worked"),
        note="the paper says '2M-sample subset'; the release's own 2M split is taken",
    ),
)

EVALUATION = (
    DataSet(
        name="gsm8k",
        title="GSM8K, test split",
        licence="MIT",
        rows=1_319,
        counted_in="Cobbe et al. 2021",
        repository="openai/grade-school-math",
        revision="3101c7d5072418e28b9008a6636bde82a006892c",
        files=(("grade_school_math/data/test.jsonl",), ("main/test-*.parquet",)),
        mapping=Pairs(prompt=("question",), response="answer", kind="worked"),
    ),
)

SOURCE = Source("math", TRAIN, dict.fromkeys(EVALUATION, evaluation.gsm8k))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
