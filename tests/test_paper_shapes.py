"""Every method on the shapes of Qwen2.5-7B, without weights: counts, shards, sizes of adapters."""

import math

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config

from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.methods.base import ModelShapes
from lawcheck.methods.lora_moe import VARIANTS
from lawcheck.planning.cost import adapter_settings

CASES = [
    ("full", {}),
    ("lora", {}),
    ("lora", {"rank_multiple": 5}),
    *(("lora_moe", {"variant": v}) for v in VARIANTS),
    ("lora_comp", {}),
]
PAPER = load_scale("paper")
SETTINGS = adapter_settings(PAPER)


@pytest.fixture
def qwen():
    config = Qwen2Config(**PAPER.bases["default"].architecture)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)


def build(model, name, design):
    module = discovery.method_module(name)
    with torch.device("meta"):
        if name != "lora_comp":
            return module.build(model, design, SETTINGS, seed=0)
        # Built through the tuner: the experts' files would hold 0.5 GB.
        built = discovery.method_module("lora_moe").build(model, {}, SETTINGS, seed=0)
        for parameter_name, parameter in built.named_parameters():
            parameter.requires_grad_("lora_moe_gate" in parameter_name)
        return built


def held(parameters, processes):
    """Elements that each process holds of tensors sharded one by one, as ZeRO-3 does."""
    return sum(math.ceil(p.numel() / processes) for p in parameters)


@pytest.mark.parametrize(("name", "design"), CASES)
def test_counts_shards_and_sizes_at_7b(name, design, qwen):
    shapes = ModelShapes.from_config(PAPER.bases["default"].architecture)
    module, model = discovery.method_module(name), build(qwen, name, design)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    moving = [p for p in model.parameters() if p.requires_grad]
    trained = module.trainable_parameters(shapes, design, SETTINGS)
    added = module.added_parameters(shapes, design, SETTINGS)
    everything = shapes.total_parameters + added
    assert sum(p.numel() for p in moving) == trained
    assert sum(p.numel() for p in model.parameters()) == everything

    hardware = PAPER.hardware
    stage = hardware.stage(module.METHOD.group)
    assert stage == (3 if name == "full" else 2)
    for processes in (1, 8, hardware.processes):
        # Sharding tensor by tensor pads each to a multiple of the processes, and no more.
        sharded = held(model.parameters(), processes)
        assert 0 <= sharded * processes - everything < processes * len(list(model.parameters()))
        # Weights in bfloat16; gradients, master copy and two moments of what moves in float32.
        whole = everything if stage == 2 else sharded
        states = trained if stage == 2 else held(moving, processes) * processes
        gigabytes = (2 * whole + 16 * states / processes) / 1e9
        if processes > 1:
            assert gigabytes < 40, f"{name}: {gigabytes:.0f} GB of weights and states a process"
    if name != "full":
        from peft import get_peft_model_state_dict

        # What an adapter's file holds: gates and experts, frozen ones too, and nothing of the base.
        saved = get_peft_model_state_dict(model)
        assert sum(t.numel() for t in saved.values()) == added
