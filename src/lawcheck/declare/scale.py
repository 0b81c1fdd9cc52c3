"""Where an arm is realised: the typed form of reproduce/scales/*.yaml.

Everything but `title`, `claims`, `claimed_metrics`, `controls`, `seeds`, `plan`, `studies` and
`hardware` can touch a result and enters the run ids.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe
from lawcheck.declare.versions import CONVERTER
from lawcheck.errors import InputError, look_up, nearest
from lawcheck.files.hashing import digest
from lawcheck.files.reading import parse_yaml, read_text


def _fraction(value: Any) -> Any:
    """Accept `1/300` beside plain numbers, so that a scale reads as it is meant."""
    if not isinstance(value, str) or "/" not in value:
        return value
    try:
        return float(Fraction(value))
    except (ZeroDivisionError, OverflowError) as error:
        raise ValueError(str(error)) from None


Share = Annotated[float, BeforeValidator(_fraction), Field(gt=0)]


def _numbers(value: Any) -> Any:
    """Refuse `yes` and `no` (booleans in YAML) where pydantic would read 1 and 0."""
    if any(isinstance(v, bool) for v in (value if isinstance(value, list | tuple) else (value,))):
        raise ValueError("input should be a number, not yes or no")
    return value


SHA256 = r"^[0-9a-f]{64}$"
# Of scales that name none.
STUDIES = ("discipline_laws",)


def later(version: int, default: Any, **limits: Any) -> Any:
    """A setting that joined in this version of the package: as of lawcheck.declare.design.later."""
    return Field(default=default, json_schema_extra={"since": version}, **limits)


class Part(BaseModel):
    # Built when the first scale is read: names of scales alone need no validators.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def read(cls, data: Any, what: str, step: str) -> Self:
        """Raises InputError from `what` to `step` for unknown or ill-typed keys."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            raise InputError(
                f"{what}: {where}: found {str(first.get('input'))[:40]!r}, "
                f"{first['msg'].lower()}; {step}"
            ) from None

    def content(self, exclude: Iterable[str] = ()) -> dict[str, Any]:
        """For digests: settings that joined later are left out while they stand at their default.

        exclude: settings that cannot touch a result.
        """
        found = self.model_dump()
        for name, field in type(self).model_fields.items():
            value, extra = getattr(self, name), field.json_schema_extra
            since = isinstance(extra, dict) and "since" in extra
            if name in exclude or (since and value == field.default):
                del found[name]
            elif isinstance(value, Part):
                found[name] = value.content()
            elif isinstance(value, dict):
                found[name] = {
                    k: v.content() if isinstance(v, Part) else found[name][k]
                    for k, v in value.items()
                }
        return found

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[str(info.field_name)].annotation)
        return value if "bool" in kind or "Any" in kind else _numbers(value)


class CorpusSettings(Part):
    """size: share of the paper's 3,295,160 samples. general_pool: rows of general instructions.

    unique_below: a word with fewer co-occurrences in other disciplines is discipline-specific.
    frozen: SHA-256 over the generator's source files; a changed generator is refused.
    caps: discipline -> most training rows, the first in the order in which its source serves them.
    answers: `published` as the data sets give them; `evaluated`: sources that train on another
    form than they evaluate give rows in that form, by their `matched_samples`.
    selected: size of a selection -> rows of a task here; one that is not named is as it stands.
    reserve: discipline -> rows beyond its own, of other texts, for upsampling with fresh samples.
    rows_frozen: digest over the corpus' files; settings that give other rows are refused.
    """

    size: Share
    general_pool: int = Field(ge=0)
    unique_below: int = 10
    frozen: str | None = None
    caps: dict[str, int] = later(5, {})
    answers: Literal["published", "evaluated"] = later(5, "published")
    selected: dict[int, int] = later(6, {})
    reserve: dict[str, int] = later(7, {})
    rows_frozen: str | None = later(7, None, pattern=SHA256)

    @field_validator("caps", "selected", "reserve")
    @classmethod
    def _counted(cls, value: dict[Any, int]) -> dict[Any, int]:
        odd = next((name for name, rows in value.items() if rows < 1), None)
        if odd is not None:
            raise ValueError(f"{odd} has {value[odd]} rows, expected 1 or more")
        return value


