"""A project for somebody who brings results: law, mapping, test, CI, and an example to replace."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lawcheck.declare.design import NAME, require_name
from lawcheck.errors import InputError, look_up
from lawcheck.files.atomic import write_text

BASE = "base"

LAW = '''"""What is claimed, written down before the scores are looked at."""

from lawcheck.declare.design import Arm, Hypothesis, Law, difference

# An arm is what the column `arm` of the scores calls it.
OURS, THEIRS = Arm(method={ours}), Arm(method={theirs})

LAW = Law(
    name={name},
    title={title},
    claim={claim},
    source="our question",
    base=Arm(method={base}),
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim={gain},
            estimand=difference([OURS], [THEIRS]),
            alternative="greater",
            # The smallest difference that would matter, in points.
            sesoi=1.0,
        ),
{secondary}    ),
)
'''

PART = """        Hypothesis(
            name={name},
            role="secondary",
            claim={claim},
            estimand=difference([OURS], [THEIRS], target={task}),
            alternative="greater",
            sesoi=1.0,
        ),
"""

MAP = """\
# How `lawcheck import` reads your files. Keys: runs, tasks, metrics, columns, percent.
#   runs: [{match: "evals/final*", arm: OURS, seed: 3}]   # a folder that names no arm or seed
#   tasks: {my_task: math}                                # a task under another name
#   metrics: {my_task: acc_norm}                          # another metric than the first
#   columns: {arm: model, value: correct}                 # other column names
""".replace("OURS", "ours")

TEST = """\
import pytest


@pytest.mark.laws({name})
def test_part(lawcheck, law_part):
    lawcheck.assert_part(*law_part)
