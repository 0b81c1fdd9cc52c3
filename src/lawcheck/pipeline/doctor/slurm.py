"""Whether a Slurm cluster offers what a scale's jobs ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import get_args

from lawcheck.declare.scale import Scale
from lawcheck.errors import InputError
from lawcheck.pipeline.cluster.limits import Ask, differences, longest, submitted
from lawcheck.pipeline.cluster.reading import Cluster, Partition, read_cluster
from lawcheck.pipeline.doctor.check import Check
from lawcheck.planning.cluster import Stage, asked
from lawcheck.planning.site import Site

# squeue is asked at least every 20 s; a job that ended must still be listed then.
LEAST_JOB_AGE = 60
STEP = "correct the site (lawcheck site init) or the scale's hardware"
# What is compared, in the order of its line.
NAMED = ("partition", "account", "QOS", "constraint")
ASKED = ("GPU type", "nodes", "processors", "memory", "time")


def checks(scale: Scale, site: Site) -> Iterator[Check]:
    """Nothing where no cluster is meant: no sbatch here and no setting of a site."""
    meant = any(site.settings.values())
    if shutil.which("sbatch") is None:
        if meant:
            step = "load Slurm's client commands, or leave the site's settings out"
            yield Check("slurm", False, "no sbatch on the path", step)
        return
    try:
        cluster = read_cluster()
    except InputError:
        step = "ask whether slurmctld is up"
        yield Check("slurm", False if meant else None, "scontrol does not answer", step)
        return
    yield from settings(cluster, site)
    lines: dict[str, dict[str, list[str]]] = {}
    for stage in get_args(Stage):
        runs = scale.hardware.runs_per_job
        ask = Ask.of(asked(scale.hardware, runs, stage, site))
        for what, line in differences(cluster, ask):
            lines.setdefault(what, {}).setdefault(line, []).append(stage)
    for what in NAMED:
        given = getattr(site, what.lower())
        unknown = what in ("account", "QOS") and cluster.accounts is None
        if (given and not unknown) or what in lines:
            yield from _compared(f"slurm {what}", lines.get(what), given)
    offered = cluster.partition(site.partition)
    for what in ASKED:
        if what in lines:
            yield from _compared(f"slurm {what}", lines[what], "")
    if offered is not None and not lines:
        yield Check("slurm jobs", True, _offer(cluster, offered, site))


def _compared(name: str, lines: dict[str, list[str]] | None, given: str) -> Iterator[Check]:
    if not lines:
        yield Check(name, True, given)
        return
    for line, stages in lines.items():
        whose = "" if len(stages) == len(get_args(Stage)) else f" ({', '.join(stages)})"
        yield Check(name, False, f"{line}{whose}", STEP)


def _offer(cluster: Cluster, partition: Partition, site: Site) -> str:
    minutes = longest(cluster, Ask(site.partition, site.account, site.qos))
    gpus = ", ".join(f"{n} {kind or 'GPUs'}" for kind, n in sorted(partition.gpus.items()))
    usable = sum(node.usable for node in partition.nodes)
    return (
        f"{len(partition.nodes)} nodes in {partition.name} ({usable} usable now), each at most "
        f"{partition.node_memory_mb} MB{f', {gpus}' if gpus else ''}; "
        f"{'jobs of any length' if minutes is None else f'a job at most {minutes} minutes'}"
    )


def settings(cluster: Cluster, site: Site) -> Iterator[Check]:
    """What the cluster does with jobs; each is handled, and each explains what is seen."""
    age = cluster.job_age_seconds
    if cluster.accounts is None:
        found = f"none; squeue remembers a job for {age} s after its end (MinJobAge)"
        step = "without accounting, ask the administrators for MinJobAge of 60 s or more"
        yield Check("slurm accounting", age >= LEAST_JOB_AGE or None, found, step)
        for what, given in (("account", site.account), ("QOS", site.qos)):
            if given:
                found = f"{given}: no accounting database answers here"
                yield Check(f"slurm {what}", None, found, "it is not compared")
    else:
        yield Check("slurm accounting", True, f"there, and MinJobAge is {age} s")
    most = submitted(cluster, Ask(site.partition, site.account, site.qos))
    if most is not None:
        found = f"{most} jobs at once by account and QOS; further ones wait in Snakemake"
        yield Check("slurm submission", True, found)
    partition = cluster.partition(site.partition)
    mode = partition.preempt if partition else "OFF"
    if mode != "OFF":
        found = f"{mode} in {site.partition or 'the default partition'}"
        found += "; a preempted job is submitted again and resumes"
        yield Check("slurm preemption", True, found)
    if cluster.settings.get("JobRequeue") == "1":
        found = "on by default; jobs are submitted with --no-requeue and again by Snakemake"
        yield Check("slurm requeue", True, found)
