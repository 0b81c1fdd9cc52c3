"""The pages: fences, the commands in them, and shells that run these in a copy of the clone."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
# What lines of a fence need and a test has not: such lines are parsed only.
NEEDS = ("cluster", "gpu", "network", "data", "long")
FENCE = re.compile(r"^( *)```(\S*)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    language: str
    info: tuple[str, ...]
    body: str
    start: int  # of the body, in the page's text

    @property
    def runs(self) -> bool:
        return self.language in ("sh", "console") and not set(self.info) & set(NEEDS)

    @property
    def commands(self) -> list[str]:
        """Whole commands: lines that are continued, or leave a quote open, belong together."""
        lines = self.body.splitlines()
        if self.language == "console":
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        found, held = [], ""
        for line in lines:
            held = f"{held}\n{line}" if held else line
            try:
                words = shlex.split(held, comments=True)
            except ValueError:
                continue
            if not held.endswith("\\"):
                found += [held.strip()] if words else []
                held = ""
        assert not held, f"a command that does not end: {held}"
        return found


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str) -> list[Fence]:
    return [
        Fence(
            m[2], tuple(m[3].split()), re.sub(f"^{m[1]}", "", m[4], flags=re.MULTILINE), m.start(4)
        )
        for m in FENCE.finditer(text(page))
    ]


def prose(page: str) -> str:
    return FENCE.sub("", text(page))


def programs(command: str) -> Iterator[list[str]]:
    """The words of every program that a line starts, without assignments and redirections."""
    inner = re.compile(r"\$\(([^()]*)\)")
    for held in inner.findall(command):
        yield from programs(held)
    lexer = shlex.shlex(inner.sub("WORD", command), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for token in [*lexer, ";"]:
        if redirected:
            redirected = False
        elif set(token) <= set("<>&") and token.strip("&"):
            redirected = True
        elif set(token) <= set(";&|()"):
            if words:
                yield words
            words = []
        elif words or not re.match(r"[A-Z_]+=", token):
            words.append(token)


def clone(folder: Path) -> Path:
    """What a clone of the work tree holds, with this environment as its own."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        source, target = ROOT / name, folder / name
        if name and (source.is_file() or source.is_symlink()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    own = folder / ".venv"
    own.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".ready":
            (own / path.name).symlink_to(path)
    # Newer than the lock, so that make does not install into what is shared.
    (own / ".ready").touch()
    return folder


def environment(copy: Path, activated: bool) -> dict[str, str]:
    """A user's of a clone, with its environment activated or not."""
    # pytest prints more where a variable says that nobody watches.
    unset = ("PYTEST_", "LAWCHECK_", "VIRTUAL_ENV", "MAKE", "CI", "BUILD_NUMBER")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unset)}
    own = Path(sys.prefix, "bin").resolve()
    paths = [p for p in os.environ["PATH"].split(os.pathsep) if Path(p).resolve() != own]
    if activated:
        paths.insert(0, str(copy / ".venv" / "bin"))
        kept["VIRTUAL_ENV"] = str(copy / ".venv")
    # The shared environment may hold the package of another place.
    return {**kept, "PATH": os.pathsep.join(paths), "PYTHONPATH": str(copy / "src")}


@dataclass(frozen=True)
class Step:
    command: str
    status: int
    output: str  # both streams


def session(commands: Sequence[str], folder: Path, env: Mapping[str, str]) -> list[Step]:
    """One shell in which every command runs, whatever the one before it ended with."""
    mark = "@@end-of-command@@"
    lines = [f'{command}\nprintf "\\n{mark}%d\\n" $?' for command in commands]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    parts = re.split(rf"\n{mark}(\d+)\n", done.stdout)
    assert len(parts) == 2 * len(commands) + 1, done.stdout[-2000:]
    return [
        Step(command, int(status), output)
        for command, output, status in zip(commands, parts[::2], parts[1::2], strict=False)
    ]
