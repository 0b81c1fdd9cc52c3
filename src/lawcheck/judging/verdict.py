"""judge(law, scores): the parts of a law, then the law's word. docs/statistics.md has the reasons.

A part partitions the line: reversed, negligible, of interest. Its outcome depends on its own data
alone. The law HOLDS where every primary part is shown (an intersection, no correction). One part
that is reversed or negligible is enough to contradict the law, so that word takes Holm over the
primary parts; at its own level such a part already keeps the law from holding. Hence another part
can take CONTRADICTED back to NOT SHOWN, and never turns it into HOLDS. Secondary parts use Holm
among themselves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from lawcheck import __version__
from lawcheck.declare import discovery
from lawcheck.declare.design import (
    LOGIC,
    SCHEMA,
    Arm,
    Check,
    CheckVerdict,
    ConjunctVerdict,
    Contrast,
    Hypothesis,
    Law,
    Measure,
    Outcome,
    PartOutcome,
    PartVerdict,
    Power,
    Verdict,
    Without,
    assays,
    plain,
)
from lawcheck.declare.estimands import controlled
from lawcheck.declare.metrics import ACCURACY
from lawcheck.errors import InputError, nearest
from lawcheck.files.hashing import digest
from lawcheck.judging.estimators import Finding, estimate
from lawcheck.judging.evidence import CostOf, Evidence, MissingScoresError
from lawcheck.judging.looks import Looks
from lawcheck.judging.missing import Missing, Tipping, endless, missing
from lawcheck.judging.stats import (
    Estimate,
    detectable_effect,
    holm,
    no_gain,
    seeds_needed,
    tost,
)
from lawcheck.judging.targets import OWN_SCORES, targets_of
from lawcheck.judging.unused import Reading, unused
from lawcheck.scores import ScoreTable, TaskPlace

BOUNDED = ("equivalent", "no_gain")
Region = Literal["claimed", "opposite", "against", "whole"]


def design_digest(law: Law) -> str:
    """Digest of what is claimed and how it is judged: what `preregister` fixes.

    Words and pictures (title, source, tables, figures, arms shown beside) may change later.
    """
    judged = {"name": law.name, "claim": law.claim, "base": law.base, "parts": law.hypotheses}
    named = {"tasks": law.tasks, "groups": law.groups}
    judged |= {k: v for k, v in named.items() if v}
    return digest(plain(judged), 64)


def judge(
    law: Law,
    scores: ScoreTable,
    *,
    tasks: Mapping[str, TaskPlace] | None = None,
    scale: str = "",
    cost: CostOf | None = None,
    bases: Mapping[int, str] | None = None,
    preregistered: bool = False,
    looks: Looks | int = 1,
    pretrained: bool = True,
    seed: int = 0,
    leave_out: Sequence[str] = (),
    quick: bool = False,
    step: str = "",
    assay: bool = True,
    controls: Mapping[str, bool] | None = None,
    required: Mapping[str, Sequence[str]] | None = None,
) -> Verdict:
    """Judge every hypothesis of a law on one score table.

        verdict = judge(law, load_scores("scores.csv"))
        print(verdict.outcome, verdict.to_frame())

    tasks: place of every task of the table (`task_places`), where scores come from a scale; None:
    the tasks that the law names, else the disciplines of its study, else the table's own tasks.
    cost: planned cost of (arm, quantity, scale), for laws with a Cost part. bases: seed -> base
    model; several seeds on one base are aggregated by base. looks: at growing data; a count stands
    for so many equally spaced ones, and all use the one level that keeps alpha over them.
    pretrained: whether the base models were pretrained by others; where not, parts that need it
    are descriptive. seed: of the generator that permutation tests draw from. leave_out:
    disciplines without which, one at a time, the parts about the average are judged again.

    quick: leave out what only stands beside the verdict: posteriors, sizes, other choices, power.
    step: what to do about scores that are missing, in words (the law's own workflow). assay:
    whether no-gain and equivalence claims ask that every arm beats the law's base. controls: of the
    scale -> whether each passed (`lawcheck.judging.controls`). required: law, or law.part -> the
    controls that its parts rest on besides those their checks name.

    Rows that no part reads are counted and named in `Verdict.unused`.

    Raises InputError where a part cannot be estimated at all: an unplaced task, no planned cost;
    and its kind MissingScoresError for an arm without scores or arms that share no seed.
    """
    for name, value, kind, how in (
        ("law", law, Law, "import LAW from its file"),
        ("scores", scores, ScoreTable, "load_scores(path) reads them"),
    ):
        if not isinstance(value, kind):
            raise InputError(
                f"judge: {name} is a {type(value).__name__}, expected a {kind.__name__}; {how}"
            )
    if not isinstance(looks, Looks):
        looks = Looks.planned(looks)
    # What a scale adds to a law is no part of its design.
    design, law = design_digest(law), resting(law, required or {})
    if not step and tasks is None and discovery.study_of(law.name) is None:
        step = OWN_SCORES
    targets = targets_of(law, scores, _compared(law, assay), tasks)
    if tasks is not None and not law.averaged:
        _check_tasks(scores, tasks)
    reading = Reading(scores)
    evidence = Evidence(
        scores=cast(ScoreTable, reading),
        places=targets.places,
        groups=targets.groups,
        whole=bool(law.averaged),
        law=law.name,
        bases=bases,
        cost=cost,
        pretrained=pretrained,
        seed=seed,
        step=step,
        assay=assay,
        controls=controls,
    )
    _check_arms(law, evidence)
    everything = _trials(law, evidence, looks)
    parts = _decide(everything)
    outcome, against = _outcome(everything, parts)
    left = unused(reading)
    power: tuple[Power, ...] = ()
    if not quick:
        # Imports simulation, which a quick judgement does without.
        from lawcheck.judging.beside import beside

        def again(h: Hypothesis, seen: Evidence) -> str:
            return _alone(_trial(h, law, seen, looks))

        cannot = [t.hypothesis.name for t in everything if not (t.enough and t.spoken and t.tests)]
        found, power = beside(law, evidence, parts, looks, again, cannot)
        parts = list(found)
    sampled = [p.n_seeds for p in parts if p.role == "primary" and p.se is not None]
    alphas = dict.fromkeys(h.alpha for h in law.hypotheses)
    notes = [note for alpha in alphas if (note := looks.note(alpha))]
    notes += [*([targets.note] if targets.note else []), *against]
    return Verdict(
        law=law.name,
        outcome=outcome,
        claim=law.claim,
        scale=scale,
        parts=tuple(parts),
        without=tuple(
            Without(discipline=name, parts=_without(name, law, evidence, everything, looks))
            for name in leave_out
        ),
        n_seeds=min(sampled, default=0),
        preregistered=preregistered,
        design_digest=design,
        scores_digest=scores.digest(a.name for a in law.arms),
        notes=tuple(notes),
        logic=LOGIC,
        power=power,
        unused=left,
        lawcheck=__version__,
        schema=SCHEMA,
    )


def resting(law: Law, required: Mapping[str, Sequence[str]]) -> Law:
    """The law with one more check a part for every control that it rests on at a scale."""
    if not required:
        return law
    parts = []
    for h in law.hypotheses:
        places = (law.name, f"{law.name}.{h.name}")
        names = dict.fromkeys(n for place in places for n in required.get(place, ()))
        known = {c.estimand for c in h.checks}
        more = [c for c in map(controlled, names) if c.estimand not in known]
        # Where a part declares none it has those that bounds ask by themselves.
        checks = (*assays(h, law.base), *more) if more else h.checks
        parts.append(dataclasses.replace(h, checks=checks, floor=None) if more else h)
    return dataclasses.replace(law, hypotheses=tuple(parts))


def _check_tasks(scores: ScoreTable, places: Mapping[str, TaskPlace]) -> None:
    for task in scores.item_metric:
        if task not in places:
            raise InputError(
                f"scores: task {task!r} belongs to no discipline ({nearest(task, places)}); rename "
                f"it or declare it in a discipline"
            )


def _bounded(law: Law) -> bool:
    """Whether some part asks by itself that arms beat the base."""
    return any(
        h.alternative in BOUNDED and isinstance(h.estimand, Contrast) and h.floor is None
        for h in law.hypotheses
    )


def _compared(law: Law, assay: bool) -> list[Arm]:
    """The arms whose scores the parts need, without those of declared checks."""
    arms = dict.fromkeys(a for h in law.hypotheses for a in h.estimand.arms)
    return [*arms, law.base] if assay and _bounded(law) else list(arms)


def _check_arms(law: Law, evidence: Evidence) -> None:
    """Name every arm that has no scores at once, not one a run."""
    needed = {a.name: h.name for h in reversed(law.hypotheses) for a in h.estimand.arms}
    if evidence.assay and _bounded(law):
        needed.setdefault(law.base.name, "assay sensitivity")
    lost = sorted(set(needed) - set(evidence.scores.arms))
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise MissingScoresError(
            f"{law.name}: hypothesis {needed[lost[0]]!r} needs arm {lost[0]!r}{more}, found no "
            f"scores ({nearest(lost[0], evidence.scores.arms)}); {evidence.how}"
        )


@dataclass(frozen=True, kw_only=True)
class Tests:
    """Raw one-sided p values of one estimate against the regions of a hypothesis.

    claimed: of the declared alternative. opposite: of its opposite. against: of anything that
    contradicts the part (the opposite, or an effect below the smallest of interest); never above
    `opposite`. whole: of at least the smallest effect of interest, where the alternative has one.
    """

    claimed: float | None = None
    opposite: float | None = None
    against: float | None = None
    whole: float | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A hypothesis with its estimate and tests, before other parts are looked at.

    cases: the tests that decide: those of the conjuncts, else of the estimand alone. gaps: unscored
    items of the estimand; cases_gaps: of the conjuncts that have some. enough: at
    least min_seeds. spoken: whether these base models are of the kind that the part speaks of.
    """

    hypothesis: Hypothesis
    finding: Finding
    alpha: float
    cases: tuple[Tests, ...]
    conjuncts: tuple[ConjunctVerdict, ...]
    checks: tuple[CheckVerdict, ...]
    enough: bool
    spoken: bool
    n_diverged: int
    notes: tuple[str, ...]
    gaps: Missing | None = None
    cases_gaps: tuple[Missing, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the part tests what it names."""
        return self.spoken and all(c.passed for c in self.checks)

    @property
    def speaks(self) -> bool:
        """Whether its opposite would mean anything: a failed assay leaves that, else nothing."""
        return self.spoken and all(c.passed for c in self.checks if c.kind == "manipulation")

    @property
    def tests(self) -> bool:
        """Whether any data decide: not where arms that agree in every item leave no variation."""
        return self.finding.exact or not (self.p("claimed") is None and self.p("against") is None)

    def p(self, what: Region) -> float | None:
        """Over the cases: all of them for a claim, any one of them (Bonferroni) against it."""
        found = [getattr(t, what) for t in self.cases]
        if what in ("claimed", "whole"):
            return None if None in found else max(found)
        known = [v for v in found if v is not None]
        return min(1.0, len(found) * min(known)) if known else None

    @property
    def contradiction(self) -> float | None:
        """p of what may contradict the law: a negligible effect only where the part is sound."""
        if not self.speaks:
            return None
        return self.p("against" if self.sound else "opposite")


def _trials(law: Law, evidence: Evidence, looks: Looks) -> list[Trial]:
    return [_trial(h, law, evidence.for_part(h.name), looks) for h in law.hypotheses]


def _trial(h: Hypothesis, law: Law, evidence: Evidence, looks: Looks) -> Trial:
    finding = estimate(h.estimand, evidence)
    if finding.exact != (h.alternative == "below"):
        raise InputError(
            f"{evidence.what}: alternative {h.alternative!r} does not fit "
            f"{type(h.estimand).__name__}; 'below' goes with counted estimands, and only there"
        )
    alpha = looks.level(h.alpha)
    notes = list(finding.notes)
    each = [(name, estimate(e, evidence)) for name, e in h.conjuncts]
    values = [(name, case.estimate) for name, case in each]
    for name, case in each:
        # Of one that has an estimate, its notes are the part's own.
        notes += [f"{name}: {n}" for n in case.notes if math.isnan(case.estimate.value)]
    # One run shows nothing about the next one, whatever a hypothesis declares.
    fewest = max(2, h.min_seeds)
    n_seeds = min((v.n_seeds for _, v in values), default=finding.estimate.n_seeds)
    enough = finding.exact or n_seeds >= fewest
    if not enough:
        notes.append(f"left open: needs {fewest} seeds, found {n_seeds}; {evidence.how}")
    spoken = evidence.pretrained or not h.needs_pretrained
    if not spoken:
        notes.append("not tested: these base models differ in configuration, not in pretraining")
    diverged = evidence.scores.diverged
    names = {a.name for a in h.estimand.arms}
    n_diverged = sum(n for (arm, _), n in diverged.items() if arm in names)
    if n_diverged:
        notes.append(f"{n_diverged} diverged runs among the arms compared")
    cases = [(name, v, _tests(h, v)) for name, v in values]
    return Trial(
        hypothesis=h,
        finding=finding,
        alpha=alpha,
        cases=tuple(t for _, _, t in cases) or (_tests(h, finding.estimate),),
        conjuncts=tuple(_conjunct(name, v, t, alpha, enough) for name, v, t in cases),
        checks=tuple(_checked(c, evidence) for c in checks_of(h, law, evidence.assay)),
        enough=enough,
        spoken=spoken,
        n_diverged=n_diverged,
        notes=tuple(notes),
        gaps=missing(h.estimand, evidence) if finding.estimate.n_unscored else None,
        cases_gaps=tuple(
            found
            for (_, e), (_, v) in zip(h.conjuncts, values, strict=True)
            if v.n_unscored and (found := missing(e, evidence))
        ),
    )


def checks_of(h: Hypothesis, law: Law, assay: bool = True) -> tuple[Check, ...]:
    """The declared checks; for a bound on a contrast without any, every arm has to beat the base,
    or the part's floor.
    """
    return assays(h, law.base) if assay else h.checks


def _checked(check: Check, evidence: Evidence) -> CheckVerdict:
    try:
        finding = estimate(check.estimand, evidence)
    except MissingScoresError as error:
        return _seen(check, False, None, None, "", f"not measured: {error}")
    value = finding.estimate
    low = value.value if finding.exact else value.interval(check.alpha)[0]
    # A number of runs, such as a share of tensors, may be the same in all of them: a manipulation
    # that never fails is not unmeasured for that.
    e = check.estimand
    if low is None and value.se == 0 and isinstance(e, Measure) and not e.of_items:
        low = value.value
    # Every item right in every run is no missing measurement either.
    if low is None and value.se == 0 and isinstance(e, Contrast | Measure):
        low = _bound_of_constant(value, e, check.alpha) if e.metric == ACCURACY else None
    passed = low is not None and low > check.above
    return _seen(check, passed, value.value, low, finding.unit)


def _bound_of_constant(value: Estimate, e: Contrast | Measure, alpha: float) -> float:
    """Lower bound, in points, of the mean over runs of an accuracy that n runs share.

    Exact whatever the distribution: where some runs score the least that is possible, n runs alike
    are seen with a probability above alpha up to the share 1 - alpha**(1/n) of such runs.
    """
    alike = alpha ** (1 / value.n_seeds)
    least = 100 * sum(min(w, 0.0) for _, w in e.weights)
    least -= e.against if isinstance(e, Measure) else 0.0
    return alike * value.value + (1 - alike) * least


def _seen(
    check: Check, passed: bool, value: float | None, low: float | None, unit: str, note: str = ""
) -> CheckVerdict:
    return CheckVerdict(
        name=check.name,
        kind=check.kind,
        claim=check.claim,
        passed=passed,
        estimate=None if value is None or math.isnan(value) else value,
        low=low,
        above=check.above,
        unit=unit,
        note=note,
    )


def _conjunct(
    name: str, value: Estimate, tests: Tests, alpha: float, enough: bool
) -> ConjunctVerdict:
    low, high = value.interval(alpha)
    return ConjunctVerdict(
        name=name,
        outcome=_partition(tests, alpha, enough),
        estimate=None if math.isnan(value.value) else value.value,
        se=value.se,
        low=low,
        high=high,
        p=tests.claimed,
        p_opposite=tests.opposite,
        p_against=tests.against,
        n_seeds=value.n_seeds,
        n_items=value.n_items,
    )


def _tests(h: Hypothesis, value: Estimate) -> Tests:
    if h.alternative in ("greater", "less"):
        up = h.alternative == "greater"
        toward, away = (value.p_above, value.p_below) if up else (value.p_below, value.p_above)
        size = h.sesoi if up else -h.sesoi
        opposite, small = away(0.0), away(size)
        return Tests(
            claimed=toward(0.0),
            opposite=opposite,
            against=opposite if small is None else small,
            whole=toward(size),
        )
    if h.alternative == "no_gain" and h.margin is not None:
        opposite = value.p_above(h.margin)
        return Tests(claimed=no_gain(value, h.margin), opposite=opposite, against=opposite)
    if h.alternative == "equivalent" and h.margin is not None:
        above, below = value.p_above(h.margin), value.p_below(-h.margin)
        # Outside on either side: two one-sided tests, so the smaller p counts twice.
        outside = None if above is None or below is None else min(1.0, 2 * min(above, below))
        return Tests(claimed=tost(value, h.margin), opposite=outside, against=outside)
    return Tests()


def _partition(tests: Tests, alpha: float, enough: bool) -> PartOutcome:
    """The region that one estimate leaves standing at alpha."""
    if not enough:
        return "open"
    if _rejects(tests.opposite, alpha):
        return "reversed"
    if _rejects(tests.against, alpha):
        return "negligible"
    return "shown" if _rejects(tests.claimed, alpha) else "open"


def _decide(trials: Sequence[Trial]) -> list[PartVerdict]:
    """One outcome a part; Holm inside each role, which only secondary outcomes read."""
    corrected: dict[str, Tests] = {}
    for role in ("primary", "secondary"):
        # Parts with too few seeds decide nothing, so they do not weigh on the others.
        family = [t for t in trials if t.hypothesis.role == role and t.enough]
        names: tuple[Region, ...] = ("claimed", "opposite", "against")
        columns = [holm([t.p(k) for t in family]) for k in names]
        for t, *adjusted in zip(family, *columns, strict=True):
            corrected[t.hypothesis.name] = Tests(**dict(zip(names, adjusted, strict=True)))
    return [_part(t, corrected.get(t.hypothesis.name, Tests())) for t in trials]


def _alone(t: Trial) -> PartOutcome:
    """A part's outcome at its own level."""
    own = Tests(claimed=t.p("claimed"), opposite=t.p("opposite"), against=t.p("against"))
    return _outcome_of(t, own)[0]


def _part(t: Trial, adjusted: Tests) -> PartVerdict:
    h, value, notes = t.hypothesis, t.finding.estimate, list(t.notes)
    outcome, failed = _outcome_of(t, adjusted)
    notes += [failed] if failed else []
    worst: tuple[float, ...] = ()
    if t.gaps is not None:
        low_end, high_end = t.gaps.bounds
        worst = (low_end.value, high_end.value)
    # Of several cases each has to stand.
    gaps = [g for g in (t.gaps, *t.cases_gaps) if g is not None]
    tipped = [g for g in gaps if outcome == "shown" and g.tips(h.alternative, t.alpha, h.margin)]
    if tipped:
        tipping = tipped[0].tipping(h.alternative, t.alpha, h.margin)
        outcome = "open"
        notes.append(f"left open: unscored items could tip it{_way(tipping)}")
    elif outcome == "shown" and value.n_unscored and endless(h.estimand):
        outcome = "open"
        notes.append(f"left open: {t.finding.unit} of unscored items has no worst value")
    size = ""
    if outcome == "shown" and h.alternative in ("greater", "less"):
        whole = _rejects(t.p("whole"), t.alpha)
        zero = "above 0" if h.alternative == "greater" else "below 0"
        size = "at least the smallest effect" if whole else zero
    needed = None
    if value.testable and not value.single_run and h.goal > 0:
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
        p=t.p("claimed"),
        p_opposite=t.p("opposite"),
        holm=adjusted.claimed,
        holm_opposite=adjusted.opposite,
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
        size=size,
        p_against=t.p("against"),
        checks=t.checks,
        conjuncts=t.conjuncts,
        worst=worst,
    )


def _way(tipping: Tipping | None) -> str:
    """The accuracy of unscored items at which a result is lost, in words."""
    if tipping is None:
        return ""
    said = ", ".join(f"{arm} {100 * a:.0f} %" for arm, a in tipping.accuracies)
    return f", if {said} of them were right"


def _outcome_of(t: Trial, adjusted: Tests) -> tuple[PartOutcome, str]:
    """The part's outcome, and which checks kept it from another one."""
    if t.finding.exact:
        return ("shown" if t.finding.estimate.value < 0 else "reversed"), ""
    own = Tests(claimed=t.p("claimed"), opposite=t.p("opposite"), against=t.p("against"))
    outcome = _partition(own if t.hypothesis.role == "primary" else adjusted, t.alpha, t.enough)
    # As among parts: a case against the claim at its own level keeps it from being shown.
    odd = [c.name for c in t.conjuncts if c.outcome in ("reversed", "negligible")]
    if outcome == "shown" and odd and t.sound:
        said = f"left open: {', '.join(odd)} stands against it at its own level"
        return "open", f"{said}, not as one of {len(t.cases)} cases"
    if t.sound or not t.enough or (outcome == "reversed" and t.speaks):
        return outcome, ""
    failed = "; ".join(f"{c.kind}: {c.claim}{_bound(c)}" for c in t.checks if not c.passed)
    return "not tested", f"not tested, not passed: {failed}" if failed else ""


def _bound(check: CheckVerdict) -> str:
    if check.note:
        return f" ({check.note})"
    found = "no bound" if check.low is None else f"bound {check.low:+.3g}"
    return f" ({found}, needed above {check.above:g})"


def _rejects(p: float | None, alpha: float) -> bool:
    return p is not None and p <= alpha


def _outcome(trials: Sequence[Trial], parts: Sequence[PartVerdict]) -> tuple[Outcome, list[str]]:
    """The law's word, last, and notes on parts that stand against it at their own level only."""
    primary = [(t, p) for t, p in zip(trials, parts, strict=True) if p.role == "primary"]
    against = {p.name for t, p in primary if t.finding.exact and p.outcome == "reversed"}
    tested = [t for t, _ in primary if t.enough and not t.finding.exact]
    adjusted = holm([t.contradiction for t in tested])
    for t, p in zip(tested, adjusted, strict=True):
        against |= {t.hypothesis.name} if _rejects(p, t.alpha) else set()
    notes = [
        f"{p.name} is {p.outcome} at its own level, not after Holm over {len(tested)} primary parts"
        for _, p in primary
        if p.outcome in ("reversed", "negligible") and p.name not in against
    ]
    if against:
        return "CONTRADICTED", notes
    if any(p.outcome == "not tested" for _, p in primary):
        return "NOT TESTED", notes
    if all(p.outcome == "shown" for _, p in primary):
        return "HOLDS", notes
    return ("INCONCLUSIVE" if any(_underpowered(t, p) for t, p in primary) else "NOT SHOWN"), notes


def _underpowered(trial: Trial, part: PartVerdict) -> bool:
    """An open part that could not have shown its effect of interest with these data."""
    weak = not trial.enough or part.mde is None or part.mde > part.goal
    return part.outcome == "open" and weak


def _without(
    discipline: str, law: Law, evidence: Evidence, trials: Sequence[Trial], looks: Looks
) -> tuple[PartVerdict, ...]:
    """The parts about the average again, one discipline left out; the others keep their p values.

    Empty where the average is not over this discipline and others.
    """
    changed = {h.name for h in law.hypotheses if h.estimand.averages}
    disciplines = {s.discipline for s in evidence.strata("average")} if changed else set()
    if discipline not in disciplines or len(disciplines) == 1:
        return ()
    less = dataclasses.replace(evidence, without=frozenset({discipline}))
    again = [
        _trial(t.hypothesis, law, less.for_part(t.hypothesis.name), looks)
        if t.hypothesis.name in changed
        else t
        for t in trials
    ]
    return tuple(p for p in _decide(again) if p.name in changed)
