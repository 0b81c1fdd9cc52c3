"""Build a corpus of real data that is too large to hold: read, clean, compare, spread, sort.

Rows pass through in chunks; per discipline one pass over the releases and one over the shards.
What no later stage may have to guess stands in the manifest: revisions and contents of the data
sets, counts found and published, rows removed per data set and evaluation task.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lawcheck.corpus.contamination import FRAME, RUN, SHORTEST, Asked, EvaluationIndex, Item
from lawcheck.corpus.folder import write_manifest, write_rows
from lawcheck.corpus.shards import ShardWriter
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Sample
from lawcheck.corpus.sources.serving import Source, first_of_each_task, samples_of
from lawcheck.corpus.sources.staging import require_pinned, write_pins
from lawcheck.corpus.sources.tables import count_faults, count_table, removal_table
from lawcheck.declare import discovery
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import data_folder, source_module
from lawcheck.errors import InputError, nearest
from lawcheck.files.atomic import atomic_folder
from lawcheck.files.hashing import file_sha256

CHUNK = 4096  # rows compared at a time

Row = dict[str, Any]
Counts = Mapping[str, int | None]


def lock_sources(scale: Scale, say: Callable[[str], None] = print) -> Path:
    """Fetch and pin every data set of the scale's world; return the lock file.

    Raises InputError for a world without declared sets, and where a set cannot be fetched.
    """
    sets = [s for source in sources_of(scale).values() for s in source.sets]
    data = data_folder(scale)
    if not sets or data is None:
        raise InputError(
            f"scale {scale.name!r}: its world reads no public data sets by name; lock a scale "
            f"such as paper"
        )
    return write_pins(sets, data, say)


def sources_of(scale: Scale) -> dict[str, Source]:
    """Declared data sets by discipline, for worlds whose corpus is streamed."""
    found = {}
    for d in discovery.disciplines().values():
        if scale.world in d.worlds:
            source = getattr(source_module(d, scale), "SOURCE", None)
            if isinstance(source, Source):
                found[d.name] = source
    return found


def build_streamed(
    scale: Scale,
    folder: Path,
    data: Path,
    counts: Mapping[str, Counts],
    header: Mapping[str, Any],
    accepted: Collection[str] = (),
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Write evaluation rows as JSON lines and training rows as shards; return the manifest.

    counts: discipline -> split -> rows wanted (None: all). header: goes into the manifest as it
    is. accepted: data sets whose row counts may differ from the published ones; recorded.
    Raises InputError: a set that is missing, unpinned or changed, an unreadable row, a count off
    by more than the set's tolerance.
    """
    sources = sources_of(scale)
    sets = [s for source in sources.values() for s in source.sets]
    for name in accepted:
        if name not in {s.name for s in sets}:
            raise InputError(
                f"accepted count of {name!r}: no such data set; "
                f"{nearest(name, {s.name for s in sets})}"
            )
    pins = require_pinned(sets, data)
    with atomic_folder(folder) as part:
        files: dict[str, Any] = {}
        items, lines = _write_items(sources, counts, data, part, files)
        indices = {u: EvaluationIndex(items, u) for u in ("word", "notation")}
        for name, source in sources.items():
            if not source.train:
                continue
            wanted = counts[name].get("train")
            planned = min(sum(s.rows or 0 for s in source.train), wanted or 1 << 40)
            with ShardWriter(part, name, planned, wanted) as writer:
                for s in source.train:
                    lines.append(_add(writer, name, s, data, indices[s.unit]))
                written = writer.finish()
            for file, rows in written.items():
                files[file] = {"rows": rows, "sha256": file_sha256(part / file)}
            kept = sum(written.values())
            if not kept:
                raise InputError(
                    f"discipline {name!r}: no training row is left after comparing with "
                    f"evaluation items; check the staged data sets"
                )
            lines.append(_total(name, lines, kept))
        manifest = {
            **header,
            "files": files,
            "sources": {n: {"revision": e.revision, "sha256": e.sha256} for n, e in pins.items()},
            "counts": lines,
            "accepted": sorted(accepted),
            "comparison": {
                "run": RUN,
                "shortest": SHORTEST,
                "frame": FRAME,
                "tasks": {unit: index.summary for unit, index in indices.items()},
            },
        }
        for line in (*count_table(manifest), "", *removal_table(manifest)):
            say(line)
        faults = count_faults(manifest)
        if faults:
            raise InputError(
                f"{faults[0]} ({len(faults)} counts off); check the release that is staged, or "
                f"accept knowingly: lawcheck corpus --scale {scale.name} "
                + " ".join(f"--accept {fault.split(chr(39))[1]}" for fault in faults)
            )
        write_manifest(part, manifest)
    return manifest