"""

CI = """\
# GitHub Actions reads this at the root of a repository.
name: laws
on: [push, pull_request]
jobs:
  laws:
    runs-on: ubuntu-latest
    env:
      # A release, or git+https://HOST/lawcheck@COMMIT.
      LAWCHECK: lawcheck
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install pytest "$LAWCHECK"
{steps}"""

# Per-run means in percent, five seeds.
EXAMPLE = {
    "theirs": ((61.2, 58.9), (60.1, 60.3), (61.9, 59.5), (60.7, 58.7), (61.5, 60.0)),
    "ours": ((66.0, 64.2), (64.8, 64.0), (65.1, 65.5), (66.3, 63.4), (65.4, 64.9)),
}
TASKS = ("math", "biology")


@dataclass(frozen=True)
class Source:
    """Scores that a project starts from. path: as its commands name them; reads: import first."""

    path: str
    arms: tuple[str, ...]
    tasks: tuple[str, ...]
    reads: bool


def read_source(path: Path, folder: Path) -> Source:
    """Arms and tasks of a table, in any form that lawcheck reads. Raises InputError."""
    from lawcheck.judging.importing import import_scores
    from lawcheck.scores import load_scores

    if not path.is_file():
        raise InputError(f"init --from {path}: no such file; name a table of scores")
    reads = False
    try:
        table = load_scores([path])
    except InputError:
        reads = True
        with tempfile.TemporaryDirectory(prefix="lawcheck-") as aside:
            rows = Path(aside) / "scores.parquet"
            import_scores([path], rows)
            table = load_scores([rows])
    place = os.path.relpath(path, folder)
    return Source(place, tuple(table.arms), tuple(table.item_metric), reads)


def chosen(source: Source, ours: str | None, theirs: str | None) -> tuple[str, str]:
    """The two arms of the claim. Raises InputError where the table leaves a choice."""
    among = dict.fromkeys(source.arms)
    for given, option in ((ours, "--ours"), (theirs, "--theirs")):
        if given is not None:
            look_up(given, among, f"init {option} {given!r}: no such arm in {source.path}")
    rest = [a for a in source.arms if a not in (BASE, ours, theirs)]
    if ours is None and theirs is None and {"ours", "theirs"} <= set(rest):
        return "ours", "theirs"
    if ours is None and theirs is not None and len(rest) == 1:
        ours = rest[0]
    if theirs is None and ours is not None and len(rest) == 1:
        theirs = rest[0]
    if ours is None or theirs is None:
        raise InputError(
            f"init --from {source.path}: arms {', '.join(source.arms)}; say which are compared "
            f"with --ours and --theirs"
        )
    return ours, theirs


def write_project(
    folder: Path, name: str | None, ours: str, theirs: str, source: Source | None = None
) -> tuple[list[Path], list[str]]:
    """Write the files; return them and the commands to run next.

    Raises InputError where one of them is there already; nothing is written then.
    """
    for arm in (ours, theirs):
        if not NAME.match(arm):
            raise InputError(
                f"init: arm {arm!r}: a law names arms by lower-case letters, digits and "
                f"underscores; rename it in the scores"
            )
    if ours == theirs:
        raise InputError(f"init: arm {ours!r} is compared with itself; name two arms")
    name = name or f"{ours}_beats_{theirs}"
    require_name("law", name)
    files, commands = _contents(name, ours, theirs, source)
    there = [path for path in files if (folder / path).exists()]
    if there:
        raise InputError(
            f"init {folder}: {there[0]} is there already; name another folder, or remove it"
        )
    for path, text in files.items():
        write_text(folder / path, text)
    return [folder / path for path in files], commands


def _contents(
    name: str, ours: str, theirs: str, source: Source | None
) -> tuple[dict[str, str], list[str]]:
    tasks = source.tasks if source else TASKS
    law, scores = f"laws/{name}.py", "scores.parquet"
    files = {
        law: _law(name, ours, theirs, tasks),
        "map.yaml": MAP.replace("arm: ours", f"arm: {ours}")
        + ("runs: []\n" if source else "percent: true\n"),
        "test_laws.py": TEST.format(name=json.dumps(name)),
    }
    read = "runs.csv"
    if source is None:
        files[read] = _example(ours, theirs)
    elif source.reads:
        read = source.path
    else:
        scores = source.path
    quoted = shlex.quote(scores)
    commands = [f"lawcheck show {law}"]
    if source is None or source.reads:
        commands.append(f"lawcheck import {shlex.quote(read)} --map map.yaml --out {quoted}")
    commands.append(f"lawcheck judge {law} --scores {quoted}")
    commands.append(f"pytest test_laws.py --lawcheck-laws laws --lawcheck-scores {quoted}")
    steps = "".join(f"      - run: {c}\n" for c in commands[1:])
    files[".github/workflows/laws.yml"] = CI.format(steps=steps)
    if importlib.util.find_spec("pytest") is None:
        commands.insert(-1, "pip install pytest")
    return files, commands


def _law(name: str, ours: str, theirs: str, tasks: Sequence[str]) -> str:
    """The source of a law file; a secondary part a task where there are several."""
    parts = ""
    for task in tasks if len(tasks) > 1 else ():
        claim = f"{ours} beats {theirs} on {task}"
        parts += PART.format(**_quoted(name=_identifier(f"on_{task}"), claim=claim, task=task))
    words = name.replace("_", " ")
    return LAW.format(
        **_quoted(
            name=name,
            title=words[:1].upper() + words[1:],
            claim=f"{ours} beats {theirs} by something that matters",
            gain=f"{ours} beats {theirs} on the mean of the tasks",
            ours=ours,
            theirs=theirs,
            base=BASE,
        ),
        secondary=parts,
    )


def _quoted(**texts: str) -> Mapping[str, str]:
    return {key: json.dumps(text, ensure_ascii=False) for key, text in texts.items()}


def _identifier(text: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "_" for c in text.lower())


def _example(ours: str, theirs: str) -> str:
    rows = [",".join(("arm", "seed", *TASKS))]
    for role, arm in (("theirs", theirs), ("ours", ours)):
        for seed, means in enumerate(EXAMPLE[role]):
            rows.append(",".join((arm, str(seed), *(f"{m:.1f}" for m in means))))
    return "\n".join(rows) + "\n"


def next_text(folder: Path, written: Collection[Path], commands: Sequence[str]) -> str:
    lines = [f"wrote {path}" for path in written]
    go = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    return "\n".join([*lines, "next:", *(f"  {c}" for c in (*go, *commands))])
