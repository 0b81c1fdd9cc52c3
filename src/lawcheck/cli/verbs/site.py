"""What a cluster wants with every job: account, partition, QOS, accelerator type."""

from __future__ import annotations

import argparse
import sys

from lawcheck.cli.options import SITE, add_site, site
from lawcheck.errors import InputError

GROUP = "integrity"
ORDER = 31
EXAMPLES = (
    "lawcheck site init --account mine --partition gpu",
    "lawcheck site show --scale paper",
)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["init", "show"], help="write the file, or print it")
    add_site(parser)
    parser.add_argument("--scale", default="paper", help="whose jobs `show` prints (paper)")


def run(arguments: argparse.Namespace) -> None:
    if arguments.action == "init":
        _init(arguments)
    else:
        _show(arguments)


def _init(arguments: argparse.Namespace) -> None:
    """Asks at a terminal for what no option gives; elsewhere takes the options alone."""
    from lawcheck.files.atomic import write_text
    from lawcheck.pipeline.cluster.limits import differences_of_site
    from lawcheck.pipeline.cluster.reading import read_cluster
    from lawcheck.planning.site import Site, load_site, site_file

    path = site_file(arguments.site)
    given = {name: getattr(arguments, name) for name in SITE}
    try:
        cluster = read_cluster()
    except InputError:
        cluster = None
        print("No Slurm answers here: nothing is compared.", file=sys.stderr)
    if sys.stdin.isatty():
        before = load_site(arguments.site) if path.is_file() else Site()
        for name, what in SITE.items():
            if not given[name]:
                given[name] = _answer(name, what, getattr(before, name), cluster)
    elif not any(given.values()):
        raise InputError(
            "site init: found no terminal and no option, expected such as "
            "--account physics --partition gpu; name what the cluster wants"
        )
    chosen = Site(**given)
    if cluster is not None:
        lines = [f"{what}: {line}" for what, line in differences_of_site(cluster, chosen)]
        if lines:
            raise InputError(f"site init: {lines[0]}; nothing was written")
    write_text(path, chosen.text)
    print(f"Wrote {path}. Next: lawcheck doctor --scale {arguments.scale}")


def _answer(name: str, what: str, before: str, cluster: object) -> str:
    from lawcheck.pipeline.cluster.limits import choices

    offered = choices(cluster, name)  # type: ignore[arg-type]
    hint = f" [{', '.join(offered)}]" if offered else ""
    default = f" ({before})" if before else " (empty: the cluster's default)"
    return input(f"{name}: {what}{hint}{default}: ").strip() or before


def _show(arguments: argparse.Namespace) -> None:
    from typing import get_args

    from lawcheck.declare.scale import load_scale
    from lawcheck.planning.cluster import Stage, asked
    from lawcheck.planning.site import site_file

    chosen, path = site(arguments), site_file(arguments.site)
    print(f"{path}{'' if path.is_file() else ' (absent)'}")
    for name, value in chosen.settings.items():
        print(f"  {name:<14}{value or '-'}")
    hardware = load_scale(arguments.scale).hardware
    print(f"\nJobs of scale {arguments.scale}, of what is not left to the profile:")
    for stage in get_args(Stage):
        found = asked(hardware, hardware.runs_per_job, stage, chosen)
        words = " ".join(f"{name}={value}" for name, value in found.items())
        print(f"  {stage:<10}{words or '-'}")
