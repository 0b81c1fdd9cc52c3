"""One adapted projection, forward and backward: LoRA-MoE against peft and against a loop.

    python benchmarks/adapters.py                          CPU, both shapes, both precisions
    python benchmarks/adapters.py --device cuda --rounds 50

The base weight is frozen and the input asks for its gradient, as inside a model. Every contender
has five experts of rank 16, or LoRA their total rank, 80, in the base's precision. Columns are time
over peft's LoRA, median over rounds; `base` is the frozen projection alone, which none can go
below. All are given the experts' weights; the gate that makes them is timed by itself. A decoder
layer shares one among its seven projections, so a LoRA-MoE column counts a seventh of it, and in
brackets the whole. The loop and X-LoRA are compared with plain where none pays for a gate. With
dropout, the forms in which plain keeps its mask stand in a table of their own.

Saved for backward: what a forward pass keeps beyond x and the parameters, at gate_proj of a 7B
model, 4,096 tokens, bfloat16. The gate's own weights, which all projections of a layer share,
stand apart.
"""

from __future__ import annotations

import argparse
import copy
import gc
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from measuring import in_turn, machine, ratio, saved_bytes, table
from peft import LoraConfig, get_peft_model
from peft.tuners.xlora.layer import XLoraLinearLayer
from torch import Tensor, nn

from lawcheck.methods.lora_moe import VARIANTS, LoraMoeConfig, LoraMoeLinear, dropout
from lawcheck.methods.lora_moe.layer import GateState, TokenGate

EXPERTS, RANK, ALPHA = 5, 16, 32
# Of a decoder layer, which share its gate.
PROJECTIONS = 7
DEFAULT = LoraMoeConfig().dropout_memory
SHAPES = ("3584x3584x512", "3584x18944x256")
SAVED = "3584x18944x4096"


class One(nn.Module):
    """A model of one projection, for peft to wrap."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.proj = base


class Loop(nn.Module):
    """The experts one after another, each as peft writes a LoRA."""

    def __init__(self, base: nn.Linear, p: float) -> None:
        super().__init__()
        self.base, self.p = base, p
        shared = {"device": base.weight.device, "dtype": base.weight.dtype, "bias": False}
        self.down = nn.ModuleList(
            nn.Linear(base.in_features, RANK, **shared) for _ in range(EXPERTS)
        )
        self.up = nn.ModuleList(
            nn.Linear(RANK, base.out_features, **shared) for _ in range(EXPERTS)
        )

    def forward(self, x: Tensor, gates: Tensor) -> Tensor:
        y = self.base(x)
        for e, (down, up) in enumerate(zip(self.down, self.up, strict=True)):
            dropped = nn.functional.dropout(x, self.p, self.training)
            y = y + gates[..., e : e + 1] * up(down(dropped)) * (ALPHA / RANK)
        return y


Contender = tuple[nn.Module, Callable[[Tensor, Tensor, Tensor], Tensor]]


def lora(base: nn.Linear, p: float, rank: int, adapters: int = 1) -> Any:
    """peft's own layer around the base."""
    config = LoraConfig(
        r=rank, lora_alpha=ALPHA, lora_dropout=p, target_modules=["proj"], bias="none"
    )
    model = get_peft_model(One(base), config, "0", autocast_adapter_dtype=False)
    for number in range(1, adapters):
        model.add_adapter(str(number), copy.deepcopy(config), autocast_adapter_dtype=False)
    layer = model.base_model.model.proj
    if adapters > 1:
        layer.set_adapter([str(n) for n in range(adapters)])
    return layer


