"""Partitions, nodes, accounts, QOS and settings of a Slurm cluster, read in seconds.

Slurm 22.05 and later. Every command has a short time limit.
"""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lawcheck.errors import InputError

SECONDS = 10
# scontrol -o: KEY=value separated by blanks; a value may hold blanks (OS, Reason).
_PAIR = re.compile(r"(?:^|\s)([A-Z][\w:/]*)=((?:(?!\s[A-Z][\w:/]*=).)*)")
_UNUSABLE = re.compile(r"DOWN|DRAIN|FAIL|FUTURE|NOT_RESPONDING|POWERED_DOWN|INVAL")


@dataclass(frozen=True)
class Node:
    name: str
    cpus: int
    memory_mb: int
    gpus: Mapping[str, int]
    features: frozenset[str]
    usable: bool


@dataclass(frozen=True)
class Partition:
    """minutes, memory_mb: the most a job may ask, None without a limit. accounts, qos: who may
    submit, None for all."""

    name: str
    nodes: tuple[Node, ...]
    minutes: int | None = None
    memory_mb: int | None = None
    up: bool = True
    default: bool = False
    preempt: str = "OFF"
    accounts: frozenset[str] | None = None
    qos: frozenset[str] | None = None

    @property
    def node_memory_mb(self) -> int:
        """The most that one node can give a job."""
        largest = max((n.memory_mb for n in self.nodes), default=0)
        return min(largest, self.memory_mb) if self.memory_mb else largest

    @property
    def gpus(self) -> dict[str, int]:
        """Type -> the most of it on one node."""
        found: dict[str, int] = {}
        for node in self.nodes:
            for kind, count in node.gpus.items():
                found[kind] = max(found.get(kind, 0), count)
        return found


@dataclass(frozen=True)
class Quality:
    """A QOS or an association: the most minutes of a job and the most jobs submitted at once."""

    minutes: int | None = None
    submitted: int | None = None


@dataclass(frozen=True)
class Cluster:
    """accounts: this user's account -> the QOS it may use; None without an accounting database.
    qos: every QOS of the database."""

    settings: Mapping[str, str]
    partitions: Mapping[str, Partition]
    accounts: Mapping[str, frozenset[str]] | None = None
    account_limits: Mapping[str, Quality] = field(default_factory=dict)
    qos: Mapping[str, Quality] = field(default_factory=dict)
    default_account: str = ""

    @property
    def job_age_seconds(self) -> int:
        """How long squeue remembers a job that ended."""
        found = re.match(r"\d+", self.settings.get("MinJobAge", ""))
        return int(found.group()) if found else 300

    def partition(self, name: str) -> Partition | None:
        """The one named, or the first of a list of names; else the default one."""
        if name:
            return self.partitions.get(name.split(",")[0])
        return next((p for p in self.partitions.values() if p.default), None)


