"""What a study is made of: arms, runs, hypotheses, laws, verdicts and scores.

Declarations are data. Importing this module, a law, a method or a discipline touches no
accelerator, network, clock or environment; it uses the standard library only.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from lawcheck.declare.metrics import ACCURACY, ITEM_METRICS
from lawcheck.declare.results import as_file, frame, page, rounded
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["discipline", "general", "out_of_domain"]
Decoding = Literal["model", "greedy"]
Scalar = str | int | float | bool
# Arms above one another, and characters of an arm's name, which names folders.
DEPTH, LONGEST = 6, 120
# The target that is the mean of the tasks, or of the disciplines.
AVERAGE = "average"
WHICH = "{input}\n\nDomains: {domains}\nTasks: {tasks}\nWhich domain and which task is this?"
NO_TASK = (
    "a task called 'average' cannot be told from the mean of the tasks; write 'tasks: {average: "
    "NAME}' into the mapping, or null for NAME to leave it out"
)
NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
ARM_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")


def later(version: int, default: Any) -> Any:
    """A field that joined a declaration in this version of the package.

    At its default it stays out of digests (`plain`), so that nothing declared before it is renamed.
    """
    return field(default=default, metadata={"since": version})


def require_name(kind: str, name: str) -> None:
    if not isinstance(name, str) or not NAME.match(name):
        raise InputError(
            f"{kind} {name!r}: expected a name of lower-case letters, digits and underscores "
            f"that starts with a letter; rename it"
        )


# --------------------------------------------------------------------------- what is trained


@dataclass(frozen=True, kw_only=True)
class Upsampling:
    """Duplicate scarce disciplines up to a target size.

    kind: `diverse` duplicates samples drawn at random, `unique` only samples that hold a
    discipline-specific token. target: samples per discipline at paper size; other scales keep
    the ratio target / rows of each discipline.
    """

    kind: Literal["diverse", "unique"]
    disciplines: tuple[str, ...]
    target: int


START_WEIGHTS = ("uniform", "knowledge", "inverse", "reciprocal", "given")


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """How the shares of domains in the training rows move.

    A domain is a discipline, or `general`. start: `uniform`; `given` shares; the others follow
    the shares that were detected in a base model. given: (domain, share), which sum to 1.
    knowledge_of: the base whose detected shares are meant, if not the arm's own. update: the name
    of the rule that moves the weights after a phase (lawcheck.training.mixing); `none` keeps them.
    target: the domain that a rule favours. guard: whether the rule tests for forgetting first.
    strength, step, threshold: the rule's sigma, delta and epsilon. phases: of equal step count.
    rows: a pass over the mixture at paper size, before the recipe's fraction.
    """

    start: Literal["uniform", "knowledge", "inverse", "reciprocal", "given"] = "uniform"
    given: tuple[tuple[str, float], ...] = ()
    knowledge_of: str | None = None
    update: str = "none"
    target: str | None = None
    guard: bool = True
    strength: float = 1.0
    step: float = 0.05
    threshold: float = 1.0
    phases: int = 8
    rows: int = 60_000

    def __post_init__(self) -> None:
        if self.start not in START_WEIGHTS:
            raise InputError(
                f"mixture: start {self.start!r} is unknown; choose one of "
                f"{', '.join(START_WEIGHTS)}"
            )
        require_name("mixture update", self.update)
        if (self.start == "given") != bool(self.given):
            raise InputError(
                f"mixture: start {self.start!r} with {len(self.given)} given shares; shares go "
                f"with 'given', and only there"
            )
        if self.knowledge_of is not None and self.start in ("uniform", "given"):
            raise InputError(
                f"mixture: start {self.start!r} with knowledge_of {self.knowledge_of!r}, which it "
                f"does not read; start from 'knowledge', 'inverse' or 'reciprocal', or leave it out"
            )
        names = [name for name, _ in self.given]
        total = sum(share for _, share in self.given)
        if self.given and not (
            abs(total - 1) <= 1e-9 and len(set(names)) == len(names) and min(self.shares) > 0
        ):
            raise InputError(
                f"mixture: given shares of {', '.join(names)} sum to {total:g}, expected shares "
                f"above 0 of distinct domains that sum to 1; correct them"
            )
        for what, low, high in (
            ("strength", 0.0, math.inf),
            ("step", 0.0, 1.0),
            ("threshold", 0.0, math.inf),
        ):
            if not low <= getattr(self, what) < high:
                raise InputError(
                    f"mixture: {what} {getattr(self, what)} is outside [{low:g}, {high:g}); "
                    f"correct it"
                )
        for what in ("phases", "rows"):
            if type(getattr(self, what)) is not int or getattr(self, what) < 1:
                raise InputError(
                    f"mixture: {what} is {getattr(self, what)!r}, expected a count from 1; give one"
                )
        if self.target is not None and self.given and self.target not in names:
            raise InputError(
                f"mixture: target {self.target!r} is none of its domains {', '.join(names)}; "
                f"name one of them"
            )

    def detected_in(self, base: str) -> str | None:
        """The base whose detected shares it starts from, in an arm on `base`; None for none."""
        return None if self.start in ("uniform", "given") else self.knowledge_of or base

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(share for _, share in self.given)

    @property
    def label(self) -> str:
        return _label(self, "mix_" + self.start, skip=("start", "given"))


SELECTED_BY, DISTANCES = ("kmeans", "random"), ("L2", "COS", "IP")
EMBEDDINGS = ("inputs", "tfidf_svd")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which rows of which tasks are trained on (lawcheck.training.selection).

    tasks: names of the world's tasks, in the order in which a selector lists them. k: rows of each
    task at paper size (`CorpusSettings.selected` says how many those are at a scale); None for all.
    steps_of: another such size, whose optimizer steps this one gets by repeating its rows. by:
    `kmeans`, the row nearest to each of k centres, without repeats; `random`. distance: of clusters
    and of their nearest rows; cosine and inner product are similarities. embedding: of a row's
    input: `inputs`, the mean of the base's input embeddings; `tfidf_svd`, a stand-in for an outside
    sentence embedder. released: as the published code does it, with centres of L2 whatever the
    distance, and instructions embedded too. whole, retained: tasks outside `whole` keep this share
    of their selected rows, where `whole` names any or the share is below 1.
    """

    tasks: tuple[str, ...]
    k: int | None = None
    steps_of: int | None = None
    by: Literal["kmeans", "random"] = "kmeans"
    distance: Literal["L2", "COS", "IP"] = "L2"
    embedding: Literal["inputs", "tfidf_svd"] = "inputs"
    released: bool = False
    whole: tuple[str, ...] = ()
    retained: float = 1.0

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise InputError(
                f"selection: tasks {', '.join(self.tasks) or 'none'}, expected one or more "
                f"distinct names; name each task once"
            )
        for what, allowed in (
            ("by", SELECTED_BY),
            ("distance", DISTANCES),
            ("embedding", EMBEDDINGS),
        ):
            if getattr(self, what) not in allowed:
                raise InputError(
                    f"selection: {what} {getattr(self, what)!r} is unknown; choose one of "
                    f"{', '.join(allowed)}"
                )
        for what in ("k", "steps_of"):
            value = getattr(self, what)
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(
                    f"selection: {what} is {value!r}, expected a count from 1; give one"
                )
        if self.steps_of is not None and (self.k is None or self.steps_of < self.k):
            raise InputError(
                f"selection: steps_of {self.steps_of} beside k {self.k}, expected a size from k "
                f"up; rows can be repeated, not halved"
            )
        if not 0 <= self.retained <= 1:
            raise InputError(f"selection: retained {self.retained} is outside [0, 1]; give a share")
        odd = next((t for t in self.whole if t not in self.tasks), None)
        if odd is not None:
            raise InputError(
                f"selection: {odd!r} is kept whole but is none of its tasks; name it there too"
            )

    def share(self, task: str) -> float:
        """Of the task's selected rows, how many are trained on."""
        return 1.0 if task in self.whole else self.retained

    @property
    def label(self) -> str:
        listed = self.tasks[0] if len(self.tasks) == 1 else f"{len(self.tasks)}tasks"
        if len(self.tasks) > 1:
            listed += f"_{digest(plain(self.tasks), 4)}"
        parts = [listed] if self.k is None else [listed, f"k{self.k}"]
        parts += [f"steps{self.steps_of}"] if self.steps_of is not None else []
        parts += [self.by] if self.by != "kmeans" else []
        parts += [self.distance] if self.distance != "L2" else []
        parts += [self.embedding] if self.embedding != "inputs" else []
        parts += ["released"] if self.released else []
        if self.whole:
            parts.append(f"whole_{digest(plain(self.whole), 4)}")
        if self.retained != 1:
            parts.append(f"retained{_percent(self.retained)}")
        return ".".join(parts)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an arm is trained on, free of any scale.

    disciplines: None means every discipline the scale has. fraction: share of each discipline,
    nested (10 % lies inside 20 %). general_share: share of the scale's fixed general pool.
    objective: the name of a module of lawcheck.training.objectives. beta: of objectives that have
    one. epochs: None for the scale's. stop_after: epochs after which training ends, on the
    schedule of all of them. replica: 2 and above see the same rows in another order, with the
    same seed. mixture: shares that may move while training goes on.
    shuffled: share of each discipline's rows, the last ones in order, whose words stand in random
    order; for texts only. selection: which tasks' rows, and which of them, instead of shares.
    """

    disciplines: tuple[str, ...] | None = None
    fraction: float = 1.0
    upsampling: Upsampling | None = None
    general_share: float = 0.0
    objective: str = later(2, "response")
    beta: float | None = later(2, None)
    epochs: int | None = later(2, None)
    stop_after: int | None = later(2, None)
    replica: int = later(2, 1)
    mixture: Mixture | None = later(2, None)
    shuffled: float = later(5, 0.0)
    selection: Selection | None = later(6, None)

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise InputError(f"recipe: fraction {self.fraction} is outside (0, 1]; give a share")
        if not 0 <= self.shuffled <= 1:
            raise InputError(f"recipe: shuffled {self.shuffled} is outside [0, 1]; give a share")
        if self.shuffled and self.objective != "text":
            raise InputError(
                f"recipe: shuffled words with objective {self.objective!r}, expected 'text'; a "
                f"shuffled question has no answer"
            )
        if not 0 <= self.general_share <= 1:
            raise InputError(
                f"recipe: general_share {self.general_share} is outside [0, 1]; give a share"
            )
        require_name("objective", self.objective)
        if self.beta is not None and not 0 < self.beta < math.inf:
            raise InputError(f"recipe: beta {self.beta} is not above 0; give a positive number")
        for what in ("epochs", "stop_after", "replica"):
            value = getattr(self, what)
            if value is not None and (type(value) is not int or value < 1):
                raise InputError(f"recipe: {what} is {value!r}, expected a count from 1; give one")
        if self.stop_after is not None and self.stop_after > (self.epochs or math.inf):
            raise InputError(
                f"recipe: stop_after {self.stop_after} lies beyond its {self.epochs} epochs; "
                f"stop earlier"
            )
        if self.mixture is not None and (self.upsampling is not None or self.general_share):
            raise InputError(
                "recipe: a mixture beside upsampling or general_share; the mixture's own shares "
                "say what is trained on, leave the others"
            )
        if self.selection is not None and (
            self.mixture is not None
            or self.upsampling is not None
            or (self.disciplines, self.fraction) != (None, 1.0)
            or self.general_share
        ):
            raise InputError(
                "recipe: a selection beside disciplines, fraction, upsampling, general_share or a "
                "mixture; the selection's tasks say what is trained on, leave the others"
            )
        if self.mixture is not None and (self.objective != "response" or self.stop_after):
            raise InputError(
                f"recipe: a mixture beside objective {self.objective!r} and stop_after "
                f"{self.stop_after}, expected 'response' and all epochs, which its phases divide; "
                f"leave the others"
            )

    @property
    def label(self) -> str:
        named = "_".join(self.disciplines or ()) or "none"
        parts = [named] if self.disciplines is not None else []
        if self.selection is None:
            parts.append(f"d{_percent(self.fraction)}")
        else:
            parts.append(self.selection.label)
        if self.upsampling:
            up = self.upsampling
            parts.append(f"{up.kind}{up.target // 1000}k_{'_'.join(up.disciplines)}")
        if self.general_share:
            parts.append(f"g{_percent(self.general_share)}")
        if self.objective != "response":
            parts.append(self.objective)
        for short, value in (("b", self.beta), ("e", self.epochs), ("until", self.stop_after)):
            if value is not None:
                parts.append(f"{short}{value:g}".replace(".", "p"))
        if self.replica != 1:
            parts.append(f"r{self.replica}")
        if self.shuffled:
            parts.append(f"shuffled{_percent(self.shuffled)}")
        if self.mixture is not None:
            parts.append(self.mixture.label)
        return ".".join(parts)


def _label(value: Any, head: str, skip: tuple[str, ...]) -> str:
    """The fields of a declaration that are not at their default, as part of an arm's name."""
    parts = [head]
    for f in dataclasses.fields(value):
        found = getattr(value, f.name)
        if f.name in skip or found == f.default:
            continue
        text = f"{found:g}".replace(".", "p") if isinstance(found, float) else str(found)
        parts.append(f"{f.name}_{text}")
    if any(f.name == "given" and getattr(value, f.name) for f in dataclasses.fields(value)):
        parts.append(digest(plain(value.given), 6))
    return ".".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:g}".replace(".", "p")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One experimental condition: a method with its design, and a recipe. Scale-independent.

    The name follows from the content, so that equal arms of different laws are the same arm. An
    arm of nothing but a method may have any name: it stands for the scores under that name.
    design: method-specific choices (variant, experts, rank_multiple), sorted by key.
    recipe: None trains on no rows (the base model as it is, or a merge of its parents).
    each_alone: one run per discipline, trained on that discipline only and evaluated on it.
    base: which of the scale's base models; `default` unless a law compares families.
    parents: arms whose models this one starts from or is made of; its method says how many
    (lawcheck.methods.base.Method.takes). Run for run of the same seed, and of the same part.
    decoding: of generated answers; `model` as its generation_config.json says, without sampling,
    which is what lm-eval's `hf` does; `greedy` the most likely token, whatever that file says.
    """

    method: str
    design: tuple[tuple[str, Scalar], ...] = ()
    recipe: Recipe | None = None
    each_alone: bool = False
    base: str = "default"
    parents: tuple[Arm, ...] = later(2, ())
    decoding: Decoding = later(2, "model")

    def __post_init__(self) -> None:
        if self.decoding not in get_args(Decoding):
            raise InputError(
                f"arm of method {self.method!r}: decoding {self.decoding!r} is unknown; choose one "
                f"of {', '.join(get_args(Decoding))}"
            )
        object.__setattr__(self, "design", tuple(sorted(self.design)))
        if self.trained:
            require_name("method", self.method)
        elif not (isinstance(self.method, str) and self.method and self.method.isprintable()):
            raise InputError(
                f"arm {self.method!r}: expected a printable name; write it as in the score table"
            )
        if self.each_alone and self.mixture is not None:
            raise InputError(
                f"arm of method {self.method!r}: each_alone with a mixture; one discipline alone "
                f"has no shares, leave one of them"
            )
        if self.each_alone and self.selection is not None:
            raise InputError(
                f"arm of method {self.method!r}: each_alone with a selection, whose tasks say what "
                f"is trained on; leave each_alone"
            )
        self._check_parents()
        if self.trained and not ARM_NAME.match(self.name):
            raise InputError(
                f"arm {self.name!r}: expected letters, digits, '_', '.' and '-' only, since it "
                f"names folders; correct its design or recipe"
            )

    def _check_parents(self) -> None:
        for parent in self.parents:
            if not isinstance(parent, Arm):
                raise InputError(
                    f"arm of method {self.method!r}: a parent is {type(parent).__name__}, "
                    f"expected an Arm; name arms"
                )
            for what in ("base", "each_alone"):
                mine, theirs = getattr(self, what), getattr(parent, what)
                if mine != theirs:
                    raise InputError(
                        f"arm of method {self.method!r}: {what} is {mine!r} and that of its parent "
                        f"{parent.name!r} is {theirs!r}; give both the same"
                    )
        if self.depth > DEPTH:
            raise InputError(
                f"arm of method {self.method!r}: {self.depth} arms lie above it, one on another, "
                f"expected at most {DEPTH}; shorten the chain"
            )

    @property
    def trained(self) -> bool:
        """Whether it says more than a method: then it has runs here, which name folders."""
        said = self.design or self.recipe or self.parents or self.each_alone
        return bool(said) or self.base != "default" or self.decoding != "model"

    @property
    def has_weights(self) -> bool:
        """Whether its runs hold weights of their own; else it is the base model as it is."""
        return self.recipe is not None or bool(self.parents)

    @cached_property
    def depth(self) -> int:
        """Longest path to an arm without parents."""
        return max((p.depth + 1 for p in self.parents), default=0)

    @cached_property
    def name(self) -> str:
        """`parent--child`; several parents are joined by two underscores.

        Above LONGEST characters: its own part and a digest of the whole arm.
        """
        parts = ["discipline_" + self.method if self.each_alone else self.method]
        parts += [str(v) if k == "variant" else f"{k}{v}" for k, v in self.design]
        if self.recipe is not None:
            parts.append(self.recipe.label)
        if self.base != "default":
            parts.append(f"on_{self.base}")
        if self.decoding != "model":
            parts.append(self.decoding)
        own = ".".join(parts)
        if not self.parents:
            return own
        whole = "__".join(p.name for p in self.parents) + f"--{own}"
        return whole if len(whole) <= LONGEST else f"{own}-{digest(plain(self), 8)}"

    @property
    def mixture(self) -> Mixture | None:
        """Of its recipe, where shares may move."""
        return None if self.recipe is None else self.recipe.mixture

    @property
    def selection(self) -> Selection | None:
        """Of its recipe, where rows of tasks are chosen."""
        return None if self.recipe is None else self.recipe.selection

    @property
    def fixed_mixture(self) -> Recipe | None:
        """What it trains on, where that is several disciplines in whole rows of the corpus."""
        chosen = self.mixture is not None or self.selection is not None
        moved = self.recipe is not None and (chosen or self.recipe.shuffled)
        return None if self.each_alone or moved else self.recipe

    @property
    def choices(self) -> dict[str, Scalar]:
        """The design as a dictionary."""
        return dict(self.design)


def arm(
    method: str,
    recipe: Recipe | None = None,
    *,
    each_alone: bool = False,
    base: str = "default",
    parents: Iterable[Arm] = (),
    decoding: Decoding = "model",
    **design: Scalar,
) -> Arm:
    """Shorthand for an `Arm` with its design as keywords."""
    return Arm(
        method=method,
        design=tuple(design.items()),
        recipe=recipe,
        each_alone=each_alone,
        base=base,
        parents=tuple(parents),
        decoding=decoding,
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of one arm with one seed at one scale.

    part: the discipline, for arms trained one discipline at a time; else None.
    digest: covers everything that touches the result; equal id = interchangeable result.
    """

    arm: Arm
    seed: int
    scale: str
    digest: str
    part: str | None = None

    @property
    def id(self) -> str:
        label = f"{self.arm.name}.{self.part}" if self.part else self.arm.name
        return f"{label}-s{self.seed}-{self.digest}"


