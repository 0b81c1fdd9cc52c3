"""Signs in a score table that a run collapsed or was scored twice, in words. No torch.

A finding changes no number: the runs it names stay in every mean and test. docs/numerical-faults.md
gives the reason for every threshold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lawcheck.declare.design import Law
from lawcheck.scores import ROUTING, ScoreTable

# Below this many scored items, equal or constant scores are no sign of anything.
ITEMS = 20
# Share of one answer, of one expert, above which nothing else is left in practice.
ALMOST_ALL = 0.95
# Share of unscored items from which a run is named, and of empty or endless answers.
MANY_UNSCORED, HALF = 0.01, 0.5
# Findings of one kind up to which all are listed, and how many of more.
MOST, SHOWN = 8, 3
# A trained router is never this close to uniform; one without gradient is, to the last bit.
UNIFORM = 1e-6

# What scoring writes as `fault` rows, in words; the share of the task's items comes with it.
ANSWERS: Mapping[str, str] = {
    "not_finite": "scores of the options, or next tokens, that are not finite numbers: unscored",
    "one_answer": "the same answer whatever was asked",
    "empty_answers": "empty answers",
    "endless_answers": "answers that never stop",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """arms: whose scores show it. text: one sentence without a full stop, arms by name."""

    kind: str
    arms: tuple[str, ...]
    text: str


def findings(
    table: ScoreTable, arms: Iterable[str] | None = None, once: Iterable[str] = ()
) -> tuple[Finding, ...]:
    """Everything found among `arms` (all by default), in a fixed order.

    Of a kind that many show, the first ones and how many more.

    once: arms of one untrained model, whose single evaluation may stand for several seeds.
    """
    present = [a for a in table.arms if arms is None or a in set(arms)]
    units = {a: _units(table, a) for a in present}
    everything = (
        *_diverged(table, units),
        *_answers(table, present),
        *_unscored(table, units),
        *_constant(table, units),
        *_routers(table, present),
        *_twins(table, units, frozenset(once)),
        *_single(units),
    )
    by_kind: dict[str, list[Finding]] = {}
    for found in everything:
        by_kind.setdefault(found.kind, []).append(found)
    return tuple(f for same in by_kind.values() for f in _few(same))


def _few(same: Sequence[Finding]) -> Iterator[Finding]:
    """Findings of one kind. Hundreds of selectors that know every task are one thing to say."""
    if len(same) <= MOST:
        yield from same
        return
    yield from same[:SHOWN]
    rest = same[SHOWN:]
    arms = tuple(dict.fromkeys(a for f in rest for a in f.arms))
    yield Finding(
        kind=same[0].kind,
        arms=arms,
        text=f"likewise {len(rest)} more, of {len(arms)} arm{'s' if len(arms) > 1 else ''}",
    )


def law_findings(law: Law, table: ScoreTable) -> tuple[Finding, ...]:
    """What is found among a law's arms."""
    untrained = [a.name for a in law.arms if a.method == law.base.method]
    return findings(table, [a.name for a in law.arms], once=untrained)


def _units(table: ScoreTable, arm: str) -> dict[int, tuple[str, ...]]:
    """Tasks with item rows of each seed."""
    found: dict[int, list[str]] = {}
    for task in sorted(table.item_metric):
        for seed in table.seeds(arm, task):
            found.setdefault(seed, []).append(task)
    return {seed: tuple(tasks) for seed, tasks in sorted(found.items())}


Units = Mapping[str, Mapping[int, tuple[str, ...]]]


def _diverged(table: ScoreTable, units: Units) -> Iterator[Finding]:
    for arm, seeds in units.items():
        gone = {s for a, s in table.diverged if a == arm}
        if not gone:
            continue
        every = gone >= set(seeds)
        kept = sorted(gone & set(seeds))
        fate = f"scored at the last good state: seeds {_listed(kept)}" if kept else "not scored"
        yield Finding(
            kind="all_diverged" if every else "diverged",
            arms=(arm,),
            text=f"arm {arm!r}: {'every seed' if every else f'{len(gone)} seeds'} with a diverged "
            f"run; {fate}",
        )


def _answers(table: ScoreTable, arms: Sequence[str]) -> Iterator[Finding]:
    grouped: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for (arm, seed), entries in table.faults.items():
        if arm in arms:
            for task, kind, share in entries:
                grouped.setdefault((arm, kind, task), []).append((seed, share))
    for (arm, kind, task), found in sorted(grouped.items()):
        most = max(share for _, share in found)
        yield Finding(
            kind=kind,
            arms=(arm,),
            text=f"arm {arm!r}, task {task}: {ANSWERS.get(kind, kind)}, in up to {most:.3g} of the "
            f"items (seeds {_listed([s for s, _ in found])})",
        )


