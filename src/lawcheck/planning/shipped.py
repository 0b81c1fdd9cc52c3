"""Ready base models inside the package: found by recipe, trusted by hash, packed from built ones.

`base_models/<shipped>/manifest.json` holds the recipe, its digest and, per seed, the SHA-256 of
every file and the scores that were measured when it was packed. No torch here: the scheduler asks
whether a base must be built.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lawcheck.declare.layout import base_name
from lawcheck.declare.scale import BuiltBase, PretrainedBase, Scale
from lawcheck.errors import InputError
from lawcheck.files import atomic, origin
from lawcheck.files.hashing import file_sha256
from lawcheck.files.reading import read_object

PACKAGE_DATA = Path(__file__).resolve().parents[1] / "base_models"
MANIFEST = "manifest.json"
RECORD = "base.json"
# Weights and vocabulary: what a rebuild on the same machine must repeat to the bit. The other
# files also name library versions.
EXACT_FILES = ("model.safetensors", "tokenizer.json")
# Another machine rounds differently, so its rebuild is like another seed. Two seeds differ by
# sqrt(2) standard deviations of the shipped ones (0.01 to 0.06 a task), estimated from a handful:
# five of them are allowed, and never less than the error of counting.
TOLERATED_DEVIATIONS = 5
SCORE_TOLERANCE = 0.06


def resolve_base(scale: Scale, base: str, seed: int, built_folder: Path) -> Path | str | None:
    """Where the base lies, or None if it has to be built first.

    A shipped base comes before `built_folder`. A pretrained base gives its local folder or, as a
    string, its hub id. Raises InputError for a corrupt shipped file, and for a built folder of
    another seed, without a record or unlike its record.
    """
    recipe = scale.bases.get(base)
    digest = scale.base_digest(base)
    if isinstance(recipe, PretrainedBase):
        local = Path(recipe.model).expanduser()
        return local if local.is_dir() else recipe.model
    manifest, own = _manifest(scale, base), scale.base_seed(base, seed)
    if manifest and manifest["recipe_digest"] == digest and str(own) in manifest["seeds"]:
        assert own is not None
        return _checked(_folder(scale, base), own, manifest["seeds"][str(own)]["files"])
    # A workflow engine makes the folder before the base is built; the record is written last.
    if not (built_folder / RECORD).exists():
        return None
    record = read_record(built_folder)
    if record["seed"] != own:
        raise InputError(
            f"base folder {built_folder}: holds seed {record['seed']}, expected seed {own}; "
            f"remove it and run `lawcheck base`"
        )
    if record["recipe_digest"] != digest:
        return None
    step = f"run: {build_command(scale, base, own)}"
    origin.require(built_folder / RECORD, "base", base_name(base, own), step)
    return built_folder


def build_command(scale: Scale, base: str, seed: int | None) -> str:
    words = f"lawcheck base --scale {scale.name} --base {base}"
    return words if seed is None else f"{words} --seed {seed}"


def read_record(folder: Path) -> dict[str, Any]:
    """The `base.json` of a built base. Raises InputError where it is missing or broken."""
    path = folder / RECORD
    step = "expected the record of a built base; remove the folder and run `lawcheck base`"
    record = read_object(path, step, str(path))
    for key, kinds in (("seed", (int, type(None))), ("recipe_digest", (str,))):
        if key not in record or type(record[key]) not in kinds:
            raise InputError(f"{path}: found {key} {str(record.get(key))[:40]!r}, {step}")
    return record


def ship(
    scale: Scale, base: str, built: Mapping[int, Path], scores: Mapping[int, Mapping[str, float]]
) -> Path:
    """Pack built folders (seed -> folder) as the scale's shipped bases.

    scores: seed -> task -> score in [0, 1]. Shipped bases of other seeds stay if the recipe is
    the same, else they go. Raises InputError for a folder of another recipe or seed.
    """
    digest = scale.base_digest(base)
    target = _folder(scale, base)
    seeds: dict[str, Any] = {}
    older = _manifest(scale, base)
    with atomic.atomic_folder(target) as part:
        if older and older["recipe_digest"] == digest:
            for seed in older["seeds"].keys() - {str(s) for s in built}:
                if (target / f"seed{seed}").is_dir():
                    shutil.copytree(target / f"seed{seed}", part / f"seed{seed}")
                    seeds[seed] = older["seeds"][seed]
        for seed, folder in sorted(built.items()):
            record = read_record(folder)
            if (record["seed"], record["recipe_digest"]) != (seed, digest):
                raise InputError(
                    f"base folder {folder}: seed {record['seed']} of recipe "
                    f"{record['recipe_digest']}, expected seed {seed} of {digest}; rebuild it"
                )
            copy = part / f"seed{seed}"
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*" + origin.SUFFIX))
            seeds[str(seed)] = {
                "files": {f.name: file_sha256(f) for f in sorted(copy.iterdir())},
                "scores": {task: round(value, 4) for task, value in scores[seed].items()},
            }
        manifest = {"recipe": scale.base_recipe(base), "recipe_digest": digest, "seeds": seeds}
        atomic.write_json(part / MANIFEST, manifest)
    return target


def compare(
    scale: Scale, base: str, seed: int, rebuilt: Path, scores: Mapping[str, float]
) -> dict[str, Any]:
    """A rebuilt base beside the shipped one of the same seed.

    Returns same_bits (weights and vocabulary), differences (rebuilt - shipped score per task)
    and agrees: equal bits, or every difference within what the shipped seeds differ among
    themselves (TOLERATED_DEVIATIONS, at least SCORE_TOLERANCE).
    """
    manifest = _manifest(scale, base)
    if manifest is None or str(seed) not in manifest["seeds"]:
        raise InputError(
            f"scale {scale.name!r}: base {base!r} ships no seed {seed}; nothing to compare with"
        )
    entry = manifest["seeds"][str(seed)]
    same_bits = all(file_sha256(rebuilt / name) == entry["files"][name] for name in EXACT_FILES)
    differences = {task: scores[task] - value for task, value in entry["scores"].items()}
    shipped = [e["scores"] for e in manifest["seeds"].values()]
    close = all(
        abs(value) <= max(SCORE_TOLERANCE, TOLERATED_DEVIATIONS * _deviation(shipped, task))
        for task, value in differences.items()
    )
    return {"same_bits": same_bits, "differences": differences, "agrees": same_bits or close}


def vocabulary(scale: Scale, base: str) -> int | None:
    """Tokens of a built base; None where neither its recipe nor a shipped base states them.

    Bases of one scale with one kind of tokenizer share their vocabulary.
    """
    recipe = scale.bases[base]
    if not isinstance(recipe, BuiltBase) or recipe.vocabulary is not None:
        return None if not isinstance(recipe, BuiltBase) else recipe.vocabulary
    for name, other in scale.bases.items():
        manifest = _manifest(scale, name)
        if manifest and isinstance(other, BuiltBase) and other.tokenizer == recipe.tokenizer:
            seed = min(manifest["seeds"], key=int)
            path = _folder(scale, name) / f"seed{seed}" / "config.json"
            return int(read_object(path, "reinstall the package", str(path))["vocab_size"])
    return None


def _deviation(scores: Sequence[Mapping[str, float]], task: str) -> float:
    """Standard deviation of a task's score over seeds; 0 for a single seed."""
    return statistics.stdev(s[task] for s in scores) if len(scores) > 1 else 0.0


