"""Planned memory of one training process, counted from shapes. Nothing is loaded.

P: the base model's parameters; Q: those a method adds; T: those that move; W: processes of a run;
c: bytes of a number in the computing precision (float32 4, bfloat16 2).

| part       | no DeepSpeed            | ZeRO-2                 | ZeRO-3                |
|------------|-------------------------|------------------------|-----------------------|
| weights    | 4 T, 4 frozen added,    | c (P + Q)              | c (P + Q) / W         |
|            | c frozen base           |                        |                       |
| gradients  | 4 T                     | 4 T / W, in float32    | 4 T / W, in float32   |
| optimizer  | 8 T: two moments        | 12 T / W: float32 copy | 12 T / W              |
|            |                         | and two moments        |                       |
| buffers    | 4 T where W > 1 (DDP's  | two buckets of         | one bucket; layers    |
|            | buckets); 2 T in        | hidden^2 numbers, and  | gathered at a time,   |
|            | bfloat16 (casts)        | a float32 copy of one  | 10^9 numbers at most  |

A base that moves is held in float32 without DeepSpeed. Step counters (4 bytes a tensor) and the
padding of shards are left out.

Activations: what torch saves for the backward pass in transformers' Llama, Mistral and Qwen2
decoders, `_layer` term by term. Sizes are those of a full micro-batch of packed samples: at most
micro_batch x max_length tokens. With gradient checkpointing a layer keeps its input only, and one
layer at a time is computed again. In both cases the gradients of one layer's activations are on
their way, counted as those of its five widest. Under autocast (bfloat16 without DeepSpeed) hidden
states are partly float32 and partly bfloat16; they are counted as float32, an upper bound.

Logits: the trainer computes them for response tokens only, and at most all tokens are. When the
backward pass begins there are the log-softmax, its gradient and the gradient of the logits, in
float32, for every entry of the vocabulary.

The parts are not all at their largest at one moment, so their sum is an upper bound.

Not counted: the allocator's fragmentation, workspaces of kernels, the CUDA context (0.5 to 1 GB).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm
from lawcheck.declare.method import CountsAdapterBytes, Design, MethodModule
from lawcheck.declare.scale import Hardware, Scale
from lawcheck.methods.base import AdapterSettings, ModelShapes
from lawcheck.planning.cost import adapter_settings, shapes

FLOAT32 = 4
# DeepSpeed's default for parameters that ZeRO-3 keeps gathered at a time.
MAX_LIVE_PARAMETERS = 1_000_000_000


@dataclass(frozen=True)
class Memory:
    """Bytes of one process. The last three are those of the largest micro-batch.

    activations: saved for the backward pass. gradients_under_way: of one layer's activations.
    """

    weights: float
    gradients: float
    optimizer: float
    buffers: float
    activations: float
    gradients_under_way: float
    logits: float

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, float]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def planned_memory(arm: Arm, scale: Scale) -> Memory | None:
    """Of one run of an arm at a scale; None for an arm that learns no rows.

    Raises InputError where the scale's base states no vocabulary.
    """
    if not discovery.trains_rows(arm):
        return None
    tokens = scale.hardware.micro_batch * scale.training.max_length
    return memory(
        shapes(scale, arm),
        discovery.method_module(arm.method),
        arm.choices,
        adapter_settings(scale),
        scale.hardware,
        tokens=tokens,
        width=tokens if scale.hardware.attention == "flash" else scale.training.max_length,
    )


def memory(
    model: ModelShapes,
    module: MethodModule,
    design: Design,
    settings: AdapterSettings,
    hardware: Hardware,
    *,
    tokens: int,
    width: int,
    learnt: int | None = None,
) -> Memory:
    """module: of the method. tokens: of a micro-batch, in rows of `width`. learnt: response
    tokens among them (None: all)."""
    group = module.METHOD.group
    stage = hardware.stage(group)
    added = module.added_parameters(model, design, settings)
    trained = module.trainable_parameters(model, design, settings)
    weights, gradients, optimizer, buffers = _states(
        model, added, trained, stage, hardware, group == "full"
    )
    compute = _compute_bytes(hardware)
    # Without DeepSpeed bfloat16 is autocast's.
    saved = FLOAT32 if stage is None else compute
    layer = _layer(model, design, settings, module, saved, width, hardware.attention)
    # The final norm's input, the rotary tables, and the inputs of weights that move.
    rest = FLOAT32 * (model.hidden + 1) + 2 * saved * model.head_dim
    if group == "full":
        rest += saved * model.hidden
    if hardware.gradient_checkpointing:
        # Each layer's input, and one layer at a time with everything it saves.
        activations = model.layers * saved * model.hidden + layer
    else:
        activations = model.layers * layer
    under_way = saved * (3 * model.feed_forward + 2 * model.hidden)
    learnt = tokens if learnt is None else learnt
    head = saved * model.hidden if group == "full" else 0
    per_learnt = 3 * FLOAT32 * model.vocabulary + head
    return Memory(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        buffers=buffers,
        activations=tokens * (activations + rest),
        gradients_under_way=tokens * under_way,
        logits=learnt * per_learnt,
    )


def _compute_bytes(hardware: Hardware) -> int:
    return 2 if hardware.precision == "bfloat16" else FLOAT32


def _states(
    model: ModelShapes, added: int, trained: int, stage: int | None, hardware: Hardware, full: bool
) -> tuple[float, float, float, float]:
    """Bytes of weights, gradients, optimizer states and buffers."""
    compute, processes = _compute_bytes(hardware), hardware.processes
    base, bucket = model.total_parameters, model.hidden**2
    if stage is None:
        frozen = 0 if full else compute * base
        weights = frozen + FLOAT32 * (base if full else added)
        buffers = FLOAT32 * trained * (processes > 1) + 2 * trained * (compute < FLOAT32)
        return weights, FLOAT32 * trained, 2 * FLOAT32 * trained, buffers
    sharded = trained / processes
    optimizer = 3 * FLOAT32 * sharded
    if stage == 2:
        buckets = (2 * compute + FLOAT32) * bucket
        return compute * (base + added), FLOAT32 * sharded, optimizer, buckets
    gathered = compute * min(base + added, MAX_LIVE_PARAMETERS)
    shard = compute * (base + added) / processes
    return shard, FLOAT32 * sharded, optimizer, gathered + FLOAT32 * bucket


def _layer(
    model: ModelShapes,
    design: Design,
    settings: AdapterSettings,
    module: MethodModule,
    c: int,
    width: int,
    attention: str,
) -> float:
    """Bytes per token that one decoder layer saves, with c bytes a number."""
    queries, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
    # Two norms, computed in float32: their inputs, and one number a token.
    found = 2 * FLOAT32 * (model.hidden + 1)
    # Queries, outputs, a float32 number a head; with a mask, keys and values of every query head
    # and the mask in numbers.
    found += 2 * c * queries + FLOAT32 * model.heads
    found += 2 * c * (keys if attention == "flash" else queries)
    found += 0 if attention == "flash" else c * width
    # Outputs of the gate's and up's projections, and of the activation.
    found += 3 * c * model.feed_forward
    if module.METHOD.group == "full":
        # What a norm's weight and the linear layers' weights were multiplied with.
        return found + 2 * c * model.hidden + c * (2 * model.hidden + model.feed_forward)
    return found + _adapters(model, design, settings, module, c)


def _adapters(
    model: ModelShapes, design: Design, settings: AdapterSettings, module: MethodModule, c: int
) -> float:
    """Bytes per token that one layer's adapters save: as low-rank products, unless counted."""
    if isinstance(module, CountsAdapterBytes):
        return module.adapter_bytes(model, design, settings, c)
    # A pair (A, B) adds its rank times the inputs and outputs of its module; rounded up.
    rank = -(-module.added_parameters(model, design, settings) // sum(model.adapted(settings)))
    return c * (model.read_by(settings) + rank * len(set(settings.modules)))
