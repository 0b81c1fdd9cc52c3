"""Kinds of file that benchmarks/fuzz.py damages: what a study leaves in its results folder."""

from __future__ import annotations

import json
import random
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from fuzz_damage import damaged, structured
from fuzz_files import Kind, calling, strict

from lawcheck.__main__ import main as command_line
from lawcheck.corpus.build import build_corpus, check_corpus
from lawcheck.corpus.statistics import diversity, read_mixtures, recipes_of, write_mixtures
from lawcheck.declare import discovery
from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.files import origin
from lawcheck.files.atomic import write_json
from lawcheck.files.hashing import digest
from lawcheck.judging import preregistration
from lawcheck.judging.judged import judge_file
from lawcheck.pipeline import stages
from lawcheck.pipeline.doctor import machine
from lawcheck.pipeline.verify.published import Published
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.scores.files import write_scores
from lawcheck.show import printed
from lawcheck.show.judged import render_context
from lawcheck.show.page import facts
from lawcheck.show.page.gather import read_entry
from lawcheck.studies import discipline_laws
from lawcheck.studies.discipline_laws.tables import table_1
from lawcheck.training import checkpoints, record

NAME = "lora_learns"
LAW = f"""
from lawcheck.studies.discipline_laws.arms import BASE, lora
from lawcheck.declare.design import Hypothesis, Law, difference
LAW = Law(name="{NAME}", title="T", claim="LoRA learns", source="our question",
          hypotheses=(Hypothesis(name="gain", role="primary", claim="more", alternative="greater",
          estimand=difference([lora()], [BASE]), sesoi=1.0),))
"""
SCALE = """extends: smoke
title: small
seeds: [0, 1]
corpus: {size: 1/20000, general_pool: 4}
evaluation: {items: 4, tune_items: 0}
"""


@dataclass(frozen=True)
class Study:
    """A whole study of one small law; its weights are bytes, since nothing loads them here."""

    scale_file: Path
    planner: Planner
    layout: Layout
    law: Law


def make_study(home: Path) -> Study:
    """Needs LAW among the laws that are found."""
    home.mkdir()
    file = home / "small.yaml"
    file.write_text(SCALE)
    scale = load_scale(str(file))
    layout = Layout(home / "results", scale.name)
    planner, law = Planner(scale, scale.seeds), discovery.law(NAME)
    build_corpus(scale, layout.corpus)
    write_mixtures(scale, discovery.laws(), layout)
    rng = random.Random(0)
    runs = planner.law_runs(law)
    for run in runs.values():
        out = layout.run(run.id)
        if run.arm.recipe is not None:
            layout.adapter(run.id).mkdir(parents=True)
            (layout.adapter(run.id) / "adapter_model.safetensors").write_bytes(run.id.encode())
            found = record.weights_sha256(layout.adapter(run.id))
            write_json(
                out / record.RECORD,
                {"run_id": run.id, "weights_sha256": found, "cpu_seconds": 1.5, "diverged": False},
            )
            record.seal(out, run.id, sources.weights(planner, layout, run))
            _checkpoint(layout.checkpoints(run.id) / "checkpoint-2", run.id)
        _score(planner, layout, run, rng)
    write_json(layout.batches / "s0.train.json", _batch(layout, runs, "train"))
    write_json(layout.batches / "s0.scores.json", _batch(layout, runs, "scores"))
    stages.collect(planner, layout, law)
    judge_file(law, [layout.law_scores(NAME)], scale, layout.verdict(NAME))
    return Study(file, planner, layout, law)


def _checkpoint(folder: Path, run_id: str) -> None:
    folder.mkdir(parents=True)
    (folder / "rng_state_0.pth").write_bytes(b"0")
    write_json(folder / checkpoints.PROCESSES, {"processes": 1})
    state = {
        "global_step": 2,
        "stateful_callbacks": {"Kept": {"attributes": {"earlier": {"a": 1}}}},
    }
    write_json(folder / checkpoints.STATE, state)
    checkpoints.seal_checkpoint(folder, run_id, {})


