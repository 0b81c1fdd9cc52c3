"""General instructions: four open sets stand in for InternLM's, which are not public.

Chosen for what the law needs them for, following instructions: a broad set written by a model
(Alpaca), two written by people (Dolly, No Robots), and one whose instructions carry constraints
of the kind that IFEval checks (Tülu 3 personas). Two of them exclude commercial use.
"""

import functools

from lawcheck.corpus.sources import evaluation
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Messages, Pairs
from lawcheck.corpus.sources.serving import Source

_set = functools.partial(
    DataSet,
    counted_in="data card",
    substitute_for="InternLM's instruction data (Cai et al. 2024), not public",
)

TRAIN = (
    _set(
        name="alpaca",
        title="Alpaca",
        licence="CC BY-NC 4.0",
        rows=52_002,
        hub="tatsu-lab/alpaca",
        files=(("data/train-*.parquet",), ("alpaca_data.json",), ("train*",)),
        mapping=Pairs(prompt=("instruction", "input"), response="output"),
    ),
    _set(
        name="dolly",
        title="Dolly 15k",
        licence="CC BY-SA 3.0",
        rows=15_011,
        hub="databricks/databricks-dolly-15k",
        files=(("databricks-dolly-15k.jsonl",), ("train*",)),
        mapping=Pairs(prompt=("context", "instruction"), response="response"),
    ),
    _set(
        name="tulu3_personas_if",
        title="Tülu 3, personas, instruction following",
        licence="ODC-BY 1.0",
        rows=29_980,
        hub="allenai/tulu-3-sft-personas-instruction-following",
        files=(("data/train-*.parquet",), ("train*",)),
        mapping=Messages(),
    ),
    _set(
        name="no_robots",
        title="No Robots, training split",
        licence="CC BY-NC 4.0",
        rows=9_500,
        hub="HuggingFaceH4/no_robots",
        files=(("data/train-*.parquet",), ("train*",)),
        mapping=Messages(),
    ),
)

EVALUATION = (
    DataSet(
        name="ifeval",
        title="IFEval",
        licence="Apache-2.0",
        rows=541,
        counted_in="Zhou et al. 2023",
        hub="google/IFEval",
        files=(("ifeval_input_data.jsonl",), ("input_data.jsonl",)),
        mapping=Pairs(prompt=("prompt",), response="prompt"),
    ),
)

SOURCE = Source("general", TRAIN, dict.fromkeys(EVALUATION, evaluation.instructions))
samples, source_files = SOURCE.samples, SOURCE.source_files
pinned_sources = SOURCE.pinned_sources
