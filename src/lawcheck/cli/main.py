"""The command line: thin verbs over the stages. Exit 2 = bad input, one line, no traceback.

A process that SIGTERM or Ctrl-C ended exits with 128 + the signal's number. `lawcheck` alone
prints its help and exits 2: nothing was asked for.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from lawcheck import __version__
from lawcheck.cli import extras, options, verbs
from lawcheck.errors import InputError, look_up, nearest, one_line, wrong_path
from lawcheck.files import interruption
from lawcheck.files.refusals import one_voice, refusal

# Verbs by who asks, in the order of the help; a verb's GROUP is one of the keys.
GROUPS = {
    "judge": "judge your own results",
    "study": "run a study",
    "inspect": "look at what is there",
    "integrity": "clusters and integrity",
    "publish": "record and publish",
}
USAGE = "lawcheck [--laws PATH] VERB ..."
EXAMPLES = (
    "lawcheck init my_law",
    "lawcheck import my_law/runs.csv --map my_law/map.yaml --out scores.parquet",
    "lawcheck judge my_law/laws/ours_beats_theirs.py --scores scores.parquet",
    "lawcheck show share_then_specialize",
    "lawcheck plan share_then_specialize",
)


def main(argv: Sequence[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    odd = next((w for w in argv if not _is_text(w)), None)
    if odd is not None:
        return _refused(f"argument {one_line(odd)}: not UTF-8 text; name another")
    if not argv:
        print(help_text(), file=sys.stderr)
        return 2
    try:
        arguments = _parsed(argv)
    except InputError as error:
        return _refused(str(error))
    except BrokenPipeError:
        return _left()
    arguments.command = argv
    _set_environment()
    try:
        with one_voice(), interruption.listening(), options.resolved(arguments):
            extras.check(getattr(arguments.verb, "NEEDS", ()))
            return int(arguments.verb.run(arguments) or 0)
    except InputError as error:
        return _refused(str(error))
    except interruption.Interrupted as end:
        print(f"lawcheck: {end.line}", file=sys.stderr)
        return end.status
    except BrokenPipeError:
        return _left()
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
        return _refused(line)


def _left() -> int:
    """The reader of a pipe left early; that is its right."""
    sys.stderr.close()
    return 0


def _refused(line: str) -> int:
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


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    """Raises InputError for an unknown verb or option, with the nearest that there is."""
    word = next(_words(argv), None)
    if word is not None:
        look_up(word, dict.fromkeys(_names()), f"verb {word!r}: unknown")
    whole = parser(word)
    if word is not None:
        known = [o for o in whole.verbs[word]._option_string_actions if o.startswith("--")]
        for given in (w.partition("=")[0] for w in argv[argv.index(word) :]):
            if given == "--":
                break
            # Options may be cut short.
            if given.startswith("--") and not any(o.startswith(given) for o in known):
                raise InputError(f"{word}: option {given!r}: unknown; {nearest(given, known)}")
    arguments, left = whole.parse_known_args(argv)
    if left:
        raise InputError(f"{word}: argument {left[0]!r}: expected none; lawcheck {word} --help")
    return arguments


def _words(argv: Sequence[str]) -> Iterator[str]:
    """The arguments that are no options, without the values of those before the verb."""
    rest = iter(argv)
    for word in rest:
        if word == "--laws":
            next(rest, None)
        elif not word.startswith("-"):
            yield word


class Parser(argparse.ArgumentParser):
    """Whose errors are one line. verbs: the parser of each."""

    verbs: Mapping[str, argparse.ArgumentParser]

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {one_line(message)}; see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        python = ".".join(map(str, sys.version_info[:3]))
        commit = _commit()
        print(f"lawcheck {__version__} (Python {python}{f', commit {commit}' if commit else ''})")
        sys.exit(0)


def _commit() -> str:
    """Of the source tree that this is; empty for an installed copy."""
    source = Path(__file__).resolve().parents[3]
    if not (source / ".git").exists():
        return ""
    import subprocess

    command = ["git", "-C", str(source), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        print(help_text())
        sys.exit(0)


def help_text() -> str:
    """Every verb in one line, by who asks for it, then examples."""
    found = _verbs(_names())
    width = max(map(len, found))
    lines = [f"usage: {USAGE}", "", "Empirical claims as laws: judged on scores, yours or its own."]
    for group, title in GROUPS.items():
        own = {n: v for n, v in found.items() if group == v.GROUP}
        lines += ["", f"{title}:"]
        for name, verb in own.items():
            head = f"  {name:<{width}}  "
            lines += textwrap.wrap(
                _line(verb), 80, initial_indent=head, subsequent_indent=" " * len(head)
            )
    lines += [
        "",
        "options:",
        f"  {'--laws PATH':<{width}}  a law file or a folder of them (repeatable; any verb)",
        f"  {'--version':<{width}}  version, Python and commit",
        "",
        "LAW is a name, a file such as laws/ours_wins.py, or - for standard input.",
        "Bad input: one line, exit 2. Options and examples: lawcheck VERB --help.",
        "",
        "examples:",
        *(f"  {line}" for line in EXAMPLES),
    ]
    return "\n".join(lines)


def parser(wanted: str | None = None) -> Parser:
    """Of the verb that is wanted alone, where there is one of that name; else of all verbs."""
    whole = Parser(prog="lawcheck", add_help=False, usage=USAGE)
    whole.add_argument("-h", "--help", action=_Help, nargs=0)
    whole.add_argument("--version", action=_Version, nargs=0)
    options.add_places(whole, "laws_before")
    subparsers = whole.add_subparsers(required=True, metavar="VERB", prog="lawcheck")
    for name, verb in _verbs([wanted] if wanted in _names() else _names()).items():
        examples = "\n".join(f"  {line}" for line in verb.EXAMPLES)
        sub = subparsers.add_parser(
            name,
            description=" ".join((verb.__doc__ or "").split()),
            epilog=f"examples:\n{examples}",
            formatter_class=_Wrapped,
        )
        sub.set_defaults(name=name, verb=verb)
        verb.add(sub)
        options.add_places(sub, "laws_after")
    whole.verbs = subparsers.choices
    return whole


class _Wrapped(argparse.HelpFormatter):
    """Wraps the description and keeps the lines of the examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return text
        return super()._fill_text(text, width, indent)


def _line(verb: ModuleType) -> str:
    """A verb's first line, as one of a list."""
    line = (verb.__doc__ or "").partition("\n")[0].removesuffix(".")
    name = len(line.split()[0]) > 1 and line[:2].isupper()
    return line if name else line[:1].lower() + line[1:]


def _names() -> dict[str, str]:
    """Verb -> its module; `_` ends a name that Python keeps."""
    return {m.name.rstrip("_"): m.name for m in pkgutil.iter_modules(verbs.__path__)}


def _verbs(names: Sequence[str] | dict[str, str]) -> dict[str, ModuleType]:
    """The modules of these verbs, in their order."""
    known = _names()
    found = {n: importlib.import_module(f"{verbs.__name__}.{known[n]}") for n in names}
    return dict(sorted(found.items(), key=lambda item: (item[1].ORDER, item[0])))
