"""One death at each of many writes of a training and scoring job, each time from the start."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crash_points import SIDES, Spec
from nursery import Nursery
from studies import differences, digests
from verbs_in_turn import ROOT, stages


@dataclass(frozen=True)
class Point:
    """kind: of the change to files at which the job died. wrong: what came out otherwise."""

    kind: str
    side: str
    died: bool
    wrong: tuple[str, ...]


def places(trace: Path) -> list[tuple[int, str, str]]:
    """(number, kind, path) of every change to files in a trace."""
    found = []
    for line in trace.read_text().splitlines():
        number, kind, *path = line.split(" ", 2)
        found.append((int(number), kind, path[0] if path else ""))
    return found


def sweep(lawcheck: Nursery, folder: Path, points: int, rng: random.Random) -> Iterator[Point]:
    """Die at `points` drawn places of one job, resume, and compare with a job that did not."""
    words = max((w for w in stages() if w[0] == "train"), key=len)
    whole = folder / "whole"
    whole.mkdir(parents=True)
    corpus = lawcheck.run(whole, stages()[0])
    assert corpus.status == 0, corpus.said
    trace = folder / "trace.txt"
    shutil.copytree(whole, folder / "traced")
    ended = lawcheck.run(folder / "traced", words, Spec(trace=str(trace)), checkpoint_seconds=0)
    assert ended.status == 0, ended.said
    assert lawcheck.run(whole, words).status == 0
    expected = digests(whole / ROOT)
    everything = [(n, k, s) for n, k, _ in places(trace) for s in SIDES]
    for number, kind, side in rng.sample(everything, min(points, len(everything))):
        place = folder / "point"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole / ROOT / "corpus", place / ROOT / "corpus")
        spec = Spec(at=number, side=side)
        died = lawcheck.run(place, words, spec, checkpoint_seconds=0).status == -spec.signal
        ended = lawcheck.run(place, words, checkpoint_seconds=0)
        wrong = differences(digests(place / ROOT), expected)
        wrong += [] if ended.status == 0 else [ended.said[-300:]]
        yield Point(kind, side, died, tuple(wrong))
