"""What a study is made of, as data: arms, estimands, hypotheses, laws, scales, disciplines."""

from lawcheck.declare.design import (
    Arm,
    Contrast,
    Cost,
    Discipline,
    EvalTask,
    Hypothesis,
    Law,
    Mixture,
    Recipe,
    RelativeGain,
    RouterInformation,
    Upsampling,
    World,
    arm,
    difference,
)
from lawcheck.declare.estimands import RankCorrelation, RoughnessRatio, SeedSpread

__all__ = [
    "Arm",
    "Contrast",
    "Cost",
    "Discipline",
    "EvalTask",
    "Hypothesis",
    "Law",
    "Mixture",
    "RankCorrelation",
    "Recipe",
    "RelativeGain",
    "RoughnessRatio",
    "RouterInformation",
    "SeedSpread",
    "Upsampling",
    "World",
    "arm",
    "difference",
]
