"""What every method, also one found outside the package, must hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from modeling import randomise, tiny, tokens

from lawcheck import methods
from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.methods.base import (
    QWEN2_5_7B,
    AdapterSettings,
    ModelShapes,
    trainable_share,
)
from lawcheck.methods.lora_moe import VARIANTS

SETTINGS = AdapterSettings(rank=2, alpha=4)
NAMES = sorted(discovery.methods())
MOE = [("lora_moe", {"variant": v}) for v in VARIANTS]
# The others are made of trained models, which are not here, or have none.
BUILT = [n for n in NAMES if discovery.method(n).trains_rows]
CASES = [(n, {}) for n in BUILT if n != "lora_moe"] + MOE


@pytest.fixture(scope="module")
def experts(tmp_path_factory):
    """Five LoRA folders: never trained, and trained."""
    folder = tmp_path_factory.mktemp("experts")
    module = discovery.method_module("lora")
    made = {}
    for kind in ("fresh", "trained"):
        made[kind] = {}
        for k in range(5):
            model = module.build(tiny(), {}, SETTINGS, seed=k)
            if kind == "trained":
                randomise(model, seed=k)
            made[kind][f"discipline_{k}"] = folder / kind / str(k)
            module.save(model, folder / kind / str(k))
    return made


def build(name, design, experts, seed=0, model=None, settings=SETTINGS):
    module = discovery.method_module(name)
    needed = experts["trained"] if module.METHOD.takes == "adapters" else {}
    return module.build(model or tiny(), design, settings, seed, needed)


def test_declarations_need_the_standard_library_only():
    code = (
        "import sys; from lawcheck.declare import discovery; discovery.methods();"
        "[discovery.method_module(n).trainable_parameters(s, {}, a) for n in discovery.methods()"
        " for s in [__import__('lawcheck.methods.base').methods.base.QWEN2_5_7B]"
        " for a in [__import__('lawcheck.methods.base').methods.base.AdapterSettings("
        "rank=4, alpha=8)]];"
        "print(sorted({'torch', 'peft', 'transformers', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_methods_of_the_study_are_found():
    assert {"base", "full", "lora", "lora_moe", "lora_comp"} <= set(NAMES)


def test_the_type_checker_compares_every_own_method_with_the_protocol():
    own = {discovery.method_module(n).__name__ for n in NAMES}
    own = {n.rpartition(".")[2] for n in own if n.startswith("lawcheck.methods.")}
    text = Path(methods.__file__).read_text(encoding="utf-8")
    (listed,) = re.findall(r"_METHODS: list\[MethodModule\] = \[(.*?)\]", text, re.S)
    assert own == set(re.findall(r"\w+", listed))


WHOLE = """
from lawcheck.methods.base import Method
METHOD = Method(name="odd", title="Odd", version=1, trains="nothing", group="full")
def build(model, design, settings, seed, experts=None): ...
def save(model, folder): ...
def load(base, path): ...
def trainable_parameters(*given): ...
added_parameters = trainable_parameters
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def load(", "def loda(", "module has no function load(base_model, folder); add it"),
        ("load(base, path)", "load(path)", "found load(path), expected load(base_model, folder);"),
        ("load(base, path)", "load(base, path, *, dtype)", "expected load(base_model, folder);"),
        ("WHOLE", "WHOLE", None),
        ("added_", "def adapter_bytes(shapes): ...\nadded_", "expected adapter_bytes(shapes, des"),
    ],
)
def test_a_missing_function_is_reported_when_a_module_is_found(
    old, new, said, tmp_path, monkeypatch
):
    (tmp_path / "odd.py").write_text(WHOLE.replace(old, new))
    monkeypatch.setenv("LAWCHECK_METHODS", str(tmp_path))
    discovery.forget()
    try:
        if said is None:
            assert discovery.method_module("odd").METHOD.title == "Odd"
            return
        line = r"odd.py line \d+: method 'odd': .*\(docs/adding.md\)$"
        with pytest.raises(InputError, match=line) as caught:
            discovery.method("odd")
        assert said in str(caught.value)
        assert "lora" in discovery.methods()
    finally:
        monkeypatch.undo()
        discovery.forget()


@pytest.mark.parametrize("name", NAMES)
def test_design_is_checked(name):
    method = discovery.method(name)
    assert method.validate({}) == dict(method.design)
    with pytest.raises(InputError, match="unknown design key 'expert'"):
        method.validate({"expert": 5})
    for key, default in method.design.items():
        wrong = "nonesuch" if isinstance(default, str) else 0
        with pytest.raises(InputError, match=key):
            method.validate({key: wrong})


