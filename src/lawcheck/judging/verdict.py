"""judge(law, scores): the parts of a law, then the law. docs/statistics.md has the reasons.

A primary part is `shown` at its own alpha (the law is an intersection of parts, so no correction
is needed); `reversed` and `negligible` need Holm over the primary parts, because one of them is
enough to contradict the law. Secondary parts use Holm among themselves for everything.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lawcheck.declare.design import (
    Contrast,
    Hypothesis,
    Law,
    Outcome,
    PartOutcome,
    PartVerdict,
    Verdict,
    plain,
)
from lawcheck.errors import InputError, nearest
from lawcheck.files.hashing import digest
from lawcheck.judging.estimators import Finding, estimate
from lawcheck.judging.evidence import CostOf, Evidence, MissingScoresError
from lawcheck.judging.stats import (
    Estimate,
    detectable_effect,
    holm,
    no_gain,
    seeds_needed,
    tost,
)
from lawcheck.scores import ScoreTable, TaskPlace

BIOLOGY = "biology"
BOUNDED = ("equivalent", "no_gain")


def design_digest(law: Law) -> str:
    """Digest of what is claimed and how it is judged: what `preregister` fixes.

    Words and pictures (title, source, tables, figures, arms shown beside) may change later.
    """
    judged = {"name": law.name, "claim": law.claim, "base": law.base, "parts": law.hypotheses}
    return digest(plain(judged), 64)


def judge(
    law: Law,
    scores: ScoreTable,
    *,
    tasks: Mapping[str, TaskPlace],
    scale: str = "",
    cost: CostOf | None = None,
    bases: Mapping[int, str] | None = None,
    preregistered: bool = False,
    looks: int = 1,
    pretrained: bool = True,
    seed: int = 0,
) -> Verdict:
    """Judge every hypothesis of a law on one score table.

    tasks: place of every task of the table (`task_places`). cost: planned cost of (arm,
    quantity, scale), for laws with a Cost part. bases: seed -> base model; several seeds on one
    base are aggregated by base. looks: planned looks at growing data; each uses alpha / looks.
    pretrained: whether the base models were pretrained by others; where not, parts that need it
    are descriptive. seed: of the generator that permutation tests draw from.

    Raises InputError where a part cannot be estimated at all: an unplaced task, no planned cost;
    and its kind MissingScoresError for an arm without scores or arms that share no seed.
    """
    if looks < 1:
        raise InputError(f"{law.name}: looks {looks}, expected 1 or more")
    _check_tasks(scores, tasks)
    evidence = Evidence(
        scores=scores,
        places=tasks,
        law=law.name,
        bases=bases,
        cost=cost,
        pretrained=pretrained,
        seed=seed,
    )
    _check_arms(law, evidence)
    everything = _trials(law, evidence, looks)
    parts = _decide(everything)
    outcome = _outcome(everything, parts)
    sampled = [p.n_seeds for p in parts if p.role == "primary" and p.se is not None]
    notes = [f"{looks} looks planned: each part is tested at alpha / {looks}"] if looks > 1 else []
    return Verdict(
        law=law.name,
        outcome=outcome,
        claim=law.claim,
        scale=scale,
        parts=tuple(parts),
        without_biology=_without_biology(law, evidence, everything, looks),
        n_seeds=min(sampled, default=0),
        preregistered=preregistered,
        design_digest=design_digest(law),
        scores_digest=scores.digest(a.name for a in law.arms),
        notes=tuple(notes),
    )


def _check_tasks(scores: ScoreTable, places: Mapping[str, TaskPlace]) -> None:
    for task in scores.item_metric:
        if task not in places:
            raise InputError(
                f"scores: task {task!r} belongs to no discipline ({nearest(task, places)}); rename "
                f"it or declare it in a discipline"
            )


def _check_arms(law: Law, evidence: Evidence) -> None:
    """Name every arm that has no scores at once, not one a run."""
    needed = {a.name: h.name for h in reversed(law.hypotheses) for a in h.estimand.arms}
    if any(h.alternative in BOUNDED and isinstance(h.estimand, Contrast) for h in law.hypotheses):
        needed.setdefault(law.base.name, "assay sensitivity")
    lost = sorted(set(needed) - set(evidence.scores.arms))
    if lost:
        more = f" and {len(lost) - 1} more arms" if len(lost) > 1 else ""
        raise MissingScoresError(
            f"{law.name}: hypothesis {needed[lost[0]]!r} needs arm {lost[0]!r}{more}, found no "
            f"scores ({nearest(lost[0], evidence.scores.arms)}); {evidence.how}"
        )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A hypothesis with its estimate and raw p values, before other parts are looked at.

    p: of the declared alternative. p_opposite: of the opposite. p_against: of anything that
    contradicts the part (the opposite, or a gain below the smallest effect of interest); never
    above p_opposite. assay: whether the arms compared beat the base, where that is needed.
    enough: at least min_seeds, and the kind of base models that the part speaks of.
    """

    hypothesis: Hypothesis
    finding: Finding
    alpha: float
    p: float | None
    p_opposite: float | None
    p_against: float | None
    assay: bool
    enough: bool
    n_diverged: int
    notes: tuple[str, ...]