# --------------------------------------------------------------------------- what is measured


@dataclass(frozen=True, kw_only=True)
class EvalTask:
    """One lm-evaluation-harness task.

    name: the harness's task name. metric: the harness metric read per item, in [0, 1].
    chance: expected score of guessing. cluster: the document field that groups dependent items,
    if any. output: how the model answers. label: words for its domain and for itself, which a
    selector answers with; empty for tasks that no selector names.
    """

    name: str
    metric: str = "acc"
    version: int = 1
    chance: float = 0.0
    cluster: str | None = None
    output: Literal["multiple_choice", "generate"] = "multiple_choice"
    label: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.label and (len(self.label) != 2 or not all(w.strip() for w in self.label)):
            raise InputError(
                f"task {self.name!r}: label is {self.label}, expected a word for its domain and "
                f"one for the task; give both"
            )


@dataclass(frozen=True, kw_only=True)
class World:
    """How a discipline exists at a kind of scale (`proxy`, `slices`, `paper`).

    source: module that yields its samples (see docs/adding.md for the functions it offers).
    tasks: evaluated with equal weight inside the discipline. which: what a selector is asked, with
    {input}, {domains} and {tasks} in it. The two words of its answer stand on lines of their own if
    the question has several lines, else side by side.
    """

    source: str
    tasks: tuple[EvalTask, ...]
    stand_in: str = ""
    which: str = WHICH


