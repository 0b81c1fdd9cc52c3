"""Geography: GeoSignal trains, the multiple-choice part of GeoBench evaluates."""

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Pairs
from lawcheck.corpus.sources.serving import Source

TRAIN = (
    DataSet(
        name="geosignal",
        title="GeoSignal",
        licence="Apache-2.0",
        rows=39_749,
        counted_in="Table 1",
        hub="daven3/geosignal",
        files=(("geosignal.json",), ("data/train-*.parquet",), ("*.json",), ("*.jsonl",)),
        mapping=Pairs(prompt=("instruction", "input"), response="output"),
    ),
)

_K2 = "c4984901278f0b9b6eb15cd037c983b475ddee95"

EVALUATION = (
    DataSet(
        name="geobench",
        title="GeoBench, AP study",
        licence="Apache-2.0",
        rows=1_395,
        counted_in="K2's README",
        repository="davendw49/k2",
        revision=_K2,
        files=(("data/geobench/geobench_apstudy.json",), ("apstudy.jsonl",)),
        mapping=Pairs(prompt=("stem",), response="answerKey"),
    ),
    DataSet(
        name="geobench",
        title="GeoBench, NPEE",
        licence="Apache-2.0",
        rows=180,
        counted_in="its file",
        repository="davendw49/k2",
        revision=_K2,
        files=(("data/geobench/geobench_npee.json",), ("npee_choice.jsonl",)),
        layout="blocks",
        mapping=Pairs(prompt=("question",), response="answer", keep=(("category", ("choice",)),)),
        note="of 182 choices two have no option with the gold letter; K2's README says 183",
    ),
)

SOURCE = Source(
    "geography",
    TRAIN,
    dict(zip(EVALUATION, (evaluation.geobench_apstudy, evaluation.geobench_npee), strict=True)),
)
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
