"""One artefact of a results folder beside its record, and the graph they form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lawcheck.declare.design import Law
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.origin import OriginError, label


@dataclass
class Node:
    """state: ok, missing, changed, stale, foreign, unrecorded, or unfinished and unchecked.

    path: of its main file. line: what is wrong, in one line. origins: labels of what it was made
    from. digest: what its dependants must have recorded; None where the node is no measure.
    """

    kind: str
    name: str
    path: Path
    state: str = "ok"
    line: str = ""
    origins: list[str] = field(default_factory=list)
    digest: str | None = None

    @property
    def label(self) -> str:
        return label(self.kind, self.name)

    @property
    def faulty(self) -> bool:
        return self.state not in ("ok", "unfinished", "unchecked")


class Graph:
    """Nodes by label. laws: those whose artefacts it looks at. notes: lines on what was left aside,
    no faults.
    """

    laws: dict[str, Law]

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.notes: list[str] = []

    def faults(self) -> list[Node]:
        return [n for n in self.nodes.values() if n.faulty]

    def downstream(self, labels: Iterable[str]) -> set[str]:
        """Everything that was made from one of the nodes, directly or not; not they themselves."""
        found: set[str] = set()
        waiting = set(labels)
        while waiting:
            waiting = {n.label for n in self.nodes.values() if waiting & {*n.origins}} - found
            found |= waiting
        return found

    def add(self, kind: str, name: str, path: Path, check: Callable[[Node], None]) -> str:
        """Add the node if it is new, with what `check` finds wrong. Returns its label."""
        node = Node(kind, name, path)
        if node.label in self.nodes:
            return node.label
        self.nodes[node.label] = node
        try:
            check(node)
        except OriginError as fault:
            node.state, node.line = fault.state, str(fault)
        except InputError as error:
            node.state, node.line = "changed", f"{node.label}: changed, {path}: {error}"
        except OSError as error:
            node.state = "changed"
            node.line = f"{node.label}: changed, {path}: cannot be read ({error.strerror})"
        return node.label

    def compare(self, node: Node, how: str, *more: str) -> origin.Origin:
        """A node's files with its record, and the record with its sources' digests of now.

        how: the next step. more: sources beside node.origins. A source that is itself faulty is
        reported as such, not again for everything that was made from it. Raises OriginError.
        """
        found = origin.require(node.path, node.kind, node.name, how)
        node.digest = found.digest
        wanted = {*node.origins, *more}
        for source in sorted(wanted | set(found.made_from)):
            was = found.made_from.get(source)
            there = self.nodes.get(source) if source in wanted else None
            if there is not None and (there.faulty or there.digest is None):
                continue
            now = there.digest if there else None
            if was != now:
                odd = [f"{source} {d[:12]}" if d else f"no {source}" for d in (was, now)]
                raise OriginError("stale", node.label, node.path, odd[0], odd[1], how)
        return found


def require_there(node: Node, how: str) -> None:
    """Raises OriginError where neither the artefact nor its record exists."""
    if not node.path.exists() and not origin.record_path(node.path).exists():
        raise OriginError("missing", node.label, node.path, "no file", f"the {node.kind}", how)