def contenders(d_in: int, d_out: int, p: float, device: str, dtype: torch.dtype) -> dict:
    """Name -> (module, forward). forward: x [1, T, d_in], hidden [1, T, d_in], gates [1, T, E]."""
    torch.manual_seed(0)
    base = nn.Linear(d_in, d_out, bias=False, device=device, dtype=dtype).requires_grad_(False)
    found: dict[str, Contender] = {}
    found["base"] = (base, lambda x, hidden, gates: base(x))
    one = lora(base, p, EXPERTS * RANK)
    found["LoRA"] = (one, lambda x, hidden, gates, m=one: m(x))
    kinds = [(variant, DEFAULT) for variant in VARIANTS]
    if p:
        kinds += [("plain", form) for form in dropout.FORMS if form != DEFAULT]
    for variant, form in kinds:
        config = LoraMoeConfig(
            r=RANK,
            lora_alpha=ALPHA,
            lora_dropout=p,
            num_experts=EXPERTS,
            variant=variant,
            dropout_memory=form,
        )
        state = GateState()
        layer = LoraMoeLinear(base, "default", state, config)
        gate = TokenGate(d_in, config)
        both = nn.ModuleDict({"layer": layer, "gate": gate}).to(device, dtype)
        # Whoever calls it has put weights into the gate's state.
        name = variant if form == DEFAULT else f"{variant}, {form}"
        found[name] = (both, lambda x, hidden, gates, m=layer: m(x))
    loop = Loop(base, p)
    found["loop"] = (loop, lambda x, hidden, gates, m=loop: m(x, gates))
    many = lora(base, p, RANK, EXPERTS)
    settings = SimpleNamespace(
        top_k_lora=None, enable_softmax_topk=False, global_scaling_weight=1.0
    )
    xlora = XLoraLinearLayer(SimpleNamespace(disabled=False), many, many.forward, 0, settings)
    found["X-LoRA"] = (
        many,
        lambda x, hidden, gates: xlora.forward(x, scalings=gates.unsqueeze(2)),
    )
    for module, _ in found.values():
        for parameter in module.parameters():
            own = parameter is not base.weight
            parameter.requires_grad_(own)
            if own:
                # B starts at zero, which no real training step meets.
                nn.init.normal_(parameter, std=0.02)
        module.train()
    return found


