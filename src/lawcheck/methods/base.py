"""What methods have in common: their declaration, adapter settings and parameter arithmetic.

Standard library only: `lawcheck plan` and the tables count parameters without torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Recipe, Scalar, require_name
from lawcheck.errors import InputError, nearest

# What a method takes -> the least and the largest number of parents.
PARENTS: Mapping[str, tuple[int, int]] = {
    "base": (0, 1),
    "model": (1, 1),
    "models": (2, 2),
    "adapters": (2, 1000),
}


def discipline_expert(composition: Arm, discipline: str) -> Arm:
    """The LoRA of one discipline that a composition routes over.

    Same data fraction and base; the same upsampling where it touches the discipline. General data
    train the gate only, never the experts.
    """
    recipe = composition.recipe
    assert recipe is not None
    up = recipe.upsampling
    up = up if up is not None and discipline in up.disciplines else None
    own = Recipe(fraction=recipe.fraction, upsampling=up)
    return Arm(method="lora", recipe=own, each_alone=True, base=composition.base)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way of training an arm.

    trains: what moves, in words. design: the choices an arm may make, with their defaults.
    choices: the values allowed for the design keys that hold words. routes: the model has gates
    whose routing probabilities can be recorded.

    takes: what `build` starts from. `base`: the base model, or the whole model of one parent;
    `model`: the whole model of one parent; `models`: the folders of two parents' whole models;
    `adapters`: the folders of its parents' adapters. trains_rows: whether rows are learned; where
    not, the result of `build` is saved as it is. implied: (arm, discipline) -> the arm whose run
    on that discipline alone is a parent, for arms that name none. needs_experts: the short form of
    `adapters` over one plain LoRA a discipline.
    """

    name: str
    title: str
    version: int
    trains: str
    group: Literal["peft", "full", "none"]
    design: Mapping[str, Scalar] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs_experts: bool = False
    routes: bool = False
    takes: Literal["base", "model", "models", "adapters"] = "base"
    trains_rows: bool = True
    implied: Callable[[Arm, str], Arm] | None = None

    def __post_init__(self) -> None:
        require_name("method", self.name)
        if self.needs_experts:
            object.__setattr__(self, "takes", "adapters")
            object.__setattr__(self, "implied", self.implied or discipline_expert)
        if self.takes not in PARENTS:
            raise InputError(
                f"method {self.name!r}: takes {self.takes!r}, expected {', '.join(PARENTS)}; "
                f"choose one"
            )

    def check_parents(self, arm: Arm) -> None:
        """Raises InputError for an arm that this method cannot make from its parents."""
        low, high = PARENTS[self.takes]
        implied = self.implied is not None and not arm.parents
        if not implied and not low <= len(arm.parents) <= high:
            wanted = str(low) if low == high else f"{low} to {high}"
            raise InputError(
                f"arm {arm.name!r}: {len(arm.parents)} parents, method {self.name!r} takes "
                f"{wanted}; name them under parents"
            )
        if arm.recipe is None and (self.trains_rows if arm.parents else self.takes != "base"):
            raise InputError(
                f"arm {arm.name!r}: no recipe, and method {self.name!r} needs one; give it one"
            )
        names = [p.name for p in arm.parents]
        if len(set(names)) < len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InputError(
                f"arm {arm.name!r}: two of its parents are called {twice!r}; name distinct arms"
            )
        for parent in arm.parents:
            self._check_parent(arm, parent)
        starts = {_begun_from(p) for p in arm.parents}
        if self.takes == "adapters" and len(starts) > 1:
            raise InputError(
                f"arm {arm.name!r}: its parents are adapters of {len(starts)} different models, "
                f"expected one; give the parents the same parent"
            )

    def _check_parent(self, arm: Arm, parent: Arm) -> None:
        theirs = discovery.method(parent.method)
        found = f"method {theirs.name!r}"
        if not parent.has_weights:
            found, expected = "the base model as it is", "a trained arm"
        elif self.takes == "models" and not (theirs.group == "full" or theirs.takes == "models"):
            expected = "whole models (group 'full', or a merge)"
        elif self.takes == "adapters" and theirs.group != "peft":
            expected = "adapters (group 'peft')"
        elif self.takes in ("base", "model") and theirs.routes:
            expected = "one whose adapter can be merged into its model, such as lora, or full"
        else:
            return
        raise InputError(
            f"arm {arm.name!r}: parent {parent.name!r} is {found}, method {self.name!r} takes "
            f"{expected}; choose another parent"
        )

    def validate(self, design: Mapping[str, Scalar]) -> dict[str, Any]:
        """The full design: `design` over the defaults.

        Raises InputError for an unknown key, an unknown word and a number below 1.
        """
        for key, value in design.items():
            if key not in self.design:
                raise InputError(
                    f"method {self.name!r}: unknown design key {key!r}; {nearest(key, self.design)}"
                )
            if key in self.choices:
                if value not in self.choices[key]:
                    raise InputError(
                        f"method {self.name!r}: {key} {value!r} is unknown; "
                        f"{nearest(str(value), self.choices[key])}"
                    )
            elif type(value) is not int or value < 1:
                raise InputError(
                    f"method {self.name!r}: {key} is {value!r}, expected a whole number of at "
                    f"least 1; correct the arm"
                )
        return {**self.design, **design}


