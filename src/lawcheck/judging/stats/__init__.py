"""The statistics of lawcheck: pure functions over numpy arrays, no files, no clock."""

from lawcheck.judging.stats.estimate import (
    Estimate,
    PermutationEstimate,
    detectable_effect,
    holm,
    no_gain,
    power,
    seeds_needed,
    tost,
)
from lawcheck.judging.stats.measures import (
    interquartile_mean,
    log_variance_ratio,
    performance_profile,
    roughness,
    router_entropy,
    router_information,
    spearman,
)
from lawcheck.judging.stats.two_way import paired_t, two_way, two_way_batch

__all__ = [
    "Estimate",
    "PermutationEstimate",
    "detectable_effect",
    "holm",
    "interquartile_mean",
    "log_variance_ratio",
    "no_gain",
    "paired_t",
    "performance_profile",
    "power",
    "roughness",
    "router_entropy",
    "router_information",
    "seeds_needed",
    "spearman",
    "tost",
    "two_way",
    "two_way_batch",
]
