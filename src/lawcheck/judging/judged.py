"""From a score table on disk to a verdict, tables and figures. Never imports torch."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Law, Verdict
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Scale
from lawcheck.files import origin
from lawcheck.files.atomic import atomic_file
from lawcheck.files.reading import read_object
from lawcheck.files.records import Statistics, fitting
from lawcheck.judging.preregistration import preregistration_of
from lawcheck.judging.verdict import judge
from lawcheck.judging.verdict_forms import read_verdict, verdict_json
from lawcheck.pipeline import stages
from lawcheck.pipeline.provenance import read_provenance
from lawcheck.planning import sources
from lawcheck.planning.cost import planned_cost
from lawcheck.planning.plan import Planner
from lawcheck.scores import ScoreTable, load_scores, task_places
from lawcheck.scores.health import law_findings

if TYPE_CHECKING:
    from lawcheck.show import RenderContext

CODE_PATH = "a scale without claims: numbers of a code path, no evidence"


def judge_file(
    law: Law,
    scores: Sequence[str | Path],
    scale: Scale | None = None,
    out: Path | None = None,
    looks: int | None = None,
    leave_out: Sequence[str] | None = None,
) -> Verdict:
    """Judge a law on score files; write the verdict to `out` if given.

    scale: the scale the scores come from; None for somebody's own scores. looks: how often the
    growing data are judged in all (5 seeds, then 10: two looks), each with alpha / looks; None: as
    preregistered, else once. leave_out: as of `judge`; None: what the law's study leaves out.
    """
    if leave_out is None:
        study = discovery.study_of(law.name)
        leave_out = study.leave_out if study else ()
    origins = [recorded_table(Path(p)) for p in ([scores] if isinstance(scores, str) else scores)]
    table = load_scores(scores)
    world = scale.world if scale else None
    record = preregistration_of(law, scale)
    verdict = judge(
        law,
        table,
        tasks=task_places(discovery.disciplines().values(), world),
        scale=scale.name if scale else "",
        cost=planned_cost,
        bases=stages.bases_by_seed(scale, law.base.base, seeds_of(table)) if scale else None,
        preregistered=record.fits,
        pretrained=scale is None or all(b.kind == "pretrained" for b in scale.bases.values()),
        looks=record.looks if looks is None else looks,
        leave_out=leave_out,
    )
    found = law_findings(law, table)
    notes = [*verdict.notes, *(f.text for f in found), *([record.note] if record.note else [])]
    if scale is not None and not scale.claims:
        notes.append(CODE_PATH)
    verdict = dataclasses.replace(verdict, notes=tuple(notes))
    if out is not None:
        with atomic_file(out) as part:
            part.write_bytes(verdict_json(verdict))
        origin.forget(out)
        if all(origins):
            made_from = {o.label: o.digest for o in origins if o}
            origin.seal(out, "verdict", law.name, made_from=made_from)
    return verdict


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
    how = sources.judge_step(layout, law.name)
    verdict = origin.require(path, "verdict", law.name, how, {table.label: table.digest})
    return {table.label: table.digest, verdict.label: verdict.digest}


def seeds_of(table: ScoreTable) -> tuple[int, ...]:
    """Every seed that some arm has item scores of, ascending."""
    found = {s for a in table.arms for t in table.item_metric for s in table.seeds(a, t)}
    return tuple(sorted(found))


def render_context(planner: Planner, layout: Layout, law: Law) -> RenderContext:
    """What a judged law's tables, figures and card in the report look at.

    The seeds are those of the scores, whatever the scale's own are.
    """
    from lawcheck.show import RenderContext

    judged_origins(layout, law)
    scores = load_scores(layout.law_scores(law.name))
    scale = planner.scale
    return RenderContext(
        law=law,
        scores=scores,
        verdict=read_verdict(layout.verdict(law.name)),
        disciplines=tuple(discovery.disciplines().values()),
        world=scale.world,
        scale_name=scale.name,
        costs=planned_cost,
        families=family_titles(scale),
        bases=stages.bases_by_seed(scale, law.base.base, seeds_of(scores)),
        measured=measured_seconds(layout, law),
        corpus=_mixtures(layout),
    )


def _mixtures(layout: Layout) -> Any:
    if not layout.mixtures.is_file():
        return None
    if origin.record_path(layout.mixtures).is_file():
        origin.require(layout.mixtures, "mixtures", "", sources.step(layout, "mixtures"))
    step = "restore the file, or count the mixtures again"
    content = read_object(layout.mixtures, step, str(layout.mixtures))
    return fitting(content, Statistics, str(layout.mixtures), step)


def render_law(planner: Planner, layout: Layout, law: Law, figures: Path) -> list[Path]:
    """Tables and figures of a judged law, from its score table and verdict alone."""
    from lawcheck.show import render

    context = render_context(planner, layout, law)
    written = render(law, context, layout.tables, figures / planner.scale.name)
    record = layout.rendered(law.name)
    origin.forget(record)
    made_from = judged_origins(layout, law)
    if made_from:
        names = [p.name for p in written if p.parent == layout.tables]
        origin.seal(record, "tables", law.name, files=names, made_from=made_from)
    return written


def family_titles(scale: Scale) -> dict[str, str]:
    """Base of an arm -> architecture where it is built from scratch, else the model's own name.

    Where that does not tell two bases apart, their own names are appended.
    """
    titles = {
        name: str(base.architecture["model_type"])
        if base.kind == "built"
        else base.model.rstrip("/").rsplit("/", 1)[-1]
        for name, base in scale.bases.items()
    }
    shared = [t for t in titles.values() if list(titles.values()).count(t) > 1]
    return {n: f"{t} ({n.replace('_', ' ')})" if t in shared else t for n, t in titles.items()}


def measured_seconds(layout: Layout, law: Law) -> dict[str, float]:
    """Training CPU seconds of an arm: its runs of a seed summed, then the mean over seeds."""
    path = layout.provenance(law.name)
    if not path.is_file():
        return {}
    total: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for run in read_provenance(path).get("runs", {}).values():
        if all(run.get(key) is not None for key in ("cpu_seconds", "arm", "seed")):
            total[run["arm"]][run["seed"]] += run["cpu_seconds"]
    return {arm: sum(by_seed.values()) / len(by_seed) for arm, by_seed in total.items()}
