"""Hold a scale's results against their records."""

from __future__ import annotations

import argparse
import sys

from lawcheck.cli.options import add_study, print_json, study
from lawcheck.errors import InputError, one_line

ORDER = 170
GROUP = "integrity"
EXAMPLES = (
    "lawcheck verify --scale proxy",
    "lawcheck verify --scale proxy --repair",
)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="remove what is faulty and its records, so that it is made again",
    )


def run(arguments: argparse.Namespace) -> int:
    from lawcheck.declare import discovery
    from lawcheck.pipeline.verify import text
    from lawcheck.pipeline.verify.published import Published, is_published
    from lawcheck.pipeline.verify.repair import next_steps, repair
    from lawcheck.pipeline.verify.walk import Walk

    planner, layout = study(arguments)
    if not layout.root.is_dir():
        raise InputError(
            f"verify: no results of scale {planner.scale.name!r} in {layout.results}; name the "
            f"folder with --results"
        )
    published = is_published(layout)
    graph = Published(planner, layout) if published else Walk(planner, layout)
    faults = graph.faults()
    if arguments.json:
        print_json(text.as_data(graph))
    else:
        print("\n".join([*text.tree(graph), *graph.notes, text.summary(graph)]))
    for node in faults:
        print(f"lawcheck: {one_line(node.line)}", file=sys.stderr)
    if not faults:
        return 0
    again = f"--scale {arguments.scale} --results {layout.results}"
    if published:
        raise InputError(f"verify {layout.root}: {len(faults)} faults in a published copy")
    # What a law that was left out had made looks as if nobody asked for it.
    for fault in discovery.faults() if arguments.repair else ():
        raise InputError(fault.line)
    if not arguments.repair:
        raise InputError(
            f"verify {layout.root}: {len(faults)} faults; run: lawcheck verify --repair {again}"
        )
    for path in repair(graph, layout):
        print(f"removed {path}")
    print("\n".join(next_steps(graph, layout, arguments.scale)))
    return 0
