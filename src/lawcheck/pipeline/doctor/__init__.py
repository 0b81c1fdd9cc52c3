"""What an installation or a cluster still lacks for a scale, found in seconds.

No check raises for what it looks for, loads a model or prints a token. Hub and Slurm are asked
with a short time limit. `machine` looks at this machine, `hub` at base models, `slurm` at the
cluster that jobs are submitted to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import PackageBase, PretrainedBase
from lawcheck.errors import InputError
from lawcheck.files.atomic import write_json
from lawcheck.pipeline.doctor import hub, machine, slurm
from lawcheck.pipeline.doctor.check import Check
from lawcheck.planning.plan import Planner
from lawcheck.planning.site import Site

__all__ = ["Check", "examine", "refuse_missing", "write_record"]


def examine(
    planner: Planner,
    layout: Layout,
    laws: Sequence[Law] | None = None,
    *,
    site: Site | None = None,
    named: str | None = None,
) -> Iterator[Check]:
    """Every check for a scale, cheapest first.

    laws: whose runs need room on the disk (None: every law of the scale). site: what jobs will be
    submitted with, where a cluster is meant. named: the scale as `--scale` takes it, a YAML file's
    path where it is one.
    """
    scale = planner.scale
    yield machine.python()
    yield from machine.packages(scale)
    yield machine.accelerator(scale)
    yield machine.disk(planner, layout, laws)
    yield machine.data(planner)
    yield machine.corpus(scale, layout, named or scale.name)
    needed = scale.bases if laws is None else {a.base for law in laws for a in law.arms}
    for name, base in scale.bases.items():
        if isinstance(base, PretrainedBase) and name in needed:
            yield hub.model(name, base)
        if isinstance(base, PackageBase) and name in needed:
            yield hub.package(scale, name, layout)
    yield from slurm.checks(scale, site or Site())


def refuse_missing(checks: Sequence[Check]) -> None:
    """Raises InputError that names what is missing. What could not be told from here passes."""
    lost = [c.name for c in checks if c.ok is False]
    if lost:
        raise InputError(
            f"doctor: {len(lost)} of {len(checks)} checks found something missing "
            f"({', '.join(lost)}); the lines above name the next steps"
        )


def write_record(path: Path, planner: Planner, checks: Sequence[Check]) -> None:
    """Checks as JSON, for a workflow that starts only after them."""
    found: dict[str, Any] = {
        "scale": planner.scale.name,
        "checks": [{"name": c.name, "ok": c.ok, "found": c.found} for c in checks],
    }
    write_json(path, found)
