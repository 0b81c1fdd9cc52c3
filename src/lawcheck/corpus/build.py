"""Write a scale's corpus: rows per discipline and split, with a manifest of hashes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from lawcheck.corpus.folder import read_rows, write_manifest, write_rows
from lawcheck.corpus.frozen import require_frozen
from lawcheck.corpus.recipe import Row, in_order, mix, one_pool, planned_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, Run
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import (
    data_folder,
    pinned_sources,
    require_known,
    science,
    source_module,
)
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.atomic import atomic_folder
from lawcheck.files.hashing import digest, file_sha256
from lawcheck.files.reading import read_object
from lawcheck.files.records import Manifest, fitting

NEXT = "run: lawcheck corpus --scale {scale}"
# Draws for a fresh text, per text that is wanted, before there are none left.
RESERVE_TRIES = 20


def build_corpus(scale: Scale, folder: Path, accepted: Collection[str] = ()) -> dict[str, Any]:
    """Write every split of every discipline of the scale's world; return the manifest.

    A generated world must match the digest that the scale froze. accepted: data sets of a
    streamed world whose row counts may differ from the published ones. Raises InputError.
    """
    require_known(scale)
    require_frozen(scale)
    data = data_folder(scale)
    if scale.corpus.reserve and data is not None:
        raise InputError(
            f"scale {scale.name!r}: corpus.reserve in world {scale.world!r} of real data, expected "
            f"a generated world; leave it, fresh rows of real data are not made"
        )
    if pinned_sources(scale) is not None:
        from lawcheck.corpus.streamed import build_streamed

        assert data is not None
        world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
        counts = {d.name: _counts(d, scale) for d in world}
        header = {"scale": scale.name, "world": scale.world, "identity": corpus_identity(scale)}
        return build_streamed(scale, folder, data, counts, header, accepted)
    if accepted:
        raise InputError(
            f"scale {scale.name!r}: its counts are not compared with published ones; leave --accept"
        )
    files: dict[str, Any] = {}
    with atomic_folder(folder) as part:
        for d in discovery.disciplines().values():
            if scale.world not in d.worlds:
                continue
            for split, count in _counts(d, scale).items():
                rows = _samples(d, scale, split, count, data)
                path = part / f"{d.name}.{split}.jsonl"
                write_rows(path, rows)
                files[path.name] = {"rows": len(rows), "sha256": file_sha256(path)}
            if d.name in scale.corpus.reserve:
                path = part / f"{d.name}.reserve.jsonl"
                rows = _reserve(d, scale)
                write_rows(path, rows)
                files[path.name] = {"rows": len(rows), "sha256": file_sha256(path)}
        rows_frozen = scale.corpus.rows_frozen
        if rows_frozen is not None and digest(files, 64) != rows_frozen:
            raise InputError(
                f"scale {scale.name!r}: corpus hashes to {digest(files, 64)}, expected "
                f"{rows_frozen} (corpus.rows_frozen); restore its settings, or freeze them again "
                f"before anything is judged"
            )
        manifest = {
            "scale": scale.name,
            "world": scale.world,
            "identity": corpus_identity(scale),
            "files": files,
        }
        write_manifest(part, manifest)
    return manifest


def corpus_identity(scale: Scale) -> str:
    """Digest of what decides a corpus's rows: sizes, generator and disciplines' versions."""
    world = {d.name: d.version for d in discovery.disciplines().values() if scale.world in d.worlds}
    sizes = {"items": scale.evaluation.items, "tune_items": scale.evaluation.tune_items}
    settings = scale.corpus.content({"unique_below"})
    identity = {"world": scale.world, "corpus": settings, **sizes, "versions": world}
    pinned = pinned_sources(scale)
    return digest(identity if pinned is None else {**identity, "sources": pinned})


def _counts(d: Discipline, scale: Scale) -> dict[str, int | None]:
    """Rows per split; None asks for everything there is."""
    items = scale.evaluation.items
    counts: dict[str, int | None] = {"eval": items, "tune": scale.evaluation.tune_items}
    if d.role == "discipline":
        counts["train"] = planned_rows(d, scale.corpus.size, scale.corpus.caps)
    elif d.role == "general":
        counts["train"] = scale.corpus.general_pool
    return {split: n for split, n in counts.items() if n is None or n > 0}


def _reserve(d: Discipline, scale: Scale) -> list[Row]:
    """Rows that follow a discipline's own, each text once and none of theirs."""
    corpus = scale.corpus
    own, wanted = planned_rows(d, corpus.size, corpus.caps), corpus.reserve[d.name]
    asked = own + wanted
    while True:
        rows = _samples(d, scale, "train", asked, None)
        seen = {(row["prompt"], row["response"]) for row in rows[:own]}
        fresh = []
        for row in rows[own:]:
            text = (row["prompt"], row["response"])
            if text not in seen:
                seen.add(text)
                fresh.append(row)
        if len(fresh) >= wanted:
            return fresh[:wanted]
        if asked > own + RESERVE_TRIES * wanted:
            raise InputError(
                f"scale {scale.name!r}: discipline {d.name!r} has {len(fresh)} more texts, "
                f"corpus.reserve asks for {wanted}; lower it"
            )
        asked += wanted


