"""A law as a reader of a terminal, or a program, looks at it before there are scores."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import (
    Arm,
    Check,
    Contrast,
    Cost,
    Estimand,
    Hypothesis,
    Law,
    Measure,
    RelativeGain,
    RouterInformation,
    Weights,
    assays,
    plain,
)
from lawcheck.declare.estimands import (
    DIVERGENCE,
    DIVERSITY,
    PARENT_GAP,
    Curve,
    Pooled,
    RankCorrelation,
    RoughnessRatio,
    SeedSpread,
)
from lawcheck.declare.metrics import ACCURACY

WIDTH = 80
TARGETS = {
    "average": "the average",
    "general": "instruction following (general)",
    "out_of_domain": "questions out of domain",
    DIVERSITY: "the share of distinct n-grams in the mixture",
    PARENT_GAP: "how far the two parents' scores lie apart, on the other half of the items",
    DIVERGENCE: "the divergence of the mixture from what the base knows",
}
DECIDES = (
    "The first that applies. CONTRADICTED: a primary part is reversed or negligible, after Holm "
    "over the primary parts. NOT TESTED: a primary part is not tested. HOLDS: every primary part "
    "is shown. INCONCLUSIVE: an open primary part could not have been shown by so many seeds and "
    "items. NOT SHOWN: anything else. Secondary parts decide nothing."
)


def law_data(law: Law) -> dict[str, Any]:
    """Everything that a law declares, with its parts in words too."""
    home = discovery.study_of(law.name)
    return {
        "name": law.name,
        "title": law.title,
        "claim": law.claim,
        "source": law.source,
        "study": home.name if home else None,
        "declared_in": discovery.declared_in("laws", law.name),
        "average": average_words(law),
        "groups": {name: list(tasks) for name, tasks in law.task_groups.items()},
        "seeds": max(h.min_seeds for h in law.hypotheses),
        "base": law.base.name,
        "arms": [
            {
                "name": a.name,
                "in_words": arm_words(a, law.base),
                "parents": [p.name for p in a.parents],
            }
            for a in law.arms
        ],
        "parts": [_part(h, law) for h in law.hypotheses],
        "decides": DECIDES,
        "design": plain(law),
    }


def _part(h: Hypothesis, law: Law) -> dict[str, Any]:
    words, unit = measured(h.estimand)
    return {
        "name": h.name,
        "role": h.role,
        "claim": h.claim,
        "measures": words,
        "unit": unit,
        "decided": decided(h, unit),
        "alternative": h.alternative,
        "sesoi": h.sesoi,
        "margin": h.margin,
        "alpha": h.alpha,
        "seeds": h.min_seeds,
        "needs_pretrained": h.needs_pretrained,
        "cases": [{"name": n, "measures": measured(e)[0]} for n, e in h.conjuncts],
        "checks": [_check(c) for c in assays(h, law.base)],
    }


def _check(check: Check) -> dict[str, Any]:
    words, unit = measured(check.estimand)
    return {
        "name": check.name,
        "kind": check.kind,
        "claim": check.claim,
        "measures": words,
        "above": check.above,
        "unit": unit,
    }


def decided(h: Hypothesis, unit: str) -> str:
    """Where the value must lie for each outcome."""
    size, edge = _sized(h.sesoi, unit), _sized(h.margin or 0.0, unit)
    return {
        "greater": f"shown above 0, negligible below {size}, reversed below 0",
        "less": f"shown below 0, negligible above -{size}, reversed above 0",
        "below": "shown below 0, else reversed",
        "no_gain": f"shown below the margin of {edge}, reversed above it",
        "equivalent": f"shown within the margin of {edge} either way, reversed outside it",
    }[h.alternative]


def average_words(law: Law) -> str:
    """What the law's average is of."""
    if law.averaged:
        return f"{_joined(law.averaged)}, with equal weight"
    if discovery.study_of(law.name) is not None or any(a.trained for a in law.arms):
        return "the disciplines of the scale, with equal weight"
    return "every task that the arms compared have scores of, with equal weight"


