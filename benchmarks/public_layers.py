"""LoRA-MoE layers against the public ones of HydraLoRA, LoRAMoE and MoLA, from their own files.

    python benchmarks/public_layers.py --hydralora FILE --loramoe FILE --mola FILE

FILE: `HydraLoRA/peft/tuners/lora.py` of github.com/Clin0212/HydraLoRA (measured at afb693b),
`peft/tuners/lora.py` of github.com/Ablustrund/LoRAMoE (1177288), `src/mola_lora_hacked.py` of
github.com/GCYZSL/MoLA (01785c8). The files run as they are; names of old releases of peft that only
their configurations read are filled in. Each public layer gets the weights of ours, and outputs and
gradients are compared before anything is timed. Forward and backward of one projection, in turn;
a cell is their time over ours, median over rounds. Ours shares one gate among the seven projections
of a decoder layer: it bears a seventh of the gate, in brackets all of it.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import peft.utils
import torch
from measuring import in_turn, machine, ratio, table
from torch import Tensor, nn

from lawcheck.methods.base import AdapterSettings
from lawcheck.methods.lora_moe import LoraMoeConfig, LoraMoeLinear
from lawcheck.methods.lora_moe.layer import GateState, TokenGate
from lawcheck.methods.mola.layer import MolaLinear

EXPERTS, RANK, ALPHA, TOP = 5, 8, 16, 2
PROJECTIONS = 7
SHAPES = ("576x576x512", "576x1536x512", "1536x576x512", "3584x3584x512")
# What old releases of peft had; only configurations read it.
FORMER = {"PeftConfig": object, "COMMON_LAYERS_PATTERN": []}


def load(path: Path, name: str) -> ModuleType:
    """A file of a fork of peft, as the module of a package whose `utils` are peft's."""
    for key, value in FORMER.items():
        if not hasattr(peft.utils, key):
            setattr(peft.utils, key, value)
    for package in ("public", "public.tuners"):
        if package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []
    sys.modules["public.utils"] = peft.utils
    spec = importlib.util.spec_from_file_location(f"public.tuners.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def ours(base: nn.Linear, variant: str) -> tuple[nn.Module, nn.Module]:
    """Our projection and its gate, with random weights."""
    config = LoraMoeConfig(r=RANK, lora_alpha=ALPHA, num_experts=EXPERTS, variant=variant)
    layer = LoraMoeLinear(base, "default", GateState(), config)
    gate = TokenGate(base.in_features, config)
    return _random(layer, base), _random(gate, base)


def _random(module: nn.Module, base: nn.Linear) -> nn.Module:
    for parameter in module.parameters():
        own = parameter is not base.weight
        parameter.requires_grad_(own)
        if own:
            # B starts at zero, which no real training step meets.
            nn.init.normal_(parameter, std=0.02)
    return module.train()


def gated(module: ModuleType, base: nn.Linear, layer: Any, gate: Any) -> nn.Module:
    """HydraLoRA's layer, whose experts share one A, or LoRAMoE's, with an A each."""
    shared = {"lora_alpha": ALPHA, "lora_nums": EXPERTS, "bias": False}
    found = module.Linear(base.in_features, base.out_features, r=RANK, **shared)
    down, up = layer.lora_moe_A["default"].weight, layer.lora_moe_B["default"].weight
    pairs = [(f"lora_B{e}", one) for e, one in enumerate(up.chunk(EXPERTS, dim=1))]
    if hasattr(found, "lora_A"):
        pairs.append(("lora_A", down))
    else:
        pairs += [(f"lora_A{e}", one) for e, one in enumerate(down.chunk(EXPERTS))]
    with torch.no_grad():
        found.weight.copy_(base.weight)
        found.lora_route.weight.copy_(gate.weight)
        for name, weight in pairs:
            getattr(found, name).weight.copy_(weight)
    return found


def mola(module: ModuleType, base: nn.Linear, layer: Any) -> nn.Module:
    found = module.Linear_MoE(
        "default",
        base.in_features,
        base.out_features,
        r=[RANK],
        lora_alpha=ALPHA,
        number_experts=[EXPERTS],
        top_k=[TOP],
        bias=False,
    )
    # One layer's count, where its forward reads the list.
    found.top_k = TOP
    up = layer.up.chunk(EXPERTS, dim=1)
    with torch.no_grad():
        found.weight.copy_(base.weight)
        found.router["router"].weight.copy_(layer.router)
        for e in range(EXPERTS):
            found.lora_A[f"default_{e}"].weight.copy_(layer.down[e])
            found.lora_B[f"default_{e}"].weight.copy_(up[e])
    return found


def compare(name: str, own: Callable[[], Tensor], theirs: Callable[[], Tensor], x: Tensor) -> None:
    """Raises AssertionError where outputs or the input's gradients differ."""
    found = []
    for forward in (own, theirs):
        x.grad = None
        y = forward()
        y.square().sum().backward()
        assert x.grad is not None
        found.append((y.detach(), x.grad.clone()))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * float(a.abs().max()), msg=name)


