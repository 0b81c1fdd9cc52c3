"""A folder of adapters behind a selector: the verb and the class."""

import json

import pytest
import torch
from peft import PeftModel
from tiny_world import make_base

from lawcheck.cli.main import main
from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.evaluation.served import SelectedAdapters, found_adapters
from lawcheck.methods.base import AdapterSettings
from lawcheck.training.chain import load_model

NAMES = ("w30/w31", "w30/w32", "w33/w31")
SETTINGS = AdapterSettings(rank=2, alpha=4)


def write_rows(path, names, swapped=False):
    """The first word of an input says which adapter it needs."""
    rows = []
    for k in range(24):
        task = k % len(names)
        domain, own = names[(task + swapped) % len(names)].split("/")
        rows.append(
            {
                "domain": domain,
                "task": own,
                "input": f"w{task} w{10 + k % 5}",
                "response": f"w{20 + k % 3}",
            }
        )
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("select")
    base, module = make_base(folder / "base"), discovery.method_module("lora")
    for k, name in enumerate(NAMES):
        built = module.build(load_model(base, "main", dtype=torch.float32), {}, SETTINGS, k)
        torch.manual_seed(k)
        with torch.no_grad():
            for p in built.parameters():
                if p.requires_grad:
                    p.normal_(0, 0.2)
        module.save(built, folder / "adapters" / name)
    rows = write_rows(folder / "rows.jsonl", NAMES)
    command = ["select", "train", str(folder / "adapters"), "--base", str(base)]
    command += ["--selector", str(folder / "selector"), "--rows", str(rows), "--which"]
    command += ["{input} w39", "--rate", "0.03", "--epochs", "30", "--json"]
    assert main(command) == 0
    return folder


@pytest.fixture(scope="module")
def served(place):
    return SelectedAdapters(place / "base", place / "adapters", place / "selector")


def test_it_names_the_adapter_and_switches_to_it(place, served):
    assert served.choose([f"w{k} w12" for k in range(3)]) == list(NAMES)
    ids = torch.arange(3, 12)[None]
    base = load_model(place / "base", "main", dtype=torch.float32)
    with served.using(None) as model:
        assert torch.equal(model(ids).logits, base(ids).logits)
    for name in (*NAMES, NAMES[0]):
        alone = load_model(place / "base", "main", dtype=torch.float32)
        alone = PeftModel.from_pretrained(alone, place / "adapters" / name).eval()
        with served.using(name) as model:
            assert torch.equal(model(ids).logits, alone(ids).logits)
    with (
        pytest.raises(InputError, match="adapter 'w1/w1': not in the folder"),
        served.using("w1/w1"),
    ):
        pass


def test_a_wrong_choice_costs_the_difference_of_the_losses(place, served):
    right = served.check(place / "rows.jsonl")
    assert (right.rows, right.accuracy, right.cost, right.wrong_cost) == (24, 1.0, 0.0, None)
    assert right.confusion == dict.fromkeys(((n, n) for n in NAMES), 8)
    swapped = write_rows(place / "swapped.jsonl", NAMES, swapped=True)
    wrong = served.check(swapped)
    assert wrong.accuracy == 0
    assert wrong.confusion[NAMES[1], NAMES[0]] == 8
    costs = []
    for line in swapped.read_text().splitlines():
        row = json.loads(line)
        turns = [{"role": "user", "content": row["input"]}]
        start = served.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
        start = start if isinstance(start, list) else start["input_ids"]
        answer = served.tokenizer(row["response"], add_special_tokens=False)["input_ids"]
        answer = [*answer, served.tokenizer.eos_token_id]
        ids = torch.tensor([[*start, *answer]])
        losses = []
        for name in (served.choose([row["input"]])[0], f"{row['domain']}/{row['task']}"):
            with served.using(name) as model, torch.no_grad():
                logits = model(ids).logits[0, len(start) - 1 : -1]
            losses.append(float(torch.nn.functional.cross_entropy(logits, torch.tensor(answer))))
        costs.append(losses[0] - losses[1])
    assert wrong.cost == pytest.approx(sum(costs) / 24, rel=1e-4)


def test_the_verb_asks_and_checks(place, capsys):
    common = ["--base", str(place / "base"), "--selector", str(place / "selector")]
    rows = ["--rows", str(place / "rows.jsonl")]
    assert main(["select", "check", str(place / "adapters"), *common, *rows]) == 0
    said = capsys.readouterr().out
    assert "domain and task right: 100.0 % of 24 rows" in said
    assert "prefill: not shared" in said
    assert main(["select", "ask", str(place / "adapters"), *common, "--text", "w1 w12"]) == 0
    assert capsys.readouterr().out.startswith("w30/w32: ")
    assert main(["select", "ask", str(place / "adapters"), *common]) == 2
    assert "expected --text TEXT and no --rows; correct the command" in capsys.readouterr().err


def test_adapters_that_change_the_base_and_rows_of_no_adapter_are_refused(place, tmp_path):
    from peft import LoraConfig, get_peft_model

    base = load_model(place / "base", "main", dtype=torch.float32)
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights="pissa")
    get_peft_model(base, config).save_pretrained(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="holds 1 adapters, expected two or more in folders DOMAI"):
        found_adapters(tmp_path)
    get_peft_model(
        load_model(place / "base", "main", dtype=torch.float32),
        LoraConfig(target_modules=["q_proj"]),
    ).save_pretrained(tmp_path / "a" / "c")
    with pytest.raises(InputError, match=r"adapter 'a/b' in .*: init_lora_weights is 'pissa'"):
        found_adapters(tmp_path)
    pissa = tmp_path / "a" / "b" / "adapter_config.json"
    pissa.write_text(pissa.read_text().replace('"pissa"', "true"))
    with pytest.raises(InputError, match=r"selector .* was trained for .*, the folder"):
        SelectedAdapters(place / "base", tmp_path, place / "selector")
    odd = tmp_path / "odd.jsonl"
    odd.write_text('{"domain": "w30", "task": "w39", "input": "w1"}\n')
    served = SelectedAdapters(place / "base", place / "adapters", place / "selector")
    with pytest.raises(InputError, match=r"odd\.jsonl, line 1: domain and task are 'w30/w39'"):
        served.check(odd)