def _begun_from(adapter: Arm) -> tuple[Arm, ...]:
    """What an adapter was trained on: its parent, or none for the base model."""
    while adapter.parents and discovery.method(adapter.method).takes == "adapters":
        adapter = adapter.parents[0]
    return adapter.parents


@dataclass(frozen=True, kw_only=True)
class AdapterSettings:
    """Adapter settings of a scale, before an arm's `rank_multiple`.

    rank, alpha: of one expert at multiple 1; both grow with `rank_multiple`, so that the scaling
    alpha / rank stays. dropout: probability, on the adapter's input. targets: a name of PRESETS
    or module names.
    """

    rank: int
    alpha: float
    dropout: float = 0.0
    targets: str | tuple[str, ...] = "all_linear"

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"adapter: rank {self.rank} is below 1; give a positive rank")
        if not 0 <= self.dropout < 1:
            raise InputError(f"adapter: dropout {self.dropout} is outside [0, 1); give a share")
        if isinstance(self.targets, str) and self.targets not in PRESETS:
            raise InputError(
                f"adapter: unknown target preset {self.targets!r}; {nearest(self.targets, PRESETS)}"
            )

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the adapted linear modules."""
        if isinstance(self.targets, str):
            return PRESETS[self.targets].modules
        return tuple(self.targets)

    def times(self, multiple: int) -> AdapterSettings:
        """The settings at `multiple` times the rank, with the same scaling."""
        return dataclasses.replace(self, rank=self.rank * multiple, alpha=self.alpha * multiple)

    def applied_to(self, shapes: ModelShapes) -> ModelShapes:
        """The model's shapes as the preset sees them (it may resize the vocabulary)."""
        preset = PRESETS.get(self.targets) if isinstance(self.targets, str) else None
        if preset is None or preset.vocabulary is None:
            return shapes
        return dataclasses.replace(shapes, vocabulary=preset.vocabulary)


@dataclass(frozen=True, kw_only=True)
class TargetPreset:
    """Adapted modules, and the vocabulary that the embeddings are resized to (None: as it is)."""

    modules: tuple[str, ...]
    vocabulary: int | None = None


ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")
PRESETS: dict[str, TargetPreset] = {
    "all_linear": TargetPreset(modules=ATTENTION + FEED_FORWARD),
    # The one configuration that reproduces the published trainable shares; gate_proj and up_proj
    # have equal shapes, so the shares cannot tell which of the two it was.
    "published": TargetPreset(modules=(*ATTENTION, "gate_proj"), vocabulary=151_665),
}


@dataclass(frozen=True, kw_only=True)
class ModelShapes:
    """Sizes of a decoder of the Llama or Qwen2 family.

    tied: input and output embeddings share one matrix. qkv_bias: biases on q, k and v.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    tied: bool = False
    qkv_bias: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ModelShapes:
        """From a transformers config as a dictionary; model types llama, mistral and qwen2."""
        kind = config.get("model_type")
        if kind not in ("llama", "mistral", "qwen2"):
            raise InputError(
                f"model shapes: model type {kind!r} is not counted; expected llama, mistral or "
                f"qwen2"
            )
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        return cls(
            hidden=hidden,
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=config.get("head_dim") or hidden // heads,
            feed_forward=config["intermediate_size"],
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
            qkv_bias=kind == "qwen2",
        )

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Linear modules of one decoder layer: name -> (inputs, outputs)."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.feed_forward),
            "up_proj": (self.hidden, self.feed_forward),
            "down_proj": (self.feed_forward, self.hidden),
        }

    @property
    def total_parameters(self) -> int:
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        layer = sum(i * o for i, o in self.linears.values()) + 2 * self.hidden
        if self.qkv_bias:
            layer += sum(self.linears[name][1] for name in ("q_proj", "k_proj", "v_proj"))
        return embeddings + self.layers * layer + self.hidden

    def adapted(self, settings: AdapterSettings) -> tuple[int, int]:
        """Sum of inputs and sum of outputs over the adapted modules of all layers."""
        linears = self.linears
        for name in settings.modules:
            if name not in linears:
                raise InputError(f"adapter: unknown module {name!r}; {nearest(name, linears)}")
        chosen = [linears[name] for name in settings.modules]
        return self.layers * sum(i for i, _ in chosen), self.layers * sum(o for _, o in chosen)


QWEN2_5_7B = ModelShapes(
    hidden=3584,
    layers=28,
    heads=28,
    kv_heads=4,
    head_dim=128,
    feed_forward=18944,
    vocabulary=152_064,
    qkv_bias=True,
)


def trainable_share(
    module: ModuleType,
    shapes: ModelShapes,
    design: Mapping[str, Scalar],
    settings: AdapterSettings,
) -> float:
    """Trainable parameters in percent of all parameters, the adapter's own included.

    module: a method module (see lawcheck.methods).
    """
    shapes = settings.applied_to(shapes)
    total = shapes.total_parameters + module.added_parameters(shapes, design, settings)
    return 100 * module.trainable_parameters(shapes, design, settings) / total
