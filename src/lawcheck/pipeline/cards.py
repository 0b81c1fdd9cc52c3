"""Model cards: what a saved adapter or model was made from, as README.md beside its weights.

The format is that of model hubs: YAML between dashes, then text. A card follows from the run's
records alone, without clock or folder, so equal runs have equal cards. Scores join once there are
some. docs/models.md says how other tools load the folders.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from lawcheck import __version__
from lawcheck.corpus.moving import GENERAL
from lawcheck.corpus.real.licences import LICENCES
from lawcheck.corpus.recipe import planned_mixture
from lawcheck.declare import discovery
from lawcheck.declare.design import Discipline, Recipe, Run
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import BuiltBase, PackageBase, PretrainedBase, Scale
from lawcheck.declare.worlds import data_folder, science, source_module
from lawcheck.errors import InputError
from lawcheck.files import atomic, origin
from lawcheck.files.cards import CARD, MARK
from lawcheck.files.reading import read_object
from lawcheck.methods.adapters import CONFIG
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.planning.shipped import RECORD as BASE_RECORD
from lawcheck.scores.files import read_rows
from lawcheck.scores.metrics import MEASUREMENTS
from lawcheck.training.record import Link, read_record

OWN = "Apache-2.0"
UNKNOWN = "unknown"
# Identifiers that model hubs know, of the licences that stand alone here.
IDENTIFIERS = frozenset({"apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "bsd-3-clause"})
FULL = """from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(FOLDER, use_safetensors=True)
# the tokenizer is that of the base model"""
ADAPTER = """{first}from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained(FOLDER)"""
REGISTER = "import lawcheck; lawcheck.LoraMoeConfig  # tells peft of this kind of adapter\n"
ABOVE = """The adapter stands on a model with other adapters merged into it: {runs}. Tools that load
it on the base model alone get another model; `lawcheck evaluate` loads all of them."""


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What a discipline reads. licence: as its publisher states it."""

    name: str
    licence: str
    hub: str | None = None


def write_cards(planner: Planner, layout: Layout, runs: Iterable[Run]) -> None:
    """The card of every complete run among these that has weights of its own."""
    for run in runs:
        record = read_record(layout.run(run.id)) if run.arm.has_weights else None
        if record is None:
            continue
        path, text = layout.adapter(run.id) / CARD, card(planner, layout, run, record)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            atomic.write_text(path, text)


def card(planner: Planner, layout: Layout, run: Run, record: dict[str, Any]) -> str:
    """record: the run's train.json."""
    scale, arm = planner.scale, run.arm
    method = discovery.method(arm.method)
    whole = _is_whole(layout, run)
    base, base_licences = _base(planner, layout, run)
    chain = planner.chain(run)
    used = learned(planner, chain)
    data = {d.title: _data_sets(d, scale) for d in used}
    licences = [*base_licences, *(s.licence for sets in data.values() for s in sets)]
    recipe = scale.bases[arm.base]
    head: dict[str, Any] = {"language": "en", **_licence(licences)}
    # A method may save in a form of its own.
    adapter = not whole and (layout.adapter(run.id) / CONFIG).is_file()
    head["library_name"] = "transformers" if whole else "peft" if adapter else "lawcheck"
    if isinstance(recipe, PretrainedBase) and not Path(recipe.model).expanduser().exists():
        head["base_model"] = recipe.model
    hubs = sorted({s.hub for sets in data.values() for s in sets if s.hub})
    head |= {"datasets": hubs} if hubs else {}
    head |= {"pipeline_tag": "text-generation", "tags": ["lawcheck", arm.method]}
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n{MARK}\n",
        f"# {run.id}\n",
        f"{method.title}: {method.trains}. Run `{run.id}` of scale `{scale.name}` ({scale.title}), "
        f"made by lawcheck {__version__}.",
        _warnings(scale, record),
        f"## Base model\n\n{base}",
        _above(planner, layout, run),
        f"## Data\n\n{_data(data)}",
        f"## Recipe\n\n{_recipe(run, scale, record)}",
        f"## Scores\n\n{_scores(planner, layout, run)}",
        f"## Use\n\n{_use(layout.adapter(run.id), whole, adapter)}",
        f"## Licence\n\nStated by the publishers of base model and data: "
        f"{'; '.join(dict.fromkeys(licences))}. Whether a model inherits them is not settled here.",
    ]
    return "\n\n".join(p.strip("\n") for p in parts if p) + "\n"


