"""MoLA and MTL-LoRA against their formulas, written out."""

import pytest
import torch
from modeling import randomise, tiny, tokens
from safetensors.torch import load_file
from tiny_world import make_base, make_rows, make_run, make_scale

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.methods import mola
from lawcheck.methods.base import AdapterSettings
from lawcheck.training.run import train_run

SETTINGS = AdapterSettings(rank=2, alpha=4)
X = torch.randn(2, 3, 32, generator=torch.Generator().manual_seed(0))


def layer(name, **design):
    model = randomise(discovery.method_module(name).build(tiny(), design, SETTINGS, 0)).eval()
    return model, model.model.layers[1].self_attn.q_proj


def test_experts_rise_by_quarters_of_the_depth():
    assert [mola.experts_of(k, 3, 2) for k in range(3)] == [2, 4, 6]
    assert [mola.experts_of(k, 28, 2) for k in (0, 6, 7, 13, 14, 20, 21, 27)] == [
        *(2, 2, 4, 4, 6, 6, 8, 8)
    ]


@torch.no_grad()
def test_a_token_goes_to_its_two_likeliest_experts():
    _, module = layer("mola")
    assert module.experts == 6
    found = module(X)
    up = module.up.unflatten(1, (6, 2)).transpose(0, 1)
    load, likely = torch.zeros(6), torch.zeros(6)
    for place in [(i, j) for i in range(2) for j in range(3)]:
        x = X[place]
        p = torch.softmax(module.router @ x, 0)
        first, second = p.argsort(descending=True)[:2].tolist()
        update = sum(p[e] * (up[e] @ (module.down[e] @ x)) for e in (first, second))
        expected = module.base_layer(x) + 2 * update / (p[first] + p[second])
        assert torch.allclose(found[place], expected, atol=1e-5)
        load[[first, second]] += 1 / 12
        likely += p / 6
    assert float(module.balance) == pytest.approx(float(6 * (load * likely).sum()))


def test_the_balance_loss_moves_the_router_from_the_first_step(tmp_path, monkeypatch):
    base = make_base(tmp_path / "base")

    still = make_scale(method={"warmup_ratio": 0.0})

    def routers(weight):
        monkeypatch.setattr(mola, "BALANCE", weight)
        out = tmp_path / str(weight)
        train_run(make_run("mola"), still, make_rows(8), base, out)
        stored = load_file(out / "adapter" / "adapter_model.safetensors")
        return torch.cat([v.flatten() for k, v in stored.items() if "router" in k])

    # B is zero in the only step, so that the answers do not depend on the router.
    assert not torch.equal(routers(0.0), routers(0.01))
    with pytest.raises(InputError, match="top 3 of 2 experts in the lowest layers"):
        discovery.method_module("mola").build(tiny(), {"top": 3}, SETTINGS, 0)


def test_the_update_is_that_of_the_task():
    model, module = layer("mtl_lora", tasks=3)
    up = module.up.unflatten(1, (3, 2)).transpose(0, 1)
    updates = []
    for task in range(3):
        shares = torch.softmax(module.mix[task] / 0.1, 0)
        matrix = sum(s * b for s, b in zip(shares, up, strict=True))
        updates.append(2 * X @ (matrix @ module.between[task] @ module.down).T)
        model.tell_tasks(task)
        assert torch.allclose(module(X), module.base_layer(X) + updates[-1], atol=1e-5)
    model.tell_tasks(None)
    mean = module.base_layer(X) + sum(updates) / 3
    assert torch.allclose(module(X), mean, atol=1e-5)
    places = torch.tensor([[0, 1, 2], [2, 2, -1]])
    model.tell_tasks(places)
    for at in [(i, j) for i in range(2) for j in range(3)]:
        expected = module.base_layer(X[at]) + updates[max(0, int(places[at]))][at]
        assert torch.allclose(module(X)[at], expected, atol=1e-5)


def test_tasks_that_the_design_does_not_count_and_rows_without_tasks_are_refused(tmp_path):
    model, _ = layer("mtl_lora", tasks=3)
    model.tell_tasks(3)
    with pytest.raises(InputError, match="task 3, expected one of 3; raise the design's tasks"):
        model(tokens())
    with pytest.raises(InputError, match="its method learns tasks, and its rows name none"):
        train_run(
            make_run("mtl_lora"), make_scale(), make_rows(8), make_base(tmp_path), tmp_path / "out"
        )
