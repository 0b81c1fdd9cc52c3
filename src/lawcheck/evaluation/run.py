"""Many runs in one process: base models, tasks and encoded texts are made once."""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import lm_eval
import torch
from transformers import logging

from lawcheck.corpus.selecting import Question
from lawcheck.declare import discovery
from lawcheck.declare.design import Decoding, Discipline, Score, Selection
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError
from lawcheck.evaluation.answers import faults, unanswered
from lawcheck.evaluation.choosing import replies
from lawcheck.evaluation.likelihood import Pass, measured, prepare
from lawcheck.evaluation.model import PrefixSharingLM, make_greedy
from lawcheck.evaluation.router import expert_shares
from lawcheck.evaluation.tasks import PlacedTask, build_requests, load_tasks, quiet, undigested
from lawcheck.files import origin
from lawcheck.files.hashing import file_sha256
from lawcheck.files.refusals import doing
from lawcheck.planning.sources import require_whole, score_kind
from lawcheck.scores import CHOSEN, DIVERGED, FAULT
from lawcheck.scores.files import write_scores
from lawcheck.training.base.tokenizer import load_tokenizer
from lawcheck.training.chain import load_model
from lawcheck.training.heap import settled
from lawcheck.training.record import ADAPTER, Link, is_complete, read_record


@dataclass(frozen=True, kw_only=True)
class EvalJob:
    """One run to score. run_folder: holds train.json and adapter/; None scores the base model.

    base_folder: a folder, or a hub's name, with `revision`. start: the runs on whose model the
    run's own weights are loaded, first to last. disciplines: whose tasks are asked. made_from:
    digests of corpus, base and weights (lawcheck.planning.sources); None compares none. decoding:
    as of lawcheck.declare.design.Arm. selection: of its recipe, which a selector chooses from.
    tasks: those of the disciplines that are asked; None for all.
    """

    run_id: str
    arm: str
    seed: int
    method: str
    base_folder: Path | str
    run_folder: Path | None
    disciplines: tuple[Discipline, ...]
    revision: str = "main"
    start: tuple[Link, ...] = ()
    made_from: Mapping[str, str] | None = None
    decoding: Decoding = "model"
    selection: Selection | None = None
    tasks: frozenset[str] | None = None

    def asks(self, task: str) -> bool:
        return self.tasks is None or task in self.tasks

    def score(self, task: str, item: str, metric: str, value: float, cluster: str = "") -> Score:
        return Score(
            run_id=self.run_id,
            arm=self.arm,
            seed=self.seed,
            task=task,
            item_id=item,
            cluster=cluster,
            metric=metric,
            value=value,
        )


def evaluate_runs(
    jobs: Sequence[EvalJob],
    scale: Scale,
    corpus: Path,
    out_for: Callable[[str], Path],
    *,
    split: str = "eval",
    only: Collection[tuple[str, str]] | None = None,
) -> dict[str, str]:
    """Score every job without a whole score file of its own; return each file's SHA-256 by run id.

    only: (task, item) of the items that are asked; None for all. out_for: run id -> Parquet file.
    It gets one row per item (NaN where the item could not be scored), for routed methods one row
    per discipline task and expert, for a diverged run, which is scored at its last good state, one
    row that says so, and a row for every fault of its answers (lawcheck.evaluation.answers). A file
    that is not as recorded, or was made from something else, is made again, which a line on stderr
    says.
    Raises InputError for a run that is not trained and for an unreadable corpus or score file.
    """
    for job in jobs:
        # Found before hours are spent on the others.
        if job.run_folder is not None and not is_complete(job.run_folder, job.run_id):
            raise InputError(
                f"run {job.run_id!r}: {job.run_folder.name}/ holds no complete training, expected "
                f"train.json and the weights it names; train the run first"
            )
    waiting = [j for j in jobs if not _scored(out_for(j.run_id), j, scale, split)]
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    for (folder, revision), group in groupby(
        # Those that start from one model together.
        sorted(waiting, key=lambda j: (str(j.base_folder), j.revision, j.start)),
        key=lambda j: (j.base_folder, j.revision),
    ):
        _evaluate_on_base(list(group), folder, revision, scale, corpus, out_for, split, only)
    return {j.run_id: file_sha256(out_for(j.run_id)) for j in jobs}


