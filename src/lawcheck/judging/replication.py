"""One law in several studies: each part's estimates side by side, and their random-effects mean.

A study is one scale, or one published single run. What has no variance is shown and not pooled; nor
is a part that did not test what it names. The parts of one study share its bases and seeds: only
studies are taken as independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lawcheck.declare.design import Contrast, Law, PartVerdict, Verdict
from lawcheck.declare.metrics import ACCURACY
from lawcheck.errors import InputError
from lawcheck.judging.outcomes import fixed
from lawcheck.judging.stats.meta import Pooled, random_effects

PUBLISHED = "published, one run"


@dataclass(frozen=True, kw_only=True)
class Found:
    """One study's estimate of a part. low, high: as in its verdict. why: it is not pooled, or
    empty.
    """

    study: str
    estimate: float
    se: float | None
    low: float | None
    high: float | None
    outcome: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """A part over studies. pooled: None where fewer than two can be."""

    name: str
    claim: str
    unit: str
    role: str
    sesoi: float
    margin: float | None
    found: tuple[Found, ...]
    pooled: Pooled | None


def replicate(
    law: Law,
    verdicts: Mapping[str, Verdict],
    published: Mapping[str, float] | None = None,
) -> tuple[Replicated, ...]:
    """Every part of a law over its verdicts, in the law's order.

    verdicts: study -> its verdict. published: part -> its value in print. Raises InputError for a
    verdict on another law, for one study named twice, and for a part in two units or directions.
    """
    if not verdicts:
        raise InputError(f"replicate {law.name}: no verdict; name files that `judge --json` wrote")
    seen: dict[str, str] = {}
    for study, verdict in verdicts.items():
        if verdict.law != law.name:
            raise InputError(
                f"replicate {law.name}: {study} is a verdict on {verdict.law!r}; name verdicts on "
                f"one law"
            )
        if verdict.scores_digest in seen:
            raise InputError(
                f"replicate {law.name}: {study} and {seen[verdict.scores_digest]} are judged on "
                f"the same scores; name one of them"
            )
        seen[verdict.scores_digest] = study
    parts = []
    for h in law.hypotheses:
        own = {s: p for s, v in verdicts.items() for p in v.parts if p.name == h.name}
        if own:
            _require_one_unit(law, h.name, own)
            first = next(iter(own.values()))
            found = [f for s, p in own.items() if (f := _found(s, p)) is not None]
            printed = (published or {}).get(h.name)
            if printed is not None:
                found.append(_printed(printed))
            parts.append(
                Replicated(
                    name=h.name,
                    claim=h.claim,
                    unit=first.unit,
                    role=h.role,
                    sesoi=first.sesoi,
                    margin=first.margin,
                    found=tuple(found),
                    pooled=_pooled(found, h.alpha),
                )
            )
    return tuple(parts)


def _require_one_unit(law: Law, name: str, own: Mapping[str, PartVerdict]) -> None:
    for what in ("unit", "alternative"):
        by_value: dict[str, str] = {}
        for study, part in own.items():
            by_value.setdefault(getattr(part, what), study)
        if len(by_value) > 1:
            (one, here), (other, there), *_ = by_value.items()
            raise InputError(
                f"replicate {law.name}: part {name!r} has {what} {one!r} in {here} and {other!r} "
                f"in {there}, expected one; pool studies of one {what}"
            )


def _found(study: str, part: PartVerdict) -> Found | None:
    if part.estimate is None:
        return None
    why = ""
    if part.outcome == "not tested":
        why = "not tested"
    elif part.low is None or not part.se:
        why = "no variance"
    elif part.n_seeds < 2:
        why = "one seed"
    return Found(
        study=study,
        estimate=part.estimate,
        se=part.se,
        low=part.low,
        high=part.high,
        outcome=part.outcome,
        why=why,
    )


def _printed(value: float) -> Found:
    return Found(
        study=PUBLISHED,
        estimate=value,
        se=None,
        low=None,
        high=None,
        outcome="published",
        why="no variance",
    )


def _pooled(found: Sequence[Found], alpha: float) -> Pooled | None:
    sampled = [f for f in found if not f.why]
    if len(sampled) < 2:
        return None
    errors = [f.se for f in sampled if f.se is not None]
    return random_effects([f.estimate for f in sampled], errors, 1 - 2 * alpha)


def in_print(law: Law, rows: object) -> dict[str, float]:
    """Contrasts of accuracy in points, from printed scores. rows: lawcheck.show.printed.Rows.

    A part is left out where one of its arms, or its target, is not in print.
    """
    found = {}
    for h in law.hypotheses:
        e = h.estimand
        if not isinstance(e, Contrast) or e.metric != ACCURACY or not isinstance(e.target, str):
            continue
        total = 0.0
        for arm, weight in e.weights:
            cells = (rows.published_value(t, arm, e.target) for t in rows.TABLES)  # type: ignore[attr-defined]
            value = next((c for c in cells if c is not None), None)
            if value is None:
                break
            total += 100 * weight * value
        else:
            found[h.name] = total
    return found


def replication_text(law: Law, parts: Sequence[Replicated]) -> str:
    """One paragraph a part, for a terminal."""
    lines = [f"{law.name}: {law.claim}"]
    for part in parts:
        lines += ["", f"{part.name} ({part.role}, {part.unit}): {part.claim}"]
        for f in part.found:
            value = fixed(f.estimate, part.unit, "+")
            if f.low is not None and f.high is not None:
                value += f" [{fixed(f.low, part.unit, '+')}, {fixed(f.high, part.unit, '+')}]"
            said = f"{f.outcome}; not pooled: {f.why}" if f.why else f.outcome
            lines.append(f"  {f.study}: {value} {said}")
        lines.append(f"  {pooled_text(part)}")
    return "\n".join(lines) + "\n"


def pooled_text(part: Replicated) -> str:
    p = part.pooled
    if p is None:
        count = sum(not f.why for f in part.found)
        return f"not pooled: {count} of {len(part.found)} with a variance, 2 needed"
    mean, low, high, ahead, behind, tau = (
        fixed(v, part.unit, sign)
        for v, sign in (
            (p.mean, "+"),
            (p.low, "+"),
            (p.high, "+"),
            (p.predicted[0], "+"),
            (p.predicted[1], "+"),
            (p.tau, ""),
        )
    )
    return (
        f"mean of {p.k}: {mean} [{low}, {high}], SD between studies {tau}; one more study: "
        f"[{ahead}, {behind}] ({p.level:.0%})"
    )
