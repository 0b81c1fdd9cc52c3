"""How a dropout mask is kept for the backward pass, and where outputs are written, moves no bit."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modeling import randomise, tiny, tokens

from lawcheck.errors import InputError
from lawcheck.methods.lora_moe import LoraMoeConfig, dropout

TARGETS = ["q_proj", "k_proj", "o_proj", "gate_proj", "down_proj"]


def model(form: str, **kwargs):
    from peft import get_peft_model

    config = LoraMoeConfig(
        r=2, lora_dropout=0.3, num_experts=3, target_modules=TARGETS, dropout_memory=form
    )
    return randomise(get_peft_model(tiny(**kwargs), config)).train()


def step(net) -> tuple[torch.Tensor, ...]:
    """Logits, every gradient, and where the random stream stands behind the step."""
    torch.manual_seed(2)
    out = net(input_ids=tokens(), labels=tokens(), use_cache=False)
    out.loss.backward()
    moving = [p.grad for p in net.parameters() if p.requires_grad]
    assert all(g.abs().sum() > 0 for g in moving)
    return out.logits, *moving, torch.rand(3)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.integers(0, 2**31),
    st.floats(0.05, 0.95),
)
def test_bits_hold_a_mask_of_any_shape(shape, seed, p):
    torch.manual_seed(seed)
    mask = torch.rand(shape) < p
    packed = dropout.pack(mask)
    assert packed.numel() == -(-mask.numel() // 8)
    assert torch.equal(dropout.unpack(packed, mask.shape), mask)


@pytest.mark.parametrize("reentrant", [None, False, True])
@pytest.mark.parametrize("half", [False, True])
def test_the_forms_give_the_same_step(half, reentrant):
    """Also where checkpointing computes the forward again, and under autocast."""
    steps = {}
    for form in dropout.FORMS:
        net = model(form)
        net.enable_input_require_grads()
        if reentrant is not None:
            net.gradient_checkpointing_enable({"use_reentrant": reentrant})
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            steps[form] = step(net)
    for form in ("bits", "replay"):
        assert all(map(torch.equal, steps[form], steps["mask"])), form


@pytest.mark.parametrize("form", dropout.FORMS)
def test_two_adapters_keep_masks_of_their_own(form):
    net = model("mask")
    config = LoraMoeConfig(
        r=2, lora_dropout=0.6, num_experts=2, target_modules=TARGETS, dropout_memory="mask"
    )
    net.add_adapter("other", config)
    net.base_model.set_adapter(["default", "other"])
    randomise(net)
    expected = step(net)
    net.zero_grad()
    for module in net.modules():
        if hasattr(module, "memory"):
            module.memory = form
    assert all(map(torch.equal, step(net), expected))


@pytest.mark.parametrize("form", dropout.FORMS)
def test_a_compiled_step_has_the_gradients_of_its_own_mask(form):
    """Compiled code may draw another mask: gradients are held to the one the output tells of."""
    from torch import nn

    from lawcheck.methods.lora_moe import LoraMoeLinear
    from lawcheck.methods.lora_moe.layer import GateState

    torch.manual_seed(0)
    config = LoraMoeConfig(r=8, lora_dropout=0.5, num_experts=1, dropout_memory=form)
    base = nn.Linear(8, 8, bias=False).requires_grad_(False)
    nn.init.zeros_(base.weight)
    state = GateState()
    layer = LoraMoeLinear(base, "default", state, config).train()
    with torch.no_grad():
        # y = dropout(x), so that the output shows the mask.
        layer.lora_moe_A["default"].weight.copy_(torch.eye(8))
        layer.lora_moe_B["default"].weight.copy_(torch.eye(8))
    state.weights = torch.ones(2, 3, 8)
    x = torch.rand(2, 3, 8) + 1
    x.requires_grad_()
    out = torch.compile(layer, backend="aot_eager")(x)
    out.sum().backward()
    shown = (out != 0).float() * 2
    assert 0 < shown.sum() < 2 * shown.numel()
    assert torch.allclose(out, x * shown)
    assert torch.allclose(x.grad, shown)
    assert torch.allclose(
        layer.lora_moe_A["default"].weight.grad, (x * shown).sum((0, 1)).expand(8, 8)
    )


def test_an_unknown_form_is_refused():
    with pytest.raises(InputError, match="dropout_memory 'bytes' is unknown"):
        LoraMoeConfig(dropout_memory="bytes")


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_writing_over_the_base_output_moves_no_bit(family, monkeypatch):
    """qwen2 has biases on q and k, and with them other kernels."""
    from lawcheck.methods.lora_moe import LoraMoeLinear

    written = step(model("bits", family=family))
    decide = LoraMoeLinear._may_write_over
    chosen = []
    monkeypatch.setattr(
        LoraMoeLinear, "_may_write_over", lambda s, r: chosen.append(decide(s, r)) or False
    )
    copied = step(model("bits", family=family))
    assert any(chosen)
    assert all(map(torch.equal, written, copied))


def test_a_hook_keeps_the_base_output_as_it_was():
    net = model("bits").eval()
    base = net.get_base_model().model.layers[0].mlp.down_proj.base_layer
    seen = []
    base.register_forward_hook(lambda _, args, out: seen.append((args[0], out)))
    with torch.no_grad():
        net(tokens())
    ((x, out),) = seen
    assert torch.equal(out, torch.nn.functional.linear(x, base.weight, base.bias))