def measure(shape: str, files: dict[str, ModuleType], rounds: int) -> list[str]:
    d_in, d_out, tokens = map(int, shape.split("x"))
    torch.manual_seed(0)
    base = nn.Linear(d_in, d_out, bias=False).requires_grad_(False)
    x = torch.randn(1, tokens, d_in).requires_grad_()
    dy = torch.randn(1, tokens, d_out)
    steps: dict[str, Callable[[], object]] = {}

    def step(module: nn.Module, forward: Callable[[], Tensor], grad: Tensor) -> Callable[[], None]:
        def run() -> None:
            forward().backward(grad)
            module.zero_grad()
            x.grad = None

        return run

    for name, variant in (("hydralora", "shared_a"), ("loramoe", "plain")):
        if name not in files:
            continue
        layer, gate = ours(base, variant)
        # In training as built; HydraLoRA's and LoRAMoE's `train` returns nothing.
        theirs = gated(files[name], base, layer, gate)

        def own(layer: Any = layer, gate: Any = gate) -> Tensor:
            layer.gate_state["default"].weights = gate(x)
            return layer(x)

        def public(theirs: Any = theirs) -> Tensor:
            return theirs(x)[0]

        compare(name, own, public, x)
        weights = gate(x).detach().requires_grad_()

        def alone(layer: Any = layer, weights: Tensor = weights) -> Tensor:
            layer.gate_state["default"].weights = weights
            return layer(x)

        steps[f"{name}, ours"] = step(layer, alone, dy)
        steps[f"{name}, gate"] = step(gate, lambda gate=gate: gate(x), torch.randn_like(weights))
        steps[name] = step(theirs, public, dy)
    if "mola" in files:
        settings = AdapterSettings(rank=RANK, alpha=ALPHA, dropout=0.0)
        mine = _random(MolaLinear(base, EXPERTS, TOP, settings), base)
        theirs = mola(files["mola"], base, mine)
        compare("mola", lambda: mine(x), lambda: theirs(x)[0], x)
        steps["mola, ours"] = step(mine, lambda: mine(x), dy)
        steps["mola"] = step(theirs, lambda: theirs(x)[0], dy)
    times = in_turn(steps, rounds)
    cells = [f"{d_in} x {d_out}, T={tokens}"]
    for name in ("hydralora", "loramoe"):
        if name not in files:
            cells += ["not given"] * 2
            continue
        gate_times = times[f"{name}, gate"]

        def over(share: float, name: str = name, gate_times: list[float] = gate_times) -> float:
            mine = zip(times[f"{name}, ours"], gate_times, strict=True)
            return ratio(times[name], [a + share * g for a, g in mine])

        cells.append(f"{1000 * statistics.median(times[f'{name}, ours']):.2f}")
        cells.append(f"{over(1 / PROJECTIONS):.2f} ({over(1):.2f})")
    if "mola" in files:
        cells.append(f"{1000 * statistics.median(times['mola, ours']):.2f}")
        cells.append(f"{ratio(times['mola'], times['mola, ours']):.2f}")
    else:
        cells += ["not given"] * 2
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("hydralora", "loramoe", "mola"):
        parser.add_argument(f"--{name}", type=Path, help="its file")
    parser.add_argument("--shape", action="append", help="d_in x d_out x tokens (repeatable)")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = {n: getattr(options, n) for n in ("hydralora", "loramoe", "mola")}
    files = {n: load(path, n) for n, path in given.items() if path is not None}
    print(machine())
    rows = [measure(shape, files, options.rounds) for shape in options.shape or SHAPES]
    head = ["projection"]
    for name, mine in (("HydraLoRA", "shared_a"), ("LoRAMoE", "plain"), ("MoLA", "mola")):
        head += [f"{mine}, ms", f"{name} / {mine}"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
