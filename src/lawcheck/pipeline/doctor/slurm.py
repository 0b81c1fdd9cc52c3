"""Whether a Slurm cluster offers what a scale's jobs ask for."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterator

from lawcheck.declare.scale import Scale
from lawcheck.pipeline.doctor.check import Check

SECONDS = 10
GPUS = re.compile(r"gpu:(?:([A-Za-z][\w.-]*):)?(\d+)")


def checks(scale: Scale, partition: str, account: str, gpu: str) -> Iterator[Check]:
    """partition, account, gpu: as asked for, or empty. Nothing where no cluster is meant."""
    if shutil.which("sbatch") is None:
        if partition or account or gpu:
            step = "load Slurm's client commands, or leave the options out"
            yield Check("slurm", False, "no sbatch on the path", step)
        return
    # Partition (the default one with a star), generic resources, nodes, processors of a node.
    listed = _output(["sinfo", "-h", "-o", "%P|%G|%D|%c"])
    if listed is None:
        meant = bool(partition or account or gpu)
        step = "ask whether slurmctld is up"
        yield Check("slurm", False if meant else None, "sinfo does not answer", step)
        return
    rows = [line.split("|") for line in listed.splitlines() if line.count("|") == 3]
    names = sorted({r[0].rstrip("*") for r in rows})
    if partition and partition not in names:
        step = f"choose one of {', '.join(names)}"
        yield Check("slurm partition", False, f"{partition!r} does not exist", step)
        return
    inside = [r for r in rows if not partition or r[0].rstrip("*") == partition]
    yield Check("slurm partition", True, partition or f"any of {', '.join(names)}")
    if scale.hardware.gpus_per_node:
        yield _accelerators(scale, inside, gpu)
    if account:
        yield _account(account)


def _accelerators(scale: Scale, rows: list[list[str]], gpu: str) -> Check:
    """Enough nodes with enough accelerators, of the type asked for."""
    hardware = scale.hardware
    types: set[str] = set()
    nodes = 0
    most = 0
    for row in rows:
        offered = GPUS.findall(row[1])
        types |= {kind for kind, _ in offered if kind}
        count = sum(int(n) for kind, n in offered if not gpu or kind == gpu)
        most = max(most, count)
        if count >= hardware.gpus_per_node:
            nodes += int(row[2])
    kinds = f" ({', '.join(sorted(types))})" if types else ""
    found = f"{nodes} nodes with {hardware.gpus_per_node} or more, {most} at most{kinds}"
    step = (
        f"the scale asks for {hardware.nodes} nodes with {hardware.gpus_per_node} "
        f"{gpu or 'of any type'} each; correct --gpu, --partition or the scale's hardware"
    )
    return Check("slurm accelerators", nodes >= hardware.nodes, found, step)


def _account(account: str) -> Check:
    command = ["sacctmgr", "-nP", "show", "assoc", f"user={getpass.getuser()}", "format=account"]
    known = _output(command)
    if not known:
        found = f"{account}: no accounting database answers here"
        return Check("slurm account", None, found, "without one, set slurm-status-command: squeue")
    accounts = sorted(set(known.split()))
    step = f"choose one of {', '.join(accounts)}"
    return Check("slurm account", account in accounts, account, step)


def _output(command: list[str]) -> str | None:
    """Output of a command, None where it fails, is missing or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
