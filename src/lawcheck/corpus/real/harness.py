"""Task definitions of lm-evaluation-harness, its own and ours, fed from local rows.

lm-evaluation-harness is imported inside the functions: it costs seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lawcheck.errors import InputError, nearest

OWN = {
    "gsm8k": "gsm8k/gsm8k.yaml",
    "medmcqa": "medmcqa/medmcqa.yaml",
    "ifeval": "ifeval/ifeval.yaml",
    "mmlu": "mmlu/default/_default_template_yaml",
    "humaneval_instruct": "humaneval/humaneval_instruct.yaml",
    "mbpp_instruct": "mbpp/mbpp_instruct.yaml",
}
# Their answers are programs: the harness's own scorer fetches one from the hub and runs them in
# this process, so that of these definitions only the wording is taken.
PROGRAMS = ("humaneval_instruct", "mbpp_instruct")
PASSED = "pass_at_1"
# One score per item: of gsm8k's two answer extractions, the strict one.
FILTERS = {"gsm8k": "strict-match"}
# The 57 subject tasks differ in this line only; pooled, every item counts alike, which is how
# the harness's own group averages them.
MMLU_DESCRIPTION = (
    "The following are multiple choice questions (with answers) about "
    "{{subject|replace('_', ' ')}}.\n\n"
)
# Checks that count sentences or words with NLTK's punkt model, which is not part of NLTK.
NEEDS_PUNKT = frozenset(
    {"length_constraints:number_sentences", "change_case:capital_word_frequency"}
)


def harness_task(
    name: str,
    data_files: Path | str | Mapping[str, str],
    max_new_tokens: int | None = None,
    extraction: str = "",
) -> dict[str, Any]:
    """A task configuration that `TaskManager.load` and `ConfigurableTask` take.

    name: a task of OWN (the harness's definitions) or one of our `slices_*` tasks.
    data_files: JSON lines to evaluate on, as a path or as {"test": path}; where they hold a
    column `task`, only the task's own rows are read. Zero-shot. max_new_tokens: limit of generated
    answers (None: the definition's). extraction: name of the definition's filter that reads the
    answer, where another than ours is meant. Raises InputError for an unknown task or a missing
    file.
    """
    path = Path(data_files["test"] if isinstance(data_files, Mapping) else data_files)
    if not path.is_file():
        raise InputError(f"task {name!r}: found no file {path.name}; build the corpus")
    config = _definition(name)
    for key in ("training_split", "validation_split", "fewshot_split", "fewshot_config", "tag"):
        config.pop(key, None)
    config |= {
        "task": name,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(path.resolve())}},
        "test_split": "test",
        "num_fewshot": 0,
        "process_docs": rows_of(name),
    }
    if name in FILTERS:
        wanted = extraction or FILTERS[name]
        config["filter_list"] = [f for f in config["filter_list"] if f["name"] == wanted]
    if name == "mmlu":
        config["description"] = MMLU_DESCRIPTION
    if name == "ifeval":
        config["process_results"] = steady_score(config["process_results"])
    if max_new_tokens is not None and config["output_type"] == "generate_until":
        config["generation_kwargs"] = {
            **config["generation_kwargs"],
            "max_gen_toks": max_new_tokens,
        }
    return config


def rows_of(task: str) -> Callable[[Any], Any]:
    """A document filter for a file that several tasks share. Raises InputError without rows."""

    def select(documents: Any) -> Any:
        if "task" in documents.column_names:
            documents = documents.select(
                [i for i, name in enumerate(documents["task"]) if name == task]
            )
        if not len(documents):
            raise InputError(f"task {task!r}: its file holds no row of it; rebuild the corpus")
        return documents

    return select


def steady_score(score: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """IFEval's scorer, with NaN for prompts that need the punkt model where it is absent.

    Decided by the prompt alone, so that every model is scored on the same prompts. Two published
    prompts (letter frequency of "#" and "!") make the checker draw a letter at random: the draw
    is seeded by the prompt's key, and the caller's random state is put back.
    """

    def process_results(document: dict[str, Any], results: list[str]) -> dict[str, Any]:
        names = document["instruction_id_list"]
        if NEEDS_PUNKT.isdisjoint(names) or has_punkt():
            state = random.getstate()
            random.seed(document["key"])
            try:
                return score(document, results)
            finally:
                random.setstate(state)
        return {
            "prompt_level_strict_acc": math.nan,
            "inst_level_strict_acc": [math.nan] * len(names),
            "prompt_level_loose_acc": math.nan,
            "inst_level_loose_acc": [math.nan] * len(names),
        }

    return process_results


def has_punkt() -> bool:
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        return False
    return True


def _definition(name: str) -> dict[str, Any]:
    from lm_eval.tasks._yaml_loader import load_yaml

    if name in OWN:
        return own_definition(name)
    ours = {p.stem: p for p in _our_folder().glob("*/tasks/slices_*.yaml")}
    if name not in ours:
        raise InputError(f"task {name!r}: unknown; {nearest(name, [*OWN, *ours])}")
    return dict(load_yaml(ours[name]))


def own_definition(name: str) -> dict[str, Any]:
    """The harness's definition of one of its tasks, functions resolved, nothing downloaded."""
    from lm_eval.tasks._yaml_loader import load_yaml

    with _steady_ifeval() if name == "ifeval" else contextlib.nullcontext():
        config = dict(load_yaml(definition_path(name), resolve_func=name not in PROGRAMS))
    if name in PROGRAMS:
        del config["unsafe_code"], config["filter_list"]
        metric = {"metric": PASSED, "aggregation": "mean", "higher_is_better": True}
        # Of the definitions' own targets, which are the tests, no likelihood would speak of code.
        config |= {"metric_list": [metric], "process_results": unscored}
        config["doc_to_target"] = "{{solution}}"
    return config


def unscored(document: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """Of a program that is not run."""
    return {PASSED: math.nan}


def definition_path(name: str) -> Path:
    """The file that defines a task of the harness, in the installed package."""
    package = importlib.import_module("lm_eval.tasks").__file__
    assert package is not None
    return Path(package).parent / OWN[name]


def _our_folder() -> Path:
    package = importlib.import_module("lawcheck.disciplines").__file__
    assert package is not None
    return Path(package).parent


@contextlib.contextmanager
def _steady_ifeval() -> Iterator[None]:
    """Import IFEval's checks without their download attempt, and with a seeded language guess."""
    import langdetect
    import nltk

    langdetect.DetectorFactory.seed = 0
    download = nltk.download
    nltk.download = lambda *_, **__: False
    try:
        # The import prints that it downloaded the model whether or not it did.
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        nltk.download = download