def _write_items(
    sources: Mapping[str, Source],
    counts: Mapping[str, Counts],
    data: Path,
    part: Path,
    files: dict[str, Any],
) -> tuple[dict[str, list[Item]], list[Row]]:
    """Evaluation rows to disk; all items by task, and a count line per evaluation set."""
    items: dict[str, list[Item]] = {}
    lines: list[Row] = []
    for name, source in sources.items():
        every: list[Row] = []
        for data_set, read in source.evaluation.items():
            found = read(data_set, data)
            lines.append(_line(name, "eval", data_set, len(found), len(found)))
            every += found
        for row in every:
            items.setdefault(row["task"], []).append(_item(row))
        rows = first_of_each_task(every, counts[name].get("eval"))
        path = part / f"{name}.eval.jsonl"
        write_rows(path, rows)
        files[path.name] = {"rows": len(rows), "sha256": file_sha256(path)}
    return items, lines


def _item(row: Row) -> Item:
    question = row["question"] if row.get("question") is not None else row["prompt"]
    return Item(str(question), tuple(map(str, row.get("choices") or row.get("options") or ())))


def _add(
    writer: ShardWriter, discipline: str, data_set: DataSet, data: Path, index: EvaluationIndex
) -> Row:
    """Write a data set's rows that reach no evaluation item; return its count line."""
    read = samples = 0
    exact = dict.fromkeys(index.names, 0)
    ngram = dict.fromkeys(index.names, 0)
    removed = 0
    for chunk in _chunks(samples_of(data_set, data)):
        read += len(chunk)
        whole = [(name, sample) for name, sample in chunk if sample is not None]
        samples += len(whole)
        if not whole:
            continue
        found = index.compare([_asked(sample) for _, sample in whole])
        hit = found.any
        for bit, task in enumerate(index.names):
            exact[task] += int((found.exact >> bit & 1).sum())
            ngram[task] += int((found.ngram >> bit & 1).sum())
        removed += int(hit.sum())
        for (name, sample), reached in zip(whole, hit.tolist(), strict=True):
            if not reached:
                writer.add(
                    (
                        name,
                        discipline,
                        data_set.name,
                        sample.kind,
                        sample.prompt,
                        sample.response,
                    )
                )
    tasks = {t: {"exact": exact[t], "ngram": ngram[t]} for t in index.names if exact[t] + ngram[t]}
    return {
        **_line(discipline, "train", data_set, read, samples),
        "removed": removed,
        "kept": samples - removed,
        "removed_by_task": tasks,
    }


def _asked(sample: Sample) -> Asked:
    return Asked(sample.question, f"{sample.prompt}\n{sample.response}", sample.options)


def _line(discipline: str, split: str, data_set: DataSet, read: int, samples: int) -> Row:
    return {
        "discipline": discipline,
        "split": split,
        "set": data_set.name,
        "title": data_set.title,
        "licence": data_set.licence,
        "substitute_for": data_set.substitute_for,
        "rows_read": read,
        "samples": samples,
        "published": data_set.rows,
        "counted_in": data_set.counted_in,
        "tolerance": data_set.tolerance,
    }


def _total(discipline: str, lines: Iterable[Row], written: int) -> Row:
    """The discipline as a whole, against Table 1. written: rows in the corpus."""
    own = [line for line in lines if line["discipline"] == discipline and line["split"] == "train"]
    published = discovery.discipline(discipline).rows
    return {
        "discipline": discipline,
        "split": "total",
        "set": "",
        "rows_read": sum(line["rows_read"] for line in own),
        "samples": sum(line["samples"] for line in own),
        "published": published or None,
        "counted_in": "Table 1" if published else "",
        "removed": sum(line["removed"] for line in own),
        "kept": sum(line["kept"] for line in own),
        "written": written,
    }


def _chunks(
    samples: Iterator[tuple[str, Sample | None]],
) -> Iterator[list[tuple[str, Sample | None]]]:
    while chunk := list(islice(samples, CHUNK)):
        yield chunk