class BuiltBase(Part):
    """A base model trained from scratch on the world's pretraining mixture.

    mixture: rows per discipline folder. architecture: transformers config fields.
    tokens_per_batch: padded tokens of a length-bucketed batch. shipped: a folder of package
    data with ready bases, used when recipe and hash agree. objective: `response` learns responses
    in the chat template, `text` every token of prompt and response without it. bos: EOS stands in
    front of every text and conversation, so that whole texts can be drawn from the model.
    """

    kind: Literal["built"]
    architecture: dict[str, Any]
    tokenizer: Literal["words", "bpe"] = "words"
    vocabulary: int | None = None
    mixture: dict[str, int]
    epochs: int = Field(default=1, ge=1)
    tokens_per_batch: int = Field(gt=0)
    muon: dict[str, float]
    adamw: dict[str, float]
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    shipped: str | None = None
    objective: Literal["response", "text"] = later(2, "response")
    bos: bool = later(5, False)


class PretrainedBase(Part):
    """A model of a hub or a local folder; loaded, never trained here.

    architecture: the config fields that parameter counts need, so that planning loads nothing.
    """

    kind: Literal["pretrained"]
    model: str
    revision: str | None = None
    architecture: dict[str, Any]


class PackageBase(Part):
    """A GGUF file inside a wheel of the package index; fetched and converted when it is built.

    wheel_sha256: of the wheel. file: its path in the wheel. sha256: of the file, which is what the
    base is: the same file in another package is the same base. pad: the token to pad with, where
    the file's own is the end of an answer. architecture: as of PretrainedBase; the file must agree.
    """

    kind: Literal["package"]
    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.!+_-]*$")
    wheel_sha256: str = Field(pattern=SHA256)
    file: str
    sha256: str = Field(pattern=SHA256)
    pad: str | None = None
    architecture: dict[str, Any]


def _kind(value: Any) -> Any:
    return value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)


# By kind, so that a wrong setting is named and not the other kinds' complaints.
Base = Annotated[
    Annotated[BuiltBase, Tag("built")]
    | Annotated[PretrainedBase, Tag("pretrained")]
    | Annotated[PackageBase, Tag("package")],
    Discriminator(_kind),
]


class MethodSettings(Part):
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup_ratio: float = Field(ge=0, lt=1)


class AdapterDefaults(Part):
    """rank: the 1x rank of every expert. alpha = alpha_over_rank x rank."""

    rank: int = Field(gt=0)
    alpha_over_rank: float = 2.0
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all_linear"


class TrainingSettings(Part):
    """batch_size: samples per optimizer step. max_length: tokens; longer samples are cut.

    schedule: of the learning rate after the warm-up.
    """

    batch_size: int = Field(gt=0)
    epochs: int = Field(default=1, ge=1)
    max_length: int = Field(gt=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    schedule: Literal["linear", "cosine"] = later(5, "linear")


class JudgeModel(Part):
    """A chat model that says which domain a text is of, by the likelihood of each domain's name."""

    model: str
    revision: str


class DetectionSettings(Part):
    """How the shares of domains in a base model are read from what it emits (lawcheck.training.
    detection).

    iterations: of so many texts each. prompt: `start`, the token that begins a text; `chat`, an
    empty turn of the user. max_tokens: of a text. judge: classifies instead of a logistic
    regression, which is fitted on classifier_rows training rows of each domain.
    """

    iterations: int = Field(default=5, ge=2)
    texts: int = Field(gt=0)
    prompt: Literal["start", "chat"] = "start"
    max_tokens: int = Field(gt=0)
    classifier_rows: int = Field(default=3000, gt=0)
    judge: JudgeModel | None = None


class ReferenceSettings(Part):
    """A smaller base model of the scale, trained on each domain alone, whose losses are the aim.

    base: its name; it shares its tokenizer with the bases that it is a reference of. rows: of a
    pass, at paper size. epochs: passes; the lowest held-out loss of them counts.
    """

    base: str
    method: str = "full"
    learning_rate: float = Field(gt=0)
    rows: int = Field(default=60_000, gt=0)
    epochs: int = Field(default=4, ge=1)


class EvaluationSettings(Part):
    """items: per task (None: all). tune_items: items of the split that learning rates see.

    generated_items: of both, per task whose answers are generated (None: as many as of others).
    disciplines: those whose tasks are asked (None: all); no law can speak of the others.
    likelihood: whether items are also given likelihoods of their answers (docs/likelihood.md).
    execute_code: whether programs that a model wrote are run, in a sandbox
    (lawcheck.evaluation.sandbox); otherwise such items stay unscored.
    cross: whether an arm on selected tasks is asked the other tasks too. Where not, items that a
    selector sends to another task's adapter are answered by that adapter when they are routed.
    """

    items: int | None = Field(default=None, gt=0)
    generated_items: int | None = later(5, None, gt=0)
    tune_items: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=64, gt=0)
    disciplines: tuple[str, ...] | None = later(5, None)
    likelihood: bool = later(5, False)
    execute_code: bool = later(5, False)
    cross: bool = later(7, True)

    def asks(self, discipline: str) -> bool:
        """Whether the tasks of a discipline are scored."""
        return self.disciplines is None or discipline in self.disciplines


