"""The fused LoRA-MoE layers compute what the definition says, and nothing larger."""

from __future__ import annotations

import copy
import enum
import pickle

import pytest
import torch
from modeling import naive, randomise, tiny, tokens
from torch.func import functional_call

from lawcheck.errors import InputError
from lawcheck.methods import lora_moe, routing
from lawcheck.methods.base import AdapterSettings
from lawcheck.methods.lora_moe import VARIANTS, LoraMoeConfig, LoraMoeGate, LoraMoeLinear
from lawcheck.methods.lora_moe.peft_type import add_member

SETTINGS = AdapterSettings(rank=3, alpha=6)
DROPOUT = AdapterSettings(rank=3, alpha=6, dropout=0.3)


def trained(variant: str, settings: AdapterSettings = SETTINGS, **kwargs):
    design = {"variant": variant, "experts": 4}
    return randomise(lora_moe.build(tiny(**kwargs), design, settings, seed=0))


def gradients(model) -> dict[str, torch.Tensor]:
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_equals_a_loop_over_the_experts(variant, family):
    """Forward and every gradient, the base's included, with the same dropout masks."""
    fused = trained(variant, DROPOUT, family=family, dtype=torch.float64)
    fused.requires_grad_(True).train()
    looped = naive(fused)
    outputs = []
    for model in (fused, looped):
        torch.manual_seed(11)
        out = model(input_ids=tokens(), labels=tokens())
        out.loss.backward()
        outputs.append(out.logits)
    assert torch.allclose(*outputs, rtol=0, atol=1e-10)
    assert not torch.allclose(outputs[0], fused.eval()(tokens()).logits)

    mine = [(n, p.grad) for n, p in fused.named_parameters()]
    theirs = sorted((p.grad for p in looped.parameters()), key=lambda g: g.norm().item())
    assert len(mine) == len(theirs)
    # The loop renames parameters; distinct norms make the pairing unique.
    for (name, grad), other in zip(
        sorted(mine, key=lambda pair: pair[1].norm().item()), theirs, strict=True
    ):
        assert grad.shape == other.shape, name
        assert torch.allclose(grad, other, rtol=0, atol=1e-10), name


