"""Learning rates by an equal, recorded search: same number of values per method, tuning items.

Every arm that a method's learning rate serves is trained at every value of the grid, on an extra
base model of each kind that no law is judged on (where bases have seeds), and scored on the tuning
split. The value with the highest average over those arms wins: accuracy, or, where the scale
measures likelihoods, the fewest bits per byte, of the disciplines that an arm learns, and of
instructions where it learns those. Of an objective without answers (`text`) it is the lowest loss
of the tuning items written out as texts. Evaluation items are never read.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Mixture, Recipe
from lawcheck.declare.layout import Layout
from lawcheck.declare.lineage import lineage
from lawcheck.declare.metrics import BITS
from lawcheck.declare.scale import Scale, settings_key
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError, nearest
from lawcheck.files.atomic import write_json
from lawcheck.files.reading import read_object
from lawcheck.pipeline import stages
from lawcheck.planning.plan import Planner

# Far from the seeds of any study.
SEARCH_SEED = 1000
# Half-decade steps around what small models take; five values for every method.
PEFT_GRID = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
FULL_GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
# Published rates of DPO lie a tenth and more below those of other stages.
PREFERENCE_GRID = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4)


def served(laws: Iterable[Law]) -> dict[str, tuple[Arm, ...]]:
    """Key of a scale's `methods` -> the laws' arms that its rate is searched on.

    Those on any share of the data without more, as if on all of it, on the default base, and those
    on even mixtures that stay as they are, on any base; of any design but of the usual size: a rate
    is chosen for a method, not for what a law varies. Where there are none, as of the stages of an
    adaptation: those with the fewest arms below them that learn disciplines, on the base that
    their law is about. An objective with a reference is searched where the start has learned to
    answer, since it moves little else than how it answers. Where there are only arms on selected
    rows, the first of those on the most tasks and rows, of any size.
    """
    selected: dict[str, Arm] = {}
    plain: dict[str, dict[Arm, None]] = {}
    staged: dict[str, dict[Arm, None]] = {}
    for law in laws:
        for arm in lineage(law.arms):
            if arm.recipe is None or arm.method not in discovery.methods():
                continue
            key = settings_key(arm.method, arm.recipe.objective)
            if arm.selection is not None:
                trained = discovery.trains_rows(arm) and not arm.parents
                if trained and (key not in selected or _size(arm) > _size(selected[key])):
                    selected[key] = arm
                continue
            if not _usual(arm):
                continue
            whole = dataclasses.replace(arm, recipe=dataclasses.replace(arm.recipe, fraction=1.0))
            even = whole.recipe == Recipe(mixture=Mixture())
            if not arm.parents and (even or arm.base == "default"):
                if (even or whole.recipe == Recipe()) and arm in law.arms:
                    plain.setdefault(key, {})[whole] = None
            elif arm.base == law.base.base and _is_whole(arm.recipe) and _can_answer(arm):
                staged.setdefault(key, {})[arm] = None
    found = {
        key: tuple(a for a in arms if a.depth == min(a.depth for a in arms))
        for key, arms in staged.items()
    }
    found = {key: (arm,) for key, arm in selected.items()} | found
    return dict(sorted((found | {key: tuple(arms) for key, arms in plain.items()}).items()))


def _size(arm: Arm) -> tuple[int, float]:
    """Tasks of an arm's selection, and rows of each."""
    selection = arm.selection
    assert selection is not None
    return len(selection.tasks), math.inf if selection.k is None else selection.k


def _is_whole(recipe: Recipe) -> bool:
    """Whether it learns disciplines, from all that it has, in one order."""
    early = recipe.stop_after is not None or recipe.replica != 1
    return recipe.disciplines != () and not (early or recipe.shuffled or recipe.mixture)


def _can_answer(arm: Arm) -> bool:
    assert arm.recipe is not None
    recipes = [a.recipe for a in lineage(arm.parents) if a.recipe is not None]
    answered = any(r.objective == "response" for r in recipes)
    return answered or not discovery.objective(arm.recipe.objective).reference


def _usual(arm: Arm) -> bool:
    """Whether it trains rows, at its method's usual size."""
    usual = discovery.method(arm.method).design
    size = all(isinstance(v, str) or v == usual.get(key) for key, v in arm.design)
    return size and discovery.trains_rows(arm)


