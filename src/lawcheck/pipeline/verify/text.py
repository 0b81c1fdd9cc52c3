"""A results folder's graph as a tree of lines and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from lawcheck.pipeline.verify.nodes import Graph


def tree(graph: Graph) -> Iterator[str]:
    """Every artefact above what it was made from; what was told already is told in short."""
    sources = {source for node in graph.nodes.values() for source in node.origins}
    told: set[str] = set()
    for label in graph.nodes:
        if label not in sources:
            yield from _lines(graph, label, 0, told)
    # Nothing is left out, even where records name each other in a circle.
    for label in graph.nodes:
        if label not in told:
            yield from _lines(graph, label, 0, told)


def _lines(graph: Graph, label: str, depth: int, told: set[str]) -> Iterator[str]:
    node = graph.nodes[label]
    again = label in told and bool(node.origins)
    yield f"{'  ' * depth}{label}: {node.state}{' (see above)' if again else ''}"
    if label not in told:
        told.add(label)
        for source in node.origins:
            yield from _lines(graph, source, depth + 1, told)


def summary(graph: Graph) -> str:
    counts = Counter(n.state for n in graph.nodes.values())
    return f"{len(graph.nodes)} artefacts: " + ", ".join(
        f"{n} {state}" for state, n in sorted(counts.items(), key=lambda c: (c[0] != "ok", c[0]))
    )


def as_data(graph: Graph) -> dict[str, Any]:
    return {
        "artefacts": {
            label: {
                "kind": n.kind,
                "path": str(n.path),
                "state": n.state,
                "found": n.line,
                "made_from": n.origins,
            }
            for label, n in graph.nodes.items()
        },
        "faults": len(graph.faults()),
        "notes": graph.notes,
    }
