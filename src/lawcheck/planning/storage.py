"""Bytes that a study leaves on disk: adapters or models, scores, and one run's checkpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Law, Run
from lawcheck.declare.scale import BuiltBase, Scale
from lawcheck.declare.worlds import scale_laws
from lawcheck.planning.cost import adapter_settings, shapes
from lawcheck.planning.plan import Planner, plannable

WEIGHT = 4  # what is trained is saved in float32
# Compact Parquet with its record and log, measured on the reference runs.
SCORE_BYTES_PER_RUN = 2_000_000
# Everything that a run on a base of a few hundred thousand parameters saves.
BUILT_BASE = 2_000_000


def run_bytes(arm: Arm, scale: Scale) -> int:
    """Saved weights of one run of an arm. A built base counts as a small constant."""
    if not arm.has_weights:
        return 0
    if isinstance(scale.bases[arm.base], BuiltBase):
        return BUILT_BASE
    module = discovery.method_module(arm.method)
    model = shapes(scale, arm)
    method = discovery.method(arm.method)
    if method.group == "full" or method.takes == "models":
        return WEIGHT * model.total_parameters
    # A composition saves its frozen experts too.
    return WEIGHT * module.added_parameters(model, arm.choices, adapter_settings(scale))


def stored_bytes(scale: Scale, runs: Mapping[Arm, int]) -> int:
    """Of so many runs of these arms, and of one run's checkpoints beside them.

    A checkpoint holds weights and two moments, and two checkpoints are kept.
    """
    weights = {a: run_bytes(a, scale) for a in runs}
    scores = SCORE_BYTES_PER_RUN * sum(runs.values())
    trained = (w for a, w in weights.items() if discovery.trains_rows(a))
    checkpoints = 2 * 3 * max(trained, default=0)
    return scores + sum(weights[a] * n for a, n in runs.items()) + checkpoints


def planned_storage(planner: Planner, laws: Iterable[Law] | None = None) -> int:
    """Bytes of every run that these laws need, each once (None: every law of the scale)."""
    if laws is None:
        laws = plannable(planner, scale_laws(planner.scale)).values()
    runs: dict[str, Run] = {}
    for law in laws:
        runs |= planner.with_parents(planner.law_runs(law).values())
    return stored_bytes(planner.scale, Counter(run.arm for run in runs.values()))
