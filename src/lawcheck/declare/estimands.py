"""Estimands over whole designs: data curves, seeds, mixtures. Declarations only, as in design.

`lawcheck.judging.estimators` computes them; formulas and references: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lawcheck.declare.design import (
    AVERAGE,
    Arm,
    Check,
    Contrast,
    Estimand,
    Target,
    Weights,
    later,
)
from lawcheck.errors import InputError

# Arms of one method along data fractions, in ascending order.
Curve = tuple[Arm, ...]
DIVERSITY, PARENT_GAP, DIVERGENCE = "diversity", "parent_gap", "divergence"


@dataclass(frozen=True, kw_only=True)
class RoughnessRatio(Estimand):
    """Log ratio of roughness over data fractions, treatments over controls, one value a seed.

    Roughness: residual SD of accuracy around a line in log(data fraction). Residual variances are
    averaged over the disciplines of a curve, logarithms over the curves of a side. disciplines,
    control_disciplines: the disciplines of either side (None: all of the average).
    Unit: natural logarithm of a ratio of SDs.

    components: roughness is the run-to-run part alone, one value for all seeds: the curve that all
    seeds share (its curvature too) and the sampling of items are taken out of the variance.
    """

    treatments: tuple[Curve, ...]
    controls: tuple[Curve, ...]
    disciplines: tuple[str, ...] | None = None
    control_disciplines: tuple[str, ...] | None = None
    components: bool = later(3, False)

    def __post_init__(self) -> None:
        for curve in (*self.treatments, *self.controls):
            fractions = [a.recipe.fraction for a in curve if a.recipe is not None]
            if len(fractions) < len(curve) or len(set(fractions)) < 3:
                raise InputError(
                    f"roughness: curve of {len(curve)} arms with {len(set(fractions))} data "
                    f"fractions; a line and its residual need 3 or more"
                )

    @property
    def arms(self) -> tuple[Arm, ...]:
        curves = (*self.treatments, *self.controls)
        return tuple(dict.fromkeys(a for curve in curves for a in curve))

    @property
    def averages(self) -> bool:
        return self.disciplines is None


@dataclass(frozen=True, kw_only=True)
class SeedSpread(Estimand):
    """Log ratio of variances over seeds, treatments over controls, pooled over disciplines.

    Logarithms are averaged over the arms of a side. Unit: natural logarithm of a ratio of
    variances (twice that of SDs).

    base: the variances are of gains over this arm, on the seed's own base model, and without the
    part that the sampling of items explains; a difference between bases then moves neither side.
    """

    treatments: tuple[Arm, ...]
    controls: tuple[Arm, ...]
    base: Arm | None = later(3, None)

    @property
    def arms(self) -> tuple[Arm, ...]:
        based = () if self.base is None else (self.base,)
        return tuple(dict.fromkeys((*self.treatments, *self.controls, *based)))

    @property
    def averages(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class RankCorrelation(Estimand):
    """Spearman's rank correlation over design points, mean over groups, in [-1, 1].

    groups: one tuple of arms per method, the same design points in the same order. x: `diversity`
    (share of distinct n-grams of an arm's training mixture), `parent_gap` (how far the scores of an
    arm's two parents on y lie apart), `divergence` (the measurement of that name of each arm), or a
    target as in `Contrast`. y: a target. Scores are means over seeds; the labels of the points are
    permuted jointly in all groups.

    With `parent_gap` x is of one half of the items and y of the other, split by a hash of their
    ids, or of their clusters', so that no item's noise enters both; what a parent's training run
    adds does, where the arm is made of it. Of `parent_gap` and `divergence` every group has its
    own values; of the others one value a design point, the mean over groups.
    """

    groups: tuple[tuple[Arm, ...], ...]
    x: str = DIVERSITY
    y: Target = "average"

    def __post_init__(self) -> None:
        sizes = sorted({len(g) for g in self.groups})
        if len(sizes) != 1 or sizes[0] < 3:
            raise InputError(
                f"rank correlation: groups of {sizes} arms, expected groups of one size, 3 or more"
            )
        lone = [a for g in self.groups for a in g if len(a.parents) != 2]
        if self.x == PARENT_GAP and lone:
            raise InputError(
                f"rank correlation: arm {lone[0].name!r} has {len(lone[0].parents)} parents, a "
                f"parent_gap needs 2; name arms of two parents"
            )

    @property
    def arms(self) -> tuple[Arm, ...]:
        named = [a for group in self.groups for a in group]
        above = [p for a in named for p in a.parents] if self.x == PARENT_GAP else []
        return tuple(dict.fromkeys((*named, *above)))

    @property
    def averages(self) -> bool:
        y = (self.y,) if isinstance(self.y, str) else self.y
        return AVERAGE in (self.x, *y)


@dataclass(frozen=True, kw_only=True)
class Pooled(Estimand):
    """Mean of contrasts, each on its own target, such as expansions of different domains.

    One sum over arms and items: a task that several contrasts read is sampled once. All are of one
    metric.
    """

    parts: tuple[Contrast, ...]

    def __post_init__(self) -> None:
        if not self.parts or len({c.metric for c in self.parts}) > 1:
            metrics = ", ".join(sorted({c.metric for c in self.parts})) or "none"
            raise InputError(
                f"pooled: {len(self.parts)} contrasts of metrics {metrics}, expected one or more "
                f"of a single metric; declare a part for each"
            )

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(dict.fromkeys(a for c in self.parts for a in c.arms))

    @property
    def averages(self) -> bool:
        return any(c.averages for c in self.parts)

    @property
    def weights(self) -> Weights:
        return tuple((a, w / len(self.parts)) for c in self.parts for a, w in c.weights)

    @property
    def metric(self) -> str:
        return self.parts[0].metric

    @property
    def unit(self) -> str:
        return self.parts[0].unit


@dataclass(frozen=True, kw_only=True)
class Control(Estimand):
    """Whether a control of the scale passed there: 1, else 0. For checks.

    name: of lawcheck.planning.controls. It was judged before, on the scale's own control arms.
    """

    name: str

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()


def controlled(name: str, kind: Literal["assay", "manipulation"] = "assay") -> Check:
    """The check that a control passed at the scale; what rests on one that failed is not tested."""
    return Check(
        name=f"control_{name}",
        kind=kind,
        claim=f"control {name} passed at this scale",
        estimand=Control(name=name),
    )