@pytest.mark.parametrize(("name", "design"), CASES)
def test_an_untrained_model_is_the_base_bit_for_bit(name, design, experts):
    base = tiny()(tokens()).logits
    fresh = {"trained": experts["fresh"]}
    assert torch.equal(build(name, design, fresh)(tokens()).logits, base)


@pytest.mark.parametrize(("name", "design"), CASES)
def test_initial_weights_depend_on_the_seed_alone(name, design, experts):
    def trainable(seed, noise):
        torch.manual_seed(noise)
        model = build(name, design, experts, seed)
        assert torch.initial_seed() == noise
        drawn = torch.rand(1)
        torch.manual_seed(noise)
        assert torch.equal(drawn, torch.rand(1))
        return {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    first, again, other = trainable(0, 1), trainable(0, 2), trainable(1, 1)
    assert all(torch.equal(first[n], again[n]) for n in first)
    if discovery.method(name).group == "peft":
        assert any(not torch.equal(first[n], other[n]) for n in first)


@pytest.mark.parametrize(("name", "design"), CASES)
def test_what_should_move_moves_and_nothing_else(name, design, experts):
    model = randomise(build(name, design, experts), size=0.1).train()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    moving = {n for n, p in model.named_parameters() if p.requires_grad}
    if not moving:
        assert name == "base"
        return
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e3)
    model(input_ids=tokens(), labels=tokens()).loss.backward()
    optimizer.step()
    after = model.state_dict()
    still = {n for n in before if torch.equal(before[n], after[n])}
    tied = {"lm_head.weight"} if name == "full" else set()
    assert still == before.keys() - moving - tied
    if name.startswith("lora_moe"):
        for key in (n for n in moving if "lora_moe_" in n):
            change = after[key] - before[key]
            lines = change.abs().sum(0 if "_B" in key else 1)
            assert (lines > 0).all(), f"{key}: a row of some expert never moves"
    if name == "lora_comp":
        assert all("lora_moe_gate" in n for n in moving)


@pytest.mark.parametrize(("name", "design"), CASES)
def test_saved_and_loaded_gives_the_same_logits(name, design, experts, tmp_path):
    module = discovery.method_module(name)
    model = build(name, design, experts)
    if name != "base":
        randomise(model)
    model.eval()
    module.save(model, tmp_path / "run")
    files = sorted(p.name for p in (tmp_path / "run").iterdir())
    if discovery.method(name).group == "peft":
        assert files == ["adapter_config.json", "adapter_model.safetensors"]
    assert not [f for f in files if f.endswith((".bin", ".pt"))]
    loaded = module.load(tiny(), tmp_path / "run")
    assert not loaded.training
    assert torch.equal(loaded(tokens()).logits, model(tokens()).logits)


@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize(("name", "design"), CASES)
def test_parameters_are_counted_without_building(name, design, family, experts):
    if discovery.method(name).takes == "adapters" and family == "qwen2":
        pytest.skip("the experts were trained on the llama model")
    module, base = discovery.method_module(name), tiny(family)
    shapes = ModelShapes.from_config(base.config.to_dict())
    assert shapes.total_parameters == base.num_parameters()
    model = build(name, design, experts, model=base)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    assert module.trainable_parameters(shapes, design, SETTINGS) == trainable
    assert module.added_parameters(shapes, design, SETTINGS) == total - shapes.total_parameters
    if "rank_multiple" in module.METHOD.design and module.METHOD.takes != "adapters":
        double = {**design, "rank_multiple": 2}
        model = build(name, double, experts)
        llama = ModelShapes.from_config(tiny().config.to_dict())
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert module.trainable_parameters(llama, double, SETTINGS) == trainable