class ControlSettings(Part):
    """What a scale's controls have to reach (lawcheck.planning.controls), in the metric's unit.

    None takes what the metric has by default. metric: None for accuracy, or bits per byte where the
    scale claims nothing else. learnable: least gain of a discipline's own adapter. headroom: level
    of the base; bits per byte have a lowest one only. margin: within which arms agree. required:
    law, or law.part -> controls that it rests on, as one more check of each of its parts.
    """

    metric: Literal["accuracy", "bits_per_byte"] | None = None
    learnable: float | None = Field(default=None, gt=0)
    headroom: tuple[float, float] | None = None
    margin: float | None = Field(default=None, gt=0)
    required: dict[str, tuple[str, ...]] = {}

    @field_validator("headroom")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"{value[0]:g} to {value[1]:g} is no range")
        return value


class Hardware(Part):
    """Nothing here may change a result beyond rounding. micro_batch: samples per device step, a
    preference pair counting as one.

    nodes, gpus_per_node, cpus_per_node: what one training job asks a cluster for; it runs one
    process per GPU. memory_mb: per node; full_memory_mb: of jobs that train a whole model (None: as
    memory_mb). minutes_per_run: of one training run on all of it.
    evaluation_minutes: of scoring one run on one GPU (None: as minutes_per_run).
    zero_stage: how DeepSpeed shards, `auto` for ZeRO-2 under adapters and ZeRO-3 under full
    fine-tuning; None trains without DeepSpeed. attention: `flash` needs the package flash-attn.
    packing: `samples` packs each device's share of an optimizer batch, in rows of its longest
    sample; `rows` puts the whole optimizer batch into equal rows of at most max_length tokens and
    deals those to devices. generation: `batches` of evaluation_batch prompts, as published scores
    were made; in `rows`, prompts take over the rows of answers that end.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    micro_batch: int = Field(gt=0)
    evaluation_batch: int = Field(default=64, gt=0)
    gradient_checkpointing: bool = False
    nodes: int = Field(default=1, ge=1)
    gpus_per_node: int = Field(default=0, ge=0)
    cpus_per_node: int = Field(default=1, ge=1)
    zero_stage: Literal["auto", 2, 3] | None = None
    attention: Literal["sdpa", "flash"] = "sdpa"
    packing: Literal["samples", "rows"] = "samples"
    generation: Literal["batches", "rows"] = later(7, "batches")
    runs_per_job: int = Field(default=1, ge=1)
    memory_mb: int = Field(default=4000, gt=0)
    full_memory_mb: int | None = Field(default=None, gt=0)
    minutes_per_run: float = Field(default=1.0, gt=0)
    evaluation_minutes: float | None = Field(default=None, gt=0)

    @property
    def processes_per_node(self) -> int:
        """One per device; where no GPU is named, one."""
        return max(self.gpus_per_node, 1)

    @property
    def processes(self) -> int:
        """Of one training run, over all its nodes."""
        return self.nodes * self.processes_per_node

    def stage(self, group: str) -> int | None:
        """The ZeRO stage of a method of this group (Method.group); None without DeepSpeed."""
        if self.zero_stage == "auto":
            return 3 if group == "full" else 2
        return self.zero_stage


class PlanSettings(Part):
    """How long training takes, before any was measured.

    words_per_sample: whitespace words per discipline, prompt and response together.
    peak_tflops: of one device in the scale's precision. utilisation: share of it that is reached.
    """

    words_per_sample: dict[str, float]
    tokens_per_word: float = Field(gt=0)
    peak_tflops: float = Field(gt=0)
    utilisation: float = Field(gt=0, le=1)


class Scale(Part):
    """studies: whose laws `all`, the report and plans are about; laws of no study join them.

    claims: whether verdicts are evidence. claimed_metrics: where they are not, item metrics whose
    parts are all the same. detection: of shares of domains in base models. references: base -> its
    smaller reference. controls: what they have to reach, and which laws rest on them.
    methods: by method, or METHOD.OBJECTIVE; `@KEY=VALUE` behind it, once or more, holds for arms of
    that design. seeds_per_base: with k, seed s is training seed s mod k on base model s div k.
    """

    name: str
    title: str
    world: str
    claims: bool
    seeds: tuple[int, ...]
    corpus: CorpusSettings
    bases: dict[str, Base]
    adapter: AdapterDefaults
    methods: dict[str, MethodSettings]
    training: TrainingSettings
    evaluation: EvaluationSettings
    hardware: Hardware
    plan: PlanSettings | None = None
    studies: tuple[str, ...] = later(2, STUDIES)
    detection: DetectionSettings | None = later(5, None)
    references: dict[str, ReferenceSettings] = later(5, {})
    controls: ControlSettings = later(7, ControlSettings())
    claimed_metrics: tuple[str, ...] = later(5, ())
    seeds_per_base: int = later(7, 1, ge=1)

    def identity(
        self,
        method: str,
        base: str,
        objective: str = "response",
        design: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Every setting that can touch a run of `method` on `base`, as plain data."""
        settings = self.methods.get(self.settings_name(method, objective, design))
        crossed = {"seeds_per_base": self.seeds_per_base} if self.seeds_per_base > 1 else {}
        return crossed | {
            "world": self.world,
            "corpus": self.corpus.content(),
            "base": self.base_recipe(base),
            "adapter": self.adapter.content(),
            "method": settings.content() if settings else None,
            "training": self.training.content(),
            "evaluation": self.evaluation.content({"tune_items"}),
        }

    def base_recipe(self, base: str) -> dict[str, Any]:
        """What a base is made of, without where a ready copy may lie."""
        found = look_up(base, self.bases, f"scale {self.name!r}: no base model {base!r}")
        if isinstance(found, PackageBase):
            # By content: where the file is fetched from does not matter.
            recipe = found.content({"package", "version", "wheel_sha256", "file"})
            return recipe | {"converter": CONVERTER}
        recipe = found.content({"shipped"})
        if recipe["kind"] == "built":
            recipe["generator"] = self.corpus.frozen
        return recipe

    def base_seed(self, base: str, seed: int) -> int | None:
        """The seed that a base is made with; None for one that all seeds share."""
        shared = isinstance(self.bases.get(base), PackageBase)
        return None if shared else seed // self.seeds_per_base

    def training_seed(self, seed: int) -> int:
        """The seed of initial weights and of the order of rows."""
        return seed if self.seeds_per_base == 1 else seed % self.seeds_per_base

    def rows_selected(self, size: int) -> int:
        """Rows of a task of which a selection keeps `size` at paper size."""
        return self.corpus.selected.get(size, size)

    def sized(self, recipe: Recipe) -> Recipe:
        """With the rows of a task that its selection keeps here."""
        chosen = recipe.selection
        if chosen is None or chosen.k is None:
            return recipe
        own = dataclasses.replace(chosen, k=self.rows_selected(chosen.k), steps_of=None)
        return dataclasses.replace(recipe, selection=own)

    def passes(self, recipe: Recipe) -> int:
        """Over the recipe's rows, by the schedule; a selection may repeat them more often."""
        passes = recipe.epochs or self.training.epochs
        chosen = recipe.selection
        if chosen is None or chosen.k is None or chosen.steps_of is None:
            return passes
        return round(passes * self.rows_selected(chosen.steps_of) / self.rows_selected(chosen.k))

    def detection_of(self, base: str) -> dict[str, Any]:
        """Every setting that detected shares of a base depend on. Raises InputError without."""
        if self.detection is None:
            raise InputError(
                f"scale {self.name!r}: no 'detection' section, and a mixture starts from the "
                f"shares detected in base {base!r}; add one, or start from 'uniform' or 'given'"
            )
        recipe = self.base_recipe(base)
        if not self.emits_texts(base):
            raise InputError(
                f"scale {self.name!r}: base {base!r} has learned no whole texts and where they "
                f"begin; give it objective 'text' and 'bos', or detect in another base"
            )
        return {"settings": self.detection.content(), "base": recipe}

    def emits_texts(self, base: str) -> bool:
        """Whether whole texts can be drawn from a base model."""
        found = self.bases[base]
        return not isinstance(found, BuiltBase) or (found.objective == "text" and found.bos)

    def reference_of(self, base: str) -> dict[str, Any]:
        """Every setting that reference losses of a base depend on. Raises InputError without."""
        found = self.references.get(base)
        if found is None:
            raise InputError(
                f"scale {self.name!r}: no reference of base {base!r}, which a mixing rule reads; "
                f"add one under 'references', or choose another rule"
            )
        return {"settings": found.content(), "base": self.base_recipe(found.base)}

    def revision(self, base: str) -> str:
        """Of a pretrained base on its hub; `main` where the scale names none."""
        found = self.bases[base]
        return (found.revision if isinstance(found, PretrainedBase) else None) or "main"

    def base_digest(self, base: str) -> str:
        return digest(self.base_recipe(base))

    def settings_name(
        self, method: str, objective: str, design: Mapping[str, Any] | None = None
    ) -> str:
        """Key of the settings that a method trains with: its own, or those of the objective that
        this one is like; of keys with a design the one that says most about this one.
        """
        own, like = settings_key(method, objective), discovery.objective(objective).like
        if like and own not in self.methods:
            own = settings_key(method, like)
        finer = [key for key in self.methods if key.startswith(f"{own}@")]
        if not finer:
            return own
        whole = discovery.method(method).validate(design or {})
        fitting = [
            key
            for key in finer
            if all(str(whole[k]) == value for k, value in self.design_of(key).items())
        ]
        return max(fitting, key=lambda key: (key.count("@"), key), default=own)

    def design_of(self, key: str) -> dict[str, str]:
        """What a key of `methods` asks of an arm's design, as text.

        Raises InputError for what no arm of the method can have: its rate would never be read.
        """
        name, *pairs = key.split("@")
        method = discovery.method(name.partition(".")[0])
        found = {}
        for choice, _, value in (pair.partition("=") for pair in pairs):
            what = f"scale {self.name!r}: methods: {key!r} names no design key {choice!r}"
            look_up(choice, method.design, what)
            whole = value.isdecimal() and not value.startswith("0")
            try:
                method.validate({choice: int(value) if whole else value})
            except InputError as error:
                raise InputError(f"scale {self.name!r}: methods: {key!r}: {error}") from error
            found[choice] = value
        return found

    def settings_of(
        self, method: str, objective: str = "response", design: Mapping[str, Any] | None = None
    ) -> MethodSettings:
        key = self.settings_name(method, objective, design)
        if key not in self.methods:
            raise InputError(
                f"scale {self.name!r}: no learning rate for method {key!r}; "
                f"add it under 'methods' ({nearest(key, self.methods)})"
            )
        return self.methods[key]