def _trials(law: Law, evidence: Evidence, looks: int) -> list[Trial]:
    return [_trial(h, law, evidence.for_part(h.name), looks) for h in law.hypotheses]


def _trial(h: Hypothesis, law: Law, evidence: Evidence, looks: int) -> Trial:
    finding = estimate(h.estimand, evidence)
    if finding.exact != (h.alternative == "below"):
        raise InputError(
            f"{evidence.what}: alternative {h.alternative!r} does not fit "
            f"{type(h.estimand).__name__}; 'below' goes with counted estimands, and only there"
        )
    alpha = h.alpha / looks
    notes = list(finding.notes)
    value = finding.estimate
    # One run shows nothing about the next one, whatever a hypothesis declares.
    fewest = max(2, h.min_seeds)
    enough = finding.exact or value.n_seeds >= fewest
    if not enough:
        notes.append(f"left open: needs {fewest} seeds, found {value.n_seeds}; {evidence.how}")
    if h.needs_pretrained and not evidence.pretrained:
        enough = False
        notes.append("descriptive: these base models differ in configuration, not in pretraining")
    diverged = evidence.scores.diverged
    names = {a.name for a in h.estimand.arms}
    n_diverged = sum(n for (arm, _), n in diverged.items() if arm in names)
    if n_diverged:
        notes.append(f"{n_diverged} diverged runs among the arms compared")
    assay = True
    if h.alternative in BOUNDED and isinstance(h.estimand, Contrast):
        assay, note = _assay(h.estimand, law, evidence, alpha)
        notes.append(note)
    p, opposite, against = _p_values(h, value)
    return Trial(
        hypothesis=h,
        finding=finding,
        alpha=alpha,
        p=p,
        p_opposite=opposite,
        p_against=against,
        assay=assay,
        enough=enough,
        n_diverged=n_diverged,
        notes=tuple(notes),
    )


def _assay(contrast: Contrast, law: Law, evidence: Evidence, alpha: float) -> tuple[bool, str]:
    """Do the arms compared beat the base? Two arms at chance would agree for nothing."""
    arms = [a for a in contrast.arms if a != law.base]
    weights = (*((a, 1 / len(arms)) for a in arms), (law.base, -1.0))
    gain, _ = evidence.combination(weights, contrast.target)
    low, _ = gain.interval(alpha)
    bound = "no bound" if low is None else f"lower bound {low:+.3g}"
    shown = low is not None and low > 0
    verb = "sensitive" if shown else "not sensitive, an agreement proves nothing"
    return shown, f"assay {verb}: arms - base {gain.value:+.3g} points, {bound}"


def _p_values(h: Hypothesis, value: Estimate) -> tuple[float | None, float | None, float | None]:
    """p of the alternative, of its opposite, and of anything against the part."""
    if h.alternative == "greater":
        opposite, small = value.p_below(0.0), value.p_below(h.sesoi)
        return value.p_above(0.0), opposite, opposite if small is None else small
    if h.alternative == "less":
        opposite, small = value.p_above(0.0), value.p_above(-h.sesoi)
        return value.p_below(0.0), opposite, opposite if small is None else small
    if h.alternative == "no_gain" and h.margin is not None:
        opposite = value.p_above(h.margin)
        return no_gain(value, h.margin), opposite, opposite
    if h.alternative == "equivalent" and h.margin is not None:
        above, below = value.p_above(h.margin), value.p_below(-h.margin)
        # Outside on either side: two one-sided tests, so the smaller p counts twice.
        outside = None if above is None or below is None else min(1.0, 2 * min(above, below))
        return tost(value, h.margin), outside, outside
    return None, None, None


