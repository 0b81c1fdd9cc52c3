"""What was run, on what, by what: the facts that a reader needs beside the verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.scale import BuiltBase, PackageBase, Scale
from lawcheck.show.judged import family_titles
from lawcheck.show.labels import arm_label, method_label
from lawcheck.show.page.gather import Entry

CORPUS_FILE = ".jsonl"


@dataclass(frozen=True)
class CorpusRow:
    """Rows of one discipline by split; paper: training samples in the paper's corpus."""

    title: str
    role: str
    paper: int
    train: int | None
    evaluated: int | None
    tune: int | None


@dataclass(frozen=True)
class RunRow:
    id: str
    cpu: float | None
    wall: float | None
    memory: float | None
    diverged: bool | None
    weights: str


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of training. cpu, wall: hours, summed over runs. memory: largest of a process, GB."""

    runs: int
    diverged: int
    cpu: float
    wall: float
    memory: float


def corpus_rows(entries: Sequence[Entry]) -> tuple[CorpusRow, ...]:
    """The corpus of the first law whose provenance records one, disciplines in table order."""
    files = _files(entries)
    rows = []
    for d in discovery.disciplines().values():
        sizes = {s: _rows(files, d.name, s) for s in ("train", "eval", "tune")}
        if any(n is not None for n in sizes.values()):
            rows.append(CorpusRow(d.title, d.role, d.rows, *sizes.values()))
    return tuple(rows)


def _files(entries: Sequence[Entry]) -> Mapping[str, Any]:
    """What the first law that records its corpus holds of it."""
    return next((e.provenance["corpus"] for e in entries if e.provenance.get("corpus")), {})


def _rows(files: Mapping[str, Any], discipline: str, split: str) -> int | None:
    entry = files.get(f"{discipline}.{split}{CORPUS_FILE}")
    return None if entry is None else int(entry["rows"])


def corpus_files(entries: Sequence[Entry]) -> tuple[tuple[str, int, str], ...]:
    """(file, rows, hash) of everything that was trained on or evaluated."""
    files = _files(entries)
    return tuple((n, int(f["rows"]), str(f["sha256"])) for n, f in sorted(files.items()))


def same_corpus(entries: Sequence[Entry]) -> bool:
    """Whether every law that records a corpus was trained and evaluated on the same files."""
    recorded = [e.provenance["corpus"] for e in entries if e.provenance.get("corpus")]
    return all(files == recorded[0] for files in recorded)


def base_models(scale: Scale, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Each base model in words, if a shown law uses it."""
    used = {a.base for e in entries for a in e.law.arms}
    titles = family_titles(scale)
    return tuple(_base(n, titles[n], scale) for n in scale.bases if n in used)


def _base(name: str, title: str, scale: Scale) -> str:
    recipe = scale.bases[name]
    shape = recipe.architecture
    layers, width = (shape.get(k, "?") for k in ("num_hidden_layers", "hidden_size"))
    if isinstance(recipe, BuiltBase):
        return f"{title} ({layers} layers, width {width}), trained from scratch for every seed"
    if isinstance(recipe, PackageBase):
        source = f"{PurePosixPath(recipe.file).name} of {recipe.package} {recipe.version}"
        return f"{source} ({layers} layers, width {width})"
    revision = f" at {recipe.revision}" if recipe.revision else ""
    return f"{recipe.model}{revision} ({layers} layers, width {width})"


def settings(scale: Scale, entries: Sequence[Entry]) -> tuple[tuple[str, str], ...]:
    """The scale's settings in words; empty where the runs were made with others."""
    if not all(e.fits for e in entries):
        return ()
    used = {a.method for e in entries for a in e.law.arms if a.recipe is not None}
    titles = {a.method: method_label(a) for e in entries for a in e.law.arms if not a.each_alone}
    rates = [
        f"{titles.get(m, m)} {s.learning_rate:g}" for m, s in scale.methods.items() if m in used
    ]
    training, adapter = scale.training, scale.adapter
    return (
        ("Learning rates", ", ".join(rates)),
        (
            "Training",
            f"{training.epochs} epoch{'' if training.epochs == 1 else 's'}, "
            f"{training.batch_size} samples a step, at most {training.max_length} tokens a sample",
        ),
        (
            "Adapters",
            f"rank {adapter.rank}, alpha {adapter.rank * adapter.alpha_over_rank:g}",
        ),
        ("Generated answers", decoding(entries)),
    )


def decoding(entries: Iterable[Entry]) -> str:
    """How answers are generated, and by which arms otherwise."""
    ours = {a for e in entries for a in e.law.arms}
    greedy = sorted(arm_label(a) for a in ours if a.decoding == "greedy")
    if len(greedy) == len(ours):
        return "greedy decoding"
    said = "as the model's generation_config.json says, without sampling"
    return f"{said}; greedy decoding: {', '.join(greedy)}" if greedy else said


def run_rows(entry: Entry) -> tuple[RunRow, ...]:
    """Every recorded training run, sorted by id."""
    return tuple(_run(i, r) for i, r in sorted(entry.provenance.get("runs", {}).items()))


def _run(run_id: str, record: Mapping[str, Any]) -> RunRow:
    memory = record.get("peak_memory_bytes")
    return RunRow(
        id=run_id,
        cpu=record.get("cpu_seconds"),
        wall=record.get("wall_seconds"),
        memory=None if memory is None else memory / 1e9,
        diverged=record.get("diverged"),
        weights=str(record.get("weights_sha256", ""))[:12],
    )


def cost(entries: Iterable[Entry]) -> Cost:
    """Of all training runs, each counted once where laws share it."""
    runs = {r.id: r for e in entries for r in run_rows(e)}.values()
    return Cost(
        runs=len(runs),
        diverged=sum(bool(r.diverged) for r in runs),
        cpu=sum(r.cpu or 0.0 for r in runs) / 3600,
        wall=sum(r.wall or 0.0 for r in runs) / 3600,
        memory=max((r.memory or 0.0 for r in runs), default=0.0),
    )


def duration(hours: float) -> str:
    """Hours from two on, minutes from two on, else seconds."""
    for size, unit in ((1.0, "h"), (1 / 60, "min")):
        if hours >= 2 * size:
            return f"{hours / size:.1f} {unit}"
    return f"{hours * 3600:.1f} s"


def hardware(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Each kind of machine that collected scores, once."""
    found = []
    for e in entries:
        h = e.provenance.get("hardware")
        if h:
            found.append(f"{h.get('cpu', 'unknown')}, {h.get('cores', '?')} cores")
    return tuple(dict.fromkeys(found))


def numbers_in_words(numbers: Sequence[int]) -> str:
    """`0 to 4`, or a list where they do not follow each other."""
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