def output(command: Sequence[str]) -> str | None:
    """What a command prints; None where it fails, is missing or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def read_cluster() -> Cluster:
    """Raises InputError where slurmctld does not answer."""
    settings = output(["scontrol", "show", "config"])
    partitions = output(["scontrol", "-o", "show", "partition"])
    nodes = output(["scontrol", "-o", "show", "node"])
    if settings is None or partitions is None or nodes is None:
        raise InputError(
            f"slurm: scontrol gave no answer within {SECONDS} s, expected the cluster's "
            f"configuration; ask whether slurmctld is up, then start again"
        )
    members: dict[str, list[Node]] = {}
    for line in nodes.splitlines():
        found = _pairs(line)
        if "NodeName" in found:
            for name in filter(None, found.get("Partitions", "").split(",")):
                members.setdefault(name, []).append(_node(found))
    table = [_pairs(line) for line in partitions.splitlines()]
    here = {p["PartitionName"]: _partition(p, members) for p in table if "PartitionName" in p}
    told = {
        key.strip(): value.strip()
        for key, mark, value in (line.partition("=") for line in settings.splitlines())
        if mark
    }
    if not told.get("AccountingStorageType", "").endswith("/slurmdbd"):
        return Cluster(told, here)
    return _with_accounts(told, here)


def _pairs(line: str) -> dict[str, str]:
    return {m.group(1): m.group(2).strip() for m in _PAIR.finditer(line)}


def _node(found: Mapping[str, str]) -> Node:
    features = found.get("AvailableFeatures", "(null)")
    return Node(
        name=found["NodeName"],
        cpus=int(found.get("CPUEfctv") or found.get("CPUTot") or 1),
        memory_mb=int(found.get("RealMemory") or 0),
        gpus=gpus(found.get("Gres", "")),
        features=frozenset() if features == "(null)" else frozenset(features.split(",")),
        usable=not _UNUSABLE.search(found.get("State", "")),
    )


def gpus(text: str) -> dict[str, int]:
    """Type -> count of a node's generic resources; the empty type is an unnamed one.

    A type begins with a letter or a digit (gpu:4090:8, gpu:1g.10gb:2(S:0)).
    """
    found: dict[str, int] = {}
    for part in re.sub(r"\([^)]*\)", "", text).split(","):
        name, *rest = part.strip().split(":")
        if name != "gpu":
            continue
        count = int(rest.pop()) if rest and rest[-1].isdigit() else 1
        kind = ":".join(rest)
        found[kind] = found.get(kind, 0) + count
    return found


def minutes(text: str) -> int | None:
    """Of Slurm's [days-]hours:minutes:seconds; None for no limit."""
    days, dash, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(p.isdigit() for p in parts) or (dash and not days.isdigit()):
        return None
    numbers = [int(p) for p in parts]
    if dash:
        hours, least, *_ = [*numbers, 0, 0]
    elif len(numbers) == 3:
        hours, least = numbers[:2]
    else:
        hours, least = 0, numbers[0]
    return (int(days or 0) * 24 + hours) * 60 + least


def _partition(found: Mapping[str, str], members: Mapping[str, list[Node]]) -> Partition:
    name = found["PartitionName"]
    memory = found.get("MaxMemPerNode", "")
    return Partition(
        name=name,
        nodes=tuple(members.get(name, ())),
        minutes=minutes(found.get("MaxTime", "")),
        memory_mb=int(memory) if memory.isdigit() and int(memory) else None,
        up=found.get("State", "UP") == "UP",
        default=found.get("Default") == "YES",
        preempt=found.get("PreemptMode", "OFF"),
        accounts=_all_or(found.get("AllowAccounts", "ALL")),
        qos=_all_or(found.get("AllowQos", "ALL")),
    )


def _all_or(text: str) -> frozenset[str] | None:
    return None if text in ("ALL", "") else frozenset(text.split(","))


def _with_accounts(settings: Mapping[str, str], partitions: Mapping[str, Partition]) -> Cluster:
    user = f"user={getpass.getuser()}"
    fields = "format=account,qos,maxsubmit,maxwall"
    associations = output(["sacctmgr", "-nP", "show", "assoc", user, fields])
    quality = output(["sacctmgr", "-nP", "show", "qos", "format=name,maxsubmitpu,maxwall"])
    own = output(["sacctmgr", "-nP", "show", "user", getpass.getuser(), "format=defaultaccount"])
    if associations is None or quality is None:
        return Cluster(settings, partitions)
    accounts: dict[str, frozenset[str]] = {}
    limits: dict[str, Quality] = {}
    for line in associations.splitlines():
        name, allowed, submitted, wall = [*line.split("|"), "", "", ""][:4]
        accounts[name] = accounts.get(name, frozenset()).union(filter(None, allowed.split(",")))
        limits[name] = _quality(submitted, wall)
    rows = [[*line.split("|"), "", ""][:3] for line in quality.splitlines() if line]
    return Cluster(
        settings,
        partitions,
        accounts,
        limits,
        {name: _quality(submitted, wall) for name, submitted, wall in rows},
        (own or "").strip(),
    )


def _quality(submitted: str, wall: str) -> Quality:
    return Quality(minutes(wall), int(submitted) if submitted.isdigit() else None)
