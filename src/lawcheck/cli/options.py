"""Options that several verbs share, and what is read from them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.errors import InputError

if TYPE_CHECKING:
    from lawcheck.declare.design import Law
    from lawcheck.declare.layout import Layout
    from lawcheck.planning.plan import Planner
    from lawcheck.planning.site import Site

SEED_IN_ID = re.compile(r"-s(\d+)-[0-9a-f]{12}\Z")


def add_law(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="with or without the prefix law_")


def add_laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")


def add_study(parser: argparse.ArgumentParser) -> None:
    """What `study` reads."""
    parser.add_argument("--scale", default="proxy", help="name or YAML file (proxy)")
    add_results(parser)
    parser.add_argument("--seeds", help="a count, or a list such as 0,1,2 (the scale's)")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", default="results", help="results folder (results)")


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait for another live process that writes the same (refuse at once)",
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--record", help="JSON file written when all are done")


# Setting of planning.site -> what it is.
SITE = {
    "account": "account that jobs are charged to",
    "partition": "partition of jobs that need accelerators",
    "cpu_partition": "partition of jobs that need none (the same)",
    "qos": "quality of service",
    "gpu": "accelerator type as Slurm names it, such as h100",
    "constraint": "node features, as sbatch -C takes them",
}


def add_site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", metavar="FILE", help="site file (LAWCHECK_SITE, site.yaml)")
    for name, what in SITE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default="", help=f"Slurm: {what}")


def site(arguments: argparse.Namespace) -> Site:
    """The site file's settings, with those of the command line before them."""
    from lawcheck.planning.site import load_site

    return load_site(arguments.site).but(vars(arguments))


def _quieten(scale: Any) -> None:
    """Worlds that are built here never ask a hub; CPU scales never look for an accelerator."""
    if scale.hardware.device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if all(base.kind == "built" for base in scale.bases.values()):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def study(arguments: argparse.Namespace, runs: Sequence[str] = ()) -> tuple[Planner, Layout]:
    """Planner and layout; seeds come from --seeds, else from the run ids, else from the scale."""
    from lawcheck.declare.layout import Layout
    from lawcheck.declare.scale import load_scale
    from lawcheck.pipeline.workflow import parse_seeds
    from lawcheck.planning.plan import Planner

    scale = load_scale(arguments.scale)
    _quieten(scale)
    seeds = parse_seeds(getattr(arguments, "seeds", None), scale)
    if runs:
        seeds = tuple(sorted({_seed_of(r) for r in runs}))
    return Planner(scale, seeds), Layout(Path(arguments.results), scale.name)


def _seed_of(run_id: str) -> int:
    match = SEED_IN_ID.search(run_id)
    if not match:
        raise InputError(
            f"run {run_id!r}: expected <arm>-s<seed>-<digest>; `lawcheck plan LAW --runs` lists ids"
        )
    return int(match.group(1))


def judged(names: Sequence[str], layout: Layout) -> list[Law]:
    """The laws named, or every law with a verdict in the results folder."""
    from lawcheck.declare import discovery

    found = names or [n for n in discovery.laws() if layout.verdict(n).is_file()]
    if not found:
        raise InputError(
            f"results {layout.root}: no judged law; run: snakemake --profile local all"
        )
    return [discovery.law(n) for n in found]


def print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))