@dataclass(frozen=True, kw_only=True)
class Discipline:
    """A scientific discipline, or one of the two companions (`general`, `out_of_domain`).

    rows: for training at corpus size 1 (0: not part of the science corpus). short: heading of its
    column; the title where it is empty.
    """

    name: str
    title: str
    role: Role
    rows: int
    version: int
    worlds: Mapping[str, World]
    order: int = 100
    short: str = ""

    def __post_init__(self) -> None:
        require_name("discipline", self.name)

    @property
    def paper_samples(self) -> int:
        """What `rows` was called in version 0.1."""
        return self.rows


def _renamed(init: Any) -> Any:
    @functools.wraps(init)
    def accepting(self: Discipline, **given: Any) -> None:
        if "paper_samples" in given:
            warnings.warn("Discipline: paper_samples is now rows", DeprecationWarning, stacklevel=2)
            given["rows"] = given.pop("paper_samples")
        init(self, **given)

    return accepting


# For one release.
Discipline.__init__ = _renamed(Discipline.__init__)  # type: ignore[method-assign]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row of the score table. value is in [0, 1] for item metrics; NaN = unscored."""

    run_id: str
    arm: str
    seed: int
    task: str
    item_id: str
    cluster: str
    metric: str
    value: float


# --------------------------------------------------------------------------- what is claimed

