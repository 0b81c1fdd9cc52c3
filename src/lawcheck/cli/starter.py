"""A project for somebody who brings results: law, mapping, test, CI, and an example to replace."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lawcheck.declare.design import AVERAGE, require_name
from lawcheck.errors import InputError, look_up
from lawcheck.files.atomic import write_text

BASE = "base"
# Tasks that get a part of their own, if there are no more; characters of a list on one line.
MOST_PARTS, ONE_LINE = 8, 80

LAW = '''"""What is claimed, written down before the scores are looked at."""

from lawcheck import Arm, Hypothesis, Law, difference

# Arms as the column `arm` of the scores names them.
OURS, THEIRS = Arm(method={ours}), Arm(method={theirs})

LAW = Law(
    name={name},
    title={title},
    claim={claim},
    source="our question",
    base=Arm(method={base}),
    # The average is of these, with equal weight.
    tasks=({tasks}),
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
    """Scores that a project starts from.

    path: as its commands name them. given: as the user did. tasks: of each arm. reads: whether they
    are imported first.
    """

    path: str
    given: str
    tasks: Mapping[str, tuple[str, ...]]
    reads: bool

    def common(self, *arms: str) -> tuple[str, ...]:
        """Tasks of the average that all these arms have. Raises InputError where there is none."""
        from lawcheck.judging.targets import COMPANIONS

        shared = [t for t in self.tasks[arms[0]] if all(t in self.tasks[a] for a in arms)]
        if not shared:
            raise InputError(
                f"init --from {self.given}: arms {' and '.join(arms)} have no task in common; name "
                f"others"
            )
        beside = (*COMPANIONS, AVERAGE)
        return tuple(t for t in shared if t not in beside) or tuple(shared)


def read_source(path: Path, folder: Path) -> Source:
    """Arms and tasks of a table, in any form that lawcheck reads. Raises InputError."""
    from lawcheck.judging.reading import read_scores
    from lawcheck.scores import load_scores

    if not path.exists():
        raise InputError(f"init --from {path}: no such file or folder; name a table of scores")
    table, _ = read_scores(path)
    try:
        load_scores([path])
    except InputError:
        reads = True
    else:
        reads = False
    place = os.path.relpath(path, folder)
    tasks = {a: tuple(t for t in table.item_metric if table.seeds(a, t)) for a in table.arms}
    return Source(place, str(path), tasks, reads)


def chosen(source: Source, ours: str | None, theirs: str | None) -> tuple[str, str]:
    """The two arms of the claim. Raises InputError where the table leaves a choice."""
    for given, option in ((ours, "--ours"), (theirs, "--theirs")):
        if given is not None:
            look_up(given, source.tasks, f"init {option} {given!r}: no such arm in {source.given}")
    rest = [a for a in source.tasks if a not in (BASE, ours, theirs)]
    if ours is None and theirs is None and {"ours", "theirs"} <= set(rest):
        return "ours", "theirs"
    if ours is None and theirs is not None and len(rest) == 1:
        ours = rest[0]
    if theirs is None and ours is not None and len(rest) == 1:
        theirs = rest[0]
    if ours is None or theirs is None:
        raise InputError(
            f"init --from {source.given}: arms {', '.join(source.tasks)}; say which are compared "
            f"with --ours and --theirs"
        )
    return ours, theirs


def write_project(
    folder: Path, name: str | None, ours: str, theirs: str, source: Source | None = None
) -> tuple[list[Path], list[str]]:
    """Write the files; return them and the commands to run next.

    Raises InputError where one of them is there already; nothing is written then.
    """
    if ours == theirs:
        raise InputError(f"init: arm {ours!r} is compared with itself; name two arms")
    name = name or _identifier(f"{ours}_beats_{theirs}")
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
    tasks = source.common(ours, theirs) if source else TASKS
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
    quoted = [json.dumps(task, ensure_ascii=False) for task in tasks]
    listed = ", ".join(quoted) + ("," if len(tasks) == 1 else "")
    if len(listed) > ONE_LINE:
        listed = "\n" + "".join(f"        {task},\n" for task in quoted) + "    "
    parts = ""
    for k, task in enumerate(tasks if 1 < len(tasks) <= MOST_PARTS else (), 1):
        called = _identifier(f"on_{task}")
        if called in map(_identifier, (f"on_{t}" for t in tasks[: k - 1])):
            called += f"_{k}"
        claim = f"{ours} beats {theirs} on {task}"
        parts += PART.format(**_quoted(name=called, claim=claim, task=task))
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
        tasks=listed,
        secondary=parts,
    )


def _quoted(**texts: str) -> Mapping[str, str]:
    return {key: json.dumps(text, ensure_ascii=False) for key, text in texts.items()}


def _identifier(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return plain if plain[:1].isalpha() else f"law_{plain}".rstrip("_")


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