@pytest.mark.parametrize("memory", ["bits", "replay"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_gradcheck_with_dropout(variant, memory):
    config = LoraMoeConfig(
        r=2, lora_alpha=4, lora_dropout=0.4, num_experts=3, variant=variant, dropout_memory=memory
    )
    base = torch.nn.Linear(5, 4).double()
    state = lora_moe.layer.GateState()
    norm = torch.nn.LayerNorm(6).double()
    gate = LoraMoeGate(norm, "default", state, config)
    linear = LoraMoeLinear(base, "default", state, config).train()
    names = {"lora_moe_A.default.weight", "lora_moe_B.default.weight"}
    own = {n: p for n, p in linear.named_parameters() if n in names}
    torch.manual_seed(0)
    leaves = [torch.randn(2, 3, 5), torch.randn(2, 3, 6), *map(torch.randn_like, own.values())]
    leaves.append(torch.randn_like(gate.lora_moe_gate["default"].weight))
    leaves = [leaf.double().requires_grad_() for leaf in leaves]

    def layer(x, hidden, down, up, router):
        torch.manual_seed(3)
        functional_call(gate, {"lora_moe_gate.default.weight": router}, (hidden,))
        return functional_call(linear, dict(zip(own, (down, up), strict=True)), (x,))

    assert torch.autograd.gradcheck(layer, leaves)


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("variant", ["plain", "rank_route"])
def test_gradient_checkpointing_changes_no_gradient(variant, reentrant):
    runs = []
    for checkpointing in (False, True):
        model = trained(variant, DROPOUT).train()
        model.enable_input_require_grads()
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(2)
        model(input_ids=tokens(), labels=tokens(), use_cache=False).loss.backward()
        runs.append(gradients(model))
    assert all(torch.equal(runs[1][name], grad) for name, grad in runs[0].items())
    assert all(grad.abs().sum() > 0 for grad in runs[0].values())


@pytest.mark.parametrize("variant", VARIANTS)
def test_cached_generation_equals_the_full_forward(variant):
    model = trained(variant, dtype=torch.float64)
    prompt = tokens(2, 5)
    made = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=8,
        min_new_tokens=8,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    full = model(made.sequences, use_cache=False).logits
    stepwise = torch.stack(made.logits, dim=1)
    assert torch.allclose(full[:, 4:-1], stepwise.to(full.dtype), rtol=0, atol=1e-6)
    assert torch.equal(full[:, 4:-1].argmax(-1)[:, 1:], made.sequences[:, 6:])


class Saved:
    """What is kept for backward, each storage once, parameters excluded."""

    def __init__(self, model, *inputs) -> None:
        own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self.tensors: dict[int, torch.Tensor] = {}

        def keep(tensor):
            address = tensor.untyped_storage().data_ptr()
            if address not in own:
                self.tensors[address] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            self.output = model(*inputs)

    @property
    def widths(self) -> list[int]:
        return sorted(t.shape[-1] for t in self.tensors.values())

    @property
    def elements(self) -> int:
        return sum(t.numel() for t in self.tensors.values())


@pytest.mark.parametrize("settings", [SETTINGS, DROPOUT])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_projection_keeps_its_input_h_and_the_gate(variant, settings):
    """And with dropout a bit an element; not the dropped input, nor z, nor an expert's output."""
    layer = trained(variant, settings).get_base_model().model.layers[0].train()
    x = torch.randn(2, 5, 32, requires_grad=True)
    layer.input_layernorm(x)
    kept = Saved(layer.mlp.gate_proj, x)
    experts = 5 if variant == "shared_expert" else 4
    h = 3 if variant == "shared_a" else 3 * experts
    mask = [2 * 5 * 32 // 8] if settings.dropout else []
    assert kept.widths == sorted([32, h, 3 * experts, *mask])
    masks = [t for t in kept.tensors.values() if t.dtype == torch.uint8]
    assert len(masks) == len(mask)


@pytest.mark.parametrize("variant", VARIANTS)
def test_saves_nothing_of_size_tokens_by_experts_by_outputs(variant):
    settings, count, experts = AdapterSettings(rank=2, alpha=4), 64, 16
    fused = lora_moe.build(tiny(), {"variant": variant, "experts": experts}, settings, seed=0)
    kept, looped = Saved(fused, tokens(4, 16)), Saved(naive(fused), tokens(4, 16))
    assert max(t.numel() for t in kept.tensors.values()) < count * experts * 16
    if variant != "rank_route":
        # The loop keeps every expert's output: E x d_out = 16 x 240 numbers a token and layer.
        assert looped.elements - kept.elements > 2 * count * experts * 200


@pytest.mark.parametrize("variant", VARIANTS)
def test_half_precision_keeps_the_softmax_in_float32(variant):
    """bfloat16 base, float32 adapter; and float32 weights under autocast."""
    half = trained(variant, DROPOUT, dtype=torch.bfloat16).train()
    assert {p.dtype for p in half.parameters() if p.requires_grad} == {torch.float32}
    auto = trained(variant, DROPOUT).train()
    for model, enabled in ((half, False), (auto, True)):
        with (
            torch.autocast("cpu", torch.bfloat16, enabled=enabled),
            lora_moe.routing_probabilities(model) as seen,
        ):
            out = model(input_ids=tokens(), labels=tokens())
        out.loss.backward()
        assert out.logits.dtype == torch.bfloat16
        assert (seen[0].sum(-1) - 1).abs().max() < 1e-6
        assert all(g.dtype == torch.float32 for g in gradients(model).values())
        assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients(model).values())
    whole = trained(variant).eval()
    near = copy.deepcopy(whole).to(torch.bfloat16)
    assert (whole(tokens()).logits - near(tokens()).logits).abs().max() < 1.0


@pytest.mark.parametrize("variant", VARIANTS)
def test_routing_probabilities_are_those_of_the_last_layer(variant):
    model = trained(variant)
    layers = model.get_base_model().model.layers
    inputs = []
    handle = layers[-1].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    with lora_moe.routing_probabilities(model) as seen:
        model(tokens())
        model(tokens(2, 3))
    handle.remove()
    model(tokens())
    assert [tuple(t.shape) for t in seen] == [(3, 7, 4), (2, 3, 4)]
    weight = layers[-1].input_layernorm.lora_moe_gate["default"].weight
    logits = inputs[0] @ weight.T
    if variant == "rank_route":
        expected = logits.view(3, 7, 4, 3).softmax(-2).mean(-1)
    else:
        expected = logits.softmax(-1)
    assert torch.allclose(seen[0], expected, atol=1e-6)
    before = model(tokens()).logits
    assert torch.equal(routing.route(model, input_ids=tokens()), seen[0])
    assert torch.equal(model(tokens()).logits, before)
    with (
        pytest.raises(InputError, match="no gate"),
        lora_moe.routing_probabilities(tiny()),
    ):
        pass


def test_two_adapters_in_one_model():
    first, second = trained("plain"), trained("shared_a", seed=0)
    randomise(second, seed=9)
    base = tiny()(tokens()).logits
    wanted = {"default": first(tokens()).logits, "other": second(tokens()).logits}
    states = second.state_dict()

    first.add_adapter("other", copy.deepcopy(second.peft_config["default"]))
    assert torch.equal(first(tokens()).logits, wanted["default"])
    assert not any(p.requires_grad for n, p in first.named_parameters() if ".other." in n)
    with torch.no_grad():
        for name, parameter in first.named_parameters():
            if ".other." in name:
                parameter.copy_(states[name.replace(".other.", ".default.")])
    for name in ("other", "default", "other"):
        first.set_adapter(name)
        assert torch.equal(first(tokens()).logits, wanted[name])
        moving = {n for n, p in first.named_parameters() if p.requires_grad}
        assert moving
        assert all(f".{name}." in n for n in moving)
    with first.disable_adapter():
        assert torch.equal(first(tokens()).logits, base)
    first.delete_adapter("default")
    assert torch.equal(first(tokens()).logits, wanted["other"])
    assert not any(".default." in n for n in first.state_dict())
    assert torch.equal(first.unload()(tokens()).logits, base)


def test_what_it_cannot_do_it_refuses():
    from peft import LoraConfig

    model = trained("plain")
    before = model(tokens()).logits
    with pytest.raises(InputError, match="cannot be merged"):
        model.merge_and_unload()
    with pytest.raises(InputError, match="cannot be merged"):
        model.merge_adapter()
    assert torch.equal(model(tokens()).logits, before)
    with pytest.raises(ValueError, match="different peft types"):
        model.add_adapter("lora", LoraConfig(target_modules=["q_proj"]))
    with pytest.raises(InputError, match="adapter_names"):
        model(tokens(), adapter_names=["default"] * 3)
    with pytest.raises(InputError, match="nearest: shared_a"):
        LoraMoeConfig(variant="shared_b")
    for settings, message in (
        ({"gate_module": "ln_1"}, "no module 'ln_1'"),
        ({"target_modules": ["q_proj", "self_attn"]}, "expected a linear layer"),
    ):
        with pytest.raises(InputError, match=message):
            peft_model(LoraMoeConfig(**{"target_modules": ["q_proj"], **settings}))
    late = LoraMoeConfig(target_modules=["q_proj"], gate_module="post_attention_layernorm")
    with pytest.raises(InputError, match="no gate was computed"):
        peft_model(late)(tokens())


def peft_model(config):
    from peft import get_peft_model

    return get_peft_model(tiny(), config)


def test_configuration_fields_do_what_they_say():
    model = peft_model(LoraMoeConfig(gate_init="zeros", gate_bias=True, gate_input="output"))
    linears = [n for n, m in model.named_modules() if isinstance(m, LoraMoeLinear)]
    assert len(linears) == 14  # every linear layer but the output embedding
    with lora_moe.routing_probabilities(model) as seen:
        model(tokens())
    assert torch.allclose(seen[0], torch.full_like(seen[0], 0.2))
    assert sum("lora_moe_gate.default.bias" in n for n in model.state_dict()) == 2
    one = peft_model(LoraMoeConfig(target_modules=["v_proj"], layers_to_transform=[1]))
    assert [n.split(".")[4] for n, m in one.named_modules() if isinstance(m, LoraMoeGate)] == ["1"]


def test_copies_and_pickles_are_models_of_their_own():
    model = trained("plain")
    out = model(tokens()).logits  # leaves weights with a graph in the gates
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(tokens()).logits, out)
        randomise(twin, seed=4)
        assert not torch.equal(twin(tokens()).logits, out)
    assert torch.equal(model(tokens()).logits, out)


class Colour(enum.StrEnum):
    RED = "RED"


def test_a_closed_enum_gains_a_full_member():
    """On every supported Python: enum keeps its members in private tables that change."""
    for _ in range(2):
        add_member(Colour, "BLUE")
    blue = Colour.BLUE
    assert list(Colour) == [Colour.RED, blue]
    assert Colour("BLUE") is Colour["BLUE"] is blue
    assert blue == "BLUE"
    assert (blue.name, blue.value, isinstance(blue, Colour)) == ("BLUE", "BLUE", True)
    assert blue in Colour
    assert "BLUE" in {c.value for c in Colour}
    assert {blue: 1}["BLUE"] == 1
    assert pickle.loads(pickle.dumps(blue)) is copy.deepcopy(blue) is blue
    with pytest.raises(ValueError, match="GREEN"):
        Colour("GREEN")
