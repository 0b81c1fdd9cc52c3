"""What a scale's world consists of: its disciplines, and where real data lie."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, Law
from lawcheck.declare.lineage import lineage
from lawcheck.declare.scale import BuiltBase, Scale
from lawcheck.errors import InputError, look_up
from lawcheck.files.hashing import digest

DATA_VARIABLE = "LAWCHECK_DATA"


def science(scale: Scale) -> list[Discipline]:
    """The scale's scientific disciplines, in table order."""
    found = discovery.of_role("discipline", scale.world)
    if not found:
        raise InputError(
            f"scale {scale.name!r}: no discipline has a source for world {scale.world!r}; "
            f"add one (docs/adding.md) or choose another scale"
        )
    return found


def require_known(scale: Scale) -> None:
    """Raises InputError for a setting of a discipline, base, method, design or objective that is
    nowhere.

    One of another world may come from the scale that this one extends.
    """
    science(scale)
    everywhere = discovery.disciplines()
    disciplines = {n: d for n, d in everywhere.items() if d.role == "discipline"}
    methods, bases = discovery.methods(), scale.bases
    corpus, references = scale.corpus, scale.references
    words = scale.plan.words_per_sample if scale.plan is not None else {}
    mixtures = {n: b.mixture for n, b in bases.items() if isinstance(b, BuiltBase)}
    settings: list[tuple[str, Iterable[str], str, Mapping[str, Any]]] = [
        ("corpus.caps", corpus.caps, "discipline", disciplines),
        ("corpus.reserve", corpus.reserve, "discipline", disciplines),
        ("evaluation.disciplines", scale.evaluation.disciplines or (), "discipline", everywhere),
        ("plan.words_per_sample", words, "discipline", everywhere),
        *((f"bases.{n}.mixture", m, "discipline", everywhere) for n, m in mixtures.items()),
        ("references", [*references, *(r.base for r in references.values())], "base", bases),
        ("references", [r.method for r in references.values()], "method", methods),
    ]
    for key, named, kind, known in settings:
        for name in named:
            look_up(name, known, f"scale {scale.name!r}: {key}: no {kind} {name!r}")
    for key in scale.methods:
        method, _, objective = key.partition("@")[0].partition(".")
        what = f"scale {scale.name!r}: methods: {key!r} names no {{}} {{!r}}"
        look_up(method, methods, what.format("method", method))
        if objective:
            look_up(objective, discovery.objectives(), what.format("objective", objective))
        scale.design_of(key)


def data_folder(scale: Scale) -> Path | None:
    """The folder of real data, for worlds that read one; None for generated worlds."""
    if not any(hasattr(source_module(d, scale), "source_files") for d in science(scale)):
        return None
    named = os.environ.get(DATA_VARIABLE)
    if not named:
        raise InputError(
            f"scale {scale.name!r}: reads real data, but {DATA_VARIABLE} is not set; "
            f"set it to the folder that holds gsm8k/, medmcqa/ and so on (docs/real-data.md)"
        )
    if not Path(named).is_dir():
        raise InputError(f"{DATA_VARIABLE}: {named!r} is not a folder; name the data folder")
    return Path(os.path.realpath(named))


def pinned_sources(scale: Scale) -> dict[str, dict[str, str]] | None:
    """Discipline -> data set -> revision or content, for worlds too large to hash at every plan.

    None for worlds whose data are generated, or small enough to be hashed file by file.
    """
    found = {}
    for d in discovery.disciplines().values():
        if scale.world in d.worlds:
            module = source_module(d, scale)
            if not hasattr(module, "pinned_sources"):
                return None
            found[d.name] = module.pinned_sources()
    return found or None


def source_module(discipline: Discipline, scale: Scale) -> Any:
    return import_module(discipline.worlds[scale.world].source)


def data_digest(scale: Scale) -> str | None:
    """Digest of the real files that the world reads, or of what pins them; None for generated
    worlds.
    """
    pinned = pinned_sources(scale)
    if pinned is not None:
        return digest(pinned)
    folder = data_folder(scale)
    if folder is None:
        return None
    sums = {}
    for d in discovery.disciplines().values():
        if scale.world in d.worlds:
            for path in source_module(d, scale).source_files(folder):
                content = _read_source(path)
                sums[f"{d.name}/{path.name}"] = hashlib.sha256(content).hexdigest()
    return digest(sums)


def scale_laws(scale: Scale) -> dict[str, Law]:
    """What `all` of a scale runs: laws of the studies that it lists, and laws of no study.

    Raises InputError as require_known.
    """
    require_known(scale)
    return realisable(scale, discovery.laws_of(scale.studies))


def realisable(scale: Scale, laws: Mapping[str, Law]) -> dict[str, Law]:
    """The laws whose base models the scale declares and whose methods there are."""
    return {name: law for name, law in laws.items() if not unrealisable(scale, law)}


def unrealisable(scale: Scale, law: Law) -> str:
    """Why a scale cannot run a law; empty where it can.

    A law on somebody's own scores names methods that lawcheck does not have; it is judged, and
    nothing of it is planned.
    """
    study = discovery.study_of(law.name)
    if study and study.world not in ("", scale.world):
        return f"its study needs world {study.world!r}, scale {scale.name!r} has {scale.world!r}"
    for arm in law.arms:
        up = arm.recipe.upsampling if arm.recipe else None
        if up and up.fresh and not set(up.disciplines) <= scale.corpus.reserve.keys():
            return f"scale {scale.name!r} has no corpus.reserve of fresh {up.disciplines[0]} rows"
        if arm.base not in scale.bases:
            return f"scale {scale.name!r} declares no base model {arm.base!r}"
        if law.built_bases and scale.bases[arm.base].kind != "built":
            return f"nobody knows what base model {arm.base!r} of scale {scale.name!r} learned"
    lost = sorted({a.method for a in lineage(law.arms)} - discovery.methods().keys())
    return f"no method is called {lost[0]!r}, it can only be judged on scores" if lost else ""


def unclaimed(scale: Scale, law: Law) -> tuple[str, ...]:
    """Parts that are no evidence at this scale: all but those on metrics that it claims.

    None where the scale claims everything. A law with a primary part among them bears no claim.
    """
    if scale.claims:
        return ()
    return tuple(
        h.name
        for h in law.hypotheses
        if not all(
            getattr(e, "metric", "") in scale.claimed_metrics
            for e in (h.estimand, *(c for _, c in h.conjuncts))
        )
    )


def bears_claims(scale: Scale, law: Law) -> bool:
    """Whether a law's verdict at this scale is evidence."""
    lost = unclaimed(scale, law)
    return not any(h.name in lost for h in law.hypotheses if h.role == "primary")


def _read_source(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{DATA_VARIABLE}: cannot read {path.parent.name}/{path.name} ({error.strerror}); "
            f"complete the data folder"
        ) from None
