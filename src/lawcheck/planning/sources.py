"""What a stage makes its artefact from: the digests that stand in the records of its sources."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Run
from lawcheck.declare.layout import Layout, base_name
from lawcheck.declare.scale import PackageBase, PretrainedBase, ReferenceSettings, Scale
from lawcheck.errors import look_up
from lawcheck.files import origin
from lawcheck.files.cards import is_card
from lawcheck.files.hashing import digest, file_sha256
from lawcheck.planning.plan import Planner, Source
from lawcheck.planning.shipped import RECORD as BASE_RECORD
from lawcheck.planning.shipped import shipped_hash

ROLES = ("discipline", "general", "out_of_domain")
# Files of a model's folder beyond this size are told apart by their size alone.
HASHED_BYTES = 1 << 26


def step(layout: Layout, verb: str, name: str = "") -> str:
    """The command that makes an artefact anew."""
    words = f"lawcheck {verb} {name}".rstrip()
    return f"run: {words} --scale {layout.scale} --results {layout.results}"


def judge_step(layout: Layout, law: str) -> str:
    return (
        f"judge again: lawcheck judge {law} --scale {layout.scale} --scores "
        f"{layout.law_scores(law)} --json {layout.verdict(law)}"
    )


def score_kind(split: str) -> str:
    return "scores" if split == "eval" else f"{split} scores"


def corpus(layout: Layout) -> dict[str, str]:
    return {"corpus": origin.read(layout.manifest, "corpus", "", step(layout, "corpus")).digest}


def base(planner: Planner, layout: Layout, name: str, seed: int) -> dict[str, str]:
    """A shipped base's weights, a built one's record, or what names one that was made elsewhere."""
    scale = planner.scale
    recipe = scale.bases.get(name)
    if isinstance(recipe, PackageBase):
        # Its conversion is exact: known without it, and equal wherever it is made.
        return {f"base {name}": digest(scale.base_recipe(name), 64)}
    if isinstance(recipe, PretrainedBase):
        folder = Path(recipe.model).expanduser()
        known = _listing(folder) if folder.is_dir() else {"model": recipe.model}
        return {f"base {name}": digest({**known, "revision": scale.revision(name)}, 64)}
    found = shipped_hash(scale, name, seed)
    if found is None:
        path = layout.base(name, seed) / BASE_RECORD
        how = step(layout, "base", f"--base {name} --seed {seed}")
        found = origin.read(path, "base", base_name(name, seed), how).digest
    return {f"base {base_name(name, seed)}": found}


def _listing(folder: Path) -> dict[str, str]:
    """Contents of a model folder's small files and sizes of its large ones."""
    return {
        p.name: file_sha256(p) if p.stat().st_size < HASHED_BYTES else str(p.stat().st_size)
        for p in sorted(folder.iterdir())
        # The card of a model that was trained here is written again once there are scores.
        if p.is_file() and not is_card(p)
    }


def knowledge(planner: Planner, layout: Layout, name: str, seed: int) -> dict[str, str]:
    """Digests of what detected shares come from."""
    settings = {"detection settings": digest(planner.scale.detection_of(name)["settings"], 64)}
    return corpus(layout) | base(planner, layout, name, seed) | settings


def reference(planner: Planner, layout: Layout, name: str, seed: int) -> dict[str, str]:
    """Digests of what reference losses come from."""
    return (
        corpus(layout)
        | base(planner, layout, name, seed)
        | {"reference settings": digest(settings_of_reference(planner.scale, name).content(), 64)}
    )


def settings_of_reference(scale: Scale, name: str) -> ReferenceSettings:
    """Those that a scale gives a reference base. Raises InputError for a base that is none."""
    found = {r.base: r for r in scale.references.values()}
    return look_up(name, found, f"scale {scale.name!r}: no reference base {name!r}")


def require_measured(planner: Planner, layout: Layout, source: Source) -> origin.Origin:
    """The record of detected shares or of reference losses, made from what is there now."""
    kind, name, seed = source
    path, verb, made = (
        (layout.knowledge(name, seed), "detect", knowledge)
        if kind == "knowledge"
        else (layout.reference(name, seed), "reference", reference)
    )
    how = step(layout, verb, f"--base {name} --seed {seed}")
    made_from = made(planner, layout, name, seed)
    return origin.require(path, kind, f"{name}-s{seed}", how, made_from)