def search(
    planner: Planner,
    layout: Layout,
    laws: Iterable[Law],
    methods: list[str] | None,
    out: Path,
    rates: tuple[float, ...] | None = None,
    share: float = 1.0,
) -> Iterator[str]:
    """Search each method's learning rate on arms of the laws (`served`); yield lines.

    rates: the values to try (None: five by the method's group). share: of the arms' rows. Writes
    <out>/<scale>.<method>.json.
    """
    arms = {
        method: tuple(_on_share(arm, share) for arm in found)
        for method, found in served(laws).items()
    }
    fewest = planner.scale.evaluation.likelihood
    for method in methods or list(arms):
        if method not in arms:
            raise InputError(
                f"tune: no law trains method {method!r} plainly on all data; "
                f"{nearest(method, arms)}"
            )
        for base in dict.fromkeys(a.base for a in arms[method]):
            stages.build_bases(planner, layout, base, [SEARCH_SEED])
        rows = []
        for rate in rates or _grid(arms[method][0]):
            row = _score(_with_rate(planner.scale, method, rate), layout, arms[method])
            rows.append({"learning_rate": rate, **row})
            told = "unscored" if row["mean"] is None else f"{row['mean']:.4f}"
            yield f"{method} {rate:g}: {told}"
        finite = [r for r in rows if r["mean"] is not None]
        if not finite:
            raise InputError(
                f"tune {method!r}: no learning rate of {len(rows)} gives finite scores; lower them"
            )
        by_loss = fewest or _by_loss(arms[method][0])
        best = (min if by_loss else max)(finite, key=lambda r: r["mean"])
        edge = best in (rows[0], rows[-1])
        record = {
            "scale": planner.scale.name,
            "method": method,
            "seed": SEARCH_SEED,
            "split": "tune",
            "items_per_task": planner.scale.evaluation.tune_items,
            **({"metric": "loss" if _by_loss(arms[method][0]) else BITS} if by_loss else {}),
            **({"share_of_rows": share} if share != 1 else {}),
            "generator": planner.scale.corpus.frozen,
            "chosen": best["learning_rate"],
            "chosen_at_edge_of_grid": edge,
            "searched": rows,
        }
        write_json(out / f"{planner.scale.name}.{method}.json", record)
        yield f"{method}: {best['learning_rate']:g}{' (edge of the grid)' if edge else ''}"


def _on_share(arm: Arm, share: float) -> Arm:
    assert arm.recipe is not None
    if arm.selection is not None:
        if share != 1:
            raise InputError(
                f"tune: share {share:g} of arm {arm.name!r}, whose rows are selected; leave --share"
            )
        return arm
    part = dataclasses.replace(arm.recipe, fraction=arm.recipe.fraction * share)
    return dataclasses.replace(arm, recipe=part)


def _grid(arm: Arm) -> tuple[float, ...]:
    assert arm.recipe is not None
    # A loss beside a reference moves little; ORPO's holds that of fine-tuning.
    if discovery.objective(arm.recipe.objective).reference:
        return PREFERENCE_GRID
    return FULL_GRID if discovery.method(arm.method).group == "full" else PEFT_GRID


def _by_loss(arm: Arm) -> bool:
    """Whether the arm learns texts, which nobody is asked about."""
    return arm.recipe is not None and arm.recipe.objective == "text"


def _with_rate(scale: Scale, method: str, rate: float) -> Scale:
    settings = scale.methods.get(method)
    if settings is None:
        raise InputError(
            f"tune: scale {scale.name!r} has no settings of {method!r}; add them under 'methods'"
        )
    settings = settings.model_copy(update={"learning_rate": rate})
    return scale.model_copy(update={"methods": {**scale.methods, method: settings}})


