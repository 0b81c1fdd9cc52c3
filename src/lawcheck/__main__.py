"""The command line: thin verbs over the stages. Exit 2 = bad input, one line, no traceback.

A process that SIGTERM or Ctrl-C ended exits with 128 + the signal's number.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lawcheck.cli import verbs
from lawcheck.errors import InputError, one_line, wrong_path
from lawcheck.files import interruption
from lawcheck.files.refusals import one_voice, refusal


def main(argv: Sequence[str] | None = None) -> int:
    odd = next((w for w in (sys.argv[1:] if argv is None else argv) if not _is_text(w)), None)
    if odd is not None:
        print(f"lawcheck: argument {one_line(odd)}: not UTF-8 text; name another", file=sys.stderr)
        return 2
    parser = _parser()
    arguments = parser.parse_args(argv)
    arguments.command = list(sys.argv[1:] if argv is None else argv)
    _set_environment()
    try:
        with one_voice(), interruption.listening():
            return int(arguments.verb(arguments) or 0)
    except InputError as error:
        print(f"lawcheck: {one_line(str(error))}", file=sys.stderr)
        return 2
    except interruption.Interrupted as end:
        print(f"lawcheck: {end.line}", file=sys.stderr)
        return end.status
    except BrokenPipeError:
        # The reader of a pipe left early; that is its right.
        sys.stderr.close()
        return 0
    except Exception as error:
        line = refusal(error) or wrong_path(error)
        if line is None:
            raise
        print(f"lawcheck: {one_line(line)}", file=sys.stderr)
        return 2


def _is_text(word: str) -> bool:
    """Whether every library downstream can take it for text: no bytes that are no UTF-8, no NUL."""
    return "\0" not in word and not any("\ud800" <= c <= "\udfff" for c in word)


def _set_environment() -> None:
    """One compute thread per process, no hub, caches inside the project; the user's own wins."""
    cache = Path.cwd() / ".cache"
    defaults = {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HOME": str(cache / "huggingface"),
        "TORCH_EXTENSIONS_DIR": str(cache / "torch_extensions"),
        "MPLCONFIGDIR": str(cache / "matplotlib"),
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lawcheck", description=__doc__.split("\n")[0])
    subparsers = parser.add_subparsers(required=True, metavar="VERB")

    def verb(
        name: str,
        run: Any,
        text: str,
        *,
        law: bool = False,
        study: bool = True,
        waits: bool = False,
    ) -> Any:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(verb=run)
        if law:
            sub.add_argument("law", metavar="LAW", help="with or without the prefix law_")
        if study:
            sub.add_argument("--scale", default="proxy", help="name or YAML file (proxy)")
            sub.add_argument("--results", default="results", help="results folder (results)")
            sub.add_argument("--seeds", help="a count, or a list such as 0,1,2 (the scale's)")
        if waits:
            sub.add_argument(
                "--wait",
                type=float,
                default=0.0,
                metavar="SECONDS",
                help="wait for another live process that writes the same (refuse at once)",
            )
        return sub

    sub = verb(
        "list", verbs.run_list, "what is there: studies, laws, methods and so on", study=False
    )
    sub.add_argument("--names", action="store_true", help="names of laws only")
    sub.add_argument("--json", action="store_true")

    sub = verb("plan", verbs.run_plan, "runs, tokens and cost of a law", law=True)
    sub.add_argument("--arm", help="this arm only")
    sub.add_argument("--runs", action="store_true", help="print run ids only")
    sub.add_argument(
        "--hardware",
        metavar="NAME",
        help="a800, h100, h200 or a YAML file: plan hours and memory on it",
    )
    sub.add_argument(
        "--pilot", action="append", metavar="SCORES", help="seeds needed, from a pilot's scores"
    )
    sub.add_argument("--json", action="store_true")

    sub = verb("doctor", verbs.run_doctor, "what is missing for a scale, one line a check")
    sub.add_argument("--law", action="append", help="room for this law's runs (repeatable; all)")
    sub.add_argument("--partition", default="", help="Slurm partition that jobs will use")
    sub.add_argument("--account", default="", help="Slurm account that jobs will use")
    sub.add_argument("--gpu", default="", help="accelerator type as Slurm names it, such as h100")
    sub.add_argument("--record", help="JSON file written where nothing is missing")

    sub = verb("corpus", verbs.run_corpus, "write the scale's corpus", waits=True)
    sub.add_argument(
        "--report", action="store_true", help="text shared between training and evaluation"
    )
    sub.add_argument(
        "--lock", action="store_true", help="fetch and pin public data sets (sources.lock.yaml)"
    )
    sub.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="SET",
        help="accept this data set's row count although it is not the published one (repeatable)",
    )

    verb(
        "mixtures",
        verbs.run_mixtures,
        "statistics of the corpus and n-gram diversity of every mixture",
    )

    sub = verb("base", verbs.run_base, "build base models that are not shipped", waits=True)
    sub.add_argument("--base", default="default")
    sub.add_argument("--seed", type=int, help="one seed (all of the scale's)")
    sub.add_argument("--rebuild", action="store_true", help="build even if one is there")
    sub.add_argument("--compare", action="store_true", help="rebuild, compare with the shipped")
    sub.add_argument("--ship", action="store_true", help="rebuild and replace the shipped")

    for name, run, text in (
        ("train", verbs.run_train, "train runs"),
        ("evaluate", verbs.run_evaluate, "score runs through lm-evaluation-harness"),
    ):
        sub = verb(name, run, text, waits=name == "train")
        sub.add_argument("runs", nargs="+", metavar="RUN")
        sub.add_argument("--record", help="JSON file written when all are done")
        if name == "evaluate":
            sub.add_argument("--split", choices=("eval", "tune"), default="eval")
        else:
            sub.add_argument(
                "--scores", help="score the runs in the same process; JSON file as --record"
            )

    verb("collect", verbs.run_collect, "one score table for a law", law=True)

    sub = verb("judge", verbs.run_judge, "the verdict on a law", law=True, study=False)
    sub.add_argument("--scale", help="the scale the scores come from (none: your own scores)")
    sub.add_argument("--scores", required=True, action="append", help="Parquet or CSV table")
    sub.add_argument("--json", help="write the verdict here")
    sub.add_argument(
        "--looks",
        type=int,
        help="planned looks at growing data (5 seeds, then 10: 2); as preregistered, else 1",
    )
    sub.add_argument(
        "--exit-code",
        action="store_true",
        help="0 HOLDS, 3 NOT SHOWN or INCONCLUSIVE, 4 CONTRADICTED",
    )

    sub = verb("import", verbs.run_import, "your own results into a score table", study=False)
    sub.add_argument("paths", nargs="+", metavar="PATH", help="lm-eval output, CSV or Parquet")
    sub.add_argument("--out", required=True, help="Parquet file to write")
    sub.add_argument("--map", help="YAML: runs, tasks, metrics, columns (docs/your-own-results.md)")
    sub.add_argument("--arm", help="arm of everything that is read")
    sub.add_argument("--seed", type=int, action="append", help="its seed (repeatable)")
    sub.add_argument("--partial", action="store_true", help="leave out runs without arm or seed")

    sub = verb(
        "render", verbs.run_render, "tables and figures of judged laws, from their scores alone"
    )
    sub.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")
    sub.add_argument("--figures", default="paper_figures")

    sub = verb(
        "report", verbs.run_report, "one HTML page about the judged laws of a scale", study=False
    )
    sub.add_argument("--scale", help="name or YAML file (that of --from, else proxy)")
    sub.add_argument("--results", default="results", help="results folder (results)")
    sub.add_argument(
        "--from",
        dest="source",
        metavar="FOLDER",
        help="a scale's folder with laws/ in it, such as results/reference/proxy",
    )
    sub.add_argument("--out", help="folder of index.html (report/ beside the verdicts)")

    sub = verb("publish", verbs.run_publish, "copy scores, verdicts and tables to tracked folders")
    sub.add_argument("laws", nargs="*", metavar="LAW", help="every judged law if none is named")
    sub.add_argument("--out", default="results/reference")

    sub = verb("audit", verbs.run_audit, "check the published tables", study=False)
    sub.add_argument("--out", default="results/audit", help="folder of findings and plots")

    sub = verb(
        "preregister", verbs.run_preregister, "record the digest of a law's design", law=True
    )
    sub.add_argument("--out", default="reproduce/preregistered")
    sub.add_argument("--looks", type=int, default=1, help="planned looks at growing data (1)")

    sub = verb("verify", verbs.run_verify, "hold a scale's results against their records")
    sub.add_argument("--json", action="store_true")
    sub.add_argument(
        "--repair",
        action="store_true",
        help="remove what is faulty and what vouches for it, so that it is made anew",
    )

    sub = verb("tune", verbs.run_tune, "search learning rates on the tuning split")
    sub.add_argument("--method", action="append", help="this method only (repeatable)")
    sub.add_argument("--law", action="append", help="on arms of this law (all of the scale)")
    sub.add_argument("--out", default="reproduce/tuning", help="folder of the search record")

    sub = verb("tasks", verbs.run_tasks, "the folder for lm_eval --include_path", study=False)
    sub.add_argument("--list", action="store_true", help="the paper's tasks and their settings")
    sub.add_argument("--data", help="folder of released files: count items, copies, contradictions")
    sub.add_argument("--out", help="with --data: write task files over those files here")
    sub.add_argument(
        "--scores", action="append", help="score table: tasks apart, macro and micro mean"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