Alternative = Literal["greater", "less", "equivalent", "no_gain", "below"]
ALTERNATIVES = get_args(Alternative)


@dataclass(frozen=True, kw_only=True)
class Estimand:
    """What a hypothesis is about. Subclasses are data; lawcheck.judging computes them."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm whose scores the estimand needs."""
        raise TypeError(f"{type(self).__name__} declares no arms")

    @property
    def averages(self) -> bool:
        """Whether it speaks of the mean over disciplines, so that leaving one out changes it."""
        return False


Weights = tuple[tuple[Arm, float], ...]
# Several: their mean, of equal weight.
Target = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Contrast(Estimand):
    """Weighted sum of arms' scores, in points (100 x accuracy), or in the unit of another metric.

    weights: sum to zero. target: `average` (equal weight over disciplines, or over the tasks that
    the law names), a discipline's name, `general` (instruction following), `out_of_domain`, a group
    of the law's tasks, or a task; a tuple is the mean of its targets, with equal weight. metric:
    `accuracy`, or another of lawcheck.declare.metrics, which the items have beside their score.
    """

    weights: Weights
    target: Target = "average"
    metric: str = later(5, ACCURACY)

    def __post_init__(self) -> None:
        total = sum(w for _, w in self.weights)
        # NaN compares false with everything.
        if not abs(total) <= 1e-9:
            raise InputError(f"contrast: weights sum to {total:g}, expected 0; balance them")
        _check_target("contrast", self.target)
        if self.metric not in ITEM_METRICS:
            raise InputError(
                f"contrast: metric {self.metric!r} is unknown; choose one of "
                f"{', '.join(ITEM_METRICS)}"
            )

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(a for a, _ in self.weights)

    @property
    def averages(self) -> bool:
        return _averages(self.target)

    @property
    def unit(self) -> str:
        return ITEM_METRICS[self.metric].unit