def _score(planner: Planner, layout: Layout, run: Any, rng: random.Random) -> None:
    tasks = sources.tasks(run, planner.scale)
    rows = [
        {"run_id": run.id, "arm": run.arm.name, "seed": run.seed, "task": t, "item_id": f"q{k}",
         "cluster": "", "metric": "acc", "value": float(rng.random() < 0.5)}
        for t in tasks
        for k in range(4)
    ]  # fmt: skip
    path = layout.run_scores(run.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_scores({c: [r[c] for r in rows] for c in rows[0]}, path)
    made_from = sources.scores(planner, layout, run)
    holds = {"items": dict.fromkeys(tasks, 4)}
    origin.seal(path, "scores", run.id, made_from=made_from, holds=holds)


def _batch(layout: Layout, runs: Any, stage: str) -> dict[str, Any]:
    if stage == "scores":
        return {i: origin.file_sha256(layout.run_scores(i)) for i in runs}
    trained = {
        i: {"trained": True, "weights_sha256": record.weights_sha256(layout.adapter(i))}
        for i, r in runs.items()
        if r.arm.recipe is not None
    }
    return {i: trained.get(i, {"trained": False}) for i in runs}


def resealed(raw: bytes, rng: random.Random) -> bytes:
    """A damaged record of origin, in half of the cases with the seal of what it says now."""
    changed = structured(raw, rng)
    try:
        content = json.loads(changed)
        content.pop("seal")
        if rng.random() < 0.5:
            content["seal"] = digest(content, 64)
            return json.dumps(content).encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    return changed


def study_kinds(home: Path) -> list[Kind]:
    study = make_study(home / "study")
    layout = study.layout
    run_id = next(i for i, r in study.planner.law_runs(study.law).items() if r.arm.recipe)
    step = layout.checkpoints(run_id) / "checkpoint-2"
    mixtures, manifest = layout.mixtures, layout.manifest
    recorded = [
        layout.train_record(run_id),
        layout.run_scores(run_id),
        layout.law_scores(NAME),
        layout.verdict(NAME),
        layout.provenance(NAME),
        manifest,
        mixtures,
        step / checkpoints.STATE,
        step / checkpoints.PROCESSES,
    ]
    batches = [layout.batches / f"s0.{s}.json" for s in ("train", "scores")]
    records = [origin.record_path(p) for p in recorded if origin.record_path(p).is_file()]
    found = [_verified(study, p) for p in (*recorded, *batches, *records)]
    (home / "table").write_bytes(layout.law_scores(NAME).read_bytes())
    origin.seal(home / "table", "table", NAME, made_from={"scores a": "0" * 64})
    table = origin.record_path(home / "table").read_bytes()
    content = json.loads(mixtures.read_text())
    registered = preregistration.preregister(study.law, study.planner.scale, home / "registered")
    return [
        *found,
        Kind("record of table.origin", table, calling(_origin(study)), strict, resealed),
        _in_place("manifest.json of corpus", study, manifest, _manifest, reseal="corpus"),
        _in_place("mixtures.json of corpus", study, mixtures, _mixtures, reseal="mixtures"),
        Kind(
            "published mixtures.json", _bytes(content), _copy(study, mixtures), strict, structured
        ),
        Kind(
            "published provenance.json",
            layout.provenance(NAME).read_bytes(),
            _copy(study, layout.provenance(NAME)),
            strict,
            structured,
        ),
        Kind("preregistered.json", registered.read_bytes(), _registered(study), strict, structured),
        _in_place(
            "trainer_state.json of checkpoint",
            study,
            step / checkpoints.STATE,
            _checkpointed,
            agrees=_left,
        ),
        _in_place(
            "processes.json of checkpoint",
            study,
            step / checkpoints.PROCESSES,
            _checkpointed,
            agrees=_left,
        ),
        *_printed_tables(),
    ]


def _bytes(content: Any) -> bytes:
    return json.dumps(content, indent=2).encode()


def _mirror(study: Study, path: Path, folder: Path) -> Layout:
    """The study's results in a folder of the case, linked, with a copy of one file's folder."""
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    shutil.copytree(study.layout.results, results, copy_function=_link)
    return Layout(results, study.layout.scale)


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _put(path: Path, target: Path) -> None:
    """What stands at `path`, file or not, at `target`, which is no longer a link."""
    if target.is_file() or target.is_symlink():
        target.unlink()
    if path.is_symlink():
        target.symlink_to(target.name)
    elif path.is_dir():
        target.mkdir()
    elif path.exists():
        target.write_bytes(path.read_bytes())


def _verified(study: Study, file: Path) -> Kind:
    """`lawcheck verify` over a whole study whose one file is damaged: every change is found."""
    inside = file.relative_to(study.layout.results)
    sound = file.read_bytes()

    def run(path: Path) -> int:
        layout = _mirror(study, file, path.parent)
        _put(path, layout.results / inside)
        words = ["--scale", str(study.scale_file), "--results", str(layout.results)]
        return command_line(["verify", *words])

    def agrees(raw: bytes) -> bool:
        # A checkpoint whose state cannot be read was never finished, and is left aside.
        if raw == sound or file.name == checkpoints.STATE:
            return True
        # A record or a batch may be written otherwise, as long as it says the same.
        if file.suffix == ".origin" or file.parent == study.layout.batches:
            return json.loads(raw) == json.loads(sound) or file.parent == study.layout.batches
        return False

    damage = (
        resealed if file.suffix == ".origin" else damaged if ".parquet" in file.name else structured
    )
    name = f"verify {inside.parent.name[:8]} {file.name}"
    return Kind(name, sound, run, agrees, damage, share=0.15, lines=True)


def _in_place(
    name: str,
    study: Study,
    file: Path,
    read: Callable[[Study, Layout, Path], Any],
    reseal: str = "",
    agrees: Callable[[bytes], bool] = strict,
) -> Kind:
    """One file of a study is damaged, and what reads it is called.

    reseal: the kind of artefact whose record is made anew, so that only the reader looks.
    """
    inside = file.relative_to(study.layout.results)

    def run(path: Path) -> int:
        layout = Layout(path.parent / "results", study.layout.scale)
        if not layout.results.is_dir():
            _mirror(study, file, path.parent)
        target = layout.results / inside
        if target.is_dir():
            target.rmdir()
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(path, target)
        if reseal and target.is_file() and zlib.crc32(target.read_bytes()) % 4:
            origin.record_path(target).unlink(missing_ok=True)
            origin.seal(target, reseal)
        return calling(lambda _: read(study, layout, target))(path)

    return Kind(name, file.read_bytes(), run, agrees, structured)


def _manifest(study: Study, layout: Layout, _: Path) -> None:
    scale = study.planner.scale
    machine.corpus(scale, layout)
    check_corpus(layout.corpus, scale)
    sources.corpus(layout)
    machine.corpus(scale, layout)


def _mixtures(study: Study, layout: Layout, _: Path) -> None:
    scale = study.planner.scale
    content = read_mixtures(scale, layout)
    for recipe in recipes_of([study.law]).values():
        diversity(content, recipe, scale)


def _checkpointed(study: Study, layout: Layout, file: Path) -> None:
    class Kept:
        pass

    folder = file.parent
    if checkpoints.is_whole(folder):
        checkpoints.kept_state(folder, Kept)
        checkpoints.checkpoint_processes(folder)


def _left(_: bytes) -> bool:
    """A checkpoint that is not whole is left aside without a word."""
    return True


def _origin(study: Study) -> Callable[[Path], Any]:
    def read(path: Path) -> None:
        main = path.with_name("table")
        main.write_bytes(study.layout.law_scores(NAME).read_bytes())
        origin.require(main, "table", NAME, "collect it again", {"scores a": "0" * 64})

    return read


def _copy(study: Study, file: Path) -> Callable[[Path], int]:
    """A published copy without records, one of whose files is damaged: drawn, shown, verified."""
    inside = file.relative_to(study.layout.root)
    kept = [study.layout.law_scores(NAME), study.layout.verdict(NAME)]
    kept += [study.layout.provenance(NAME), study.layout.mixtures]

    def run(path: Path) -> int:
        layout = Layout(path.parent / "published", study.layout.scale)
        shutil.rmtree(layout.root, ignore_errors=True)
        (layout.root / "laws").mkdir(parents=True)
        for source in kept:
            _link(str(source), str(layout.root / source.relative_to(study.layout.root)))
        _put(path, layout.root / inside)

        def read(_: Path) -> None:
            context = render_context(study.planner, layout, study.law)
            table_1.build(context)
            entry = read_entry(study.planner, layout, study.law)
            facts.corpus_rows([entry]), facts.corpus_files([entry]), facts.cost([entry])
            facts.hardware([entry]), facts.same_corpus([entry])

        empty = Layout(path.parent / "none", layout.scale)
        graph = Published(study.planner, empty)
        graph.layout = layout
        graph.provenance(NAME)
        graph.mixtures()
        return calling(read)(path)

    return run


def _registered(study: Study) -> Callable[[Path], int]:
    def read(path: Path) -> None:
        scale = study.planner.scale
        file = path.with_name(f"{NAME}.{scale.name}.json")
        shutil.rmtree(file, ignore_errors=True)
        _put(path, file)
        with mock.patch.object(preregistration, "folders", return_value=[path.parent]):
            preregistration.preregistration_of(study.law, scale)
            preregistration.preregister(study.law, scale, path.parent)

    return calling(read)


def _printed_tables() -> list[Kind]:
    """Tables in print, which the package brings along: all are audited, one is damaged."""
    from lawcheck.show.audit import audit

    data = Path(discipline_laws.__file__).parent / discipline_laws.STUDY.published
    recorded = printed._recorded

    def audited(name: str) -> Callable[[Path], Any]:
        def read(path: Path) -> None:
            folder = path.parent / "data"
            if not folder.is_dir():
                shutil.copytree(data, folder)
            shutil.rmtree(folder / name, ignore_errors=True)
            _put(path, folder / name)
            try:
                printed._printed.cache_clear()
                copied = {data: folder}
                with mock.patch.object(
                    printed, "_recorded", lambda path: recorded(copied.get(path, path))
                ):
                    audit()
            finally:
                printed._printed.cache_clear()

        return read

    names = ("table3_final.csv", "test_sizes.csv", "table8_design.csv", printed.SUMS)
    return [
        Kind(f"printed {n}", sound, calling(audited(n)), share=0.3)
        for n in names
        for sound in [(data / n).read_bytes()]
    ]
