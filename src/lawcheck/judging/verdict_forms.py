"""A verdict as bytes, as an exit status and as lines for the terminal."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any

from lawcheck.declare.design import SCHEMA, ConjunctVerdict, PartVerdict, Verdict
from lawcheck.declare.results import WITHOUT
from lawcheck.errors import InputError
from lawcheck.files.reading import read_json
from lawcheck.judging.outcomes import fixed, p_text

EXIT = {"HOLDS": 0, "NOT TESTED": 3, "NOT SHOWN": 3, "INCONCLUSIVE": 3, "CONTRADICTED": 4}
CLAIM = {"greater": "> 0", "less": "< 0", "below": "< 0"}


def verdict_json(verdict: Verdict) -> bytes:
    """Sorted keys, numbers to 10 significant digits: equal scores give equal bytes."""
    data = verdict.to_dict()
    text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def read_verdict(path: str | Path) -> Verdict:
    """The verdict in a file that `verdict_json` filled. Raises InputError for anything else."""
    data = read_json(Path(path), "judge again", f"verdict {path}")
    if isinstance(data, dict):
        schema = data.get("schema", 0)
        if type(schema) is not int or not 0 <= schema <= SCHEMA:
            raise InputError(
                f"verdict {path}: schema {str(schema)[:20]!r}, this lawcheck reads up to {SCHEMA}; "
                f"judge again, or update lawcheck"
            )
        left = [k for k in sorted(data) if k.startswith(WITHOUT)]
        again = [{"discipline": k.removeprefix(WITHOUT), "parts": data.pop(k)} for k in left]
        data = {**data, "without": again}
    return typing.cast(Verdict, _built(Verdict, data, str(path)))


def exit_code(verdict: Verdict) -> int:
    """0 HOLDS, 3 NOT TESTED, NOT SHOWN or INCONCLUSIVE, 4 CONTRADICTED."""
    return EXIT[verdict.outcome]


def text(verdict: Verdict) -> str:
    """Claim, outcome and one paragraph a part, for a terminal."""
    scale = f" at {verdict.scale} scale" if verdict.scale else ""
    kind = "preregistered" if verdict.preregistered else "exploratory"
    lines = [f"{verdict.law}: {verdict.outcome}{scale} ({kind})", f"  {verdict.claim}"]
    lines += [f"  note: {n}" for n in verdict.notes]
    lines += [f"  {line}" for line in unused_lines(verdict)]
    for role in ("primary", "secondary"):
        lines += [line for p in verdict.parts if p.role == role for line in ("", *part_lines(p))]
    for left in verdict.without:
        if left.parts:
            lines += ["", f"  without {left.discipline.replace('_', ' ')}:"]
            lines += [f"    {p.name}: {p.outcome}, {estimate(p)}" for p in left.parts]
    if verdict.power:
        lines += ["", "  a study of this size would say:"]
        lines += [f"    {line}" for line in power_lines(verdict)]
    return "\n".join(lines) + "\n"


UNUSED = {
    "arms": "no part compares them",
    "tasks": "no part is about them",
    "metrics": "no part reads them",
    "scores": "no part needs them",
    "seeds": "not in every arm that a part compares",
}
MOST_NAMED = 8


def unused_lines(verdict: Verdict) -> list[str]:
    """Rows that no part read, a line for each kind."""
    lines = []
    for u in verdict.unused:
        more = len(u.names) - MOST_NAMED
        names = ", ".join(u.names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        kind = f"{u.kind} " if u.kind in ("arms", "tasks", "metrics") else ""
        lines.append(f"not used: {u.rows:,} rows of {kind}{names}: {UNUSED[u.kind]}")
    return lines


def part_lines(p: PartVerdict) -> list[str]:
    """Outcome, estimate, sampling, what would settle it, notes: one line each."""
    said = f"{p.outcome} {p.size}".rstrip()
    lines = [f"  {p.role} {p.name}: {said}", f"    {estimate(p)}; claimed {claimed(p)}"]
    if p.outcome == "negligible" and p.sesoi:
        lines.append(f"    negligible: an effect of {sized(p.sesoi, p.unit)} is excluded")
    lines += [f"    {c.name}: {c.outcome}, {estimate(c, p)}" for c in p.conjuncts]
    if p.se is not None:
        sampled = [counted(p.n_seeds, "seed")]
        sampled += [counted(p.n_items, "item")] if p.n_items else []
        sampled += [f"p {p_text(p.p)}"] if p.p is not None else []
        sampled += [f"detects {fixed(p.mde, p.unit)} at 80 % power"] if p.mde is not None else []
        lines.append("    " + ", ".join(sampled))
    lines += [f"    {line}" for line in beside_lines(p)]
    settle = settles(p)
    lines += [f"    would settle it: {settle}"] if settle else []
    return lines + [f"    note: {n}" for n in p.notes]


def beside_lines(p: PartVerdict) -> list[str]:
    """What stands beside a part and does not decide it."""
    lines = []
    if p.posterior:
        against, small, toward = (f"{100 * share:.0f} %" for share in p.posterior)
        middle = f", negligible {small}" if p.alternative in ("greater", "less") else ""
        lines.append(f"probability: as claimed {toward}{middle}, reversed {against}")
    if p.agreeing:
        lines.append(f"{p.agreeing[0]} of {p.agreeing[1]} other choices of data agree")
    if p.worst:
        low, high = (fixed(w, p.unit, "+") for w in p.worst)
        lines.append(f"unscored items could move it to {low} or {high}")
    return lines


def power_lines(verdict: Verdict) -> list[str]:
    """Chances of HOLDS and CONTRADICTED at this size, by how large the effects are."""
    names = {0.0: "nothing there", 0.5: "half the smallest effects", 1.0: "the smallest effects"}
    return [
        f"with {names.get(row.fraction, f'{row.fraction:g} of the smallest effects')}: HOLDS "
        f"{100 * row.holds:.0f} %, CONTRADICTED {100 * row.contradicted:.0f} %"
        for row in verdict.power
    ]


def estimate(p: PartVerdict | ConjunctVerdict, of: PartVerdict | None = None) -> str:
    """Estimate, unit and interval in words. of: the part that a conjunct belongs to."""
    part = of or p
    assert isinstance(part, PartVerdict)
    if p.estimate is None:
        return "no estimate"
    low, value, high = (
        None if v is None else fixed(v, part.unit, "+") for v in (p.low, p.estimate, p.high)
    )
    # The cases decide, and may lie on either side of their mean.
    said = f"pooled {value} {part.unit}" if p is part and part.conjuncts else f"{value} {part.unit}"
    return said if None in (low, high) else f"{said}, {level(part)} interval {low} to {high}"


def level(p: PartVerdict) -> str:
    """Level of the two-sided interval that the one-sided tests read."""
    return f"{100 * (1 - 2 * p.alpha):.3g} %"


def claimed(p: PartVerdict) -> str:
    """The region that the declared alternative speaks of."""
    if p.alternative == "no_gain":
        return f"< {sized(p.margin or 0.0, p.unit)}"
    if p.alternative == "equivalent":
        return f"within {sized(p.margin or 0.0, p.unit)}"
    return CLAIM[p.alternative]


def settles(p: PartVerdict) -> str:
    """What would decide an open part at its effect of interest, or let a part be tested."""
    if p.outcome == "not tested":
        failed = any(not c.passed for c in p.checks)
        return "arms that pass its checks" if failed else "base models that others pretrained"
    if p.outcome != "open":
        return ""
    if p.n_seeds == 1:
        return "more seeds: one run shows no variation between runs"
    if p.designs:
        return f"{p.designs} (80 % power for {sized(p.goal, p.unit)})"
    if p.seeds_needed is None:
        return ""
    power = f"80 % power for {sized(p.goal, p.unit)}"
    if p.seeds_needed > p.n_seeds:
        return f"{p.seeds_needed} seeds ({power})"
    return f"nothing more of the same size: {p.n_seeds} seeds have {power}"


def counted(n: int, what: str) -> str:
    """`1 seed`, `1,900 items`."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def sized(size: float, unit: str) -> str:
    """`1 point`, `1.5 points`."""
    return f"{size:.3g} {unit.removesuffix('s') if size == 1 and unit == 'points' else unit}"


def _built(kind: Any, data: Any, origin: str) -> Any:
    """A dataclass from its JSON form, dataclasses inside it too. Later fields may be missing."""
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    later = {f.name for f in fields if "since" in f.metadata}
    names = {f.name for f in fields}
    if not isinstance(data, dict) or set(data) | later != names:
        found = (
            sorted((set(data) | later) ^ names) if isinstance(data, dict) else [type(data).__name__]
        )
        raise InputError(
            f"verdict {origin}: not a {kind.__name__} (unexpected or missing: "
            f"{', '.join(found[:4])}); judge again"
        )
    values = {}
    for name, value in data.items():
        if not _fits(hints[name], value):
            raise InputError(
                f"verdict {origin}: field {name!r} holds {str(value)[:40]!r}; judge again"
            )
        inner = next(iter(typing.get_args(hints[name])), None)
        if isinstance(value, list):
            nested = dataclasses.is_dataclass(inner)
            value = tuple(_built(inner, v, origin) if nested else v for v in value)
        values[name] = value
    return kind(**values)


def _fits(hint: Any, value: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(h, value) for h in typing.get_args(hint))
    if origin is tuple:
        return isinstance(value, list)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))