@pytest.fixture(scope="module")
def qwen():
    from transformers import AutoModelForCausalLM, Qwen2Config

    config = Qwen2Config(
        hidden_size=3584,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        intermediate_size=18944,
        vocab_size=152_064,
        tie_word_embeddings=False,
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("targets", ["all_linear", "published"])
def test_counts_on_the_shapes_of_qwen2_5_7b(targets, qwen):
    settings = AdapterSettings(rank=16, alpha=32, targets=targets)
    assert QWEN2_5_7B.total_parameters == qwen.num_parameters() == 7_615_616_512
    assert ModelShapes.from_config(qwen.config.to_dict()) == QWEN2_5_7B
    for name, design in [("lora", {}), ("lora", {"rank_multiple": 5}), *MOE, ("lora_comp", {})]:
        module = discovery.method_module(name)
        with torch.device("meta"):
            if name == "lora_comp":
                # Built through the tuner: the experts' files would hold 0.5 GB.
                model = discovery.method_module("lora_moe").build(qwen, {}, settings, seed=0)
                for n, p in model.named_parameters():
                    p.requires_grad_("lora_moe_gate" in n)
            else:
                model = module.build(qwen, design, settings, seed=0)
        trainable, total = model.get_nb_trainable_parameters()
        model.unload().requires_grad_(True)
        assert module.trainable_parameters(QWEN2_5_7B, design, settings) == trainable
        added = module.added_parameters(QWEN2_5_7B, design, settings)
        assert QWEN2_5_7B.total_parameters + added == total
    assert qwen.num_parameters() == 7_615_616_512


def shares(targets):
    settings = AdapterSettings(rank=16, alpha=32, targets=targets)

    def share(name, **design):
        module = discovery.method_module(name)
        return round(trainable_share(module, QWEN2_5_7B, design, settings), 3)

    return share("lora"), share("lora_moe"), share("lora_moe", variant="shared_a")


def test_one_preset_reproduces_the_published_shares():
    published = (0.264, 1.315, 0.902)
    assert shares("published") == published
    assert not set(shares("all_linear")) & set(published)


def test_composition_is_the_mean_of_its_experts_when_the_gate_is_uniform(experts):
    """The adapted projection alone: base + mean over the experts of B_k A_k x / r x alpha."""
    from peft import PeftModel

    model = build("lora_comp", {}, experts).eval()
    for name, parameter in model.named_parameters():
        if "lora_moe_gate" in name:
            torch.nn.init.zeros_(parameter)
    base = tiny()
    x, key = torch.randn(2, 3, 32), "model.layers.0.self_attn.q_proj"
    deltas = []
    for folder in experts["trained"].values():
        single = PeftModel.from_pretrained(tiny(), folder)
        deltas.append(single.get_base_model().get_submodule(key)(x) - base.get_submodule(key)(x))
    layer = model.get_base_model().model.layers[0]
    layer.input_layernorm(x)
    expected = base.get_submodule(key)(x) + torch.stack(deltas).mean(0)
    assert torch.allclose(layer.self_attn.q_proj(x), expected, atol=1e-5)
    assert model.peft_config["default"].expert_names == list(experts["trained"])


def test_bad_adapter_folders_are_named(experts, tmp_path):
    comp, lora = discovery.method_module("lora_comp"), discovery.method_module("lora")
    moe = discovery.method_module("lora_moe")
    four = dict(list(experts["fresh"].items())[:4])
    with pytest.raises(InputError, match="found 4 expert folders, expected 5"):
        comp.build(tiny(), {}, SETTINGS, 0, four)
    with pytest.raises(InputError, match=r"adapter_config\.json"):
        comp.build(tiny(), {}, SETTINGS, 0, {**four, "absent": tmp_path})
    wide = AdapterSettings(rank=4, alpha=8)
    with pytest.raises(InputError, match=r"discipline_0.* r is 2, expected 4"):
        comp.build(tiny(), {}, wide, 0, experts["fresh"])
    with pytest.raises(InputError, match="holds 'LORA', expected 'LORA_MOE'"):
        moe.load(tiny(), four["discipline_0"])

    from safetensors.torch import load_file, save_file

    moe.save(moe.build(tiny(), {}, SETTINGS, 0), tmp_path / "gateless")
    weights = tmp_path / "gateless" / "adapter_model.safetensors"
    kept = {k: v for k, v in load_file(weights).items() if "gate" not in k}
    save_file(kept, weights)
    with pytest.raises(InputError, match=r"lora_moe_gate.weight' has shape None"):
        moe.load(tiny(), tmp_path / "gateless")
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(InputError, match="is damaged"):
        moe.load(tiny(), tmp_path / "gateless")
    with pytest.raises(InputError, match=r"expected config\.json"):
        discovery.method_module("full").load(tiny(), tmp_path)
    odd = AdapterSettings(rank=2, alpha=4, targets=("q_prj",))
    with pytest.raises(InputError, match="nearest: q_proj"):
        lora.trainable_parameters(QWEN2_5_7B, {}, odd)
