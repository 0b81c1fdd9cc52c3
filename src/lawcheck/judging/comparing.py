"""Two arms of a score table compared without a law file: the law is built from their names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from unicodedata import combining, normalize

from lawcheck.declare.design import Arm, Hypothesis, Law, Verdict, difference
from lawcheck.errors import InputError, nearest
from lawcheck.judging.reading import read_scores
from lawcheck.judging.targets import COMPANIONS
from lawcheck.judging.verdict import judge
from lawcheck.judging.verdict_forms import estimate, text
from lawcheck.scores import ScoreTable
from lawcheck.scores.health import law_findings

MARGIN = 1.0
MOST_POINTS = 100
# What to do about scores that are missing, at the end of a line.
STEP = "train and score more seeds of both arms"
# Parts about all tasks; the others are about one.
WHOLE = ("same", "gain")
# Tasks that a claim spells out.
MOST_NAMED = 5


def compare(
    scores: ScoreTable | str | Path | Sequence[str | Path],
    ours: str,
    theirs: str,
    *,
    margin: float = MARGIN,
    equivalent: float | None = None,
    tasks: Sequence[str] | None = None,
    base: str | None = None,
    quick: bool = False,
) -> Verdict:
    """Judge whether one arm of a score table scores above another. The verdict is exploratory.

        compare("scores.csv", "ours", "theirs").to_frame()

    scores: a table, or files that `lawcheck judge` or `lawcheck import` reads. margin: smallest
    difference that matters, in points. equivalent: judge instead whether both agree to within so
    many points; then `base`, the untrained arm that both have to beat, should be named ("base" is
    found by its name). tasks: what is averaged, with equal weight; by default every task that the
    arms have, without `general` and `out_of_domain` where there are others. quick: as of `judge`.

    Parts: `gain` (or `same` and `gain`), then one a task, as secondary parts. Raises InputError for
    an arm or a task that is not there.
    """
    notes: tuple[str, ...] = ()
    if not isinstance(scores, ScoreTable):
        scores, notes = read_scores(scores)
    law, more = comparison(scores, ours, theirs, margin, equivalent, tasks, base)
    return compared(law, scores, [*notes, *more], quick)


def compared(
    law: Law, scores: ScoreTable, notes: Sequence[str] = (), quick: bool = False
) -> Verdict:
    """The verdict on a law of `comparison`. What stands beside it stands beside primary parts."""
    assay = law.base.name in scores.arms
    verdict = judge(law, scores, quick=True, step=STEP, assay=assay)
    if not quick:
        few = tuple(h for h in law.hypotheses if h.role == "primary")
        main = judge(dataclasses.replace(law, hypotheses=few), scores, step=STEP, assay=assay)
        parts = (*main.parts, *verdict.parts[len(few) :])
        verdict = dataclasses.replace(verdict, parts=parts, power=main.power)
    found = [f.text for f in law_findings(law, scores)]
    return dataclasses.replace(verdict, notes=(*verdict.notes, *notes, *found))


def comparison(
    scores: ScoreTable,
    ours: str,
    theirs: str,
    margin: float = MARGIN,
    equivalent: float | None = None,
    tasks: Sequence[str] | None = None,
    base: str | None = None,
) -> tuple[Law, list[str]]:
    """The law that `compare` judges, primary parts first, and notes on what it leaves out."""
    check_sizes(margin=margin, equivalent=equivalent)
    tasks = [tasks] if isinstance(tasks, str) else tasks
    named = [n for n in (ours, theirs, base) if n is not None]
    for name in named:
        if name not in scores.arms:
            raise InputError(f"compare: no arm {name!r}; arms: {', '.join(scores.arms)}")
    if ours == theirs:
        raise InputError(f"compare: {ours!r} twice; name two of the arms {', '.join(scores.arms)}")
    if base in (ours, theirs):
        raise InputError(f"compare: base {base!r} is one of the two arms; name the untrained arm")
    if base is None and equivalent is not None and "base" in scores.arms:
        base, named = "base", [*named, "base"]
    chosen, notes = shared_tasks(scores, named, tasks)
    require_same_seeds(scores, ours, theirs, chosen)
    if equivalent is not None and base is None:
        notes.append(
            "no base named: not checked that the arms learned what they are compared on; two arms "
            "at chance agree for nothing"
        )
    a, b = Arm(method=ours), Arm(method=theirs)
    shown = chosen if len(chosen) <= MOST_NAMED else [*chosen[: MOST_NAMED - 1], "..."]
    average = f"the average of {len(chosen)} tasks ({', '.join(shown)})"
    where = average if len(chosen) > 1 else chosen[0]
    above = f"{ours} scores above {theirs} on {where}"
    same = f"{ours} and {theirs} agree to within {equivalent or 0:g} points on {where}"
    parts = [gain("gain", "primary" if equivalent is None else "secondary", above, a, b, margin)]
    if equivalent is not None:
        whole = difference([a], [b])
        same_part = Hypothesis(
            name="same",
            role="primary",
            claim=same,
            estimand=whole,
            alternative="equivalent",
            margin=equivalent,
            sesoi=equivalent,
        )
        parts.insert(0, same_part)
    taken = set(WHOLE)
    for task in chosen if len(chosen) > 1 else ():
        name = declared_name(task, taken)
        parts.append(gain(name, "secondary", task, a, b, margin, target=task))
    law = Law(
        name=declared_name(f"{ours}_vs_{theirs}", set()),
        title=f"{ours} against {theirs}",
        claim=above if equivalent is None else same,
        source="a comparison without a law file",
        # Of a bound's assay; an arm that is not there stands for none.
        base=Arm(method=base or "no base"),
        hypotheses=tuple(parts),
        tasks=tuple(chosen),
    )
    return law, notes


def comparison_text(law: Law, verdict: Verdict) -> str:
    """As of any verdict, with one line a task."""
    whole = [h.name for h in law.hypotheses if h.name in WHOLE]
    parts = {p.name: p for p in verdict.parts}
    main = dataclasses.replace(verdict, parts=tuple(parts[n] for n in whole))
    lines = [text(main).rstrip("\n")]
    tasks = [(h.claim, parts[h.name]) for h in law.hypotheses if h.name not in WHOLE]
    if tasks:
        width = max(len(task) for task, _ in tasks)
        lines += ["", "  by task, with Holm over the secondary parts:"]
        lines += [f"    {t:<{width}}  {estimate(p)}: {p.outcome}" for t, p in tasks]
    return "\n".join(lines) + "\n"


def check_sizes(verb: str = "compare", **sizes: float | None) -> None:
    for name, size in sizes.items():
        if size is not None and not (isinstance(size, Real) and 0 < size <= MOST_POINTS):
            raise InputError(
                f"{verb}: {name} is {size!r}, expected points (100 x accuracy) above 0 and up to "
                f"{MOST_POINTS}; give the smallest difference that matters, such as 1"
            )


def gain(
    name: str, role: str, claim: str, a: Arm, b: Arm, margin: float, target: str = "average"
) -> Hypothesis:
    return Hypothesis(
        name=name,
        role="primary" if role == "primary" else "secondary",
        claim=claim,
        estimand=difference([a], [b], target),
        alternative="greater",
        sesoi=margin,
    )


def shared_tasks(
    scores: ScoreTable, arms: Sequence[str], wanted: Sequence[str] | None, verb: str = "compare"
) -> tuple[list[str], list[str]]:
    """The tasks to average, and why others are left out."""
    if not scores.item_metric:
        raise InputError(
            f"{verb}: found only {', '.join(scores.metrics)}, expected accuracies; name the metric "
            f"in a law file, as in difference([ours], [theirs], metric=...), and judge that"
        )
    for task in wanted or ():
        if task not in scores.item_metric:
            raise InputError(
                f"{verb}: no task {task!r} in the scores ({nearest(task, scores.item_metric)})"
            )
    lacking = {
        t: [a for a in arms if not scores.seeds(a, t)] for t in wanted or sorted(scores.item_metric)
    }
    found = [t for t, lost in lacking.items() if not lost]
    gone = {t: lost for t, lost in lacking.items() if lost and len(lost) < len(arms)}
    if not found or (wanted and gone):
        task, lost = next(iter(gone.items()), ("", list(arms[:1])))
        raise InputError(
            f"{verb}: arm {lost[0]!r} has no scores of {task or 'any task'}; score the arms on "
            f"the same tasks, or name those that they share"
        )
    notes = [f"task {t} left out: no scores of {', '.join(lost)}" for t, lost in gone.items()]
    inside = [t for t in found if wanted or t not in COMPANIONS] or found
    if len(inside) < len(found):
        outside = ", ".join(t for t in found if t not in inside)
        notes.append(f"{outside} stands outside the average; name it with --task to compare it")
    return inside, notes


def require_same_seeds(
    scores: ScoreTable, ours: str, theirs: str, tasks: Sequence[str], verb: str = "compare"
) -> None:
    for task in tasks:
        a, b = scores.seeds(ours, task), scores.seeds(theirs, task)
        if not set(a) & set(b):
            raise InputError(
                f"{verb}: no seed in common on {task!r}: {ours} has {_listed(a)}, {theirs} has "
                f"{_listed(b)}; number the runs of both alike, such as 0, 1, 2"
            )


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def declared_name(given: str, taken: set[str]) -> str:
    """A declaration's name like what is given, and unlike those taken, to which it is added."""
    plain = "".join(c for c in normalize("NFKD", given.lower()) if not combining(c))
    plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or "x"
    plain = plain if plain[0].isalpha() else f"x_{plain}"
    name, k = plain, 2
    while name in taken:
        name, k = f"{plain}_{k}", k + 1
    taken.add(name)
    return name
