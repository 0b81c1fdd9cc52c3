"""Random-effects mean of independent estimates, with a prediction interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """tau: SD between studies. i2: share of the variance that is between them. low, high: interval
    of the mean; predicted: of the true value in one more study. All two-sided at `level`.
    """

    k: int
    mean: float
    se: float
    tau: float
    i2: float
    low: float
    high: float
    predicted: tuple[float, float]
    level: float


def random_effects(
    estimates: Sequence[float], errors: Sequence[float], level: float = 0.9
) -> Pooled:
    """Mean of k >= 2 estimates with standard errors above 0.

    tau^2 by restricted maximum likelihood (Viechtbauer 2005); the mean's error after Hartung and
    Knapp (2001), t with k - 1 degrees of freedom, and never below the error without their factor
    (Roever, Knapp and Friede 2015); prediction with k - 1 degrees of freedom.
    """
    y, v = np.asarray(estimates, float), np.square(np.asarray(errors, float))
    if len(y) < 2 or len(y) != len(v) or not (v > 0).all():
        raise ValueError(f"{len(y)} estimates with {int((v > 0).sum())} errors above 0")
    tau2 = _between(y, v)
    weights = 1 / (v + tau2)
    mean = float(weights @ y / weights.sum())
    factor = float(weights @ (y - mean) ** 2 / (len(y) - 1))
    se = float(np.sqrt(max(1.0, factor) / weights.sum()))
    t = float(stats.t.ppf(0.5 + level / 2, len(y) - 1))
    ahead = t * float(np.sqrt(tau2 + se**2))
    fixed = 1 / v
    typical = (len(y) - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    return Pooled(
        k=len(y),
        mean=mean,
        se=se,
        tau=float(np.sqrt(tau2)),
        i2=float(tau2 / (tau2 + typical)),
        low=mean - t * se,
        high=mean + t * se,
        predicted=(mean - ahead, mean + ahead),
        level=level,
    )


def _between(y: Floats, v: Floats) -> float:
    """tau^2 that maximises the restricted likelihood; 0 where that is at the edge."""

    def deviance(tau2: float) -> float:
        w = 1 / (v + tau2)
        mean = w @ y / w.sum()
        return float(np.log(v + tau2).sum() + np.log(w.sum()) + w @ (y - mean) ** 2)

    # No estimate of it lies above the observed spread by more than this.
    most = float(np.ptp(y) ** 2 + v.max())
    found = optimize.minimize_scalar(
        deviance, bounds=(0.0, most), method="bounded", options={"xatol": 1e-10 * most}
    )
    return float(found.x) if found.fun < deviance(0.0) else 0.0
