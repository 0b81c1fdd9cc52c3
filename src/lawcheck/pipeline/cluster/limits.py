"""What jobs ask against what a cluster gives, one line a difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lawcheck.pipeline.cluster.reading import Cluster, Partition
from lawcheck.planning.site import Site


@dataclass(frozen=True)
class Ask:
    """What sbatch gets for one job. gpus: on a node. None or empty where nothing is asked."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""
    nodes: int = 1
    cpus: int = 1
    memory_mb: int | None = None
    minutes: int | None = None
    gpu: str = ""
    gpus: int = 0

    @classmethod
    def of(cls, resources: Mapping[str, Any]) -> Ask:
        """From resources by the names of Snakemake's Slurm executor."""
        kind, count = _gpus(resources)
        return cls(
            partition=_text(resources, "slurm_partition"),
            account=_text(resources, "slurm_account"),
            qos=_text(resources, "qos"),
            constraint=_text(resources, "constraint"),
            nodes=_number(resources, "nodes") or 1,
            cpus=_number(resources, "cpus_per_task") or _number(resources, "_cores") or 1,
            memory_mb=_number(resources, "mem_mb"),
            minutes=_number(resources, "runtime"),
            gpu=kind,
            gpus=count,
        )


def _text(resources: Mapping[str, Any], name: str) -> str:
    value = resources.get(name)
    return "" if value is None else str(value)


def _number(resources: Mapping[str, Any], name: str) -> int | None:
    value = resources.get(name)
    return value if isinstance(value, int) else None


def _gpus(resources: Mapping[str, Any]) -> tuple[str, int]:
    per_node = re.search(r"--gpus-per-node[= ](\S+)", _text(resources, "slurm_extra"))
    gres = per_node.group(1) if per_node else _text(resources, "gres").removeprefix("gpu:")
    if per_node or _text(resources, "gres").startswith("gpu:"):
        kind, _, count = gres.rpartition(":")
        return kind, int(count) if count.isdigit() else 1
    return _text(resources, "gpu_model"), _number(resources, "gpu") or 0


def differences(cluster: Cluster, ask: Ask) -> Iterator[tuple[str, str]]:
    """(what, line) of whatever Slurm would refuse or leave pending for ever.

    Of several partitions (a,b) each must exist, and one must fit.
    """
    names = ask.partition.split(",")
    found = [[*_in_one(cluster, replace(ask, partition=name))] for name in names]
    known = [lines for name, lines in zip(names, found, strict=True) if cluster.partition(name)]
    for name, lines in zip(names, found, strict=True):
        if not cluster.partition(name):
            yield from lines
    yield from min(known, key=len, default=())


def _in_one(cluster: Cluster, ask: Ask) -> Iterator[tuple[str, str]]:
    partition = cluster.partition(ask.partition)
    if partition is None:
        found = (
            f"{ask.partition!r} does not exist" if ask.partition else "none is named, by default"
        )
        yield "partition", f"{found}; choose one of {_listed(cluster.partitions)}"
        return
    if not partition.up:
        yield "partition", f"{partition.name!r} takes no jobs now; wait or take another"
    yield from _names(cluster, ask, partition)
    yield from _sizes(cluster, ask, partition)


def differences_of_site(cluster: Cluster, site: Site) -> Iterator[tuple[str, str]]:
    """Of a site's names alone, in both its partitions, with the least that a job asks."""
    gpus = 1 if site.gpu else 0
    named = Ask(site.partition, site.account, site.qos, site.constraint, gpu=site.gpu, gpus=gpus)
    yield from differences(cluster, named)
    if site.cpu_partition:
        yield from differences(cluster, Ask(site.cpu_partition, site.account, site.qos))


def choices(cluster: Cluster | None, setting: str) -> list[str]:
    """What a site's setting may be here; empty where that is not known."""
    if cluster is None:
        return []
    nodes = [node for partition in cluster.partitions.values() for node in partition.nodes]
    known: dict[str, Iterable[str]] = {
        "account": cluster.accounts or (),
        "partition": cluster.partitions,
        "cpu_partition": cluster.partitions,
        "qos": cluster.qos,
        "gpu": {kind for node in nodes for kind in node.gpus},
        "constraint": {feature for node in nodes for feature in node.features},
    }
    return sorted(filter(None, known[setting]))