def settings_key(method: str, objective: str) -> str:
    """Where a scale holds the settings of a method under an objective: `full`, `full.dpo`."""
    return method if objective == "response" else f"{method}.{objective}"


def scale_folders() -> list[Path]:
    """Where scales are looked up: the working directory, the source tree, the installed copy."""
    package = Path(__file__).resolve().parents[1]
    folders = [
        Path.cwd() / "reproduce" / "scales",
        package.parents[1] / "reproduce" / "scales",
        package / "_scales",
    ]
    extra = os.environ.get("LAWCHECK_SCALES")
    if extra:
        folders.insert(0, Path(extra))
    return [f for f in dict.fromkeys(folders) if f.is_dir()]


def scale_names() -> list[str]:
    return sorted({p.stem for f in scale_folders() for p in f.glob("*.yaml")})


def load_scale(name: str, overrides: dict[str, Any] | None = None) -> Scale:
    """Read a scale by name, or by the path of a YAML file.

    `extends: NAME` in the file starts from another scale; nested keys are merged, a base of another
    `kind` is replaced.
    Raises InputError for an unknown name, broken YAML, unknown or ill-typed keys.
    """
    data = _merge(_read(name, ()), overrides or {})
    return Scale.read(data, f"scale {name!r}", "correct the scale's YAML")