def _folder(scale: Scale, base: str) -> Path:
    recipe = scale.bases[base]
    if not isinstance(recipe, BuiltBase) or recipe.shipped is None:
        raise InputError(
            f"scale {scale.name!r}: base {base!r} names no 'shipped' folder; add one to its recipe"
        )
    return PACKAGE_DATA / recipe.shipped


def _manifest(scale: Scale, base: str) -> dict[str, Any] | None:
    recipe = scale.bases[base]
    if not isinstance(recipe, BuiltBase) or recipe.shipped is None:
        return None
    path = PACKAGE_DATA / recipe.shipped / MANIFEST
    if not path.is_file():
        return None
    return read_object(
        path,
        "reinstall the package, or remove the file and run `lawcheck base --ship`",
        f"manifest of the shipped bases {path}",
    )


def _checked(shipped: Path, seed: int, files: Mapping[str, str]) -> Path:
    folder = shipped / f"seed{seed}"
    for name, expected in files.items():
        path = folder / name
        found = file_sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise InputError(
                f"shipped base file {path}: found SHA-256 {found[:12]}, expected "
                f"{expected[:12]}; reinstall the package, or run "
                f"`lawcheck base --ship --seed {seed}`"
            )
    return folder


def shipped_hash(scale: Scale, base: str, seed: int) -> str | None:
    """SHA-256 of the shipped weights by the manifest; None where this recipe ships no such seed.

    Reads the manifest only: run ids need the hash before any weights are touched.
    """
    manifest = _manifest(scale, base)
    if manifest is None or manifest["recipe_digest"] != scale.base_digest(base):
        return None
    entry = manifest["seeds"].get(str(scale.base_seed(base, seed)))
    return entry["files"][EXACT_FILES[0]] if entry else None


def bases_by_seed(scale: Scale, base: str, seeds: Iterable[int]) -> dict[int, str]:
    """Which base model each seed stands on, for clustering seeds that share one."""
    built = scale.bases[base].kind == "built"
    return {
        s: (
            shipped_hash(scale, base, s) or f"{scale.base_digest(base)}-s{scale.base_seed(base, s)}"
        )
        if built
        else base
        for s in seeds
    }