def _check_target(what: str, target: object) -> None:
    several = target if isinstance(target, tuple) else (target,)
    if not several or not all(isinstance(t, str) and t for t in several):
        raise InputError(
            f"{what}: target is {str(target)[:40]!r}, expected a name or a tuple of names; "
            f"write 'average' or ('chemistry', 'math')"
        )
    if len(set(several)) < len(several):
        raise InputError(f"{what}: a target of {', '.join(several)} is named twice; name it once")


def _averages(target: Target) -> bool:
    return target == AVERAGE or (isinstance(target, tuple) and AVERAGE in target)


def target_text(target: Target) -> str:
    """A target as a name in a sentence."""
    return target if isinstance(target, str) else " and ".join(target)


@dataclass(frozen=True, kw_only=True)
class RouterInformation(Estimand):
    """Contrast of normalised mutual information(discipline; expert), one value per run.

    Unit: share of the maximum, in [0, 1]. Paired over seeds. against: a constant, subtracted.
    """

    weights: Weights
    against: float = later(7, 0.0)

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(a for a, _ in self.weights)


@dataclass(frozen=True, kw_only=True)
class Measure(Estimand):
    """Contrast of a number that every run has, less a constant; one value a run, paired over seeds.

    metric: of a measurement among the scores. target: its task. weights: sum to 0, or to 1 for one
    sample against a constant. against: that constant. counted: the same for every seed of an arm,
    so that the contrast is compared as it stands. Unit: the measurement's.

    With a metric that items have (lawcheck.declare.metrics), target and test are as of `Contrast`.
    """

    metric: str
    weights: Weights
    target: Target
    against: float = 0.0
    counted: bool = False

    def __post_init__(self) -> None:
        total = sum(w for _, w in self.weights)
        if not (abs(total) <= 1e-9 or abs(total - 1) <= 1e-9):
            raise InputError(f"measure: weights sum to {total:g}, expected 0 or 1; balance them")
        _check_target("measure", self.target)
        if not math.isfinite(self.against):
            raise InputError(
                f"measure: against is {self.against}, expected a finite number; give one"
            )
        if not self.of_items and not isinstance(self.target, str):
            raise InputError(
                f"measure: {self.metric!r} of {target_text(self.target)}, expected one task; "
                f"declare a part for each"
            )
        if self.of_items and self.counted:
            raise InputError(f"measure: {self.metric!r} is sampled, not counted; leave counted out")

    @property
    def of_items(self) -> bool:
        """Whether it is over the items of a target, not one number a run."""
        return self.metric in ITEM_METRICS

    @property
    def arms(self) -> tuple[Arm, ...]:
        return tuple(a for a, _ in self.weights)

    @property
    def averages(self) -> bool:
        return self.of_items and _averages(self.target)

    @property
    def unit(self) -> str:
        return ITEM_METRICS[self.metric].unit if self.of_items else self.metric


