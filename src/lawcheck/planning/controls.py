"""Controls of a scale: what must be seen before any law is judged there, and what must not.

They are the parts of one more law, `controls`, made for the scale: its arms are planned, trained,
scored and cached like all others, and its parts judged by the same statistics. A primary part
passes where it is shown: what it has to exceed is subtracted in its estimand. Secondary parts are
tests of true nulls, whose false positives are counted.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from lawcheck.corpus.moving import FEWEST_BATCHES, held_out
from lawcheck.corpus.recipe import planned_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import (
    Arm,
    Contrast,
    Hypothesis,
    Law,
    Measure,
    Mixture,
    Recipe,
    RouterInformation,
    beats,
    difference,
    pooled,
)
from lawcheck.declare.estimands import Control
from lawcheck.declare.lineage import lineage
from lawcheck.declare.metrics import ACCURACY, BITS, INFORMATION
from lawcheck.declare.scale import Scale
from lawcheck.declare.worlds import scale_laws, science
from lawcheck.errors import InputError, look_up

NAME = "controls"
# Of parts that must differ; of parts that must not; of tests of true nulls.
POSITIVE = ("learnable_", "planted_router", "oracle_mixture")
NULL = "null_"
# Share of the maximum that routers must carry which were told the disciplines: five times what laws
# about routers call the smallest difference of interest.
TOLD_ROUTER = 0.25
# Bits about a question: a twentieth of what tells one of four options from the others.
TOLD = 0.1
# Rows of the two mixtures over those of their scarce discipline, and its shares: it is seen eight
# times, and half.
PASSES, RICH, POOR = 10, 0.8, 0.05


@dataclass(frozen=True, kw_only=True)
class Limits:
    """In the metric's unit. high: of the base's level; None where it has no upper bound."""

    metric: str
    learnable: float
    low: float
    high: float | None
    margin: float


DEFAULTS = {
    # Less than one answer in five is another one; 3 points as in the checks of laws.
    ACCURACY: Limits(metric=ACCURACY, learnable=3.0, low=40.0, high=80.0, margin=2.0),
    # One of four options in one letter costs two bits; a fortieth of that.
    BITS: Limits(metric=BITS, learnable=0.05, low=0.2, high=None, margin=0.1),
}


@dataclass(frozen=True, kw_only=True)
class Controls:
    """law: None where nothing can be controlled. left_out: one line for each that there is not."""

    law: Law | None
    limits: Limits
    left_out: tuple[str, ...]


def law_at(name: str, scale: Scale) -> Law:
    """A law by its name; `controls` are those of the scale. Raises InputError for none."""
    if name != NAME or NAME in discovery.laws():
        return discovery.law(name)
    found = controls_of(scale)
    if found.law is None:
        raise InputError(f"scale {scale.name!r}: no controls, {'; '.join(found.left_out)}")
    return found.law


def limits_of(scale: Scale) -> Limits:
    settings = scale.controls
    likely = not scale.claims and BITS in scale.claimed_metrics
    base = DEFAULTS[settings.metric or (BITS if likely else ACCURACY)]
    given = {k: v for k in ("learnable", "margin") if (v := getattr(settings, k)) is not None}
    if settings.headroom is not None:
        low, high = settings.headroom
        given |= {"low": low, "high": None if base.high is None else high}
    return dataclasses.replace(base, **given)


def controls_of(scale: Scale) -> Controls:
    """The controls of a scale, for the arms that laws of its studies use.

    Raises InputError for a law of that name, which could not be told from them.
    """
    if NAME in discovery.laws():
        raise InputError(
            f"law {NAME!r}: {discovery.declared_in('laws', NAME)} has the name of every scale's "
            f"controls; rename it"
        )
    made = _Made(scale)
    parts = [part for some in made.parts() for part in some]
    law = None
    if parts:
        law = Law(
            name=NAME,
            title="Controls",
            claim="What must differ does, what must not does not, at this scale.",
            source="docs/controls.md",
            base=made.base,
            hypotheses=tuple(parts),
            tables=(NAME,),
        )
    return Controls(law=law, limits=made.limits, left_out=tuple(made.left_out))


def required_of(scale: Scale) -> dict[str, tuple[str, ...]]:
    """Law, or law.part -> controls that it rests on at this scale.

    Raises InputError for a law, a part or a control that there is not.
    """
    required = scale.controls.required
    if not required:
        return {}
    law = controls_of(scale).law
    known = [h.name for h in law.hypotheses if h.role == "primary"] if law else []
    for where, names in required.items():
        name, _, part = where.partition(".")
        what = f"scale {scale.name!r}: controls.required"
        declared = look_up(name, discovery.laws(), f"{what}: no law {name!r}")
        if part:
            parts = {h.name: h for h in declared.hypotheses}
            look_up(part, parts, f"{what}: law {name!r} has no part {part!r}")
        for control in names:
            look_up(control, dict.fromkeys(known), f"{what}: no control {control!r}")
    return dict(required)


def rests_on_controls(law: Law, scale: Scale) -> bool:
    """Whether some part of a law asks for a control of this scale."""
    asked = any(isinstance(c.estimand, Control) for h in law.hypotheses for c in h.checks)
    return asked or any(w.partition(".")[0] == law.name for w in required_of(scale))


class _Made:
    """What the controls of one scale are made from. left_out grows as parts are made."""

    def __init__(self, scale: Scale) -> None:
        self.scale, self.limits, self.left_out = scale, limits_of(scale), list[str]()
        self.names = [d.name for d in science(scale) if scale.evaluation.asks(d.name)]
        # Those of no study would make controls follow what else is installed.
        self.laws = [w for n, w in scale_laws(scale).items() if discovery.study_of(n) is not None]

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        return lineage(a for law in self.laws for a in law.arms)

    @cached_property
    def on(self) -> str:
        """The base model that most laws compare with."""
        found = Counter(law.base.base for law in self.laws)
        return found.most_common(1)[0][0] if found else next(iter(self.scale.bases))

    @property
    def base(self) -> Arm:
        return Arm(method="base", base=self.on)

    def uses(self, method: str) -> bool:
        there = method in self.scale.methods and method in discovery.methods()
        return there and any(a.method == method for a in self.arms)

    @cached_property
    def learner(self) -> str | None:
        """The method that learns one discipline, and mixtures."""
        found = (m for m in ("lora", "full") if m in self.scale.methods)
        return next(found, None)

    def arm(self, method: str, recipe: Recipe | None = None, each_alone: bool = False) -> Arm:
        return Arm(
            method=method,
            design=(("variant", "plain"),) if method == "lora_moe" else (),
            recipe=recipe or Recipe(),
            each_alone=each_alone,
            base=self.on,
        )

    def parts(self) -> Iterator[list[Hypothesis]]:
        if self.learner is None:
            self.left_out.append("no rate for LoRA or full fine-tuning, so nothing is learned")
            return
        if not self.names:
            self.left_out.append("no discipline's items are asked")
            return
        yield list(self.headroom())
        yield [self.learnable(self.learner, name) for name in self.names]
        yield self.capacity()
        yield self.planted()
        yield self.oracle(self.learner)
        for method in ("full", "lora", "lora_moe"):
            if self.uses(method):
                yield list(self.identical(method))
        yield list(self.relabelled(self.learner))

    def gain(self, more: Arm, less: Arm, target: str, name: str, claim: str) -> Hypothesis:
        """A part that is shown where the gain exceeds what counts as learned."""
        limits, fewer = self.limits, self.limits.metric == BITS
        return Hypothesis(
            name=name,
            role="primary",
            claim=claim,
            estimand=Measure(
                metric=limits.metric,
                weights=pooled([more], [less]),
                target=target,
                against=-limits.learnable if fewer else limits.learnable,
            ),
            alternative="less" if fewer else "greater",
            sesoi=0.0,
        )

    def learnable(self, method: str, name: str) -> Hypothesis:
        alone = self.arm(method, each_alone=True)
        claim = f"{name} is learned from its own rows alone, by {self._amount}"
        return self.gain(alone, self.base, name, f"learnable_{name}", claim)

    @property
    def _amount(self) -> str:
        unit = "bits per byte" if self.limits.metric == BITS else "points"
        return f"at least {self.limits.learnable:g} {unit}"

    def headroom(self) -> Iterator[Hypothesis]:
        low, high, metric = self.limits.low, self.limits.high, self.limits.metric
        middle, half = (low, 0.0) if high is None else ((low + high) / 2, (high - low) / 2)
        for name in self.names:
            range_ = (
                f"at least {low:g} bits per byte" if high is None else f"{low:g} to {high:g} points"
            )
            yield Hypothesis(
                name=f"headroom_{name}",
                role="primary",
                claim=f"the base is at {range_} on {name}",
                estimand=Measure(
                    metric=metric, weights=((self.base, 1.0),), target=name, against=middle
                ),
                alternative="greater" if high is None else "equivalent",
                sesoi=half,
                margin=None if high is None else half,
            )

    def capacity(self) -> list[Hypothesis]:
        if not (self.uses("full") and self.uses("lora")):
            self.left_out.append("no capacity control: laws compare no full fine-tuning with LoRA")
            return []
        full, lora = (self.arm(m, each_alone=True) for m in ("full", "lora"))
        return [
            self._same(
                "capacity",
                "full fine-tuning and LoRA learn each discipline alone equally well",
                difference([full], [lora], metric=self.limits.metric),
            )
        ]

    def _same(self, name: str, claim: str, of: Contrast) -> Hypothesis:
        margin = self.limits.margin
        return Hypothesis(
            name=name,
            role="primary",
            claim=f"{claim}, within {margin:g}",
            estimand=of,
            alternative="equivalent",
            sesoi=margin,
            margin=margin,
        )

    def planted(self) -> list[Hypothesis]:
        if not self.uses("lora_moe"):
            self.left_out.append("no planted router: laws compare no LoRA-MoE")
            return []
        told = self.arm("lora_moe", Recipe(objective="labelled"))
        return [
            Hypothesis(
                name="planted_router",
                role="primary",
                claim=f"routers that were told disciplines carry at least {TOLD_ROUTER:g} of the "
                f"maximum",
                estimand=RouterInformation(weights=((told, 1.0),), against=TOLD_ROUTER),
                alternative="greater",
                sesoi=0.0,
            )
        ]

    def oracle(self, method: str) -> list[Hypothesis]:
        recipes = [a.recipe for a in self.arms if a.recipe is not None]
        if not any(r.upsampling is not None or r.mixture is not None for r in recipes):
            self.left_out.append("no oracle mixture: laws compare no mixtures")
            return []
        corpus = self.scale.corpus
        rows = {
            d.name: planned_rows(d, corpus.size, corpus.caps)
            for d in science(self.scale)
            if d.name in self.names
        }
        if len(rows) < 2:
            self.left_out.append(f"no oracle mixture: {next(iter(rows))} is the only discipline")
            return []
        learned = sum(n - held_out(n) for n in rows.values())
        fewest = FEWEST_BATCHES * self.scale.training.batch_size
        if learned < fewest:
            self.left_out.append(f"no oracle mixture: {learned} rows, {fewest} are the fewest")
            return []
        scarce = min(rows, key=lambda name: rows[name])
        size = max(1, round(PASSES * rows[scarce] / corpus.size))

        def mixed(share: float) -> Arm:
            others = (1 - share) / (len(rows) - 1)
            given = tuple((name, share if name == scarce else others) for name in rows)
            mixture = Mixture(start="given", given=given, rows=size)
            return self.arm(method, Recipe(mixture=mixture))

        claim = (
            f"a mixture of {RICH:.0%} {scarce}, the scarcest, beats one of {POOR:.0%} on {scarce} "
            f"by {self._amount}, in as many rows"
        )
        return [self.gain(mixed(RICH), mixed(POOR), scarce, "oracle_mixture", claim)]

    def identical(self, method: str) -> Iterator[Hypothesis]:
        once, again = self.arm(method), self.arm(method, Recipe(replica=2))
        title = discovery.method(method).title
        yield self._same(
            f"identical_{method}",
            f"{title} on the same rows in another order comes to the same",
            difference([again], [once], metric=self.limits.metric),
        )
        for name in self.names:
            yield self.null(
                f"{method}_{name}", difference([again], [once], name, self.limits.metric)
            )

    def null(self, name: str, of: Contrast) -> Hypothesis:
        """A test of a difference that there is not."""
        return Hypothesis(
            name=f"{NULL}{name}",
            role="secondary",
            claim="no difference: found ones are false positives",
            estimand=of,
            alternative="greater",
            sesoi=self.limits.margin,
        )

    def relabelled(self, method: str) -> Iterator[Hypothesis]:
        own, foreign = self.arm(method), self.arm(method, Recipe(objective="foreign"))
        metric, margin, names = self.limits.metric, self.limits.margin, self.names
        if metric == BITS:
            # It tells lengths and wording; only what it tells about a question must be nothing.
            metric, margin = INFORMATION, TOLD
            names = [d.name for d in science(self.scale) if d.name in names and self._options(d)]
        if not names:
            self.left_out.append("no relabelled arm: no discipline's items have options")
            return
        targets = tuple(names)
        yield Hypothesis(
            name="relabelled",
            role="primary",
            claim=f"answers of other questions of the discipline teach less than {margin:g}",
            estimand=difference([foreign], [self.base], targets, metric),
            alternative="no_gain",
            sesoi=margin,
            margin=margin,
            checks=beats([own], self.base, targets, margin, metric),
        )
        for name in names:
            yield self.null(f"relabelled_{name}", difference([foreign], [self.base], name, metric))

    def _options(self, discipline: object) -> bool:
        tasks = discipline.worlds[self.scale.world].tasks  # type: ignore[attr-defined]
        return all(t.output == "multiple_choice" for t in tasks)
