"""Losses that a smaller model reaches on each domain, when it is trained on that domain alone."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Arm, Mixture, Recipe, Run
from lawcheck.declare.scale import MethodSettings, ReferenceSettings, Scale
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest
from lawcheck.training.mixture import DomainRows
from lawcheck.training.run import train_run


def reference_run(scale: Scale, settings: ReferenceSettings, seed: int, domain: str) -> Run:
    """The training of the reference base on one domain; a phase is a pass."""
    mixture = Mixture(
        start="given", given=((domain, 1.0),), phases=settings.epochs, rows=settings.rows
    )
    recipe = Recipe(epochs=settings.epochs, mixture=mixture)
    arm = Arm(method=settings.method, recipe=recipe, base=settings.base)
    identity = digest({"settings": settings.content(), "domain": domain, "seed": seed})
    return Run(arm=arm, seed=seed, scale=scale.name, digest=identity)


def measure(
    scale: Scale,
    settings: ReferenceSettings,
    seed: int,
    domains: tuple[str, ...],
    rows: Callable[[Run, str], DomainRows],
    base_folder: Path | str,
    work: Path,
    made_from: Mapping[str, str],
) -> dict[str, Any]:
    """What reference.json says. Trainings that were interrupted are gone on with in `work`.

    rows: of a run, to learn one domain and to measure all. Raises InputError where a domain's loss
    is never finite.
    """
    rate = MethodSettings(
        **scale.settings_of(settings.method).model_dump()
        | {"learning_rate": settings.learning_rate}
    )
    scale = scale.model_copy(update={"methods": {**scale.methods, settings.method: rate}})
    losses: dict[str, float] = {}
    paths: dict[str, list[float | None]] = {}
    transfer: dict[str, dict[str, float]] = {}
    for domain in domains:
        run = reference_run(scale, settings, seed, domain)
        found = train_run(
            run, scale, rows(run, domain), base_folder, work / domain, made_from=made_from
        )
        mixture = found["mixture"]
        before = mixture["losses_before"]
        after = [p["losses"] for p in mixture["phases"] if p["losses"]]
        paths[domain] = [before[domain], *(seen[domain] for seen in after)]
        finite = [x for x in paths[domain] if x is not None and math.isfinite(x)]
        if not finite or not after:
            raise InputError(
                f"reference of base {settings.base!r}: no finite loss on domain {domain!r}; lower "
                f"its learning_rate under 'references'"
            )
        losses[domain] = min(finite)
        transfer[domain] = {
            name: (after[-1][name] - loss) / loss
            for name, loss in before.items()
            if after[-1][name] is not None
        }
    return {
        "base": settings.base,
        "seed": seed,
        "scale": scale.name,
        "losses": losses,
        "by_epoch": paths,
        "transfer": transfer,
    }


def forget(work: Path, domains: tuple[str, ...]) -> None:
    """Remove the models: their losses are all that is asked of them."""
    for domain in domains:
        shutil.rmtree(work / domain, ignore_errors=True)