def inputs(d_in: int, tokens: int, device: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    x = torch.randn(1, tokens, d_in, device=device, dtype=dtype).requires_grad_()
    hidden = torch.randn(1, tokens, d_in, device=device, dtype=dtype)
    gates = torch.rand(1, tokens, EXPERTS, device=device, dtype=dtype).requires_grad_()
    return x, hidden, gates


@dataclass(frozen=True)
class Measured:
    """row: of the table. loop, xlora: their time over plain's. forms: mask's form -> over LoRA."""

    row: list[str]
    loop: float
    xlora: float
    forms: dict[str, float]


def measure(shape: str, precision: str, p: float, device: str, rounds: int) -> Measured:
    d_in, d_out, tokens = map(int, shape.split("x"))
    dtype = getattr(torch, precision)
    found = contenders(d_in, d_out, p, device, dtype)
    x, hidden, gates = inputs(d_in, tokens, device, dtype)
    dy = torch.randn(1, tokens, d_out, device=device, dtype=dtype)
    given: dict[str, Tensor] = {}

    def step(name: str, module: Any, forward: Callable[..., Tensor]) -> Callable[[], None]:
        if isinstance(module, nn.ModuleDict):
            weights = module["gate"](hidden).detach().requires_grad_()
            module["layer"].gate_state["default"].weights = given[name] = weights

        def run() -> None:
            forward(x, hidden, gates).backward(dy)
            module.zero_grad()
            x.grad = gates.grad = None
            for weights in given.values():
                weights.grad = None

        return run

    def gate_step(gate: nn.Module, weights: Tensor) -> Callable[[], None]:
        grad = torch.randn_like(weights)

        def run() -> None:
            gate(hidden).backward(grad)
            gate.zero_grad()

        return run

    steps = {name: step(name, *one) for name, one in found.items()}
    for variant in VARIANTS:
        steps[f"gate of {variant}"] = gate_step(found[variant][0]["gate"], given[variant])
    times = in_turn(steps, rounds, device)

    def over_lora(variant: str, share: float) -> float:
        gate = times[f"gate of {variant}"]
        whole = [a + share * g for a, g in zip(times[variant], gate, strict=True)]
        return ratio(whole, times["LoRA"])

    row = [
        f"{d_in} x {d_out}, T={tokens}",
        precision,
        f"{p:g}",
        f"{1000 * statistics.median(times['LoRA']):.1f}",
        f"{ratio(times['base'], times['LoRA']):.2f}",
        *(f"{over_lora(v, 1 / PROJECTIONS):.2f} ({over_lora(v, 1):.2f})" for v in VARIANTS),
        *(f"{ratio(times[n], times['LoRA']):.2f}" for n in ("loop", "X-LoRA")),
    ]
    forms = {
        f: ratio(times["plain" if f == DEFAULT else f"plain, {f}"], times["LoRA"])
        for f in (dropout.FORMS if p else ())
    }
    return Measured(
        row, ratio(times["loop"], times["plain"]), ratio(times["X-LoRA"], times["plain"]), forms
    )


def saved(module: Any, forward: Callable[..., Tensor], tokens: int) -> tuple[int, int]:
    """Bytes that the projection keeps, and those of the gate's weights, for `tokens` tokens."""
    layer = module["layer"] if "layer" in dict(module.named_children()) else module
    base = layer.base if isinstance(layer, Loop) else layer.base_layer
    x, hidden, gates = inputs(base.in_features, tokens, "cpu", base.weight.dtype)
    own = [*module.parameters(), x, hidden, gates]
    if layer is module:
        return saved_bytes(lambda: forward(x, hidden, gates), own), 0
    weights = module["gate"](hidden).detach().requires_grad_()
    gate = saved_bytes(lambda: module["gate"](hidden), own)
    layer.gate_state["default"].weights = weights
    kept = saved_bytes(lambda: layer(x), [*own, weights])
    # The projection keeps the weights as well, once for all projections of a layer.
    return kept, gate + weights.untyped_storage().nbytes()


def saved_rows(shape: str) -> list[list[str]]:
    """Everything kept grows by the token, so that two small counts give the large one."""
    d_in, d_out, tokens = map(int, shape.split("x"))
    rows = []
    for p in (0.0, 0.05):
        for name, one in contenders(d_in, d_out, p, "cpu", torch.bfloat16).items():
            if name == "base":
                continue
            few, more = saved(*one, 16), saved(*one, 32)
            megabytes = [
                (a + (b - a) * (tokens - 16) / 16) / 1e6 for a, b in zip(few, more, strict=True)
            ]
            rows.append([name, f"{p:g}", *(f"{m:.2f}" for m in megabytes)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--shape", action="append", help="d_in x d_out x tokens (repeatable)")
    parser.add_argument("--saved", default=SAVED, help="the shape whose saved memory is counted")
    parser.add_argument("--precision", action="append", choices=("float32", "bfloat16"))
    parser.add_argument("--dropout", action="append", type=float)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine(options.device), flush=True)
    head = ["projection", "precision", "dropout", "LoRA ms", "base", *VARIANTS, "loop", "X-LoRA"]
    print(table(head, []), flush=True)
    measured: list[Measured] = []
    for shape in options.shape or SHAPES:
        for precision in options.precision or ("float32", "bfloat16"):
            for p in options.dropout or (0.0, 0.05):
                one = measure(shape, precision, p, options.device, options.rounds)
                measured.append(one)
                print("| " + " | ".join(one.row) + " |", flush=True)
                gc.collect()
    loops, xloras = [m.loop for m in measured], [m.xlora for m in measured]
    print(
        f"\nplain is {min(loops):.2f} to {max(loops):.2f} times as fast as the loop and "
        f"{min(xloras):.2f} to {max(xloras):.2f} times as fast as X-LoRA's linear\n"
    )
    forms = [
        [*m.row[:3], *(f"{m.forms[f]:.2f}" for f in dropout.FORMS)] for m in measured if m.forms
    ]
    if forms:
        print(table(["projection", "precision", "dropout", *dropout.FORMS], forms), end="\n\n")
    head = ["contender", "dropout", "saved MB", "the gate's MB, once a layer"]
    print(table(head, saved_rows(options.saved)))


if __name__ == "__main__":
    main()
