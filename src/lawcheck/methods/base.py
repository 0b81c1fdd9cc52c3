"""What methods have in common: adapter settings and parameter arithmetic.

Standard library only: `lawcheck plan` and the tables count parameters without torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lawcheck.declare.method import Design, Method, MethodModule
from lawcheck.errors import InputError, look_up

__all__ = [
    "PRESETS",
    "QWEN2_5_7B",
    "AdapterSettings",
    "Design",
    "Method",
    "MethodModule",
    "ModelShapes",
    "TargetPreset",
    "trainable_share",
]


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
        if isinstance(self.targets, str):
            look_up(self.targets, PRESETS, f"adapter: unknown target preset {self.targets!r}")

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


# What every configuration of a decoder says of its shapes.
SIZES = (
    *("hidden_size", "num_attention_heads", "num_hidden_layers"),
    *("intermediate_size", "vocab_size"),
)
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
        for key in SIZES:
            size = config.get(key)
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise InputError(
                    f"model shapes: {key} is {size!r}, expected a whole number above 0; correct it"
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
        chosen = [
            look_up(name, self.linears, f"adapter: unknown module {name!r}")
            for name in settings.modules
        ]
        return self.layers * sum(i for i, _ in chosen), self.layers * sum(o for _, o in chosen)

    def read_by(self, settings: AdapterSettings) -> int:
        """Numbers a token that one layer keeps as inputs of the adapted modules.

        Modules that share an input keep it once; o_proj's is attention's own output.
        """
        adapted = set(settings.modules)
        sharing = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"})
        read = self.hidden * sum(bool(adapted & group) for group in sharing)
        return read + self.feed_forward * ("down_proj" in adapted)


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
    module: MethodModule, shapes: ModelShapes, design: Design, settings: AdapterSettings
) -> float:
    """Trainable parameters in percent of all parameters, the adapter's own included."""
    shapes = settings.applied_to(shapes)
    total = shapes.total_parameters + module.added_parameters(shapes, design, settings)
    return 100 * module.trainable_parameters(shapes, design, settings) / total