def _decide(trials: Sequence[Trial]) -> list[PartVerdict]:
    """Holm inside each role, then one outcome a part."""
    corrected: dict[str, tuple[float | None, float | None, float | None]] = {}
    for role in ("primary", "secondary"):
        # Parts with too few seeds decide nothing, so they do not weigh on the others.
        family = [t for t in trials if t.hypothesis.role == role and t.enough]
        columns = [holm([getattr(t, k) for t in family]) for k in ("p", "p_opposite", "p_against")]
        for t, *adjusted in zip(family, *columns, strict=True):
            corrected[t.hypothesis.name] = tuple(adjusted)
    return [_part(t, *corrected.get(t.hypothesis.name, (None, None, None))) for t in trials]


def _part(
    t: Trial, p_holm: float | None, opposite_holm: float | None, against_holm: float | None
) -> PartVerdict:
    h, value, notes = t.hypothesis, t.finding.estimate, list(t.notes)
    read = t.p if h.role == "primary" else p_holm
    outcome: PartOutcome = "open"
    if t.finding.exact:
        outcome = "shown" if value.value < 0 else "reversed"
    elif not t.enough:
        outcome = "open"
    elif _rejects(opposite_holm, t.alpha):
        outcome = "reversed"
    elif _rejects(against_holm, t.alpha):
        outcome = "negligible"
        notes.append(f"below the smallest effect of interest: p {against_holm:.3g} after Holm")
    elif _rejects(read, t.alpha) and t.assay:
        outcome = "shown"
    bounded = h.alternative in BOUNDED
    needed = None
    if value.testable and not value.single_run:
        needed = seeds_needed(
            value.seed_variance,
            h.goal,
            t.alpha,
            value.item_variance,
            value.item_df,
            equivalence=h.alternative == "equivalent",
            at_least=h.min_seeds,
        )
        if needed is None and outcome == "open":
            notes.append("no number of seeds would do: more items are needed")
    low, high = value.interval(t.alpha)
    mde, df = None, value.df_at(t.alpha)
    if not value.single_run:
        mde = detectable_effect(value.se, df, t.alpha, h.alternative == "equivalent")
    if bounded and not t.assay and _rejects(t.p, t.alpha):
        notes.append("left open: the bound holds, but without assay sensitivity")
    return PartVerdict(
        name=h.name,
        role=h.role,
        outcome=outcome,
        alternative=h.alternative,
        unit=t.finding.unit,
        estimate=None if math.isnan(value.value) else value.value,
        se=value.se,
        df=df if df is not None and math.isfinite(df) else None,
        low=low,
        high=high,
        p=t.p,
        p_opposite=t.p_opposite,
        holm=p_holm,
        holm_opposite=opposite_holm,
        margin=h.margin,
        sesoi=h.sesoi,
        alpha=t.alpha,
        n_seeds=value.n_seeds,
        n_items=value.n_items,
        n_unscored=value.n_unscored,
        n_diverged=t.n_diverged,
        mde=mde,
        seeds_needed=needed,
        notes=tuple(notes),
    )


def _rejects(p: float | None, alpha: float) -> bool:
    return p is not None and p <= alpha


def _outcome(trials: Sequence[Trial], parts: Sequence[PartVerdict]) -> Outcome:
    primary = [(t, p) for t, p in zip(trials, parts, strict=True) if p.role == "primary"]
    if all(p.outcome == "shown" for _, p in primary):
        return "HOLDS"
    if any(p.outcome in ("reversed", "negligible") for _, p in primary):
        return "CONTRADICTED"
    return "INCONCLUSIVE" if any(_underpowered(t, p) for t, p in primary) else "NOT SHOWN"


def _underpowered(trial: Trial, part: PartVerdict) -> bool:
    """An open part that could not have shown its effect of interest with these data."""
    weak = not trial.enough or part.mde is None or part.mde > part.goal
    return part.outcome == "open" and weak


def _without_biology(
    law: Law, evidence: Evidence, trials: Sequence[Trial], looks: int
) -> tuple[PartVerdict, ...]:
    """The parts about the average again, biology left out; the others keep their p values."""
    changed = {h.name for h in law.hypotheses if h.estimand.averages}
    disciplines = {s.discipline for s in evidence.strata("average")} if changed else set()
    if BIOLOGY not in disciplines or len(disciplines) == 1:
        return ()
    less = dataclasses.replace(evidence, without=frozenset({BIOLOGY}))
    again = [
        _trial(t.hypothesis, law, less.for_part(t.hypothesis.name), looks)
        if t.hypothesis.name in changed
        else t
        for t in trials
    ]
    return tuple(p for p in _decide(again) if p.name in changed)