def _sized(size: float, unit: str) -> str:
    one = size == 1 and unit == "points"
    return f"{size:.3g} {'point' if one else unit}".rstrip()


def arm_words(arm: Arm, base: Arm) -> str:
    """What is trained on what. base: of the law."""
    if not arm.has_weights:
        known = "the base model, untrained" if arm == base else "untrained"
        return known if arm.method in discovery.methods() or arm == base else "scores of that name"
    recipe, rows = arm.recipe, ["no rows of its own"]
    if recipe is not None:
        rows = [f"{100 * recipe.fraction:g} %" if recipe.fraction < 1 else "all"]
        rows.append(f"of {', '.join(recipe.disciplines or ('every discipline',))}")
        if recipe.selection is not None:
            chosen = recipe.selection
            rows = [f"the selected rows of {', '.join(chosen.tasks)} ({chosen.label})"]
        if recipe.upsampling is not None:
            up = recipe.upsampling
            rows.append(f"with {', '.join(up.disciplines)} upsampled ({up.kind}) to {up.target:,}")
        if recipe.general_share:
            rows.append(f"and {100 * recipe.general_share:g} % of the general pool")
        if recipe.mixture is not None:
            rows.append(f"in moving shares ({recipe.mixture.label})")
        if recipe.objective != "response":
            rows.append(f"by {recipe.objective}")
    design = ", ".join(f"{k} {v}" for k, v in arm.design)
    words = [f"{arm.method}{f' ({design})' if design else ''} on {' '.join(rows)}"]
    words += ["one run a discipline"] if arm.each_alone else []
    words += [f"from {_joined(p.name for p in arm.parents)}"] if arm.parents else []
    words += [f"base {arm.base}"] if arm.base != "default" else []
    return _joined(words)


@functools.singledispatch
def measured(estimand: Estimand) -> tuple[str, str]:
    """An estimand in words, and its unit; of a stranger's kind what its class says."""
    first = (type(estimand).__doc__ or type(estimand).__name__).strip().partition("\n")[0]
    return f"{first} Arms: {_joined(a.name for a in estimand.arms)}", ""


@measured.register
def _contrast(estimand: Contrast) -> tuple[str, str]:
    of = "" if estimand.metric == ACCURACY else f"{estimand.metric} of "
    return f"{of}{_weighed(estimand.weights)}, on {target_words(estimand.target)}", estimand.unit


@measured.register
def _pooled(estimand: Pooled) -> tuple[str, str]:
    return "mean of: " + "; ".join(measured(c)[0] for c in estimand.parts), estimand.unit


@measured.register
def _router(estimand: RouterInformation) -> tuple[str, str]:
    return (
        f"how much the chosen expert says about the discipline: {_weighed(estimand.weights)}",
        "share of maximum information",
    )


@measured.register
def _measure(estimand: Measure) -> tuple[str, str]:
    less = f", less {estimand.against:g}" if estimand.against else ""
    of = target_words(estimand.target)
    what = f"{estimand.metric} of {of}: {_weighed(estimand.weights)}{less}"
    return what + (", counted" if estimand.counted else ""), estimand.unit


@measured.register
def _gain(estimand: RelativeGain) -> tuple[str, str]:
    return (
        f"mean over disciplines of the relative change of {estimand.arm.name} against "
        f"{estimand.reference.name}",
        "percent",
    )


@measured.register
def _cost(estimand: Cost) -> tuple[str, str]:
    return (
        f"the largest relative change in {_joined(estimand.quantities)} of {estimand.arm.name} "
        f"against {estimand.reference.name}, planned at scale {estimand.scale}",
        "percent",
    )


@measured.register
def _roughness(estimand: RoughnessRatio) -> tuple[str, str]:
    return (
        f"roughness over data fractions, {_curves(estimand.treatments)} over "
        f"{_curves(estimand.controls)}",
        "log ratio of SDs",
    )


