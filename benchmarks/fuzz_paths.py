"""Paths that benchmarks/fuzz.py hands to the command line: of the wrong kind, or no path at all."""

from __future__ import annotations

import contextlib
import random
import shutil
from pathlib import Path

import fuzz_files
from fuzz_files import Kind

from lawcheck.__main__ import main as command_line

# {path}: what stands there in each case. {table}, {scores}, {out}: sound files, and a free name.
CALLS = (
    ("judge", "ours_wins", "--scores", "{path}"),
    ("judge", "ours_wins", "--scores", "{scores}", "--scores", "{path}"),
    ("judge", "ours_wins", "--scores", "{scores}", "--json", "{path}"),
    ("judge", "ours_wins", "--scores", "{scores}", "--scale", "{path}"),
    ("import", "{path}", "--out", "{out}"),
    ("import", "{scores}", "--out", "{path}"),
    ("import", "{table}", "--map", "{path}", "--out", "{out}"),
    ("plan", "merge_then_align", "--scale", "{path}"),
    ("plan", "merge_then_align", "--hardware", "{path}"),
    ("report", "--from", "{path}"),
    ("verify", "--scale", "smoke", "--results", "{path}"),
    ("verify", "--repair", "--scale", "smoke", "--results", "{path}"),
    ("mixtures", "--scale", "smoke", "--results", "{path}"),
    ("collect", "merge_then_align", "--scale", "smoke", "--results", "{path}"),
    ("render", "merge_then_align", "--scale", "smoke", "--results", "{path}"),
    ("publish", "merge_then_align", "--scale", "smoke", "--results", "{path}"),
    ("preregister", "merge_then_align", "--scale", "smoke", "--out", "{path}"),
    ("tasks", "--data", "{path}"),
    ("tasks", "--scores", "{path}"),
)
THINGS = (
    "file", "empty", "folder", "full", "none", "loop", "dangling", "below", "nul", "long", "",
    "newline", "escape", "half", "device", "dots",
)  # fmt: skip


def path_kind() -> Kind:
    sound = "2 none"

    def chosen(_: bytes, rng: random.Random) -> bytes:
        return f"{rng.randrange(len(CALLS))} {rng.choice(THINGS)}".encode()

    def run(path: Path) -> int:
        words = path.read_text().split() if path.is_file() else ["0", "none"]
        place = path.parent / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name, text in (("table.csv", fuzz_files.TABLE), ("scores.csv", fuzz_files.SCORES)):
            (place / name).write_text(text)
        filled = {
            "path": _thing(place, words[1] if words[1:] else ""),
            "table": place / "table.csv",
            "scores": place / "scores.csv",
            "out": place / "out",
        }
        # An empty path is the folder that one works in.
        with contextlib.chdir(place):
            return command_line([word.format(**filled) for word in CALLS[int(words[0])]])

    return Kind("path", sound.encode(), run, damage=chosen, lines=False)


def _thing(place: Path, kind: str) -> str:
    path = place / "thing.csv"
    if kind in ("file", "below"):
        path.write_text("words")
    elif kind == "empty":
        path.touch()
    elif kind in ("folder", "full"):
        path.mkdir()
        if kind == "full":
            (path / "some.json").write_text("{")
    elif kind in ("loop", "dangling"):
        path.symlink_to(path.name if kind == "loop" else "nowhere")
    odd = {
        "below": f"{path}/inside",
        "nul": "a\0b",
        "long": "x" * 5000,
        "": "",
        "newline": f"{path}\nb",
        "escape": f"{path}\x1b[2J",
        "half": f"{path}\udcff",
        "device": "/dev/null",
        "dots": str(place / ".." / "place" / "none"),
    }
    return odd.get(kind, str(path))
