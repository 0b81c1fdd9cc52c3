"""The page for somebody's own scores: a table and the laws it answers, no study and no scale."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lawcheck import __version__
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, EvalTask, Law, Role, World
from lawcheck.errors import InputError
from lawcheck.files import spool
from lawcheck.files.atomic import write_text
from lawcheck.files.hashing import file_sha256
from lawcheck.judging.judged import judge_file
from lawcheck.judging.reading import read_scores
from lawcheck.judging.targets import targets_of
from lawcheck.planning.cost import planned_cost
from lawcheck.scores import ScoreTable, task_places
from lawcheck.scores.health import law_findings
from lawcheck.show.context import RenderContext
from lawcheck.show.labels import arm_labels
from lawcheck.show.page.gather import Entry
from lawcheck.show.page.page import Section, card, filled
from lawcheck.show.page.reproduce import Step

# Of the disciplines below: whatever the scores hold, and nothing else.
WORLD = "own"
ROLES: dict[str, Role] = {"general": "general", "out_of_domain": "out_of_domain"}
OWN_SCORES = "add its scores to the table"
LIBRARIES = ("numpy", "scipy", "pandas", "matplotlib")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was judged and how. files: (name, SHA-256). arms: (label, name, seeds, tasks, rows)."""

    files: tuple[tuple[str, str], ...]
    rows: int
    tasks: tuple[str, ...]
    arms: tuple[tuple[str, str, str, int, int], ...]
    command: str
    versions: tuple[tuple[str, str], ...]


def write_own_report(
    laws: Mapping[str, Law], scores: Sequence[Path], out: Path, mapping: Path | None = None
) -> Path:
    """Write <out>/index.html: the verdicts of laws on score files.

    laws: by what names them on a command line; none for every law whose arms the scores hold.
    mapping: file of a mapping, as of `import`. Raises InputError where that is no law, and for
    scores that a law cannot be judged on.
    """
    instructions = None
    if mapping is not None:
        from lawcheck.judging.importing import read_map

        instructions = read_map(mapping)
    given = read_scores(scores, instructions)
    table = given[0]
    chosen = dict(laws) or {discovery.word_of(law.name): law for law in answered(table)}
    if not chosen:
        raise InputError(
            f"report: no law speaks of the arms in {scores[0]} ({', '.join(table.arms[:4])}); name "
            f"one with --law, or declare one (docs/adding.md)"
        )
    entries = []
    for name, law in tuple(chosen.items()):
        try:
            entries.append(_entry(law, scores, given))
        except InputError as error:
            if laws or len(chosen) == 1:
                raise
            # Nobody asked for this law: the others are drawn, and it is named.
            discovery.leave_out("laws", str(error))
            del chosen[name]
    read = [word for path in scores for word in ("--scores", spool.word(path))]
    read += [] if mapping is None else ["--map", mapping.as_posix()]
    asked = [word for name in chosen for word in ("--law", name)]
    command = shlex.join(["lawcheck", "report", *read, *asked])
    cards = [
        card(e, _steps(name, read, command), refused=[])
        for name, e in zip(chosen, entries, strict=True)
    ]
    judged = _judged(entries, scores, table, command)
    title = entries[0].law.title if len(entries) == 1 else f"{len(entries)} laws"
    content = filled(
        "own.html",
        cards=cards,
        title=f"{title} on {', '.join(Path(spool.named(str(p))).name for p in scores)}",
        sections=(Section(study=None, cards=tuple(cards), absent=()),),
        absent=(),
        judged=judged,
    )
    path = out / "index.html"
    write_text(path, content)
    return path


def answered(table: ScoreTable) -> tuple[Law, ...]:
    """The laws whose compared arms all have scores."""
    return tuple(
        law
        for law in discovery.laws().values()
        if {a.name for h in law.hypotheses for a in h.estimand.arms} <= set(table.arms)
    )


def columns(law: Law, table: ScoreTable) -> tuple[Discipline, ...]:
    """What the law's average is of, one column each, and its companions.

    The disciplines of its study; else what it names; else the tasks of the table.
    """
    study = discovery.study_of(law.name)
    tasks = sorted(table.item_metric)
    if study is not None:
        declared = {d.name: d for d in discovery.of_study(study)}
        places = task_places(declared.values())
        homes = [
            n for n in declared if any(t in places and places[t].discipline == n for t in tasks)
        ]
        return tuple(
            _column(n, declared[n].title, declared[n].role,
                    [t for t in tasks if t in places and places[t].discipline == n],
                    declared[n].short)
            for n in homes
        )  # fmt: skip
    compared = [a for h in law.hypotheses for a in h.estimand.arms]
    members: dict[str, list[str]] = {}
    roles: dict[str, Role] = {}
    for task, place in sorted(targets_of(law, table, compared, None).places.items()):
        members.setdefault(place.discipline, []).append(task)
        roles[place.discipline] = ROLES.get(place.role, "discipline")
    return tuple(
        _column(f"column_{k}", entry, roles[entry], found)
        for k, (entry, found) in enumerate(members.items())
    )


def _column(name: str, title: str, role: Role, tasks: Sequence[str], short: str = "") -> Discipline:
    world = World(source="none", tasks=tuple(EvalTask(name=t) for t in tasks if t != name))
    return Discipline(
        name=name, title=title, short=short, role=role, rows=0, version=1, worlds={WORLD: world}
    )


def _entry(law: Law, scores: Sequence[Path], given: tuple[ScoreTable, tuple[str, ...]]) -> Entry:
    table = given[0]
    verdict = judge_file(law, scores, given=given)
    context = RenderContext(
        law=law,
        scores=table,
        verdict=verdict,
        disciplines=columns(law, table),
        world=WORLD,
        scale_name="",
        step=OWN_SCORES,
        costs=planned_cost,
    )
    findings = (f.text for f in law_findings(law, table))
    return Entry(
        law=law,
        verdict=verdict,
        context=context,
        provenance={},
        fits=None,
        warnings=tuple(t for t in findings if t not in verdict.notes),
    )


def _steps(law: str, read: Sequence[str], command: str) -> tuple[Step, ...]:
    return (
        Step("judge the scores again", shlex.join(["lawcheck", "judge", law, *read])),
        Step("make this page again", command),
    )


def _judged(
    entries: Sequence[Entry], scores: Sequence[Path], table: ScoreTable, command: str
) -> Judged:
    labels: dict[str, str] = {}
    for e in entries:
        labels |= arm_labels(e.law)
    tasks = tuple(sorted(table.item_metric))
    arms = []
    for arm in table.arms:
        seeds = sorted({s for t in tasks for s in table.seeds(arm, t)})
        held = [t for t in tasks if table.seeds(arm, t)]
        rows = sum(_rows(table, arm, t) for t in held)
        words = ", ".join(map(str, seeds))
        arms.append((labels.get(arm, arm), arm, words, len(held), rows))
    versions = [(n, importlib.metadata.version(n)) for n in LIBRARIES]
    return Judged(
        files=tuple((spool.named(p.as_posix()), file_sha256(p)) for p in scores),
        rows=table.n_rows,
        tasks=tasks,
        arms=tuple(arms),
        command=command,
        versions=(("lawcheck", __version__), ("Python", platform.python_version()), *versions),
    )


def _rows(table: ScoreTable, arm: str, task: str) -> int:
    return len(table.seeds(arm, task)) * len(table.items(arm, task))