def _samples(
    d: Discipline, scale: Scale, split: str, count: int | None, data: Path | None
) -> list[Row]:
    module = source_module(d, scale)
    read = module.samples
    if scale.corpus.answers == "evaluated":
        read = getattr(module, "matched_samples", read)
    rows = read(split, count) if data is None else read(split, count, data)
    if not rows:
        raise InputError(
            f"discipline {d.name!r}: no {split} samples at scale {scale.name!r}; "
            f"add samples or take the discipline out of the scale's world"
        )
    return list(rows)


def require_manifest(folder: Path, scale: Scale) -> Path:
    """Raises InputError where no corpus was built."""
    path = folder / "manifest.json"
    if not path.is_file():
        step = NEXT.format(scale=scale.name)
        raise InputError(f"corpus of scale {scale.name!r}: no manifest in {folder.name}/; {step}")
    return path


def check_corpus(folder: Path, scale: Scale) -> dict[str, Any]:
    """The manifest, after every file's hash was compared. Raises InputError."""
    step = NEXT.format(scale=scale.name)
    path = require_manifest(folder, scale)
    origin.require(path, "corpus", "", step)
    manifest = read_object(path, step, f"corpus of scale {scale.name!r}: {path.name}")
    if manifest.get("identity") != corpus_identity(scale):
        raise InputError(
            f"corpus of scale {scale.name!r}: {path} holds a corpus of other settings or another "
            f"generator ({manifest.get('identity')}), expected {corpus_identity(scale)}; {step}"
        )
    files = fitting(manifest, Manifest, f"corpus of scale {scale.name!r}: {path}", step)["files"]
    odd = [n for n in files if n != Path(n).name or "\0" in n]
    if odd:
        raise InputError(
            f"corpus of scale {scale.name!r}: {path} names {odd[0][:40]!r}, expected a file of "
            f"its own folder; {step}"
        )
    for file in sorted(folder.iterdir()):
        # Shards are found by their names, so that one more would be read as well.
        if file.suffix in (".jsonl", ".arrow") and file.name not in files:
            raise InputError(
                f"corpus file {file.name}: not in the manifest of scale {scale.name!r}, which "
                f"names {len(files)} files; remove it, or {step}"
            )
    for name, entry in files.items():
        file = folder / name
        found = file_sha256(file) if file.is_file() else "no file"
        if found != entry["sha256"]:
            raise InputError(
                f"corpus file {name}: sha256 is {found[:12]}, the manifest says "
                f"{entry['sha256'][:12]}; {step}"
            )
    return dict(manifest)


def training_rows(run: Run, scale: Scale, folder: Path) -> Iterator[Row]:
    """The mixed training rows of a run, from the corpus on disk."""
    recipe = run.arm.recipe
    assert recipe is not None
    rows, pools = training_parts(scale, folder, recipe.general_share > 0)
    disciplines = {d.name: d for d in science(scale)}
    general = one_pool(tuple(pools.values()))
    fresh = recipe.upsampling is not None and recipe.upsampling.fresh > 0
    reserve = reserve_of(scale, folder) if fresh else {}
    below = scale.corpus.unique_below
    return mix(recipe, rows, general, disciplines, below, run.part, reserve)


def reserve_of(scale: Scale, folder: Path) -> dict[str, Sequence[Row]]:
    """Rows on disk for recipes with fresh ones, by discipline, in the order of recipes."""
    return {n: in_order(read_rows(folder / f"{n}.reserve.jsonl")) for n in scale.corpus.reserve}


def training_parts(
    scale: Scale, folder: Path, general: bool
) -> tuple[dict[str, Sequence[Row]], dict[str, Sequence[Row]]]:
    """All training rows on disk in the order of recipes: by discipline, and the general pools.

    A streamed corpus stays on disk. general: whether the general pools are wanted, too.
    """
    names = [d.name for d in science(scale)]
    pools = [d.name for d in discovery.of_role("general", scale.world)] if general else []
    if pinned_sources(scale) is None:

        def part(name: str) -> Sequence[Row]:
            return in_order(read_rows(folder / f"{name}.train.jsonl"))

    else:
        from lawcheck.corpus.shards import Shards, shard_files

        def part(name: str) -> Sequence[Row]:
            return Shards(shard_files(folder, name))

    return {n: part(n) for n in names}, {n: part(n) for n in pools}
