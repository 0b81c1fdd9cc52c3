"""lm-evaluation-harness tasks over the corpus's evaluation rows, built once for many runs."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import lm_eval.evaluator
import lm_eval.utils
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from lawcheck.corpus.folder import read_rows
from lawcheck.corpus.real.harness import PROGRAMS, harness_task
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, EvalTask
from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.evaluation import programs

# Compiled once, not for every question: wording 7,000 questions 5.2 -> 1.1 CPU s, once a base.
lm_eval.utils.env.from_string = functools.lru_cache(lm_eval.utils.env.from_string)


@dataclass(frozen=True)
class PlacedTask:
    """A harness task with its declaration and the discipline it belongs to."""

    discipline: Discipline
    declared: EvalTask
    task: ConfigurableTask


def load_tasks(
    disciplines: Iterable[Discipline],
    scale: Scale,
    corpus: Path,
    split: str,
    only: Collection[tuple[str, str]] | None = None,
) -> list[PlacedTask]:
    """Tasks of the disciplines in the scale's world. split: eval or tune. only: (task, item) of the
    items that are asked, and so the tasks; None for all.

    Raises InputError for a missing or malformed corpus file and for one without rows of a task.
    """
    limit = scale.evaluation.items if split == "eval" else scale.evaluation.tune_items or None
    manager = TaskManager(include_defaults=False)
    placed = []
    for discipline in disciplines:
        path = corpus / f"{discipline.name}.{split}.jsonl"
        rows = read_rows(path)
        for declared in discipline.worlds[scale.world].tasks:
            most = scale.evaluation.generated_items if declared.output == "generate" else None
            own = [r for r in rows if r.get("task", declared.name) == declared.name]
            own = own[:limit][:most]
            if not own:
                raise InputError(
                    f"task {declared.name!r}: {path.name} holds no row of it, expected at least "
                    f"one; build the corpus again"
                )
            if only is not None:
                own = [r for r in own if (declared.name, str(r["id"])) in only]
                if not own:
                    continue
            config = _config(discipline, declared, path, scale.evaluation.max_new_tokens)
            config["custom_dataset"] = _dataset(own)
            if declared.name in PROGRAMS and scale.evaluation.execute_code:
                config["process_results"] = programs.scorer(declared.name)
            with quiet():
                task = manager.load([config])["tasks"][declared.name]
            task.process_results = _unscored_as_nan(task.process_results, declared.metric)
            placed.append(PlacedTask(discipline, declared, task))
    return placed


def build_requests(placed: Iterable[PlacedTask], lm: Any) -> None:
    """Word every question once; `evaluate` then finds the requests ready, run after run.

    The documents and the chat template are the same for all runs on one base model, and wording
    the questions costs as much as answering them at proxy scale.
    """
    for p in placed:
        with quiet():
            p.task.build_all_requests(
                apply_chat_template=True,
                chat_template=lm.apply_chat_template,
                tokenizer_name=lm.tokenizer_name,
            )
        p.task.build_all_requests = _reset(p.task)
        # Decoded from Arrow once, not for every model: 0.6 of 7.8 CPU s a model.
        p.task.test_docs = functools.partial(list, list(p.task.eval_docs))


def _reset(task: ConfigurableTask) -> Callable[..., None]:
    def forget_answers(**_: Any) -> None:
        for instance in task.instances:
            instance.resps = []
            instance.filtered_resps = {}

    return forget_answers


def _config(
    discipline: Discipline, declared: EvalTask, path: Path, max_new_tokens: int
) -> dict[str, Any]:
    """The task file of the discipline's folder, else the harness's own definition."""
    config = harness_config(discipline, declared, path)
    for key in ("dataset_path", "dataset_name", "dataset_kwargs", "fewshot_split"):
        config.pop(key, None)
    # Corpora hold no worked examples: every task is asked without, whatever its own default.
    config |= {"num_fewshot": 0, "fewshot_config": None}
    if declared.output == "generate":
        kwargs = dict(config.get("generation_kwargs") or {})
        kwargs["max_gen_toks"] = min(kwargs.get("max_gen_toks", max_new_tokens), max_new_tokens)
        config["generation_kwargs"] = kwargs
    return config


def harness_config(discipline: Discipline, declared: EvalTask, path: Path) -> dict[str, Any]:
    tasks = discovery.discipline_folder(discipline.name) / "tasks"
    # Tasks of one benchmark share a folder with their template.
    for file in (tasks / f"{declared.name}.yaml", *tasks.glob(f"*/{declared.name}.yaml")):
        if file.is_file():
            return dict(load_yaml(file))
    return harness_task(declared.name, path, extraction=declared.metric.partition(",")[2])


def _dataset(rows: list[dict[str, Any]]) -> Callable[..., dict[str, datasets.Dataset]]:
    """Rows straight from memory: datasets' own loader writes a copy to a cache folder first."""

    def load(**_: Any) -> dict[str, datasets.Dataset]:
        return {"test": datasets.Dataset.from_list(rows)}

    return load


def _unscored_as_nan(score: Callable[..., dict[str, Any]], metric: str) -> Callable[..., Any]:
    """A check that cannot be made (NLTK without its data) leaves the item unscored."""

    def process_results(document: dict[str, Any], results: list[Any]) -> dict[str, Any]:
        try:
            return score(document, results)
        except LookupError as error:
            # NLTK raises the class itself; its children KeyError and IndexError are faults.
            if type(error) is not LookupError:
                raise
            return {metric.partition(",")[0]: math.nan}

    return process_results


@contextlib.contextmanager
def undigested() -> Iterator[None]:
    """Without the harness's digests of every question, prompt and target, which no score needs.

    They are made anew for every model, of documents written out in json's slow form: 6 % of
    scoring a model at proxy scale.
    """
    module: Any = lm_eval.evaluator
    before = module.json, module.hash_string
    module.json = SimpleNamespace(dumps=lambda *_, **__: "")
    module.hash_string = lambda _: ""
    try:
        yield
    finally:
        module.json, module.hash_string = before


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without lm-eval's notes on every task, and without its bars where nobody watches."""
    logger = logging.getLogger("lm_eval")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.nullcontext() if sys.stderr.isatty() else _no_stderr():
            yield
    finally:
        logger.setLevel(level)


def _no_stderr() -> contextlib.redirect_stderr[io.StringIO]:
    return contextlib.redirect_stderr(io.StringIO())
