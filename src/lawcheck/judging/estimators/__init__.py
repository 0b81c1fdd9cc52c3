"""From a declared estimand to its estimate. A new estimand registers here from its own module:

@estimate.register
def _(estimand: MyEstimand, evidence: Evidence) -> Finding: ...
"""

from lawcheck.judging.estimators import designs, levels
from lawcheck.judging.estimators.finding import Finding, estimate, over_seeds

__all__ = ["Finding", "designs", "estimate", "levels", "over_seeds"]