def _read(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise InputError(f"scale {name!r}: extends itself through {' -> '.join(seen)}; break it")
    path = _find(name)
    what = f"scale file {path.name}"
    data = copy.deepcopy(_parsed(read_text(path, "correct it", what), what))
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        kind = type(data).__name__ if not isinstance(data, dict) else "keys that are no text"
        raise InputError(f"scale file {path.name}: found {kind}, expected a mapping; correct it")
    parent = data.pop("extends", None)
    data.setdefault("name", path.stem)
    return data if parent is None else _merge(_read(str(parent), (*seen, name)), data)


@functools.lru_cache(maxsize=64)
def _parsed(text: str, what: str) -> Any:
    """The same file is read again for every scale that extends it; parsing it takes 20 ms."""
    return parse_yaml(text, what, "correct it")


def _find(name: str) -> Path:
    if name.endswith(".yaml"):
        if Path(name).is_file():
            return Path(name)
        raise InputError(f"scale file {name!r}: no such file; give a path or a scale's name")
    for folder in scale_folders():
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise InputError(f"scale {name!r}: unknown; {nearest(name, scale_names())}")


def _merge(lower: dict[str, Any], upper: dict[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            # A base of another kind has none of the settings below it.
            same = value.get("kind") in (None, below.get("kind"))
            value = _merge(below, value) if same else value
        merged[key] = value
    return merged