def _unscored(table: ScoreTable, units: Units) -> Iterator[Finding]:
    for arm, seeds in units.items():
        shares = {}
        for seed, tasks in seeds.items():
            by_task = [table.cube(arm, t, [seed]).ravel() for t in tasks]
            cells = np.concatenate(by_task)
            shares[seed] = float(np.isnan(cells).mean())
        many = {s: share for s, share in shares.items() if share > MANY_UNSCORED}
        if many:
            yield Finding(
                kind="unscored",
                arms=(arm,),
                text=f"arm {arm!r}: up to {100 * max(many.values()):.3g} % of the items unscored "
                f"(seeds {_listed(list(many))})",
            )


def _constant(table: ScoreTable, units: Units) -> Iterator[Finding]:
    for arm, seeds in units.items():
        found: dict[tuple[str, float], list[int]] = {}
        for seed, tasks in seeds.items():
            for task in tasks:
                cells = table.cube(arm, task, [seed]).ravel()
                cells = cells[~np.isnan(cells)]
                if cells.size >= ITEMS and _is_constant(cells):
                    found.setdefault((task, float(cells[0])), []).append(seed)
        for (task, value), which in sorted(found.items()):
            yield Finding(
                kind="constant",
                arms=(arm,),
                text=f"arm {arm!r}, task {task}: every item scored {value:g} (seeds "
                f"{_listed(which)})",
            )


def _routers(table: ScoreTable, arms: Sequence[str]) -> Iterator[Finding]:
    tasks = sorted(t for t, metric in table.measured if metric == ROUTING)
    for arm in arms:
        rows: dict[int, list[np.ndarray]] = {}
        for task in tasks:
            for seed in table.seeds(arm, task, ROUTING):
                rows.setdefault(seed, []).append(table.cube(arm, task, [seed], ROUTING)[0])
        one, even = [], []
        for seed, shares in rows.items():
            # Experts differ between seeds, tasks of one seed share them.
            matrix = np.stack(shares)
            if matrix.shape[1] > 1 and matrix.mean(axis=0).max() >= ALMOST_ALL:
                one.append(seed)
            if matrix.shape[1] > 1 and np.abs(matrix - 1 / matrix.shape[1]).max() <= UNIFORM:
                even.append(seed)
        for kind, which, what in (
            ("one_expert", one, f"sends at least {ALMOST_ALL:.0%} of every task to one expert"),
            ("uniform_router", even, "is exactly uniform: it chose nothing"),
        ):
            if which:
                yield Finding(
                    kind=kind,
                    arms=(arm,),
                    text=f"arm {arm!r}: the router of the last layer {what} (seeds "
                    f"{_listed(which)})",
                )


def _is_constant(cells: np.ndarray) -> bool:
    seen = cells[~np.isnan(cells)]
    return not seen.size or bool(seen.min() == seen.max())


def _twins(table: ScoreTable, units: Units, once: frozenset[str]) -> Iterator[Finding]:
    """Runs whose scores agree in every item, by the hash of their cells."""
    groups: dict[tuple[tuple[str, ...], bytes], list[tuple[str, int]]] = {}
    sizes: dict[bytes, int] = {}
    for arm, seeds in units.items():
        for seed, tasks in seeds.items():
            by_task = [table.cube(arm, t, [seed]).ravel() for t in tasks]
            cells = np.concatenate(by_task)
            seen = cells[~np.isnan(cells)]
            # Constant scores are a finding of their own, and agree without being copies.
            if seen.size < ITEMS or all(map(_is_constant, by_task)):
                continue
            key = hashlib.sha256(np.where(np.isnan(cells), -1.0, cells).tobytes()).digest()
            groups.setdefault((tasks, key), []).append((arm, seed))
            sizes[key] = int(seen.size)
    pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for members in groups.values():
        first = members[0]
        for other in members[1:]:
            if first[0] != other[0] or first[0] not in once:
                pairs.setdefault((first[0], other[0]), []).append((first[1], other[1]))
    n = {m[0]: sizes[key] for (_, key), m in groups.items()}
    for (a, b), seeds_of in sorted(pairs.items()):
        items = min(n[a, s] for s, _ in seeds_of)
        if a == b:
            named = "; ".join(f"seeds {x} and {y}" for x, y in seeds_of)
            text = (
                f"arm {a!r}: {named} agree in every one of {items:,} items: perhaps one run "
                f"under two numbers"
            )
        else:
            named = _listed([x for x, y in seeds_of if x == y]) or "of different numbers"
            text = (
                f"arms {a!r} and {b!r} agree in every one of {items:,} items (seeds {named}): "
                f"perhaps one was evaluated twice"
            )
        yield Finding(
            kind="repeated_seed" if a == b else "identical_arms",
            arms=tuple(dict.fromkeys((a, b))),
            text=text,
        )


def _single(units: Units) -> Iterator[Finding]:
    """One line for all arms: that is how such tables are."""
    alone = tuple(a for a, seeds in units.items() if len(seeds) == 1)
    if alone:
        yield Finding(
            kind="single_seed",
            arms=alone,
            text=f"one seed only, which says nothing of another run: {', '.join(alone)}",
        )


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(set(seeds))))
