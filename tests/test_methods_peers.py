"""peft's generic cases, on eight families and every kind of adapter (benchmarks/peers.py)."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from architectures import CONFIGS, build
from peers import CHECKS, EIGHT, KINDS, Case

from lawcheck.errors import InputError
from lawcheck.methods import lora
from lawcheck.methods.base import AdapterSettings

# What fails on either side is no property of LoRA-MoE.
torch.set_num_threads(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", EIGHT)
def test_what_peft_asks_of_a_tuner(family, kind):
    failed = []
    for name, check in CHECKS.items():
        try:
            check(Case(family, kind))
        except Exception as error:
            failed.append(f"{name}: {type(error).__name__}: {error}")
    assert failed == []


def moe(name, targets, **fields):
    from peft import get_peft_model

    from lawcheck import LoraMoeConfig

    config = LoraMoeConfig(task_type="CAUSAL_LM", target_modules=targets, **fields)
    return get_peft_model(build(CONFIGS[name](), "eager"), config)


@pytest.mark.parametrize("name", ["qwen3_moe", "mixtral", "gpt_oss", "qwen2_moe"])
@pytest.mark.parametrize(
    "targets", [None, "all-linear", ["q_proj", "gate_proj"], ["q_proj", "down_proj"], ".*down_proj"]
)
def test_experts_in_one_tensor_are_refused_before_anything_is_adapted(name, targets):
    with pytest.raises(InputError, match="holds all experts of its layer in one tensor"):
        moe(name, targets)


@pytest.mark.parametrize("targets", [None, ["w1"]])
def test_experts_end_to_end_in_one_matrix_are_refused_too(targets):
    from peft import get_peft_model
    from transformers import DbrxConfig, DbrxForCausalLM

    from lawcheck import LoraMoeConfig

    config = DbrxConfig(
        d_model=16, n_heads=2, n_layers=1, vocab_size=32,
        ffn_config={"ffn_hidden_size": 8, "moe_num_experts": 2, "hidden_size": 16},
        attn_config={"kv_n_heads": 2, "rope_theta": 1e4},
    )  # fmt: skip
    adapter = LoraMoeConfig(task_type="CAUSAL_LM", target_modules=targets, gate_module="norm_1")
    with pytest.raises(InputError, match=r"mlp\.w1' holds all experts of its layer"):
        get_peft_model(DbrxForCausalLM(config), adapter)


@pytest.mark.parametrize("layers", [-1, [0, 99], ["0"]])
def test_a_layer_that_is_not_there_is_refused(layers):
    with pytest.raises(InputError, match="LlamaForCausalLM has layers 0 to 1"):
        moe("llama", ["q_proj"], layers_to_transform=layers)


def test_lora_through_lawcheck_is_refused_there_too():
    for name, said in (("qwen3_moe", "all experts"), ("gpt2", "'down_proj' is in no layer")):
        with pytest.raises(InputError, match=said):
            lora.build(build(CONFIGS[name](), "eager"), {}, AdapterSettings(rank=2, alpha=4), 0)


def test_a_target_of_some_layers_needs_their_numbers():
    with pytest.raises(InputError, match=r"'q_proj' is in 2 of 4 layers .*\(1, 3\)"):
        moe("jamba", ["q_proj"])
    adapted = [n for n, _ in moe("jamba", ["q_proj"], layers_to_transform=[1, 3]).named_modules()]
    assert sum(n.endswith("q_proj.lora_moe_A") for n in adapted) == 2


def test_advice_names_the_modules_that_could_hold_the_gate():
    with pytest.raises(InputError, match="here self_attn_layer_norm, final_layer_norm"):
        moe("opt", ["q_proj"])


def test_a_state_without_its_gate_is_refused():
    from peft import get_peft_model_state_dict, inject_adapter_in_model

    case = Case("llama", "plain")
    state = get_peft_model_state_dict(inject_adapter_in_model(case.config(), case.base()))
    lacking = {k: v for k, v in state.items() if "gate" not in k}
    with pytest.raises(InputError, match="state_dict: no gate"):
        inject_adapter_in_model(case.config(), case.base(), state_dict=lacking)
