"""Options that several verbs share, and what is read from them."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.errors import InputError, one_line
from lawcheck.files import spool

if TYPE_CHECKING:
    from lawcheck.declare.design import Law, Verdict
    from lawcheck.declare.layout import Layout
    from lawcheck.planning.plan import Planner
    from lawcheck.planning.site import Site

SEED_IN_ID = re.compile(r"-s(\d+)-[0-9a-f]{12}\Z")


STDIN = spool.STDIN
# Options that hold laws, by a name, a file or STDIN.
LAWS = ("law", "laws")


def add_law(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("law", metavar="LAW", help="a name, a file of it, or - for standard input")


def add_laws(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")


def add_verdict(parser: argparse.ArgumentParser) -> None:
    """How a verdict without a law file is given."""
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the verdict here; print it"
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="0 HOLDS, 4 CONTRADICTED, 3 anything else"
    )
    parser.add_argument("--quick", action="store_true", help="the verdict alone")


def written(verdict: Verdict, text: str, arguments: argparse.Namespace) -> int:
    """Give the verdict as `add_verdict` asks; return the exit code. text: it, in words."""
    from lawcheck.files.atomic import atomic_file
    from lawcheck.judging.verdict_forms import exit_code, verdict_json

    if arguments.json and arguments.json != "-":
        with atomic_file(Path(arguments.json)) as part:
            part.write_bytes(verdict_json(verdict))
    as_json = arguments.json == "-"
    sys.stdout.write(verdict_json(verdict).decode() if as_json else text)
    return exit_code(verdict) if arguments.exit_code else 0


def add_places(parser: argparse.ArgumentParser, into: str) -> None:
    """Every verb takes it, and so does what stands before the verb."""
    parser.add_argument(
        "--laws",
        dest=into,
        action="append",
        default=[],
        metavar="PATH",
        help="a law file or a folder of them (repeatable; adds to LAWCHECK_LAWS)",
    )


@contextlib.contextmanager
def resolved(arguments: argparse.Namespace) -> Iterator[None]:
    """Inside, laws have their names, and scores from standard input lie in a file.

    A verb names its options that hold score tables in SCORES. What is left out of the
    declarations from outside is reported at the end, one line each on stderr.
    """
    said = ""
    with contextlib.ExitStack() as stack:
        try:
            _read_scores(arguments, stack)
            places = [*arguments.laws_before, *arguments.laws_after]
            if places:
                _discovery(stack).also(*places)
            for name in LAWS:
                value = getattr(arguments, name, None)
                if isinstance(value, str):
                    setattr(arguments, name, _law(value, stack))
                elif value:
                    setattr(arguments, name, [_law(word, stack) for word in value])
            yield
        except InputError as error:
            said = str(error)
            if spool.named(said) != said:
                raise InputError(spool.named(said)) from error
            raise
        finally:
            _report_left_out(said)


def _law(word: str, stack: contextlib.ExitStack) -> str:
    """The name of a law; a file or standard input joins the laws that are found."""
    if word == STDIN:
        return _discovery(stack).law_in(STDIN, sys.stdin.read()).name
    if word.endswith(".py") or os.sep in word:
        return _discovery(stack).law_in(word).name
    return word


def _discovery(stack: contextlib.ExitStack) -> Any:
    """The module, whose further laws are those of this command."""
    from lawcheck.declare import discovery

    stack.callback(discovery.only_folders)
    return discovery


def _report_left_out(said: str) -> None:
    # Where it was not imported, nothing was looked for.
    discovery = sys.modules.get("lawcheck.declare.discovery")
    for fault in discovery.faults() if discovery else ():
        if fault.line not in said:
            print(f"lawcheck: left out: {one_line(fault.line)}", file=sys.stderr)


def _read_scores(arguments: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    """Copies standard input to a file, where an option for scores names it.

    Raises InputError where it is named more than once.
    """
    scores = getattr(arguments.verb, "SCORES", ())
    named = {o: _listed(getattr(arguments, o, None)) for o in (*LAWS, *scores)}
    times = sum(values.count(STDIN) for values in named.values())
    if times > 1:
        raise InputError(
            f"{arguments.name}: standard input is named {times} times and can be read once; name "
            f"files for the others"
        )
    if not any(STDIN in named[o] for o in scores):
        return
    import tempfile

    content = sys.stdin.buffer.read()
    if not content:
        raise InputError(f"{arguments.name}: no scores on standard input; pipe a table into it")
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lawcheck-"))
    path = os.path.join(folder, f"stdin.{'parquet' if content[:4] == b'PAR1' else 'csv'}")
    Path(path).write_bytes(content)
    for option in scores:
        given = getattr(arguments, option, None)
        found = [path if v == STDIN else v for v in named[option]]
        setattr(arguments, option, found[0] if isinstance(given, str) else given and found)
    stack.enter_context(spool.standing_in(path))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def add_study(parser: argparse.ArgumentParser) -> None:
    """What `study` reads."""
    parser.add_argument("--scale", default="proxy", help="name or YAML file (proxy)")
    add_results(parser)
    parser.add_argument("--seeds", help="a count, or a list such as 0,1,2 (the scale's)")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", default="results", help="results folder (results)")


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait for another live process that writes the same (refuse at once)",
    )


def add_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--record", help="JSON file written when all are done")


# Setting of planning.site -> what it is.
SITE = {
    "account": "account that jobs are charged to",
    "partition": "partition of jobs that need accelerators",
    "cpu_partition": "partition of jobs that need none (the same)",
    "qos": "quality of service",
    "gpu": "accelerator type as Slurm names it, such as h100",
    "constraint": "node features, as sbatch -C takes them",
}


def add_site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", metavar="FILE", help="site file (LAWCHECK_SITE, site.yaml)")
    for name, what in SITE.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default="", help=f"Slurm: {what}")


def site(arguments: argparse.Namespace) -> Site:
    """The site file's settings, with those of the command line before them."""
    from lawcheck.planning.site import load_site

    return load_site(arguments.site).but(vars(arguments))


