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
    FEWEST,
    interquartile_mean,
    log_ratio,
    log_variance_ratio,
    off_line,
    performance_profile,
    roughness,
    router_entropy,
    router_information,
    run_variance,
    spearman,
)
from lawcheck.judging.stats.two_way import POINTS, item_terms, paired_t, two_way, two_way_batch

__all__ = [
    "FEWEST",
    "POINTS",
    "Estimate",
    "PermutationEstimate",
    "detectable_effect",
    "holm",
    "interquartile_mean",
    "item_terms",
    "log_ratio",
    "log_variance_ratio",
    "no_gain",
    "off_line",
    "paired_t",
    "performance_profile",
    "power",
    "roughness",
    "router_entropy",
    "router_information",
    "run_variance",
    "seeds_needed",
    "spearman",
    "tost",
    "two_way",
    "two_way_batch",
]