def _is_whole(layout: Layout, run: Run) -> bool:
    return Link(run.id, run.arm.method, layout.adapter(run.id)).whole


def _licence(licences: list[str]) -> dict[str, str]:
    """Of the front matter: one only where all of base and data have it."""
    found = {text.lower().replace(" ", "-") for text in licences}
    if UNKNOWN in found:
        return {"license": UNKNOWN}
    if len(found) == 1 and found <= IDENTIFIERS:
        return {"license": found.pop()}
    return {"license": "other", "license_name": "see-the-section-on-licences"}


def _base(planner: Planner, layout: Layout, run: Run) -> tuple[str, list[str]]:
    """The base model in words, and its licences."""
    scale, name = planner.scale, run.arm.base
    recipe = scale.bases[name]
    if isinstance(recipe, PackageBase):
        folder = layout.base(name, scale.base_seed(name, run.seed))
        licence = read_object(folder / BASE_RECORD, "run: lawcheck base").get("licence")
        known = str(licence) if licence not in (None, "", "not stated") else UNKNOWN
        return (
            f"`{recipe.file}` of package {recipe.package} {recipe.version}, SHA-256 "
            f"`{recipe.sha256}`, converted to float32. Its file states the licence: {known}.",
            [known],
        )
    if isinstance(recipe, PretrainedBase):
        local = Path(recipe.model).expanduser()
        shown = local.name if local.exists() else recipe.model
        return (
            f"`{shown}`, revision {scale.revision(name)}. Its licence is not read here: {UNKNOWN}; "
            f"see its own card.",
            [UNKNOWN],
        )
    assert isinstance(recipe, BuiltBase)
    learnt = {n: d for n, d in discovery.disciplines().items() if n in recipe.mixture}
    licences = [s.licence for d in learnt.values() for s in _data_sets(d, scale)]
    rows = sum(recipe.mixture.values())
    return (
        f"`{name}`, recipe `{scale.base_digest(name)}`: {recipe.architecture.get('model_type')}, "
        f"trained by lawcheck from scratch on {rows:,} rows of this world with seed {run.seed}.",
        list(dict.fromkeys(licences)),
    )


def _above(planner: Planner, layout: Layout, run: Run) -> str:
    """What a run was made from, beside its base model."""
    needs = [r.id for r in planner.needs(run)]
    if not needs:
        return ""
    lines = ["Made from: " + ", ".join(f"`{name}`" for name in needs) + "."]
    merged = [r.id for r in planner.chain(run)[:-1] if not _is_whole(layout, r)]
    if merged and not _is_whole(layout, run):
        lines.append(ABOVE.format(runs=", ".join(f"`{name}`" for name in merged)))
    return "\n\n".join(lines)


def learned(planner: Planner, chain: Iterable[Run]) -> list[Discipline]:
    """Whose rows the runs of a chain, and what they are made from, learned."""
    scale, wanted = planner.scale, set()
    corpus = scale.corpus
    for run in planner.with_parents(chain).values():
        recipe = run.arm.recipe
        if recipe is None or not discovery.trains_rows(run.arm):
            continue
        rows = planned_mixture(
            recipe, science(scale), corpus.size, corpus.general_pool, corpus.caps
        )
        planned = {name for name, count in rows.items() if count}
        wanted |= {run.part} if run.part else planned - {GENERAL}
        if recipe.general_share or GENERAL in planned:
            wanted |= {d.name for d in discovery.of_role("general", scale.world)}
    return [d for d in discovery.disciplines().values() if d.name in wanted]


def _data_sets(discipline: Discipline, scale: Scale) -> list[DataSet]:
    if scale.world not in discipline.worlds:
        return []
    module = source_module(discipline, scale)
    declared = getattr(module, "SOURCE", None)
    if declared is not None:
        return [DataSet(s.title, s.licence or UNKNOWN, s.hub) for s in declared.train]
    if not hasattr(module, "source_files"):
        own = module.__name__.split(".")[0] == "lawcheck"
        return [DataSet("generated text", OWN if own else UNKNOWN)]
    folder = data_folder(scale)
    files = module.source_files(folder) if folder else []
    # A stranger's files may lie outside.
    inside = {p.relative_to(folder).parts[0] for p in files if p.is_relative_to(folder)}
    names = sorted(inside) or ["files that are not named here"]
    return [DataSet(name, LICENCES.get(name, UNKNOWN)) for name in names]