def _quieten(scale: Any) -> None:
    """Bases that are built here never ask a hub; CPU scales never look for an accelerator."""
    if scale.hardware.device == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if all(base.kind != "pretrained" for base in scale.bases.values()):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def study(arguments: argparse.Namespace, runs: Sequence[str] = ()) -> tuple[Planner, Layout]:
    """Planner and layout; seeds come from --seeds, else from the run ids, else from the scale."""
    from lawcheck.declare.layout import Layout
    from lawcheck.declare.scale import load_scale
    from lawcheck.pipeline.workflow import parse_seeds
    from lawcheck.planning.plan import Planner

    scale = load_scale(arguments.scale)
    _quieten(scale)
    seeds = parse_seeds(getattr(arguments, "seeds", None), scale)
    if runs:
        seeds = tuple(sorted({_seed_of(r) for r in runs}))
    return Planner(scale, seeds), Layout(Path(arguments.results), scale.name)


def _seed_of(run_id: str) -> int:
    match = SEED_IN_ID.search(run_id)
    if not match:
        raise InputError(
            f"run {run_id!r}: expected <arm>-s<seed>-<digest>; `lawcheck plan LAW --runs` lists ids"
        )
    return int(match.group(1))


def judged(names: Sequence[str], planner: Planner, layout: Layout) -> list[Law]:
    """The laws named, or every law with a verdict in the results folder; `controls` is one."""
    from lawcheck.declare import discovery
    from lawcheck.planning.controls import NAME, law_at

    known = dict.fromkeys((*discovery.laws(), NAME))
    found = names or [n for n in known if layout.verdict(n).is_file()]
    if not found:
        raise InputError(
            f"results {layout.root}: no judged law; run: snakemake --profile local all"
        )
    return [law_at(n, planner.scale) for n in found]


def print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False))
