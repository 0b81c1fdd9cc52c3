"""Which controls of a scale passed, and how often a difference was found where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lawcheck.declare.design import PartVerdict, Verdict
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.planning.controls import NAME, NULL

# Arms of which only a gain would be a false positive: they may well lose.
ONE_SIDED = f"{NULL}relabelled"


def said(part: PartVerdict) -> str:
    """A control's outcome in a word: `passed`, `failed`, or that the data do not tell."""
    words = {"shown": "passed", "reversed": "failed", "negligible": "failed"}
    return words.get(part.outcome, part.outcome)


def controls_of_verdict(verdict: Verdict) -> dict[str, bool]:
    """Control -> whether it passed."""
    return {p.name: p.outcome == "shown" for p in verdict.parts if p.role == "primary"}


def record_of(path: Path, how: str) -> origin.Origin | None:
    """The record of judged controls, after they were compared with it; None without."""
    if not origin.record_path(path).is_file():
        return None
    return origin.require(path, "verdict", NAME, how)


def read_controls(path: Path) -> dict[str, bool] | None:
    """Those of a judged file; None where there is none. Raises InputError for another verdict."""
    if not path.is_file():
        return None
    verdict = read_verdict(path)
    if verdict.law != NAME:
        raise InputError(
            f"controls {path}: holds a verdict on {verdict.law!r}, expected {NAME!r}; name the "
            f"file that `lawcheck controls` wrote"
        )
    return controls_of_verdict(verdict)


@dataclass(frozen=True)
class FalsePositives:
    """tests: one-sided ones of true nulls. found: p at most alpha. expected: alpha each, summed."""

    tests: int
    found: int
    expected: float

    @property
    def line(self) -> str:
        return (
            f"false positives: {self.found} of {self.tests} one-sided tests of arms that do not "
            f"differ, {self.expected:.1f} expected"
        )


def false_positives(verdict: Verdict) -> FalsePositives:
    """Over the negative controls. A single seed is not counted: its test leaves out that another
    run would differ.
    """
    tests = [
        (p, part.alpha)
        for part in verdict.parts
        if part.name.startswith(NULL)
        for p in ((part.p,) if part.name.startswith(ONE_SIDED) else (part.p, part.p_opposite))
        if p is not None and part.n_seeds > 1
    ]
    found = sum(p <= alpha for p, alpha in tests)
    return FalsePositives(len(tests), found, sum(alpha for _, alpha in tests))


def beside(scores: Path) -> Path:
    """Where the controls of a score table's scale lie."""
    return scores.parent / f"{NAME}.json"
