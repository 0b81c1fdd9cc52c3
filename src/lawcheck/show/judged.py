"""A judged law as its tables, figures and card look at it. Never imports torch."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Law
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import Base, BuiltBase, PackageBase, Scale
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.files.reading import read_object
from lawcheck.files.records import Statistics, fitting, read_provenance
from lawcheck.judging.judged import judged_origins, seeds_of
from lawcheck.judging.verdict_forms import read_verdict
from lawcheck.methods.base import ModelShapes
from lawcheck.planning import sources
from lawcheck.planning.cost import planned_cost
from lawcheck.planning.plan import Planner
from lawcheck.planning.shipped import bases_by_seed, vocabulary
from lawcheck.scores import load_scores
from lawcheck.show import RenderContext, render
from lawcheck.show.labels import style_of


def render_context(planner: Planner, layout: Layout, law: Law) -> RenderContext:
    """What a judged law's tables, figures and card in the report look at.

    The seeds are those of the scores, whatever the scale's own are.
    """
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
        bases=bases_by_seed(scale, law.base.base, seeds_of(scores)),
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
    """Base of an arm -> `Llama-style, 0.36 M` where it is built here, else the model's own name.

    Where that does not tell two bases apart, their own names are appended.
    """
    titles = {name: _title(scale, name, base) for name, base in scale.bases.items()}
    shared = [t for t in titles.values() if list(titles.values()).count(t) > 1]
    return {n: f"{t} ({n.replace('_', ' ')})" if t in shared else t for n, t in titles.items()}


def _title(scale: Scale, name: str, base: Base) -> str:
    if isinstance(base, BuiltBase):
        return style_of(str(base.architecture["model_type"]), _parameters(scale, name))
    if isinstance(base, PackageBase):
        return PurePosixPath(base.file).stem
    return base.model.rstrip("/").rsplit("/", 1)[-1]


def _parameters(scale: Scale, base: str) -> int | None:
    """Of a built base; None where its vocabulary is not stated or its type is not counted."""
    known = vocabulary(scale, base)
    try:
        config = scale.bases[base].architecture | {"vocab_size": known}
        return None if known is None else ModelShapes.from_config(config).total_parameters
    except InputError:
        return None


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