def _scored(path: Path, job: EvalJob, scale: Scale, split: str) -> bool:
    """Whether the score file is this run's, as it was written, and holds every task asked.

    Raises InputError for the recorded scores of another run, which may be their only copy.
    """
    if not path.is_file():
        return False
    declared = [t.name for d in job.disciplines for t in d.worlds[scale.world].tasks]
    expected = [name for name in declared if job.asks(name)]
    step = "the run is evaluated again"
    try:
        found = origin.require(path, score_kind(split), job.run_id, step, job.made_from)
        require_whole(found, expected, path, step)
    except origin.OriginError as fault:
        if fault.state == "foreign":
            raise InputError(
                f"score file {path}: found {fault.found}, expected run {job.run_id!r}; delete it "
                f"and evaluate again, or run: lawcheck verify --repair"
            ) from None
        print(f"lawcheck: {fault}", file=sys.stderr)
        return False
    return True


def _evaluate_on_base(
    jobs: list[EvalJob],
    folder: Path | str,
    revision: str,
    scale: Scale,
    corpus: Path,
    out_for: Callable[[str], Path],
    split: str,
    only: Collection[tuple[str, str]] | None,
) -> None:
    hardware = scale.hardware
    tokenizer = load_tokenizer(folder, revision)

    def loaded(start: Sequence[Link]) -> Any:
        dtype = getattr(torch, hardware.precision)
        model = load_model(folder, revision, start, dtype=dtype)
        return model.to(torch.device(hardware.device)).eval()

    start = jobs[0].start
    base = loaded(start)
    with quiet():
        lm = PrefixSharingLM(
            pretrained=base,
            tokenizer=tokenizer,
            batch_size=hardware.evaluation_batch,
            continuous=hardware.generation == "rows",
        )
    lm.collects_not_finite = True
    wanted = {d.name: d for job in jobs for d in job.disciplines}
    placed = load_tasks(wanted.values(), scale, corpus, split, only)
    build_requests(placed, lm)
    likely = scale.evaluation.likelihood
    asked = [(p, prepare(p, lm) if likely else None) for p in placed]
    for number, job in enumerate(jobs, start=1):
        # The questions of a base are a million objects, walked by full collections: 5 % of scoring.
        with doing(f"evaluate run {job.run_id!r}"), settled():
            if job.start != start:
                start, base = job.start, loaded(job.start)
            # Adapters are put into the model itself; the last job on it may have the original.
            last = number == len(jobs) or jobs[number].start != start
            own = base if last else copy.deepcopy(base)
            if job.run_folder is not None:
                module = discovery.method_module(job.method)
                own = module.load(own, job.run_folder / ADAPTER)
            if job.decoding == "greedy":
                make_greedy(own)
            lm.exchange(own)
            names = {d.name for d in job.disciplines}
            chosen = [
                (p, a) for p, a in asked if p.discipline.name in names and job.asks(p.declared.name)
            ]
            rows = [*_answers(job, chosen, lm, scale), *_lost(job)]
            items = _whole(rows, [p for p, _ in chosen])
            path, kind = out_for(job.run_id), score_kind(split)
            write_scores(rows, path)
            holds = {"items": items, "paths": lm.paths, "decoding": job.decoding}
            origin.seal(path, kind, job.run_id, made_from=job.made_from, holds=holds)
            # Let go of, the model is collected before the next is loaded.
            del own
            lm.exchange(base)


def _answers(
    job: EvalJob,
    asked: Sequence[tuple[PlacedTask, Pass | None]],
    lm: PrefixSharingLM,
    scale: Scale,
) -> Iterator[Score]:
    if discovery.method(job.method).selects:
        yield from _chosen_rows(job, [p for p, _ in asked], lm, scale)
        return
    tell = getattr(lm.model, "tell_tasks", None)
    if tell is None:
        yield from _rows(job, asked, lm)
        return
    known = job.selection.tasks if job.selection is not None else ()
    for p, more in asked:
        name = p.declared.name
        tell(known.index(name) if name in known else None)
        yield from _rows(job, [(p, more)], lm)


def _whole(rows: list[Score], placed: list[PlacedTask]) -> dict[str, int]:
    """Items per task, once every item of the corpus is there exactly once."""
    counts = {}
    for p in placed:
        name, metric = p.declared.name, p.declared.metric
        asked = sorted(str(d.get("id", k)) for k, d in enumerate(p.task.eval_docs))
        found = sorted(r.item_id for r in rows if (r.task, r.metric) == (name, metric))
        if found != asked:
            raise InputError(
                f"task {name!r}: scores of {len(found)} items, expected one for each of "
                f"{len(asked)}; evaluate the run again"
            )
        counts[name] = len(found)
    return counts


