"""What a run's results say, whatever tool wrote them, and what must hold before they are read."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lawcheck.declare import discovery
from lawcheck.declare.design import EvalTask
from lawcheck.errors import InputError
from lawcheck.judging.importing.placement import ImportMap
from lawcheck.scores import TaskPlace

# Statistics of a whole data set: what a tool logs per question is no score of that question.
CORPUS = re.compile(
    r"(mcc|matthews_corrcoef|f1|f1_(macro|micro)|loglikelihood_f1|bleu|chrf|chrf\+\+|chrf_plus|ter"
    r"|rouge_t5|brier_score|(word_|byte_|weighted_)?perplexity|bits_per_byte)\Z"
)
# Better when smaller, where the tool does not say so.
LOWER = re.compile(
    r"([wct]er|[em]ce|brier(_score)?|nll|loss|ppl|((word|byte|weighted)_)?perplexity|bits_per_byte"
    r"|r?mse|mae|err|error(_rate)?|latency|(.*_)?toxic(ity)?(_.*)?|pct_stereotype|likelihood_diff)\Z"
)
# Means over questions by definition: each question's own value is its score.
MEANS = re.compile(r"(acc(_norm|_bytes|_mutual_info)?|accuracy|exact_match|em|mean)\Z")
# Aggregations that are the mean of what is logged for each question.
AVERAGES = ("mean", "nanmean")
CLOSE = 1e-5
# Right and wrong items, or kinds of answers, from which on it is no accident that all agree.
FEWEST = 5


@dataclass(kw_only=True)
class Answers:
    """Item scores of one run on one task, in equal-length lists.

    source: the tool's name of the task; task: its name in the score table. documents: item -> hash
    of the question as the tool read it; targets: of its right answer, where logged. prompts:
    digest of all prompts; outputs: of all answers, empty where none or too few kinds were logged;
    scoring: of filters and metrics. settings: how it was evaluated, to be alike in all runs.
    doubt: how the mean of its values differs from the tool's.
    """

    source: str
    task: str
    metric: str
    items: list[str] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    prompts: str = ""
    scoring: str = ""
    outputs: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    doubt: str = ""


@dataclass(kw_only=True)
class Run:
    """One model's results in one folder. labels: names that may tell arm and seed.

    model: its name, which tells them only where it cannot be part of a published model's name.
    also: names that a mapping may match. identity: what makes it another model (revision, dtype).
    tool: versions, which only deserve a note where they differ.
    """

    origin: str
    labels: tuple[str, ...]
    model: str
    also: tuple[str, ...]
    identity: dict[str, str]
    tool: dict[str, str]
    tasks: list[Answers]
    left_out: list[str]
    notes: list[str]


@dataclass(frozen=True)
class Offer:
    """A metric of a task. variant: filter or reducer. why_not: empty, or why it scores no items."""

    metric: str
    variant: str
    aggregate: float | None
    averaged: bool
    why_not: str = ""

    @property
    def name(self) -> str:
        return f"{self.metric},{self.variant}" if self.variant else self.metric


def offer(
    metric: str, variant: str, aggregate: Any, aggregation: str | None, higher: Any = None
) -> Offer:
    """aggregation: its name as the tool gives it, None where it gives none."""
    number = isinstance(aggregate, int | float) and not isinstance(aggregate, bool)
    finite = float(aggregate) if number and math.isfinite(aggregate) else None
    averaged = aggregation in AVERAGES or (aggregation is None and bool(MEANS.match(metric)))
    why = ""
    if higher is False or (higher is None and LOWER.match(metric)):
        # 1 - x is a score only where x is a share, and it would no longer bear the metric's name.
        why = "lower is better"
    elif aggregation not in AVERAGES and CORPUS.match(metric):
        why = "a statistic of the whole data set, not a mean of item scores"
    return Offer(metric, variant, finite, averaged, why)


def choose(
    task: str,
    offers: list[Offer],
    mapping: ImportMap,
    declared: EvalTask | None,
    where: str,
    notes: list[str],
) -> Offer:
    """The mapping's metric, the declared one, or the first that scores items; others are noted.

    Raises InputError for a metric that is not there or that scores no items.
    """
    if not offers:
        raise InputError(f"{where}: results hold no metric of task {task!r}; evaluate again")
    wanted = mapping.metric(task) or (declared.metric if declared else "")
    metric, _, variant = wanted.partition(",")
    fitting = [o for o in offers if metric in ("", o.metric) and variant in ("", o.variant)]
    known = ", ".join(o.name for o in offers)
    if not fitting:
        raise InputError(
            f"{where}: task {task!r} has no metric {wanted!r}, found {known}; name one "
            f"under 'metrics' in the mapping"
        )
    usable = [o for o in fitting if not o.why_not]
    if not usable:
        others = ", ".join(o.name for o in offers if not o.why_not)
        step = (
            f"name one under 'metrics' in the mapping: {others}"
            if others
            else "evaluate with a metric that scores each item, such as acc, or leave it out with "
            f"'tasks: {{{task}: null}}' in the mapping"
        )
        raise InputError(
            f"{where}: task {task!r}: metric {fitting[0].name}: {fitting[0].why_not}; {step}"
        )
    left = [o.name for o in offers if o != usable[0]]
    if left and (len(fitting) > 1 or not wanted):
        notes.append(f"task {task!r}: metric {usable[0].name} is read, not {', '.join(left)}")
    return usable[0]


def same_mean(found: Answers, chosen: Offer, several: bool, where: str) -> None:
    """The mean of the items against the tool's own number for the task.

    Raises InputError where they differ, unless the metric is by definition a mean of scores such
    as these: then the samples are what was asked for, and `doubt` says so. several: items hold
    lists, whose parts need not be scores.
    """
    scored = [v for v in found.values if not math.isnan(v)]
    if several and chosen.aggregate is None and not chosen.averaged:
        raise InputError(
            f"{where}: task {found.source!r}: {chosen.name} holds several values per sample and "
            f"the results hold no number to check them against; name another metric under "
            f"'metrics' in the mapping"
        )
    if chosen.aggregate is None or not scored or len(scored) < len(found.values):
        return
    mean = sum(scored) / len(scored)
    if abs(mean - chosen.aggregate) <= CLOSE:
        return
    if several or not chosen.averaged:
        raise InputError(
            f"{where}: task {found.source!r}: {chosen.name} is {chosen.aggregate:.6g} in the "
            f"results, {mean:.6g} on average over the samples, so these are no item scores; name "
            f"another metric under 'metrics' in the mapping"
        )
    found.doubt = f"{where.removeprefix('import ')}: {chosen.aggregate:.6g}, mean {mean:.6g}"


def score(value: Any, metric: str, where: str) -> float:
    """A number or truth value in [0, 1]; None is unscored. Raises InputError."""
    if value is None:
        return math.nan
    # NaN compares false with everything, itself too.
    if not isinstance(value, bool | int | float) or (value == value and not 0 <= value <= 1):
        raise InputError(
            f"{where}: {metric} {str(value)[:40]}, expected 0 to 1; "
            f"name another metric under 'metrics' in the mapping"
        )
    return float(value)


def digest(outputs: Sequence[str]) -> str:
    """Of a run's answers in order; empty where two runs may give the same by chance."""
    if len(set(outputs)) < FEWEST:
        return ""
    whole = "\n".join(outputs).encode("utf-8", "backslashreplace")
    return hashlib.sha256(whole).hexdigest()


def named(
    task: str, groups: Iterable[str], mapping: ImportMap, places: Mapping[str, TaskPlace]
) -> str:
    """A task's name in the score table: the mapping's, or the declared group that holds it."""
    name = mapping.task(task)
    if not name:
        return task if task in places else next((g for g in groups if g in places), task)
    return name


def declared_task(task: str) -> EvalTask | None:
    """The declaration of a task, if any discipline has one."""
    for discipline in discovery.disciplines().values():
        for world in discipline.worlds.values():
            for declared in world.tasks:
                if declared.name == task:
                    return declared
    return None


def text(value: str) -> str:
    """An id without half characters, which no table can hold."""
    return value.encode("utf-8", "backslashreplace").decode()
