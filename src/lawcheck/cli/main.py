"""The command line: thin verbs over the stages. Exit 2 = bad input, one line, no traceback.

A process that SIGTERM or Ctrl-C ended exits with 128 + the signal's number.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from lawcheck.cli import extras, verbs
from lawcheck.errors import InputError, one_line, wrong_path
from lawcheck.files import interruption
from lawcheck.files.refusals import one_voice, refusal


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    odd = next((w for w in argv if not _is_text(w)), None)
    if odd is not None:
        print(f"lawcheck: argument {one_line(odd)}: not UTF-8 text; name another", file=sys.stderr)
        return 2
    arguments = parser(argv[0] if argv else None).parse_args(argv)
    arguments.command = argv
    _set_environment()
    try:
        with one_voice(), interruption.listening():
            extras.check(getattr(arguments.verb, "NEEDS", ()))
            return int(arguments.verb.run(arguments) or 0)
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
    except ModuleNotFoundError as error:
        line = extras.advice(error)
        if line is None:
            raise
        print(f"lawcheck {arguments.name}: {line}", file=sys.stderr)
        return 2
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


def parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """Of the verb that is wanted alone, where there is one of that name; else of all verbs."""
    whole = argparse.ArgumentParser(prog="lawcheck", description=__doc__.split("\n")[0])
    subparsers = whole.add_subparsers(required=True, metavar="VERB")
    for name, verb in _verbs(wanted).items():
        line = (verb.__doc__ or "").partition("\n")[0].removesuffix(".")
        text = line[:1].lower() + line[1:]
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(name=name, verb=verb)
        verb.add(sub)
    return whole


def _verbs(wanted: str | None) -> dict[str, ModuleType]:
    """Modules of `lawcheck.cli.verbs` in their order; `_` ends a name that Python keeps."""
    names = {m.name.rstrip("_"): m.name for m in pkgutil.iter_modules(verbs.__path__)}
    names = {wanted: names[wanted]} if wanted in names else names
    found = {n: importlib.import_module(f"{verbs.__name__}.{m}") for n, m in names.items()}
    return dict(sorted(found.items(), key=lambda item: (item[1].ORDER, item[0])))
