"""Names that a reader understands: of arms, of parts of a law, of base models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Mixture, Recipe, Scalar, Selection

# Words of names that are written otherwise in running text.
SPELLINGS = {
    "lora": "LoRA",
    "rslora": "rsLoRA",
    "dora": "DoRA",
    "pissa": "PiSSA",
    "moe": "MoE",
    "ft": "FT",
    "delta m": "\u0394m",
    "rank route": "rank-wise routing",
    "shared a": "shared A",
}
SPELT = re.compile(rf"\b({'|'.join(SPELLINGS)})\b")
TIMES = re.compile(r"\b(\d+)x\b")


def words(name: str) -> str:
    """`rank_10x`, `delta_m_moe` as words: `rank 10×`, `Δm MoE`."""
    text = SPELT.sub(lambda m: SPELLINGS[m.group()], name.replace("_", " "))
    return TIMES.sub("\\1\u00d7", text)


def part_label(name: str) -> str:
    """A part of a law, or a case of one, as tables and figures call it."""
    text = words(name)
    return text[:1].upper() + text[1:]


def method_label(arm: Arm) -> str:
    """A method as tables call it; an arm that lawcheck does not train keeps its own name."""
    known = discovery.methods().get(arm.method)
    if known is None and arm.recipe is None and not arm.parents:
        return arm.method
    untrained = known is not None and known.group == "none" and not arm.parents
    name = (known and (known.short or (known.title if untrained else ""))) or words(arm.method)
    return f"Discipline {name}" if arm.each_alone else name


def arm_label(arm: Arm, bases: Mapping[str, str] | None = None) -> str:
    """Method, design and recipe: `LoRA-MoE, shared A, 5 experts, data 70 %`.

    bases: an arm's `base` -> title of that base model.
    """
    known = discovery.methods().get(arm.method)
    design = dict(known.design) if known is not None else {}
    found = [method_label(arm), *_design(design | arm.choices)]
    found += _recipe(arm.recipe) if arm.recipe is not None else []
    if arm.base != "default":
        found.append(f"on {(bases or {}).get(arm.base, words(arm.base))}")
    found += [f"{arm.decoding} decoding"] if arm.decoding != "model" else []
    own = ", ".join(found)
    if not arm.parents:
        return own
    above = [arm_label(p, bases) for p in arm.parents]
    return f"{above[0]}; then {own}" if len(above) == 1 else f"{own} of ({'; '.join(above)})"


def _design(choices: Mapping[str, Scalar]) -> list[str]:
    found = []
    if choices.get("variant", "plain") != "plain":
        found.append(words(str(choices["variant"])))
    if "experts" in choices:
        found.append(f"{choices['experts']} experts")
    if choices.get("rank_multiple", 1) != 1:
        found.append(f"rank {choices['rank_multiple']}\u00d7")
    named = ("variant", "experts", "rank_multiple")
    return found + [f"{words(k)} {words(str(v))}" for k, v in choices.items() if k not in named]


def _recipe(recipe: Recipe) -> list[str]:
    found = [" and ".join(map(words, recipe.disciplines))] if recipe.disciplines else []
    chosen = recipe.selection
    found.append(f"data {100 * recipe.fraction:g} %" if chosen is None else selection_label(chosen))
    if recipe.upsampling is not None:
        up = recipe.upsampling
        found.append(f"{' and '.join(map(words, up.disciplines))} upsampled to "
                     f"{up.target // 1000}K ({up.kind})")  # fmt: skip
    if recipe.general_share:
        found.append(f"general data {100 * recipe.general_share:g} %")
    if recipe.objective != "response":
        found.append(f"objective {words(recipe.objective)}")
    for name, value in (("beta", recipe.beta), ("epochs", recipe.epochs),
                        ("stopped after epoch", recipe.stop_after)):  # fmt: skip
        found += [f"{name} {value:g}"] if value is not None else []
    found += [f"replica {recipe.replica}"] if recipe.replica != 1 else []
    found += [mixture_label(recipe.mixture)] if recipe.mixture is not None else []
    return found


def selection_label(selection: Selection) -> str:
    """`12 tasks, k 100, distance COS`; of one task its name."""
    tasks = selection.tasks
    found = [words(tasks[0]) if len(tasks) == 1 else f"{len(tasks)} tasks"]
    found += [] if selection.k is None else [f"k {selection.k}"]
    found += [f"steps of k {selection.steps_of}"] if selection.steps_of is not None else []
    found += ["random rows"] if selection.by == "random" else []
    found += [f"distance {selection.distance}"] if selection.distance != "L2" else []
    found += [words(selection.embedding)] if selection.embedding != "inputs" else []
    found += ["as released"] if selection.released else []
    found += [f"{len(selection.whole)} of them whole"] if selection.whole else []
    found += [f"{100 * selection.retained:g} % kept"] if selection.retained != 1 else []
    return ", ".join(found)


def mixture_label(mixture: Mixture) -> str:
    """`detected shares, update potential`; of given shares, those of the named domains."""
    found = [_start(mixture)]
    if mixture.update != "none":
        found.append(f"update {words(mixture.update)}")
    found += [f"target {words(mixture.target)}"] if mixture.target is not None else []
    found += ["without guard"] if not mixture.guard else []
    plain = Mixture()
    for name in ("strength", "step", "threshold", "rows"):
        value = getattr(mixture, name)
        found += [f"{name} {value:g}"] if value != getattr(plain, name) else []
    found += [f"{mixture.phases} phases"] if mixture.phases != plain.phases else []
    return ", ".join(found)


def _start(mixture: Mixture) -> str:
    """The first phase's shares; the largest given one alone where all others are equal."""
    if mixture.start != "given":
        kind = {"uniform": "even", "knowledge": "detected"}.get(mixture.start, mixture.start)
        whose = f" of {words(mixture.knowledge_of)}" if mixture.knowledge_of else ""
        return f"{kind} shares{whose}"
    (first, top), *rest = sorted(mixture.given, key=lambda pair: -pair[1])
    if not rest:
        return f"{words(first)} alone"
    if len({share for _, share in rest}) == 1:
        return f"{words(first)} {100 * top:g} %, others even"
    return ", ".join(f"{words(name)} {100 * share:g} %" for name, share in mixture.given)


def arm_labels(law: Law, bases: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name -> label of every arm of a law; labels that would be equal get their names appended.

    The module `names` of the law's study may call arms otherwise: label(arm) -> text or None.
    """
    own = getattr(discovery.study_part(discovery.study_of(law.name), "names"), "label", None)
    found = {a.name: (own and own(a)) or arm_label(a, bases) for a in law.arms}
    texts = list(found.values())
    return {n: t if texts.count(t) == 1 else f"{t} ({n})" for n, t in found.items()}


def readable(text: str, labels: Mapping[str, str]) -> str:
    """A sentence with the names of arms replaced by their labels."""
    names: Iterable[str] = sorted((n for n in labels if "." in n), key=len, reverse=True)
    joined = "|".join(map(re.escape, names))
    if not joined:
        return text
    return re.sub(rf"(?<![\w.])(?:{joined})(?![\w.]*\w)", lambda m: labels[m.group()], text)


def style_of(kind: str, parameters: int | None) -> str:
    """A base model that is built from scratch: `Llama-style, 0.36 M`."""
    name = f"{kind[:1].upper()}{kind[1:]}-style"
    if parameters is None:
        return name
    size, unit = (1e6, "M") if parameters < 1e9 else (1e9, "B")
    return f"{name}, {parameters / size:.2f} {unit}"