@measured.register
def _spread(estimand: SeedSpread) -> tuple[str, str]:
    gains = f", of gains over {estimand.base.name}" if estimand.base is not None else ""
    return (
        f"variance over seeds{gains}, {_joined(a.name for a in estimand.treatments)} over "
        f"{_joined(a.name for a in estimand.controls)}",
        "log ratio of variances",
    )


@measured.register
def _rank(estimand: RankCorrelation) -> tuple[str, str]:
    groups = "; ".join(_joined(a.name for a in group) for group in estimand.groups)
    return (
        f"Spearman's rank correlation of {target_words(estimand.x)} with "
        f"{target_words(estimand.y)} over {groups}",
        "rank correlation",
    )


def target_words(target: Any) -> str:
    if isinstance(target, str):
        return TARGETS.get(target, target)
    return f"the average of {_joined(target)}"


def _weighed(weights: Weights) -> str:
    """`a less the mean of b, c`; other weights as they are."""
    sides = [[(a.name, sign * w) for a, w in weights if sign * w > 0] for sign in (1, -1)]
    return " less ".join(filter(None, map(_side, sides)))


def _side(members: list[tuple[str, float]]) -> str:
    if not members:
        return ""
    shares = [w for _, w in members]
    if max(shares) - min(shares) < 1e-9 and abs(sum(shares) - 1) < 1e-9:
        return (
            members[0][0] if len(members) == 1 else f"the mean of {_joined(n for n, _ in members)}"
        )
    return "(" + " + ".join(n if w == 1 else f"{w:.3g} x {n}" for n, w in members) + ")"


def _curves(curves: Iterable[Curve]) -> str:
    return "; ".join(_joined(a.name for a in curve) for curve in curves)


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)


def law_text(found: dict[str, Any]) -> str:
    """What `law_data` found, at most 80 columns wide but for long names."""
    lines = [f"{found['name']}: {found['title']}"]
    for key in ("claim", "source", "study", "declared_in"):
        if found[key]:
            lines += _entry(key.replace("_", " "), found[key])
    lines += _entry("average", f"of {found['average']}")
    for name, tasks in found["groups"].items():
        lines += _entry(f"group {name}", _joined(tasks))
    lines += _entry("seeds", f"{found['seeds']} or more that the arms compared have in common")
    for part in found["parts"]:
        unit = part["unit"]
        lines += ["", f"{part['role']} part {part['name']}"]
        lines += _entry("claim", part["claim"])
        lines += _entry("measures", part["measures"] + (f", in {unit}" if unit else ""))
        lines += [
            line for c in part["cases"] for line in _entry(f"case {c['name']}", c["measures"])
        ]
        lines += _entry("outcome", part["decided"])
        size = _sized(part["sesoi"], unit)
        asked = f"{part['seeds']} seeds; effect of interest {size}; alpha {part['alpha']:g}"
        lines += _entry("asks", asked)
        for kind, words in _gathered(part["checks"]):
            lines += _entry(kind, f"{words}; else not tested")
        if part["needs_pretrained"]:
            lines += _entry("needs", "base models that others pretrained; else not tested")
    lines += ["", "arms"]
    for a in found["arms"]:
        lines += _wrapped(f"{a['name']}: {a['in_words']}", "  ", "    ")
    lines += ["", "verdict", *_wrapped(found["decides"], "  ", "  ")]
    return "\n".join(lines)


def _gathered(checks: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """(kind, words) of checks; those of several arms against one are one."""
    found: dict[tuple[str, str], list[str]] = {}
    for c in checks:
        first, less, rest = c["measures"].partition(" less ")
        over = f"{less}{rest}, above {c['above']:g} {c['unit']}".rstrip()
        found.setdefault((c["kind"], over), []).append(first)
    return [
        (kind, ("each of " if len(firsts) > 1 else "") + _joined(firsts) + over)
        for (kind, over), firsts in found.items()
    ]


def _entry(key: str, text: str) -> list[str]:
    return _wrapped(text, f"  {key:<12}", " " * 14)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first if first.endswith(" ") else f"{first} ",
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