def _chosen_rows(
    job: EvalJob, placed: Sequence[PlacedTask], lm: PrefixSharingLM, scale: Scale
) -> Iterator[Score]:
    """Of a selector: whether it names an item's domain and task, and what it names.

    Items of tasks without a label are not asked and stay unscored.
    """
    if job.selection is None:
        raise InputError(f"run {job.run_id!r}: a selector without a selection; give its recipe one")
    question = Question.of(science(scale), scale.world, job.selection.tasks)

    for p in placed:
        labelled = bool(p.declared.label)
        found = replies(p, question, lm) if labelled else ((d, None) for d in p.task.eval_docs)
        for k, (document, place) in enumerate(found):
            item = str(document.get("id", k))
            cluster = str(document[p.declared.cluster]) if p.declared.cluster else ""
            named = job.selection.tasks[place] if place is not None and place >= 0 else ""
            right = math.nan if place is None else float(named == p.declared.name)
            yield job.score(p.declared.name, item, p.declared.metric, right, cluster)
            if place is not None:
                yield job.score(p.declared.name, item, CHOSEN, float(place), cluster)


def _rows(
    job: EvalJob, asked: Sequence[tuple[PlacedTask, Pass | None]], lm: PrefixSharingLM
) -> Iterator[Score]:
    """asked: tasks, with the requests for their likelihoods."""

    with quiet(), undigested():
        results = lm_eval.evaluate(
            lm,
            {"tasks": {p.declared.name: p.task for p, _ in asked}},
            apply_chat_template=True,
            log_samples=True,
            bootstrap_iters=0,
        )
    for p, more in asked:
        metric, _, wanted = p.declared.metric.partition(",")
        samples = results["samples"][p.declared.name]
        # A task may extract answers in several ways; the first is meant unless one is named.
        chosen = wanted or samples[0]["filter"]
        samples = [s for s in samples if s["filter"] == chosen]
        clusters = {}
        for sample in samples:
            document = sample["doc"]
            item = str(document.get("id", sample["doc_id"]))
            clusters[item] = str(document[p.declared.cluster]) if p.declared.cluster else ""
            value = math.nan if unanswered(sample, lm.not_finite) else _value(sample, metric)
            yield job.score(p.declared.name, item, p.declared.metric, value, clusters[item])
        for item, name, value in measured(more, lm) if more is not None else ():
            yield job.score(p.declared.name, item, name, value, clusters[item])
        limit = p.task.config.generation_kwargs or {}
        lengths = _lengths(p, samples, lm)
        found = faults(samples, lm.not_finite, lengths, limit.get("max_gen_toks", 0))
        for fault, share in found.items():
            yield job.score(p.declared.name, fault, FAULT, share)
    if discovery.method(job.method).routes:
        for p, _ in asked:
            if p.discipline.role == "discipline":
                for expert, share in enumerate(expert_shares(p, lm)):
                    name = p.declared.name
                    yield job.score(name, f"expert_{expert}", "routing_probability", share)


def _lost(job: EvalJob) -> Iterator[Score]:
    """The row that says that a run diverged."""
    record = read_record(job.run_folder) if job.run_folder is not None else None
    if record and record["diverged"]:
        yield job.score("train", "", DIVERGED, 1.0)


def _lengths(
    placed: PlacedTask, samples: list[dict[str, Any]], lm: PrefixSharingLM
) -> dict[str, int]:
    """Tokens of every generated answer as it came, before any is cut or parsed."""
    if placed.task.OUTPUT_TYPE != "generate_until":
        return {}
    texts = sorted({s["resps"][0][0] for s in samples})
    # Not through the model's own store of texts, which only grows.
    encoded = lm.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return {text: len(ids) for text, ids in zip(texts, encoded, strict=True)}


def _value(sample: dict[str, Any], metric: str) -> float:
    if metric not in sample:
        known = json.dumps(sample["metrics"])
        raise InputError(f"item metric {metric!r}: the task gives {known}; declare one of them")
    value = sample[metric]
    return math.nan if value is None else float(value)
