"""Statistics of the corpus and n-gram diversity of every mixture."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_study, study

ORDER = 50
GROUP = "study"
EXAMPLES = ("lawcheck mixtures --scale proxy",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.corpus.statistics import write_mixtures
    from lawcheck.declare import discovery

    planner, layout = study(arguments)
    scale = planner.scale
    found = write_mixtures(scale, discovery.laws_of(scale.studies), layout)
    for label, entry in sorted(found["mixtures"].items()):
        print(f"{entry['distinct_share']:.6f}  {sum(entry['rows'].values()):>8}  {label}")
