"""Take faulty artefacts away, with all that vouches for them, so that they are made anew.

A workflow engine trusts times: a batch record, a table or a verdict that is newer than its
sources keeps it from looking at them. So everything cheap downstream of a fault goes, while sound
weights and scores stay and are found again by their records.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.errors import InputError
from lawcheck.files.holding import held
from lawcheck.files.origin import record_path
from lawcheck.pipeline.verify.nodes import Graph, Node
from lawcheck.planning import sources

RUN_LOCK = ".lock"
# What costs more than a moment; kept where it is sound.
DEAR = (
    "corpus",
    "base",
    "knowledge",
    "reference",
    "weights",
    "scores",
    "tune scores",
    "checkpoint",
)


def repair(graph: Graph, layout: Layout) -> list[Path]:
    """Remove what is faulty and what was made from it. Returns the files and folders removed.

    Raises InputError, before anything is removed, for a fault outside the results folder and
    for a run that a live process holds.
    """
    faults = graph.faults()
    outside = [n for n in faults if n.kind == "base" and not n.path.parent.exists()]
    if outside:
        raise InputError(f"verify --repair: {outside[0].line}")
    labels = {n.label for n in faults}
    made = graph.downstream(labels)
    doomed = [n for n in graph.nodes.values() if n.label in labels]
    doomed += [n for n in graph.nodes.values() if n.label in made - labels and n.kind not in DEAR]
    runs = {n.name.split()[0] for n in doomed if n.kind in ("weights", "scores", "checkpoint")}
    folders = [layout.run(r) for r in sorted(runs) if layout.run(r).is_dir()]
    removed: list[Path] = []
    with contextlib.ExitStack() as stack:
        for folder in folders:
            lock = folder / RUN_LOCK
            stack.enter_context(held(lock, f"run folder {folder.name!r}"))
        for node in doomed:
            files = (*_files(node, layout, graph.laws), record_path(node.path))
            removed += [path for path in files if _remove(path)]
    return removed


def next_steps(graph: Graph, layout: Layout, scale: str) -> list[str]:
    """The commands that make what was removed again, and nothing of laws that were not run."""
    judged = {n.name for n in graph.nodes.values() if n.kind in ("table", "verdict", "tables")}
    targets = " ".join(f"law_{name}" for name in sorted(judged)) or "all"
    words = f"--config scale={scale} results={layout.results}"
    lines = [f"now run: snakemake --profile local {targets} {words}"]
    report = graph.nodes.get("report")
    if report is not None and not report.path.exists():
        lines.append(f"then: {sources.step(layout, 'report').removeprefix('run: ')}")
    return lines


def _remove(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink()
    else:
        return False
    return True


def _files(node: Node, layout: Layout, laws: Mapping[str, Law]) -> list[Path]:
    """What an artefact consists of, named by the layout and never by a record."""
    if node.kind == "weights":
        return [node.path, layout.adapter(node.name)]
    if node.kind == "checkpoint":
        return [node.path.parent]
    if node.kind == "table":
        return [node.path, layout.provenance(node.name)]
    if node.kind == "tables":
        return _tables(laws[node.name], layout)
    return [node.path]


def _tables(law: Law, layout: Layout) -> list[Path]:
    from lawcheck.show import outputs

    found = outputs(law, layout.tables, Path())
    return [p for p in found if p.parent == layout.tables]