def _data(data: dict[str, list[DataSet]]) -> str:
    if not data:
        return "No rows were learned."
    lines = ["| discipline | data | licence |", "|---|---|---|"]
    for title, sets in data.items():
        lines += [f"| {title} | {s.name} | {s.licence} |" for s in sets]
    return "\n".join(lines)


def _recipe(run: Run, scale: Scale, record: dict[str, Any]) -> str:
    recipe, method = run.arm.recipe, discovery.method(run.arm.method)
    found: dict[str, Any] = {"arm": run.arm.name, "seed": run.seed}
    found |= {"discipline": run.part} if run.part else {}
    found |= method.validate(run.arm.choices)
    if method.group == "peft":
        adapter = scale.adapter
        found["adapter"] = f"rank {adapter.rank}, alpha over rank {adapter.alpha_over_rank:g}"
    if recipe is not None:
        found |= _changed(recipe)
    if discovery.trains_rows(run.arm):
        settings = scale.settings_of(run.arm.method, _objective(recipe), run.arm.choices)
        training = scale.training
        found |= {
            "rows": f"{record['rows']:,}",
            "tokens": f"{record['tokens']:,}",
            "steps": f"{record['steps']:,} of {training.batch_size} rows",
            "learning rate": f"{settings.learning_rate:g}",
            "weight decay": f"{settings.weight_decay:g}",
            "warm-up": f"{settings.warmup_ratio:g} of the steps",
            "longest sample": f"{training.max_length} tokens",
        }
    found["trained parameters"] = f"{record['trainable_parameters']:,} of {record['parameters']:,}"
    found["SHA-256 of the weights"] = f"`{record['weights_sha256']}`"
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in found.items())])


def _objective(recipe: Recipe | None) -> str:
    return recipe.objective if recipe else "response"


def _changed(recipe: Recipe) -> dict[str, str]:
    """A recipe's fields that are not at their default, and what share is trained on."""
    found = {"fraction": f"{recipe.fraction:g}"}
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if field.name == "fraction" or value == field.default:
            continue
        if field.name in ("mixture", "selection"):
            value = value.label
        elif field.name == "upsampling":
            fresh = f" ({value.fresh:.0%} fresh)" if value.fresh else ""
            named = ", ".join(value.disciplines)
            value = f"{value.kind}{fresh}, to {value.target:,} rows: {named}"
        elif isinstance(value, tuple):
            value = ", ".join(value) or "none"
        found[field.name.replace("_", " ")] = str(value)
    return found


def _warnings(scale: Scale, record: dict[str, Any]) -> str:
    lines = []
    if not scale.claims:
        lines.append("The scale makes no claims: its models show that the code runs.")
    if record.get("diverged"):
        lines.append(f"**It diverged** ({record.get('reason')}); this is the last good state.")
    return " ".join(lines)


def _scores(planner: Planner, layout: Layout, run: Run) -> str:
    """Means over items, of a score file that belongs to these weights."""
    path = layout.run_scores(run.id)
    try:
        made_from = sources.scores(planner, layout, run)
        recorded = origin.read(path, sources.score_kind("eval"), run.id, "evaluate the run")
        current = path.is_file() and recorded.made_from == made_from
    except InputError:
        current = False
    if not current:
        return "None yet: `lawcheck evaluate` adds them."
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in read_rows([path]).select(["task", "metric", "value"]).to_pylist():
        if row["metric"] not in MEASUREMENTS:
            values[row["task"], row["metric"]].append(row["value"])
    lines = ["| task | metric | items | without a score | mean |", "|---|---|---|---|---|"]
    for (task, metric), all_ in sorted(values.items()):
        scored = [v for v in all_ if v is not None and not math.isnan(v)]
        mean = f"{math.fsum(scored) / len(scored):.4g}" if scored else ""
        lines.append(f"| {task} | {metric} | {len(all_)} | {len(all_) - len(scored)} | {mean} |")
    return "\n".join(lines)


def _use(folder: Path, whole: bool, adapter: bool) -> str:
    if not (whole or adapter):
        return "`lawcheck evaluate` loads it: its method saves in a form of its own."
    if whole:
        return f"```python\n{FULL}\n```"
    kind = read_object(folder / CONFIG, "train the run again").get("peft_type")
    code = ADAPTER.format(first=REGISTER if kind == "LORA_MOE" else "")
    return f"```python\n{code}\n```"
