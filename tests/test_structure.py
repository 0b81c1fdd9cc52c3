"""Rooms of the package depend in one direction, and no module depends on itself through others.

Imports inside functions count; imports for type checkers only do not.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import lawcheck

# Low to high: a room imports from itself and from those before it.
ROOMS = (
    "errors",
    "proxy_world",
    "files",
    "declare",
    "methods",
    "corpus",
    "disciplines",
    "planning",
    "scores",
    "training",
    "evaluation",
    "judging",
    "show",
    "studies",
    "pipeline",
    "cli",
)
# Modules outside a room, and the room whose place they take.
STAND_FOR = {"": "errors", "__main__": "cli", "lm_eval_cli": "cli"}
FOLDER = Path(lawcheck.__file__).parent


def name_of(path: Path) -> str:
    """Dotted name below the package; empty for the package itself."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(p): p for p in sorted(FOLDER.rglob("*.py"))}


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below, without what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from executed(child)


def imports(path: Path) -> set[str]:
    """Modules of the package that a file names in an import: the submodule, where it is one."""
    found = set()
    for node in executed(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner.removeprefix("lawcheck.") in MODULES
                found.add(inner if is_module else str(node.module))
    inside = {n.removeprefix("lawcheck").removeprefix(".") for n in found if inside_package(n)}
    return inside & MODULES.keys() - {name_of(path)}


def inside_package(name: str) -> bool:
    return name == "lawcheck" or name.startswith("lawcheck.")


GRAPH = {name: imports(path) for name, path in MODULES.items()}


def rank(module: str) -> int:
    room = module.split(".")[0]
    return ROOMS.index(STAND_FOR.get(room, room))


def test_every_import_goes_down():
    arrows = {(a, b) for a, above in GRAPH.items() for b in above if a}
    up = {(a, b) for a, b in arrows if rank(a) < rank(b)}
    assert not up, "imports from a higher room: move the name, or hand it in"


def test_no_module_imports_itself_through_others():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        raise AssertionError(f"circle: {' <- '.join(error.args[1])}") from None
