"""From a score table on disk to a verdict. Never imports torch."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Verdict
from lawcheck.declare.layout import Layout
from lawcheck.declare.worlds import bears_claims, unclaimed
from lawcheck.files import origin
from lawcheck.files.atomic import atomic_file
from lawcheck.judging.controls import beside, false_positives, read_controls, record_of
from lawcheck.judging.looks import Looks
from lawcheck.judging.preregistration import preregistration_of
from lawcheck.judging.reading import read_scores
from lawcheck.judging.verdict import judge
from lawcheck.judging.verdict_forms import verdict_json
from lawcheck.planning.controls import NAME, required_of, rests_on_controls
from lawcheck.scores import ScoreTable, load_scores, task_places
from lawcheck.scores.health import law_findings

if TYPE_CHECKING:
    from lawcheck.declare.scale import Scale
    from lawcheck.judging.importing import ImportMap

AGAIN = "judge the controls again: lawcheck controls"
CODE_PATH = "a scale without claims: numbers of a code path, no evidence"


def judge_file(
    law: Law,
    scores: Sequence[str | Path],
    scale: Scale | None = None,
    out: Path | None = None,
    looks: Looks | int | None = None,
    leave_out: Sequence[str] | None = None,
    quick: bool = False,
    mapping: ImportMap | None = None,
    given: tuple[ScoreTable, tuple[str, ...]] | None = None,
) -> Verdict:
    """Judge a law on score files; write the verdict to `out` if given.

    scale: the scale the scores come from; None for somebody's own scores. looks: at the
    growing data, as of `judge`; None: as preregistered, else one. leave_out: as of `judge`; None:
    what the law's study leaves out. quick: as of `judge`. mapping: of one's own scores, as of
    `import_scores`; without one, files that are no score table are imported by their names.
    given: what `read_scores` made of the files, where several laws are judged on them.
    """
    study = discovery.study_of(law.name)
    required = required_of(scale) if scale is not None else {}
    if scale is not None or study is not None:
        # Its averages are of every discipline.
        discovery.require_whole("disciplines")
    if leave_out is None:
        leave_out = study.leave_out if study else ()
    origins = [recorded_table(Path(p)) for p in ([scores] if isinstance(scores, str) else scores)]
    if given is None:
        given = (load_scores(scores), ()) if scale else read_scores(scores, mapping)
    table, read = given
    record = preregistration_of(law, scale, written(scores))
    controls: dict[str, bool] | None = None
    if scale is not None and rests_on_controls(law, scale):
        lie = beside(Path(scores if isinstance(scores, str) else scores[0]))
        controls = read_controls(lie)
        origins += [record_of(lie, AGAIN)] if controls is not None else []
    verdict = judge(
        law,
        table,
        tasks=task_places(discovery.disciplines().values(), scale.world) if scale else None,
        scale=scale.name if scale else "",
        cost=planned_cost,
        bases=_bases(scale, law, table) if scale else None,
        preregistered=record.fits,
        pretrained=scale is None or all(b.kind != "built" for b in scale.bases.values()),
        looks=record.looks if looks is None else looks,
        leave_out=leave_out,
        quick=quick,
        controls=controls,
        required=required,
    )
    found = law_findings(law, table)
    notes = [
        *verdict.notes,
        *read,
        *(f.text for f in found),
        *([record.note] if record.note else []),
    ]
    if law.name == NAME:
        notes = [*verdict.notes, false_positives(verdict).line, *(f.text for f in found)]
    if scale is not None:
        notes += _without_claims(scale, law)
    verdict = dataclasses.replace(verdict, notes=tuple(notes))
    if out is not None:
        with atomic_file(out) as part:
            part.write_bytes(verdict_json(verdict))
        origin.forget(out)
        if all(origins):
            made_from = {o.label: o.digest for o in origins if o}
            origin.seal(out, "verdict", law.name, made_from=made_from)
    return verdict


def _without_claims(scale: Scale, law: Law) -> list[str]:
    lost = unclaimed(scale, law)
    if not bears_claims(scale, law) and not scale.claimed_metrics:
        return [CODE_PATH]
    if not lost:
        return []
    who = "the verdict" if not bears_claims(scale, law) else "these parts"
    claimed = ", ".join(scale.claimed_metrics)
    return [
        f"no evidence, {who}: scale {scale.name!r} claims nothing but from {claimed}, which "
        f"{', '.join(lost)} {'do' if len(lost) > 1 else 'does'} not read"
    ]


def planned_cost(arm: Arm, quantity: str, scale: str = "paper") -> float:
    """As lawcheck.planning.cost, which is imported where a law counts costs, for its time."""
    from lawcheck.planning import cost

    return cost.planned_cost(arm, quantity, scale)


def _bases(scale: Scale, law: Law, table: ScoreTable) -> dict[int, str]:
    from lawcheck.planning.shipped import bases_by_seed

    return bases_by_seed(scale, law.base.base, seeds_of(table))


def written(scores: Sequence[str | Path]) -> datetime.datetime | None:
    """When the youngest score file was written; None where one is not there."""
    paths = [Path(p) for p in ([scores] if isinstance(scores, str) else scores)]
    if not paths or not all(p.is_file() for p in paths):
        return None
    newest = max(p.stat().st_mtime for p in paths)
    return datetime.datetime.fromtimestamp(newest, datetime.UTC)


def recorded_table(path: Path) -> origin.Origin | None:
    """The record of a score table, after the table was compared with it; None without a record.

    Somebody's own scores have none. Raises OriginError for a table that is not as recorded.
    """
    if not origin.record_path(path).is_file():
        return None
    return origin.require(path, "table", None, "collect it again: lawcheck collect")


def judged_origins(layout: Layout, law: Law) -> dict[str, str]:
    """Digests of a law's verdict and table, after both were compared with their records.

    Empty where one has none, such as in what was published before there were records. Raises
    OriginError, also for a verdict on another table.
    """
    path = layout.verdict(law.name)
    table = recorded_table(layout.law_scores(law.name))
    if table is None or not origin.record_path(path).is_file():
        return {}
    from lawcheck.planning import sources

    how = sources.judge_step(layout, law.name)
    made_from = {table.label: table.digest}
    controls = origin.label("verdict", NAME)
    if controls in origin.read(path, "verdict", law.name, how).made_from:
        made_from |= {controls: origin.require(layout.verdict(NAME), "verdict", NAME, how).digest}
    verdict = origin.require(path, "verdict", law.name, how, made_from)
    return {table.label: table.digest, verdict.label: verdict.digest}


def seeds_of(table: ScoreTable) -> tuple[int, ...]:
    """Every seed that some arm has item scores of, ascending."""
    found = {s for a in table.arms for t in table.item_metric for s in table.seeds(a, t)}
    return tuple(sorted(found))
