"""What peft's own tests ask of a tuner, of LoRA-MoE on many families, with LoRA as the control.

    python benchmarks/peers.py [--family NAME ...] [--check NAME ...]

Written anew after the generic cases of peft 0.21 (tests/testing_common.py). Models are small and
random. Prints a line for each failure and a table of counts; exits with 1 if LoRA-MoE fails where
LoRA passes, or does not refuse to be merged. tests/test_methods_peers.py runs eight families.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from architectures import CONFIGS, build, quiet
from measuring import table
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from lawcheck import LoraMoeConfig
from lawcheck.errors import InputError
from lawcheck.methods.lora_moe import VARIANTS, LoraMoeLinear
from lawcheck.training.start import remove_dropout


@dataclass(frozen=True)
class Family:
    """gate: the first module that a decoder layer runs. targets: linear layers of every layer."""

    gate: str
    targets: tuple[str, ...]


ATTENTION = ("q_proj", "v_proj")
LLAMA = Family("input_layernorm", (*ATTENTION, "down_proj"))
FAMILIES = {
    "llama": LLAMA,
    "qwen2": LLAMA,
    "mistral, window": LLAMA,
    "gemma2": LLAMA,
    "gpt2": Family("ln_1", ("c_attn", "c_fc")),
    "gpt_neox": Family("input_layernorm", ("query_key_value", "dense_4h_to_h")),
    "opt": Family("self_attn_layer_norm", (*ATTENTION, "fc2")),
    "bloom": Family("input_layernorm", ("query_key_value", "dense_h_to_4h")),
    "qwen3": LLAMA,
    "gemma": LLAMA,
    "gemma3 text": LLAMA,
    "phi3": Family("input_layernorm", ("qkv_proj", "down_proj")),
    "phi": Family("input_layernorm", (*ATTENTION, "fc2")),
    "olmo": LLAMA,
    "starcoder2": Family("input_layernorm", (*ATTENTION, "c_fc")),
    "stablelm": LLAMA,
    "cohere": LLAMA,
    "granite": LLAMA,
    "smollm3": LLAMA,
    "glm4": Family("input_layernorm", (*ATTENTION, "down_proj")),
    "gptj": Family("ln_1", (*ATTENTION, "fc_in")),
    "codegen": Family("ln_1", ("qkv_proj", "fc_out")),
    "gpt_bigcode": Family("ln_1", ("c_attn", "c_proj")),
    "gpt_neo": Family("ln_1", (*ATTENTION, "c_fc")),
    "mpt": Family("norm_1", ("Wqkv", "down_proj")),
    "falcon": Family("input_layernorm", ("query_key_value", "dense_h_to_4h")),
    "mixtral": Family("input_layernorm", ATTENTION),
    "qwen3_moe": Family("input_layernorm", ATTENTION),
    "nemotron": Family("input_layernorm", (*ATTENTION, "down_proj")),
}
EIGHT = list(FAMILIES)[:8]
KINDS = ("lora", *VARIANTS)


class Case:
    """One family with one kind of adapter."""

    def __init__(self, family: str, kind: str) -> None:
        self.family, self.kind = FAMILIES[family], kind
        self._config = CONFIGS[family]
        self.ids = torch.randint(3, 200, (2, 9), generator=torch.Generator().manual_seed(3))

    def base(self) -> Any:
        model = build(self._config(), "eager")
        remove_dropout(model)
        return model

    def config(self, **fields: Any) -> Any:
        fields = {
            "task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8,
            "target_modules": list(self.family.targets), **fields,
        }  # fmt: skip
        if self.kind == "lora":
            return LoraConfig(**fields)
        moe = {"num_experts": 3, "variant": self.kind, "gate_module": self.family.gate}
        return LoraMoeConfig(**fields, **moe)

    def model(self, **fields: Any) -> Any:
        """With random weights in place of zeros, in evaluation mode."""
        return drawn(get_peft_model(self.base(), self.config(**fields))).eval()

    def logits(self, model: Any, **kwargs: Any) -> Tensor:
        with torch.no_grad():
            return model(input_ids=self.ids, **kwargs).logits


def drawn(model: Any, seed: int = 1) -> Any:
    draw = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            fresh = torch.randn(parameter.shape, generator=draw)
            parameter.data.copy_((0.1 * fresh).to(parameter.dtype))
    return model


def same(one: Tensor, other: Tensor, tolerance: float = 0.0) -> None:
    apart = float((one.float() - other.float()).abs().max())
    assert apart <= tolerance, f"differs by {apart:.2g}"


def differs(one: Tensor, other: Tensor) -> None:
    assert float((one - other).abs().max()) > 1e-3, "nothing changed"


# ------------------------------------------------------------------------------- the checks


def fresh_adapter_changes_nothing(case: Case) -> None:
    same(case.logits(get_peft_model(case.base(), case.config()).eval()), case.logits(case.base()))


def disabling_gives_the_base(case: Case) -> None:
    model, base = case.model(), case.logits(case.base())
    before = case.logits(model)
    differs(before, base)
    with model.disable_adapter():
        same(case.logits(model), base)
    same(case.logits(model), before)


def unloading_gives_the_base(case: Case) -> None:
    found = case.model().unload()
    same(case.logits(found), case.logits(case.base()))
    assert not any("lora" in name for name, _ in found.named_modules())


def saved_and_loaded(case: Case) -> None:
    model = case.model()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for options in ({}, {"low_cpu_mem_usage": True}, {"is_trainable": True}):
            loaded = PeftModel.from_pretrained(case.base(), folder, **options)
            same(case.logits(loaded.eval()), case.logits(model))
            moving = any(p.requires_grad for p in loaded.parameters())
            assert moving == bool(options.get("is_trainable"))
        own = loaded.peft_config["default"]
        assert set(own.target_modules) == set(case.family.targets)


def states_go_round(case: Case) -> None:
    model, other = case.model(), get_peft_model(case.base(), case.config()).eval()
    state = get_peft_model_state_dict(model)
    assert not any(".default." in key for key in state)
    kept = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert sum(t.numel() for t in state.values()) == kept
    found = set_peft_model_state_dict(other, state)
    assert not found.unexpected_keys
    same(case.logits(other), case.logits(model))


def injected_by_state(case: Case) -> None:
    model = inject_adapter_in_model(case.config(), case.base())
    state = get_peft_model_state_dict(drawn(model).eval())
    other = inject_adapter_in_model(
        case.config(target_modules=[case.family.targets[0]]), case.base(), state_dict=state
    )
    set_peft_model_state_dict(other, state)
    same(case.logits(other.eval()), case.logits(model))


def only_the_adapter_moves(case: Case) -> None:
    model = case.model().train()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=10.0)
    model(input_ids=case.ids, labels=case.ids).loss.backward()
    optimizer.step()
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n in before if "lora" in n}, "a base weight moved, or an own one did not"


def checkpointing_changes_no_gradient(case: Case) -> None:
    gradients = []
    for reentrant in (None, False, True):
        model = case.model(lora_dropout=0.2).train()
        model.enable_input_require_grads()
        if reentrant is not None:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(0)
        model(input_ids=case.ids, labels=case.ids, use_cache=False).loss.backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    for others in gradients[1:]:
        for one, other in zip(gradients[0], others, strict=True):
            same(one, other, 1e-5)


def dropout_is_a_module(case: Case) -> None:
    model = case.model(lora_dropout=0.5)
    silent = [m for m in model.modules() if isinstance(m, nn.Dropout) and not m.p]
    for module in silent:
        module.eval()
    expected = case.logits(model)
    model.train()
    differs(case.logits(model), expected)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    same(case.logits(model), expected, 1e-4)


def two_adapters(case: Case) -> None:
    model = case.model()
    first = case.logits(model)
    model.add_adapter("other", case.config(r=2))
    same(case.logits(model), first)
    assert not any(p.requires_grad for n, p in model.named_parameters() if ".other." in n)
    model.set_adapter("other")
    second = case.logits(drawn(model, 9).eval())
    differs(first, second)
    moving = {n for n, p in model.named_parameters() if p.requires_grad}
    assert moving, "nothing is trained"
    assert all(".other." in n for n in moving)
    model.set_adapter("default")
    same(case.logits(model), first)
    model.delete_adapter("default")
    model.set_adapter("other")
    same(case.logits(model), second)
    assert not any(".default." in n for n, _ in model.named_parameters())


def one_layer_only(case: Case) -> None:
    for pattern in (None, _stack(case)):
        model = case.model(layers_to_transform=[1], layers_pattern=pattern)
        adapted = {n for n, p in model.named_parameters() if p.requires_grad}
        assert adapted, "no layer is adapted"
        assert all(".1." in n for n in adapted), "another layer is adapted"
        differs(case.logits(model), case.logits(case.base()))


def _stack(case: Case) -> str:
    target = case.family.targets[0]
    key = next(n for n, _ in case.base().named_modules() if n.endswith(f".{target}"))
    parts = key.split(".")
    return parts[parts.index("0") - 1]


def strings_name_no_layers(case: Case) -> None:
    for targets in ("all-linear", rf".*\.{case.family.targets[0]}"):
        try:
            case.config(target_modules=targets, layers_to_transform=[0])
        except (ValueError, InputError):
            continue
        raise AssertionError(f"accepted layers_to_transform with {targets}")
    try:
        case.config(layers_pattern="layers")
    except (ValueError, InputError):
        return
    raise AssertionError("accepted layers_pattern alone")


def all_linear(case: Case) -> None:
    try:
        model = case.model(target_modules="all-linear")
    except InputError as error:
        if "all experts" not in str(error):
            raise
        return
    head = model.get_base_model().get_output_embeddings()
    assert type(head) is nn.Linear, "the output embedding is adapted"
    differs(case.logits(model), case.logits(case.base()))


def excluded(case: Case) -> None:
    model = case.model(exclude_modules=[case.family.targets[-1]])
    adapted = {n for n, p in model.named_parameters() if p.requires_grad}
    assert adapted, "nothing is adapted"
    assert not any(f".{case.family.targets[-1]}." in n for n in adapted)


def further_modules_are_saved(case: Case) -> None:
    base = case.base()
    head = base.get_output_embeddings()
    name = next(n for n, m in base.named_modules() if m is head)
    model = case.model(modules_to_save=[name])
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = PeftModel.from_pretrained(case.base(), folder).eval()
    same(case.logits(loaded), case.logits(model))
    differs(case.logits(model), case.logits(case.model()))


def half_precision(case: Case) -> None:
    model = get_peft_model(case.base().to(torch.bfloat16), case.config()).train()
    out = drawn(model)(input_ids=case.ids, labels=case.ids)
    out.loss.backward()
    assert out.logits.dtype == torch.bfloat16
    grads = [p.grad for p in model.parameters() if p.requires_grad]
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in grads)


def generation(case: Case) -> None:
    model = case.model()
    made = model.generate(
        input_ids=case.ids, attention_mask=torch.ones_like(case.ids), max_new_tokens=6,
        min_new_tokens=6, do_sample=False, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    with torch.no_grad():
        whole = model(input_ids=made.sequences, use_cache=False).logits[:, 8:-1]
    same(torch.stack(made.logits, 1), whole, 2e-3)


def rows_do_not_meet(case: Case) -> None:
    model = case.model()
    whole = case.logits(model)
    with torch.no_grad():
        same(model(input_ids=case.ids[1:]).logits, whole[1:], 1e-4)


def copies_are_their_own(case: Case) -> None:
    model = case.model()
    before = case.logits(model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        same(case.logits(twin), before)
        differs(case.logits(drawn(twin, 5)), before)
    same(case.logits(model), before)


def merging(case: Case) -> None:
    model = case.model()
    before = case.logits(model)
    if case.kind == "lora":
        same(case.logits(model.merge_and_unload(safe_merge=True)), before, 1e-3)
        return
    for merge in (model.merge_and_unload, model.merge_adapter):
        try:
            merge()
        except InputError:
            continue
        raise AssertionError("merged")
    same(case.logits(model), before)


def every_layer_or_none(case: Case) -> None:
    model = case.model()
    kind: Any = LoraLayer if case.kind == "lora" else LoraMoeLinear
    for target in case.family.targets:
        there = [m for n, m in model.named_modules() if n.endswith(f".{target}")]
        assert there, f"{target} is nowhere"
        assert all(isinstance(m, kind) for m in there), f"{target} is adapted in part"


Check = Callable[[Case], None]
CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        fresh_adapter_changes_nothing, disabling_gives_the_base, unloading_gives_the_base,
        saved_and_loaded, states_go_round, injected_by_state, only_the_adapter_moves,
        checkpointing_changes_no_gradient, dropout_is_a_module, two_adapters, one_layer_only,
        strings_name_no_layers, all_linear, excluded, further_modules_are_saved, half_precision,
        generation, rows_do_not_meet, copies_are_their_own, merging, every_layer_or_none,
    )
}  # fmt: skip


def failure(family: str, kind: str, check: str) -> str | None:
    """What went wrong; None where the check passes."""
    try:
        CHECKS[check](Case(family, kind))
    except Exception as error:  # whatever fails is the finding
        return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--check", nargs="+", choices=list(CHECKS), default=list(CHECKS))
    options = parser.parse_args()
    quiet()
    passed: Counter[str] = Counter()
    worse = 0
    for family in options.family:
        for check in options.check:
            control = failure(family, "lora", check)
            passed["lora"] += control is None
            if control:
                print(f"{family}, {check}, lora: {control}")
            for kind in VARIANTS:
                said = failure(family, kind, check)
                passed[kind] += said is None
                worse += said is not None and control is None
                if said:
                    print(f"{family}, {check}, {kind}: {said}")
    cases = len(options.family) * len(options.check)
    print(table(["adapter", "cases", "passed"], [[k, str(cases), str(passed[k])] for k in KINDS]))
    return int(worse > 0)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    sys.exit(main())
