"""What a reader must know about the rows of a table: missing, unscored, diverged, suspect."""

from __future__ import annotations

from collections.abc import Sequence

from lawcheck.scores.health import law_findings
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Row


def notes(
    context: RenderContext, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[str, ...]:
    """Sentences for the caption; those on missing scores name the command that makes them."""
    return (
        *_missing(context, rows),
        *_gaps(context, columns),
        *_unscored(rows),
        *_diverged(context, rows),
        *_findings(context, rows),
    )


def _named(rows: Sequence[Row]) -> dict[str, str]:
    """Arm -> how its first row is called, with the block where rows share a label."""
    labels = [r.label for r in rows]
    found: dict[str, str] = {}
    for r in rows:
        plain = labels.count(r.label) == 1 or not r.block
        found.setdefault(r.arm, r.label if plain else f"{r.label} ({r.block})")
    return {arm: name for arm, name in found.items() if arm}


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = "; ".join(names[:most])
    return f"{shown}; and {len(names) - most} more" if len(names) > most else shown


def _missing(context: RenderContext, rows: Sequence[Row]) -> list[str]:
    """Arms without scores, and arms that lack a discipline which others have."""
    named, how = _named(rows), context.how
    lost = {r.arm for r in rows if not r.scored and r.arm} - context.diverged.keys()
    found = []
    if lost:
        missing = [name for arm, name in named.items() if arm in lost]
        found.append(
            f"No scores yet of {len(missing)} of {len(named)} arms: {_listed(missing)}; {how}."
        )
    titles = {d.name: d.title for d in context.disciplines}
    partial = [
        f"{named[r.arm]} lacks {', '.join(titles.get(d, d) for d in lacking)}"
        for r in {r.arm: r for r in rows if r.arm and r.scored}.values()
        if (lacking := context.summary.lacking(r.arm))
    ]
    if partial:
        found.append(f"No average without every discipline: {_listed(partial)}; {how}.")
    return found


def _gaps(context: RenderContext, columns: Sequence[Column]) -> list[str]:
    """Disciplines and companions that no arm has scores of."""
    found = []
    evidence, keys = context.summary.evidence, {c.key for c in columns}
    here = {evidence.places[t].role for t in context.scores.item_metric if t in evidence.places}
    lost = [d.title for d in context.unmeasured]
    if lost and "average" in keys:
        whole = len(context.science)
        found.append(
            f"No scores of {', '.join(lost)} in any arm: the average is of {whole - len(lost)} "
            f"of {whole} disciplines, the published one of all; {context.how}."
        )
    for column in columns:
        if column.key in ("general", "out_of_domain") and column.key not in here:
            found.append(f"{column.header}: no scores in any arm; {context.how}.")
    return found


def _unscored(rows: Sequence[Row]) -> list[str]:
    most = max(
        (c.measure.n_unscored for r in rows for c in r.cells if c.measure is not None), default=0
    )
    if not most:
        return []
    return [f"Up to {most} (seed, item) cells of a number are unscored and left out."]


def _diverged(context: RenderContext, rows: Sequence[Row]) -> list[str]:
    """A diverged run that was scored counts like any other; one without scores cannot."""
    named, scores = _named(rows), context.scores
    seeds = {a: {s for t in scores.item_metric for s in scores.seeds(a, t)} for a in named}
    said = []
    for scored, where in ((True, "at their last good state"), (False, "not in the means")):
        lost = {
            name: sum(
                n for (a, s), n in scores.diverged.items() if a == arm and (s in seeds[a]) == scored
            )
            for arm, name in named.items()
        }
        counted = [f"{name} {n}" for name, n in lost.items() if n]
        if counted:
            said.append(f"Diverged runs, {where}: {', '.join(counted)}.")
    return said


def _findings(context: RenderContext, rows: Sequence[Row]) -> list[str]:
    """Collapsed and repeated runs; divergence, unscored cells and single seeds are said above."""
    named = _named(rows)
    own = [
        f.text
        for f in law_findings(context.law, context.scores)
        if f.kind not in ("diverged", "unscored", "single_seed") and named.keys() & set(f.arms)
    ]
    return [f"{text[:1].upper()}{text[1:]}." for text in own]