def _score(scale: Scale, layout: Layout, arms: tuple[Arm, ...]) -> dict[str, Any]:
    """Average score per served arm on the tuning split, their mean, and the training time."""
    planner = Planner(scale, (SEARCH_SEED,))
    runs = {a: planner.runs_of(a, SEARCH_SEED) for a in arms}
    everything = planner.with_parents(r for group in runs.values() for r in group)
    stages.train(planner, layout, list(everything.values()))
    for learns_general in (False, True):
        asked = [
            r
            for a, group in runs.items()
            if not _by_loss(a) and _learns_general(a) == learns_general
            for r in group
        ]
        roles = ("discipline", "general") if learns_general else ("discipline",)
        stages.evaluate(planner, layout, asked, "tune", roles=roles)
    average: dict[str, float | None] = {}
    diverged, seconds = 0, 0.0
    for arm, group in runs.items():
        if _by_loss(arm):
            loss = stages.tuning_loss(planner, layout, group[0])
            found = None if loss is None else {"loss": loss}
        elif scale.evaluation.likelihood:
            found = _bits(planner, layout, group)
        else:
            found = _accuracy(planner, layout, group)
        average[arm.name] = None if found is None else statistics.fmean(found.values())
        for run in group:
            record = read_object(layout.run(run.id) / "train.json", "train the run again")
            diverged += bool(record["diverged"])
            seconds += record["cpu_seconds"]
    means = [m for m in average.values() if m is not None]
    return {
        "mean": statistics.fmean(means) if len(means) == len(average) else None,
        "arms": average,
        "diverged": diverged,
        "cpu_seconds": round(seconds, 1),
    }


def _learns_general(arm: Arm) -> bool:
    return arm.recipe is not None and arm.recipe.general_share > 0


def _learned(arm: Arm, scale: Scale) -> tuple[str, ...]:
    """The disciplines that an arm learns."""
    named = None if arm.recipe is None else arm.recipe.disciplines
    return named or tuple(d.name for d in science(scale))


def _accuracy(planner: Planner, layout: Layout, group: tuple[Any, ...]) -> dict[str, float] | None:
    """Accuracy over the tuning items of every discipline that one arm's run or runs learn, and of
    general instructions where they learn those; of selected rows, that of each task.

    None where an item is unscored: a rate whose model gives no numbers cannot be the best.
    """
    import pyarrow.compute as pc

    from lawcheck.scores import load_scores, read_rows, task_places

    world = planner.scale.world
    places = task_places(discovery.disciplines().values(), world)
    files = [layout.run_scores(r.id, "tune") for r in group]
    if pc.any(pc.is_nan(read_rows(files).column("value"))).as_py():
        return None
    table = load_scores(files)
    selection = group[0].arm.selection
    if selection is not None:
        # It knows no other task.
        cubes = {t: table.cube(group[0].arm.name, t, [SEARCH_SEED]) for t in selection.tasks}
        return {task: float(cube.mean()) for task, cube in cubes.items()}
    learns_general = _learns_general(group[0].arm)
    general = [d.name for d in discovery.of_role("general", world)] if learns_general else []
    names = (*_learned(group[0].arm, planner.scale), *general)
    found: dict[str, list[float]] = {name: [] for name in names}
    for task in table.tasks:
        if task in places and places[task].discipline in found:
            cube = table.cube(group[0].arm.name, task, [SEARCH_SEED])
            found[places[task].discipline].append(float(cube.mean()))
    return {name: statistics.fmean(values) for name, values in found.items()}


def _bits(planner: Planner, layout: Layout, group: tuple[Any, ...]) -> dict[str, float] | None:
    """As `_accuracy`: bits per byte of gold answers, per discipline, each task of equal weight."""
    from lawcheck.scores import read_rows, task_places

    places = task_places(discovery.disciplines().values(), planner.scale.world)
    by_task: dict[str, list[float]] = {}
    for row in read_rows([layout.run_scores(r.id, "tune") for r in group]).to_pylist():
        if row["metric"] == BITS and row["task"] in places:
            by_task.setdefault(row["task"], []).append(row["value"])
    names = _learned(group[0].arm, planner.scale)
    found: dict[str, list[float]] = {name: [] for name in names}
    for task, values in by_task.items():
        if places[task].discipline in found:
            found[places[task].discipline].append(statistics.fmean(values))
    means = {name: statistics.fmean(values) for name, values in found.items() if values}
    whole = means.keys() == found.keys() and all(map(math.isfinite, means.values()))
    return means if whole else None
