"""What the weights and the router of a trained run say about it, written into its record.

Read once, after the last step: no random number is drawn and no weight is touched.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lawcheck.methods.routing import ExpertLayer, routers
from lawcheck.scores.health import ALMOST_ALL, UNIFORM
from lawcheck.training.data import EXTRAS

# A gradient is clipped, so that one spike does no harm; a hundred times the usual norm is one.
SPIKE = 100.0
# Mean of a token's largest routing probability from which the others get no gradient to speak of.
SATURATED = 0.99
# Relative distance of two experts' matrices below which they are one.
SAME = 1e-6


def fingerprints(model: nn.Module) -> dict[str, float]:
    """One number for every tensor that is to be trained: a change of any size moves it."""
    with torch.no_grad():
        return {
            name: _mark(p) for name, p in model.named_parameters() if p.requires_grad and p.numel()
        }


def _mark(tensor: Tensor) -> float:
    flat = tensor.detach().reshape(-1)
    # Summed in float64 without a copy in it: a vocabulary's embedding may take gigabytes.
    size = torch.linalg.vector_norm(flat, ord=1, dtype=torch.float64)
    return float(size) + float(flat[:1].double()) / 3


def not_finite(model: nn.Module) -> list[str]:
    """Trainable tensors that hold a NaN or an infinity."""
    return [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and p.numel() and not bool(p.detach().isfinite().all())
    ]


def health(
    model: nn.Module,
    before: Mapping[str, float],
    batches: Sequence[Mapping[str, Any]],
    *,
    losses: Sequence[float],
    gradient_norms: Sequence[float],
    vocabulary: int,
) -> dict[str, Any]:
    """The `health` entry of train.json: measurements, and `findings` in words.

    before: `fingerprints` of the model as it was built. batches: micro-batches to route. losses,
    gradient_norms: of the last steps and of all steps.
    """
    after = fingerprints(model)
    still = sorted(n for n, mark in before.items() if after.get(n) == mark)
    zero = sorted(n for n, p in model.named_parameters() if _is_dead(n, p))
    ups = [n for n, _ in model.named_parameters() if _is_up(n)]
    found: dict[str, Any] = {
        "tensors_trained": len(before),
        "tensors_unmoved": len(still),
        "adapters_zero": len(zero),
    }
    said = []
    if still:
        said.append(
            f"{len(still)} of {len(before)} trained tensors did not move, the first {still[0]}"
        )
    if ups and len(zero) == len(ups):
        said.append("the adapter's output is zero in every module: the run is its base model")
    finite = [g for g in gradient_norms if math.isfinite(g)]
    if finite:
        usual, most = statistics.median(finite), max(finite)
        found["gradient_norm"] = {"median": usual, "largest": most}
        if most > SPIKE * usual:
            said.append(f"gradient norm up to {most:.3g}, usually {usual:.3g}")
    last, guessing = [x for x in losses if math.isfinite(x)], math.log(vocabulary)
    if last and statistics.median(last) >= guessing:
        said.append(
            f"the loss ends at {statistics.median(last):.3g}, uniform guessing has {guessing:.3g}"
        )
    layers = routing(model, batches)
    if layers:
        found["router"] = [{k: _finite(v) for k, v in layer.items()} for layer in layers]
        said += router_findings(layers)
    experts = expert_findings(model)
    if experts["experts"]:
        found |= {"experts_dead": experts["dead"], "experts": experts["experts"]}
        said += experts["findings"]
    return found | {"findings": said}


def _finite(value: Any) -> Any:
    """NaN and infinities as None: a record is plain JSON."""
    if isinstance(value, list):
        return [_finite(v) for v in value]
    return value if math.isfinite(value) else None


def _is_up(name: str) -> bool:
    """By the names that peft and its extensions give to B: lora_B, or lora_<method>_B."""
    return re.search(r"\.lora_(\w+_)?B\.", name) is not None


def _is_dead(name: str, parameter: Tensor) -> bool:
    return _is_up(name) and bool(parameter.numel()) and not bool(parameter.detach().any())


def routing(model: nn.Module, batches: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per gate: mean share of every expert, mean largest probability of a token, entropies.

    Entropies are divided by log(experts): of the mean shares, and the mean over tokens. Padding
    counts as tokens. Empty without gates.
    """
    gates: list[Any] = [gate for r in routers(model) for gate in r.routing_gates().values()]
    if not gates or not batches:
        return []
    training, device = model.training, next(model.parameters()).device
    for gate in gates:
        gate.record = []
    try:
        model.eval()
        with torch.inference_mode():
            for batch in batches:
                inputs = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}
                for extra in ("labels", *EXTRAS):
                    inputs.pop(extra, None)
                model(**inputs, use_cache=False)
        return [_layer(torch.cat([r.flatten(0, -2) for r in gate.record])) for gate in gates]
    finally:
        model.train(training)
        for gate in gates:
            gate.record = None


def _layer(probabilities: Tensor) -> dict[str, Any]:
    """probabilities: (tokens, experts)."""
    p = probabilities.double()
    share, scale = p.mean(dim=0), math.log(p.shape[1]) or 1.0
    return {
        "shares": [round(x, 6) for x in share.tolist()],
        "share_entropy": round(float(torch.special.entr(share).sum()) / scale, 6),
        "token_entropy": round(float(torch.special.entr(p).sum(dim=1).mean()) / scale, 6),
        "largest": round(float(p.max(dim=1).values.mean()), 6),
        "from_uniform": float((p - 1 / p.shape[1]).abs().max()),
    }


def router_findings(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    if len(layers[0]["shares"]) == 1:
        return []
    said = []
    kinds = {
        f"sends at least {ALMOST_ALL:.0%} to one expert": [
            k for k, x in enumerate(layers) if max(x["shares"]) >= ALMOST_ALL
        ],
        "is saturated: a token's first expert has it all": [
            k
            for k, x in enumerate(layers)
            if x["largest"] >= SATURATED and max(x["shares"]) < ALMOST_ALL
        ],
        "is exactly uniform: it chose nothing": [
            k for k, x in enumerate(layers) if x["from_uniform"] <= UNIFORM
        ],
        "gives values that are not finite": [
            k for k, x in enumerate(layers) if not math.isfinite(x["largest"])
        ],
    }
    for what, which in kinds.items():
        if which:
            said.append(f"the router {what} (layers {', '.join(map(str, which))})")
    return said


def expert_findings(model: nn.Module) -> dict[str, Any]:
    """Experts whose B is zero in every module, and experts that are all the same."""
    alive: Tensor | None = None
    same = True
    for layer in (m for m in model.modules() if isinstance(m, ExpertLayer)):
        for downs, ups in layer.expert_matrices():
            norms = ups.float().flatten(1).norm(dim=1)
            alive = norms > 0 if alive is None else alive | (norms > 0)
            same = same and _alike(ups) and _alike(downs)
    if alive is None:
        return {"experts": 0, "dead": 0, "findings": []}
    n, dead = int(alive.numel()), (~alive).nonzero()[:, 0].tolist()
    said = []
    if dead:
        who = "all experts are" if len(dead) == n else f"experts {', '.join(map(str, dead))} are"
        said.append(f"{who} dead: B is zero in every module")
    if same and n > 1 and len(dead) < n:
        said.append("all experts are the same matrix in every module")
    return {"experts": n, "dead": len(dead), "findings": said}


def _alike(parts: Tensor) -> bool:
    """Whether the matrices along the first axis are one, up to rounding."""
    first = parts[:1].float()
    return bool((parts.float() - first).norm() <= SAME * parts.float().norm())
