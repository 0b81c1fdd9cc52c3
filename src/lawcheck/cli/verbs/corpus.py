"""Write the scale's corpus."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from lawcheck.cli.options import add_study, add_wait, study
from lawcheck.errors import InputError

if TYPE_CHECKING:
    from lawcheck.declare.layout import Layout

ORDER = 40
GROUP = "study"
EXAMPLES = ("lawcheck corpus --scale smoke",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_wait(parser)
    parser.add_argument(
        "--report", action="store_true", help="text shared between training and evaluation"
    )
    parser.add_argument(
        "--lock", action="store_true", help="fetch and pin public data sets (sources.lock.yaml)"
    )
    parser.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="SET",
        help="accept this data set's row count although it is not the published one (repeatable)",
    )


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.corpus.build import build_corpus
    from lawcheck.declare.worlds import data_folder
    from lawcheck.files.holding import held

    planner, layout = study(arguments)
    if arguments.lock:
        from lawcheck.corpus.streamed import lock_sources

        print(lock_sources(planner.scale))
        return
    if arguments.report:
        if _print_counts(planner.scale, layout):
            return
        from lawcheck.corpus.decontaminate import report

        data = data_folder(planner.scale)
        if data is None:
            raise InputError(
                f"corpus report: scale {planner.scale.name!r} is generated, its splits cannot "
                f"share text; name a scale of real data such as slices"
            )
        for row in report(data, planner.scale.world):
            print("  ".join(f"{key} {value}" for key, value in row.items()))
        return
    what = f"corpus of scale {planner.scale.name!r}"
    with held(layout.root / ".corpus.lock", what, arguments.wait):
        manifest = build_corpus(planner.scale, layout.corpus, arguments.accept)
    for name, entry in sorted(manifest["files"].items()):
        print(f"{entry['rows']:>8}  {name}")


def _print_counts(scale: Any, layout: Layout) -> bool:
    """The tables of a streamed corpus, from its manifest; False for other worlds."""
    from lawcheck.declare.worlds import pinned_sources

    if pinned_sources(scale) is None:
        return False
    from lawcheck.corpus.build import check_corpus
    from lawcheck.corpus.sources.tables import count_table, removal_table
    from lawcheck.files.records import StreamedManifest, fitting

    where, step = str(layout.manifest), f"run: lawcheck corpus --scale {scale.name}"
    manifest = fitting(check_corpus(layout.corpus, scale), StreamedManifest, where, step)
    print("\n".join((*count_table(manifest), "", *removal_table(manifest))))
    return True