def weights_digest(layout: Layout, run_id: str) -> dict[str, str]:
    path = layout.train_record(run_id)
    found = origin.read(path, "weights", run_id, step(layout, "train", run_id))
    return {f"weights {run_id}": found.digest}


def weights(planner: Planner, layout: Layout, run: Run) -> dict[str, str]:
    """Digests of what a run's weights are made from."""
    return _digests(planner, layout, planner.made_from(run))


def scores(planner: Planner, layout: Layout, run: Run) -> dict[str, str]:
    """Digests of what a run's scores come from."""
    return _digests(planner, layout, planner.scored_from(run))


def _digests(planner: Planner, layout: Layout, sources: Iterable[Source]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        if source.kind == "corpus":
            found |= corpus(layout)
        elif source.kind == "base":
            found |= base(planner, layout, source.name, source.seed)
        elif source.kind in ("knowledge", "reference"):
            checked = require_measured(planner, layout, source)
            found[checked.label] = checked.digest
        else:
            found |= weights_digest(layout, source.name)
    return found


def tasks(run: Run, scale: Scale, roles: Collection[str] = ROLES) -> list[str]:
    """The tasks that a whole score file of the run holds."""
    selected = () if scale.evaluation.cross else selected_tasks(run.arm)
    asked = [
        d
        for d in discovery.disciplines().values()
        if scale.world in d.worlds
        and d.role in roles
        and run.part in (None, d.name)
        and scale.evaluation.asks(d.name)
    ]
    names = sorted(t.name for d in asked for t in d.worlds[scale.world].tasks)
    return [name for name in names if not selected or name in selected]


def selected_tasks(arm: Arm) -> tuple[str, ...]:
    """The tasks whose rows an arm, or what it is made of, was trained on."""
    if arm.selection is not None:
        return arm.selection.tasks
    return tuple(task for parent in arm.parents for task in selected_tasks(parent))


def require_scores(planner: Planner, layout: Layout, run: Run) -> origin.Origin:
    """The record of a run's evaluation: intact, of the weights of now, every task asked.

    Raises OriginError.
    """
    path, how = layout.run_scores(run.id), step(layout, "evaluate", run.id)
    found = origin.require(path, "scores", run.id, how, scores(planner, layout, run))
    require_whole(found, tasks(run, planner.scale), path, how)
    return found


def require_whole(found: origin.Origin, expected: Collection[str], path: Path, how: str) -> None:
    """Compare the tasks that a score file's record holds. Raises OriginError."""
    items: Mapping[str, int] = found.holds.get("items", {})
    odd = sorted(set(items) ^ set(expected))
    if odd:
        raise origin.OriginError(
            "stale",
            found.label,
            path,
            f"{len(items)} tasks ({'with' if odd[0] in items else 'without'} {odd[0]})",
            f"{len(set(expected))} tasks",
            how,
        )


def table(planner: Planner, layout: Layout, law: Law) -> dict[str, str]:
    """What a law's score table is collected from; every part is checked. Raises OriginError."""
    found = {}
    runs = planner.law_runs(law)
    for run in runs.values():
        checked = require_scores(planner, layout, run)
        found[checked.label] = checked.digest
    described = {s for run in runs.values() for s in planner.described_by(run)}
    found |= _digests(planner, layout, sorted(described))
    return found | mixtures(layout, runs.values())


def mixed(runs: Collection[Run]) -> bool:
    """Whether any run is trained on a mixture that is known before it is trained."""
    return any(discovery.trains_rows(r.arm) and r.arm.fixed_mixture is not None for r in runs)


def mixtures(layout: Layout, runs: Collection[Run]) -> dict[str, str]:
    if not mixed(runs):
        return {}
    how = step(layout, "mixtures")
    found = origin.require(layout.mixtures, "mixtures", "", how, corpus(layout))
    return {found.label: found.digest}
