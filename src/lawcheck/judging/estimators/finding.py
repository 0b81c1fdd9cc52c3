"""A finding, and the function that every estimand registers with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from lawcheck.declare.design import Estimand
from lawcheck.judging.evidence import Evidence, sampling_notes
from lawcheck.judging.stats import Estimate, paired_t


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An estimate in its unit. exact: counted, not sampled; compared with 0 as it stands.

    An estimate of NaN without se: the scores are there, the quantity is undefined on them; the
    part stays open, and a note says why. per_seed: one value a seed (or base model), where the
    estimate is their mean.
    """

    estimate: Estimate
    unit: str
    notes: tuple[str, ...] = ()
    exact: bool = False
    per_seed: tuple[float, ...] = ()


@singledispatch
def estimate(estimand: Estimand, evidence: Evidence) -> Finding:
    """Estimate of an estimand on the evidence.

    Raises InputError where arms, seeds or tasks are missing, TypeError for an estimand without
    a registered estimator.
    """
    raise TypeError(
        f"{type(estimand).__name__} has no estimator; register one with lawcheck.judging.estimators"
    )


def over_seeds(
    per_seed: np.ndarray,
    seeds: tuple[int, ...],
    evidence: Evidence,
    unit: str,
    notes: tuple[str, ...],
    n_items: int = 0,
    n_unscored: int = 0,
) -> Finding:
    """Paired t over seeds, or over base models where seeds share them."""
    values, based = evidence.by_base(per_seed, seeds)
    with evidence.named():
        result = paired_t(values, n_items, n_unscored)
    return Finding(
        estimate=result,
        unit=unit,
        notes=(*notes, *based, *sampling_notes(result)),
        per_seed=tuple(values.tolist()),
    )