@dataclass(frozen=True, kw_only=True)
class RelativeGain(Estimand):
    """delta-m: mean over disciplines of the relative change against a reference, in percent."""

    arm: Arm
    reference: Arm

    @property
    def arms(self) -> tuple[Arm, ...]:
        return (self.arm, self.reference)

    @property
    def averages(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Cost(Estimand):
    """Largest relative change in planned cost of `arm` against `reference`, in percent.

    Deterministic: counted from shapes and corpus sizes at `scale`, never from scores.
    """

    arm: Arm
    reference: Arm
    quantities: tuple[Literal["trainable_share", "gpu_hours"], ...] = (
        "trainable_share",
        "gpu_hours",
    )
    scale: str = "paper"

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()


def difference(
    treatments: Iterable[Arm],
    controls: Iterable[Arm],
    target: Target = "average",
    metric: str = ACCURACY,
) -> Contrast:
    """Mean of the treatments minus mean of the controls; equal weight inside each group."""
    treatments, controls = tuple(treatments), tuple(controls)
    return Contrast(weights=pooled(treatments, controls), target=target, metric=metric)


def pooled(treatments: Iterable[Arm], controls: Iterable[Arm]) -> Weights:
    """Weights of `difference`; arms that stand on both sides are merged."""
    treatments, controls = tuple(treatments), tuple(controls)
    weights: dict[Arm, float] = {}
    for group, sign in ((treatments, 1.0), (controls, -1.0)):
        for member in group:
            weights[member] = weights.get(member, 0.0) + sign / len(group)
    return tuple((a, w) for a, w in weights.items() if w != 0)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What must be seen before a part tests what it names.

    kind: `assay`, the arms compared have learned what they are compared on; `manipulation`, what
    the claim varies does vary. Passed where the one-sided bound at alpha of the estimand, or its
    counted value, lies above `above` (in the estimand's unit).
    """

    name: str
    kind: Literal["assay", "manipulation"]
    claim: str
    estimand: Estimand
    above: float = 0.0
    alpha: float = 0.05

    def __post_init__(self) -> None:
        require_name("check", self.name)
        if self.kind not in ("assay", "manipulation"):
            raise InputError(
                f"check {self.name!r}: kind is {self.kind!r}, expected assay or manipulation; "
                f"choose one"
            )
        if not isinstance(self.estimand, Estimand) or not math.isfinite(self.above):
            raise InputError(
                f"check {self.name!r}: estimand is {type(self.estimand).__name__} above "
                f"{self.above}, expected an estimand above a finite number; declare both"
            )
        if not 0 < self.alpha < 0.5:
            raise InputError(f"check {self.name!r}: alpha {self.alpha} is outside (0, 0.5)")


def beats(
    arms: Iterable[Arm],
    base: Arm,
    target: Target = "average",
    above: float = 0.0,
    metric: str = ACCURACY,
) -> tuple[Check, ...]:
    """One assay an arm: it is better than the base on the target by more than `above`.

    In the metric's unit; where less is better, the base is that much above the arm.
    """
    lower, unit = ITEM_METRICS[metric].lower, ITEM_METRICS[metric].unit
    return tuple(
        Check(
            name=f"assay_{k}",
            kind="assay",
            claim=f"{a.name} beats {base.name} on {target_text(target)} by more than {above:g} "
            f"{unit}",
            estimand=difference(*(([base], [a]) if lower else ([a], [base])), target, metric),
            above=above,
        )
        for k, a in enumerate(dict.fromkeys(arms), start=1)
        if a != base
    )


def reaches(
    arms: Iterable[Arm], floor: float, target: Target = "average", metric: str = ACCURACY
) -> tuple[Check, ...]:
    """One assay an arm: it scores more than `floor` on the target, in the metric's unit."""
    return tuple(
        Check(
            name=f"assay_{k}",
            kind="assay",
            claim=f"{a.name} scores more than {floor:g} {ITEM_METRICS[metric].unit} on "
            f"{target_text(target)}",
            estimand=Measure(metric=metric, weights=((a, 1.0),), target=target),
            above=floor,
        )
        for k, a in enumerate(dict.fromkeys(arms), start=1)
    )


def assays(h: Hypothesis, base: Arm) -> tuple[Check, ...]:
    """What a part with a margin asks where it declares no checks: two arms at chance would agree
    for nothing, so each has to beat the base, or the floor where that is declared.
    """
    if h.checks or h.margin is None or not isinstance(h.estimand, Contrast):
        return h.checks
    of = h.estimand
    if h.floor is None:
        return beats(of.arms, base, of.target, metric=of.metric)
    return reaches(of.arms, h.floor, of.target, of.metric)


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One part of a law.

    margin: bound of `equivalent` and `no_gain`, in the estimand's unit. sesoi: smallest effect
    of interest, same unit. needs_pretrained: tested only where the base models were pretrained by
    others. checks: what must be seen first; where none is declared, a part with a margin asks that
    every arm it compares beats the law's base. conjuncts: (name, estimand) of every case that the
    claim speaks of; the part is their intersection, and the estimand shows them pooled. floor: what
    every arm has to beat in place of the base, in the unit of the estimand, such as chance where
    the base cannot do the task.
    """

    name: str
    role: Literal["primary", "secondary"]
    estimand: Estimand
    alternative: Alternative
    claim: str
    sesoi: float
    margin: float | None = None
    alpha: float = 0.05
    min_seeds: int = 3
    needs_pretrained: bool = False
    checks: tuple[Check, ...] = later(3, ())
    conjuncts: tuple[tuple[str, Estimand], ...] = later(3, ())
    floor: float | None = later(5, None)

    def __post_init__(self) -> None:
        require_name("hypothesis", self.name)
        for what, names in (
            ("check", [c.name for c in self.checks]),
            ("conjunct", [n for n, _ in self.conjuncts]),
        ):
            if len(set(names)) < len(names):
                raise InputError(
                    f"hypothesis {self.name!r}: two entries of {what} names {sorted(names)} are "
                    f"equal; rename one"
                )
        if (self.alternative in ("equivalent", "no_gain")) != (self.margin is not None):
            raise InputError(
                f"hypothesis {self.name!r}: alternative {self.alternative!r} with margin "
                f"{self.margin}; a margin goes with 'equivalent' and 'no_gain', and only there"
            )
        if not isinstance(self.estimand, Estimand):
            raise InputError(
                f"hypothesis {self.name!r}: estimand is {type(self.estimand).__name__}, expected "
                f"one of lawcheck.declare.design; declare one"
            )
        for what, allowed in (("role", ("primary", "secondary")), ("alternative", ALTERNATIVES)):
            if getattr(self, what) not in allowed:
                raise InputError(
                    f"hypothesis {self.name!r}: {what} is {getattr(self, what)!r}, expected "
                    f"{', '.join(allowed)}; choose one"
                )
        numbers: tuple[tuple[str, Any], ...] = (("sesoi", self.sesoi), ("margin", self.margin))
        for what, value in numbers:
            if value is None and what == "margin":  # only some alternatives have one
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < math.inf:
                raise InputError(
                    f"hypothesis {self.name!r}: {what} is {str(value)[:40]!r}, expected a finite "
                    f"number from 0; give one"
                )
        metric = getattr(self.estimand, "metric", ACCURACY)
        if self.alternative == "no_gain" and metric in ITEM_METRICS and ITEM_METRICS[metric].lower:
            raise InputError(
                f"hypothesis {self.name!r}: no_gain of {metric}, where less is better, would be "
                f"shown by a gain; choose less or equivalent, or a metric where more is better"
            )
        if self.floor is not None:
            self._check_floor(self.floor)
        if type(self.min_seeds) is not int or self.min_seeds < 1:
            raise InputError(
                f"hypothesis {self.name!r}: min_seeds is {self.min_seeds!r}, expected a count "
                f"from 1; give one"
            )
        if not 0 < self.alpha < 0.5:
            raise InputError(f"hypothesis {self.name!r}: alpha {self.alpha} is outside (0, 0.5)")

    def _check_floor(self, floor: float) -> None:
        if isinstance(floor, bool) or not isinstance(floor, int | float) or floor - floor != 0:
            raise InputError(
                f"hypothesis {self.name!r}: floor is {str(floor)[:40]!r}, expected a finite "
                f"number; give one"
            )
        e = self.estimand
        if self.checks or self.margin is None or not isinstance(e, Contrast):
            raise InputError(
                f"hypothesis {self.name!r}: floor {floor:g} beside checks, or without a margin on "
                f"a contrast; it changes the check that these have by default, leave it out"
            )
        if ITEM_METRICS[e.metric].lower:
            raise InputError(
                f"hypothesis {self.name!r}: floor {floor:g} of {e.metric}, where less is better; "
                f"declare checks"
            )

    @property
    def goal(self) -> float:
        """What the data should be able to show: the margin, else the effect of interest."""
        return self.sesoi if self.margin is None else self.margin

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm that the part, its conjuncts and its checks need."""
        estimands = (self.estimand, *(e for _, e in self.conjuncts))
        estimands += tuple(c.estimand for c in self.checks)
        return tuple(dict.fromkeys(a for e in estimands for a in e.arms))


@dataclass(frozen=True, kw_only=True)
class Law:
    """A claim, the arms that test it and the hypotheses that decide it.

    base: the untrained arm that assay sensitivity compares with.
    tasks: what its average is of, each with equal weight: names of tasks, or of groups. None named:
    the groups; without those the disciplines of its study or scale, or, of a law of neither, every
    task that an arm it compares has scores of.
    groups: name -> tasks of equal weight, for targets and as one entry of `tasks`. A mapping, which
    is kept as sorted pairs.
    shown: further arms that the law's tables and figures show but no hypothesis needs.
    tables, figures: names of renderers in lawcheck.show.
    built_bases: it is about what base models learned, which is known only of those built here.
    """

    name: str
    title: str
    claim: str
    source: str
    hypotheses: tuple[Hypothesis, ...]
    base: Arm = field(default_factory=lambda: Arm(method="base"))
    shown: tuple[Arm, ...] = ()
    tables: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    tasks: tuple[str, ...] = later(4, ())
    groups: Mapping[str, Iterable[str]] | Groups = later(4, ())
    built_bases: bool = later(5, False)

    def __post_init__(self) -> None:
        require_name("law", self.name)
        self._check_tasks()
        odd = next((h for h in self.hypotheses if not isinstance(h, Hypothesis)), None)
        if odd is not None or not isinstance(self.hypotheses, tuple):
            raise InputError(
                f"law {self.name!r}: hypotheses hold {type(odd or self.hypotheses).__name__}, "
                f"expected a tuple of Hypothesis; correct it"
            )
        for what in ("title", "claim", "source"):
            if not isinstance(getattr(self, what), str):
                raise InputError(f"law {self.name!r}: {what} is no text; write it as one")
        names = [h.name for h in self.hypotheses]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InputError(f"law {self.name!r}: hypothesis {twice[0]!r} stands twice; rename one")
        if not any(h.role == "primary" for h in self.hypotheses):
            raise InputError(f"law {self.name!r}: no primary hypothesis; a verdict needs one")

        self._check_names()

    def _check_tasks(self) -> None:
        groups = self.groups
        pairs = groups.items() if isinstance(groups, Mapping) else groups
        named = {"tasks": self.tasks, **{f"group {name!r}": tasks for name, tasks in pairs}}
        for what, tasks in named.items():
            listed = isinstance(tasks, Iterable) and not isinstance(tasks, str)
            if not listed or not all(isinstance(t, str) and t for t in tasks):
                raise InputError(
                    f"law {self.name!r}: {what} is {str(tasks)[:40]!r}, expected names of tasks; "
                    f"write ('mmlu_pro', 'humaneval'), with a comma after a single one"
                )
        object.__setattr__(self, "tasks", tuple(self.tasks))
        object.__setattr__(self, "groups", tuple(sorted((n, tuple(t)) for n, t in pairs)))
        groups_of = self.task_groups
        odd = next((n for n, t in groups_of.items() if not t or n == AVERAGE), None)
        if odd is not None:
            raise InputError(
                f"law {self.name!r}: group {odd!r} is empty or called average; name its tasks"
            )
        if AVERAGE in self.tasks or any(AVERAGE in t for t in groups_of.values()):
            raise InputError(f"law {self.name!r}: {NO_TASK}")
        both = next((n for n, t in groups_of.items() if n in t and n in self.tasks), None)
        if both is not None and len(groups_of[both]) > 1:
            raise InputError(
                f"law {self.name!r}: {both!r} is a task and a group of several; rename the group"
            )
        # By an entry that is repeated, or by itself and in a group.
        every = [t for e in self.tasks or groups_of for t in groups_of.get(e, (e,))]
        twice = next((t for t in every if every.count(t) > 1), None)
        if twice is not None:
            raise InputError(
                f"law {self.name!r}: task {twice!r} counts twice in the average; name it once"
            )

    @property
    def task_groups(self) -> dict[str, tuple[str, ...]]:
        """Group -> its tasks."""
        return {name: tuple(tasks) for name, tasks in cast(Groups, self.groups)}

    @property
    def averaged(self) -> dict[str, tuple[str, ...]]:
        """Entries of the average that the law names, and the tasks of each; empty if none."""
        groups = self.task_groups
        return {entry: groups.get(entry, (entry,)) for entry in self.tasks or groups}

    def _check_names(self) -> None:
        """Scores are told apart by the names of arms."""
        by_name: dict[str, Arm] = {}
        for a in self.arms:
            if by_name.setdefault(a.name, a) != a:
                raise InputError(
                    f"law {self.name!r}: two arms are called {a.name!r}; give one another design"
                )

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm the law needs, each once, in order of first mention."""
        named = [self.base, *self.shown]
        for h in self.hypotheses:
            named += h.arms
        return tuple(dict.fromkeys(named))


# Name of a group and its tasks.
Groups = tuple[tuple[str, tuple[str, ...]], ...]
Outcome = Literal["HOLDS", "CONTRADICTED", "NOT TESTED", "NOT SHOWN", "INCONCLUSIVE"]
PartOutcome = Literal["shown", "reversed", "negligible", "not tested", "open"]
# Of the logic that verdicts follow; 1: before parts were partitioned (docs/decisions.md).
LOGIC = 2
# Of a verdict's file; 0: files of before it was counted.
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class CheckVerdict:
    """Whether a check was passed. low: one-sided bound, in the estimand's unit; None without."""

    name: str
    kind: str
    claim: str
    passed: bool
    estimate: float | None
    low: float | None
    above: float
    unit: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ConjunctVerdict:
    """One case of a claim that speaks of several; fields as of PartVerdict."""

    name: str
    outcome: PartOutcome
    estimate: float | None
    se: float | None
    low: float | None
    high: float | None
    p: float | None
    p_opposite: float | None
    p_against: float | None
    n_seeds: int
    n_items: int


@dataclass(frozen=True, kw_only=True)
class PartVerdict:
    """Judgement of one hypothesis. Estimate, interval, margin and mde in the estimand's unit.

    df: t with df has the critical value that the test uses at alpha (effective where seeds and
    items both enter the error); None where there is none, or where it is a normal.
    low, high: two-sided (1 - 2 alpha) interval, the one the one-sided tests read.
    mde: minimum detectable effect at 80 % power. p: of the declared alternative.
    p_opposite: of the opposite claim, before Holm; holm_opposite: after. p_against: of the opposite
    or an effect below the smallest of interest. size: what a shown part shows, `above 0` or `at
    least the smallest effect`.
    notes: excluded items, diverged runs, failed checks, in words.

    Beside the outcome, and never deciding it: posterior, probabilities that the value is reversed,
    negligible, of interest; designs, sizes with 80 % power for the goal; agreeing, how many of how
    many other choices of data give the same outcome. worst: the estimate if every unscored item
    was wrong or right, as it lowers or raises it.
    """

    name: str
    role: str
    outcome: PartOutcome
    alternative: str
    unit: str
    estimate: float | None
    se: float | None
    df: float | None
    low: float | None
    high: float | None
    p: float | None
    p_opposite: float | None
    holm: float | None
    holm_opposite: float | None
    margin: float | None
    sesoi: float
    alpha: float
    n_seeds: int
    n_items: int
    n_unscored: int
    n_diverged: int
    mde: float | None
    seeds_needed: int | None
    notes: tuple[str, ...] = ()
    size: str = later(3, "")
    p_against: float | None = later(3, None)
    checks: tuple[CheckVerdict, ...] = later(3, ())
    conjuncts: tuple[ConjunctVerdict, ...] = later(3, ())
    posterior: tuple[float, ...] = later(3, ())
    designs: str = later(3, "")
    agreeing: tuple[int, ...] = later(3, ())
    worst: tuple[float, ...] = later(3, ())

    @property
    def goal(self) -> float:
        """As of the hypothesis."""
        return self.sesoi if self.margin is None else self.margin

    def to_dict(self) -> dict[str, Any]:
        """As in the verdict's file."""
        return cast(dict[str, Any], rounded(plain(self)))


@dataclass(frozen=True, kw_only=True)
class Power:
    """Simulated chances of a verdict at the table's own size.

    fraction: where every primary part's true value lies: 0 at the edge of its claim, 1 at its
    smallest effect of interest (for a bound: at no difference).
    """

    fraction: float
    holds: float
    contradicted: float


@dataclass(frozen=True, kw_only=True)
class Without:
    """The parts about the average again, over all disciplines but one; empty where none changes."""

    discipline: str
    parts: tuple[PartVerdict, ...]


@dataclass(frozen=True, kw_only=True)
class Unused:
    """Rows of a score table that no part of a law read.

    kind: `arms`, `tasks`, `metrics`; `scores`, a task of an arm; `seeds`, of an arm. names: all.
    """

    kind: Literal["arms", "tasks", "metrics", "scores", "seeds"]
    names: tuple[str, ...]
    rows: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Judgement of a law on one score table. Equal scores give equal bytes.

    without: one reading a discipline that the law's study leaves out. unused: rows of the table
    that no part read. lawcheck, schema: version of the package that judged, and of the file's form
    (judging/verdict.schema.json); files of before have neither.

        verdict.to_dict()    # what `lawcheck judge --json FILE` writes
        verdict.to_frame()   # pandas, one row a part

    In a notebook a verdict shows itself as a table.
    """

    law: str
    outcome: Outcome
    claim: str
    scale: str
    parts: tuple[PartVerdict, ...]
    without: tuple[Without, ...]
    n_seeds: int
    preregistered: bool
    design_digest: str
    scores_digest: str
    notes: tuple[str, ...] = ()
    logic: int = later(3, 1)
    power: tuple[Power, ...] = later(3, ())
    unused: tuple[Unused, ...] = later(4, ())
    lawcheck: str = later(4, "")
    schema: int = later(4, 0)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers to 10 significant digits, what is absent null or left out."""
        return as_file(plain(self))

    def to_frame(self) -> pd.DataFrame:
        """One row a part, in the verdict's order; columns as the fields of PartVerdict."""
        return frame(self.parts)

    def _repr_html_(self) -> str:
        return page(self)


def plain(value: Any) -> Any:
    """Declarations as JSON-ready data: dataclasses become dictionaries, tuples lists.

    Fields that joined later (`later`) are left out while they stand at their default.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        data = {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if "since" not in f.metadata or getattr(value, f.name) != f.default
        }
        return {"type": type(value).__name__, **data} if isinstance(value, Estimand) else data
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return value