def _names(cluster: Cluster, ask: Ask, partition: Partition) -> Iterator[tuple[str, str]]:
    account = ask.account or cluster.default_account
    if cluster.accounts is not None:
        mine = cluster.accounts
        enforced = "associations" in cluster.settings.get("AccountingStorageEnforce", "")
        if ask.account and ask.account not in mine:
            yield "account", f"{ask.account!r} is none of yours; choose one of {_listed(mine)}"
        elif not mine and enforced:
            yield "account", "this user has none; ask the cluster's administrators"
        if ask.qos and ask.qos not in cluster.qos:
            yield "QOS", f"{ask.qos!r} does not exist; choose one of {_listed(cluster.qos)}"
        elif ask.qos and account in mine and ask.qos not in mine[account]:
            allowed = _listed(mine[account])
            yield "QOS", f"{ask.qos!r} is not open to account {account!r}; it has {allowed}"
    where = f"partition {partition.name!r}"
    if partition.accounts is not None and account and account not in partition.accounts:
        yield "account", f"{account!r} may not use {where}; it takes {_listed(partition.accounts)}"
    if partition.qos is not None and ask.qos and ask.qos not in partition.qos:
        yield "QOS", f"{ask.qos!r} may not use {where}; it takes {_listed(partition.qos)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(filter(None, names))) or "none"


def longest(cluster: Cluster, ask: Ask) -> int | None:
    """The most minutes that a job of this partition, QOS and account may ask."""
    partition = cluster.partition(ask.partition)
    account = cluster.account_limits.get(ask.account or cluster.default_account)
    quality = cluster.qos.get(ask.qos)
    limits = (part.minutes for part in (partition, account, quality) if part is not None)
    return min((m for m in limits if m is not None), default=None)


def largest_mb(cluster: Cluster, ask: Ask) -> int | None:
    """The most memory that a node of the partition gives a job."""
    partition = cluster.partition(ask.partition)
    return (partition.node_memory_mb or None) if partition else None


def submitted(cluster: Cluster, ask: Ask) -> int | None:
    """How many jobs may be submitted at once, None without a limit."""
    account = cluster.account_limits.get(ask.account or cluster.default_account)
    quality = cluster.qos.get(ask.qos or "normal")
    limits = (part.submitted for part in (account, quality) if part is not None)
    return min((n for n in limits if n is not None), default=None)


def _sizes(cluster: Cluster, ask: Ask, partition: Partition) -> Iterator[tuple[str, str]]:
    where = f"partition {partition.name!r}"
    most = longest(cluster, ask)
    if ask.minutes is not None and most is not None and ask.minutes > most:
        yield "time", f"{ask.minutes} minutes asked, {most} at most in {where} with this QOS"
    if not partition.nodes:
        yield "partition", f"{partition.name!r} has no nodes; take another"
        return
    memory = partition.node_memory_mb
    cpus = max(n.cpus for n in partition.nodes)
    if ask.memory_mb is not None and memory and ask.memory_mb > memory:
        yield "memory", f"{ask.memory_mb} MB a node asked, {memory} at most in {where}"
    if ask.cpus > cpus:
        yield "processors", f"{ask.cpus} a node asked, {cpus} at most in {where}"
    if ask.cpus > cpus or (ask.memory_mb and memory and ask.memory_mb > memory):
        return
    if ask.constraint and re.fullmatch(r"[\w.+-]+", ask.constraint):
        features = {name for node in partition.nodes for name in node.features}
        if ask.constraint not in features:
            there = _listed(features)
            yield "constraint", f"no node of {where} has {ask.constraint!r}; there is {there}"
            return
    yield from _accelerators(ask, partition, where)


def _accelerators(ask: Ask, partition: Partition, where: str) -> Iterator[tuple[str, str]]:
    if ask.gpus and ask.gpu and ask.gpu not in partition.gpus:
        yield "GPU type", f"{ask.gpu!r} is not in {where}; it has {_listed(partition.gpus)}"
        return
    able = sum(
        (n.gpus.get(ask.gpu, 0) if ask.gpu else sum(n.gpus.values())) >= ask.gpus
        and n.cpus >= ask.cpus
        and n.memory_mb >= (ask.memory_mb or 0)
        for n in partition.nodes
    )
    if able < ask.nodes:
        gpus = f"{ask.gpus} GPUs{f' {ask.gpu}' if ask.gpu else ''}, " if ask.gpus else ""
        yield (
            "nodes",
            f"{ask.nodes} with {gpus}{ask.cpus} processors and {ask.memory_mb or 0} MB each asked, "
            f"{able} in {where}",
        )
