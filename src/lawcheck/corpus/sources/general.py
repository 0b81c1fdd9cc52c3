"""General instructions: four open sets stand in for InternLM's, which are not public.

Chosen for what the law needs them for, following instructions: a broad set written by a model
(Alpaca), two written by people (Dolly, No Robots), and one whose instructions carry constraints
of the kind that IFEval checks (Tülu 3 personas). Two of them exclude commercial use.
"""

from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Messages, Pairs

_STANDS_FOR = "InternLM's instruction data (Cai et al. 2024), not public"

TRAIN = (
    DataSet(
        name="alpaca",
        title="Alpaca",
        licence="CC BY-NC 4.0",
        rows=52_002,
        counted_in="data card",
        hub="tatsu-lab/alpaca",
        files=(("data/train-*.parquet",), ("alpaca_data.json",), ("train*",)),
        mapping=Pairs(prompt=("instruction", "input"), response="output"),
        substitute_for=_STANDS_FOR,
    ),
    DataSet(
        name="dolly",
        title="Dolly 15k",
        licence="CC BY-SA 3.0",
        rows=15_011,
        counted_in="data card",
        hub="databricks/databricks-dolly-15k",
        files=(("databricks-dolly-15k.jsonl",), ("train*",)),
        mapping=Pairs(prompt=("context", "instruction"), response="response"),
        substitute_for=_STANDS_FOR,
    ),
    DataSet(
        name="tulu3_personas_if",
        title="Tülu 3, personas, instruction following",
        licence="ODC-BY 1.0",
        rows=29_980,
        counted_in="data card",
        hub="allenai/tulu-3-sft-personas-instruction-following",
        files=(("data/train-*.parquet",), ("train*",)),
        mapping=Messages(),
        substitute_for=_STANDS_FOR,
    ),
    DataSet(
        name="no_robots",
        title="No Robots, training split",
        licence="CC BY-NC 4.0",
        rows=9_500,
        counted_in="data card",
        hub="HuggingFaceH4/no_robots",
        files=(("data/train-*.parquet",), ("train*",)),
        mapping=Messages(),
        substitute_for=_STANDS_FOR,
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
