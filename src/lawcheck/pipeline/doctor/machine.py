"""Python, packages, accelerators, disk, data and the corpus on this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import data_folder, pinned_sources
from lawcheck.errors import InputError
from lawcheck.files.reading import read_object
from lawcheck.files.records import Manifest, StreamedManifest, fitting
from lawcheck.pipeline.doctor.check import Check
from lawcheck.planning.plan import Planner
from lawcheck.planning.storage import planned_storage

PYTHON = ((3, 11), (3, 14))
# Relative difference from a published count above which a built corpus is not the paper's.
COUNT_TOLERANCE = 0.01


def python() -> Check:
    low, high = (".".join(map(str, v)) for v in PYTHON)
    fits = PYTHON[0] <= tuple(map(int, platform.python_version_tuple()[:2])) < PYTHON[1]
    step = f"make setup PYTHON=... with {low} or later, below {high}"
    return Check("python", fits, platform.python_version(), step)


def packages(scale: Scale) -> Iterator[Check]:
    """Installed packages against the ranges that lawcheck declares, DeepSpeed's where used."""
    sharded = scale.hardware.zero_stage is not None
    extra = "deepspeed" if sharded else "train"
    wanted = [
        requirement
        for requirement in map(Requirement, importlib.metadata.requires("lawcheck") or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra})
    ]
    if sharded and "deepspeed" not in {r.name for r in wanted}:
        wanted.append(Requirement("deepspeed"))
    lost = []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            lost.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            lost.append(f"{requirement.name} {version} is outside {requirement.specifier}")
    found = "; ".join(lost) if lost else f"{len(wanted)} requirements met"
    step = "run: make setup (without make: pip install 'lawcheck[cluster]')"
    yield Check("packages", not lost, found, step)
    if scale.hardware.attention == "flash":
        there = importlib.util.find_spec("flash_attn") is not None
        found = "installed" if there else "not installed"
        yield Check("flash-attn", there, found, "install it, or take attention: sdpa")


def accelerator(scale: Scale) -> Check:
    if scale.hardware.device != "cuda":
        return Check("accelerator", True, "none needed at this scale")
    if importlib.util.find_spec("torch") is None:
        return Check("accelerator", None, "torch is not installed", "install it, then repeat")
    import torch

    wanted = max(scale.hardware.gpus_per_node, 1)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        elsewhere = shutil.which("sbatch") is not None
        build = "CUDA" if torch.version.cuda else "CPU"
        found = f"none here (torch {torch.__version__}, a {build} build)"
        step = f"the scale asks for {wanted} per node"
        step += "; run doctor inside a job too" if elsewhere else ""
        return Check("accelerator", None if elsewhere else False, found, step)
    nccl = torch.distributed.is_available() and torch.distributed.is_nccl_available()
    bfloat16 = scale.hardware.precision != "bfloat16" or torch.cuda.is_bf16_supported()
    names = ", ".join(sorted({torch.cuda.get_device_name(k) for k in range(count)}))
    enough = count >= wanted and (wanted == 1 or nccl) and bfloat16
    found = f"{count} x {names}, NCCL {'there' if nccl else 'missing'}"
    found += "" if bfloat16 else ", no bfloat16"
    step = f"the scale asks for {wanted} per node, with NCCL and {scale.hardware.precision}"
    return Check("accelerator", enough, found, step)


def disk(planner: Planner, layout: Layout, laws: Sequence[Law] | None) -> Check:
    folder = layout.results.absolute()
    while not folder.exists():
        folder = folder.parent
    free, needed = shutil.disk_usage(folder).free, planned_storage(planner, laws)
    of = "every law" if laws is None else ", ".join(law.name for law in laws)
    found = f"{free / 1e9:,.0f} GB free where results go, {needed / 1e9:,.1f} GB planned for {of}"
    step = "name another folder with --results, or fewer laws with --law"
    if not os.access(folder, os.W_OK):
        return Check("disk", False, f"{folder} cannot be written to", "name another with --results")
    return Check("disk", free > needed, found, step)


def data(planner: Planner) -> Check:
    """Real data where the scale reads any: staged and pinned, without reading them."""
    scale = planner.scale
    try:
        if pinned_sources(scale) is not None:
            return _declared_sets(scale)
        digest = planner.data_digest
    except InputError as error:
        return Check("data", False, str(error))
    return Check("data", True, "generated here" if digest is None else f"staged, digest {digest}")


def _declared_sets(scale: Scale) -> Check:
    from lawcheck.corpus.sources.locking import (
        COMMAND,
        NAME,
        entry_of,
        lock_path,
        read_lock,
        staged,
    )
    from lawcheck.corpus.sources.staging import by_folder
    from lawcheck.corpus.streamed import sources_of

    folder = data_folder(scale)
    assert folder is not None
    lock = read_lock(lock_path())
    sets = by_folder(s for source in sources_of(scale).values() for s in source.sets)
    there = {name for name, parts in sets.items() if all(staged(p, folder) for p in parts)}
    revision = {name for name, parts in sets.items() if entry_of(parts[0], lock).revision}
    content = {name for name, parts in sets.items() if entry_of(parts[0], lock).sha256}
    absent = sorted(sets.keys() - there - revision)
    unpinned = sorted(there - revision - content)
    found = f"{len(there)} of {len(sets)} data sets staged"
    if absent:
        found += f", neither staged nor in {NAME}: {', '.join(absent)}"
    if unpinned:
        found += f", staged but not in {NAME}: {', '.join(unpinned)}"
    to_fetch = sorted(revision - there)
    if to_fetch and not absent:
        found += f", {len(to_fetch)} to be fetched by revision"
    return Check("data", not absent and not unpinned, found, f"run: {COMMAND}")


def corpus(scale: Scale, layout: Layout, named: str = "") -> Check:
    """Counts in a built corpus against the published ones; hashes are the training stage's."""
    path: Path = layout.manifest
    step = f"run: lawcheck corpus --scale {named or scale.name}"
    if not path.is_file():
        return Check("corpus", None, "not built yet", step)
    from lawcheck.corpus.build import corpus_identity
    from lawcheck.corpus.sources.tables import deviation

    try:
        manifest = read_object(path, step)
        kind = StreamedManifest if "counts" in manifest else Manifest
        manifest = fitting(manifest, kind, path.name, step)
        identity = corpus_identity(scale)
    except (ValueError, InputError) as error:
        return Check("corpus", False, f"cannot be read ({error})", step)
    if manifest.get("identity") != identity:
        return Check("corpus", False, "built with other settings or data", step)
    off = [
        f"{line['set'] or line['discipline']} {100 * share:+.1f} %"
        for line in manifest.get("counts", ())
        if (share := deviation(line)) is not None
        and abs(share) > COUNT_TOLERANCE
        and line["set"] not in manifest["accepted"]
    ]
    rows = sum(entry["rows"] for entry in manifest["files"].values())
    if off:
        step = "check the staged release, or accept knowingly (lawcheck corpus --accept SET)"
        return Check("corpus", False, f"counts off by more than 1 %: {', '.join(off)}", step)
    accepted = manifest.get("accepted") or ()
    note = f", counts accepted knowingly: {', '.join(accepted)}" if accepted else ""
    return Check("corpus", True, f"built, {rows:,} rows{note}")
