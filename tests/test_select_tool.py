"""A folder of adapters behind a selector: the verb and the class."""

import json
import re

import pytest
import torch
from peft import PeftModel
from tiny_world import make_base

from lawcheck.cli.main import main
from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.evaluation.label_tree import LabelTree
from lawcheck.evaluation.served import SelectedAdapters, found_adapters
from lawcheck.evaluation.switching import Switch
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


def greedy(model, ids, count):
    for _ in range(count):
        ids = [*ids, int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())]
    return ids


def test_a_label_is_read_off_one_forward_as_greedy_decoding_writes_it(place):
    model = load_model(place / "base", "main", dtype=torch.float32).eval()
    end = 0
    for k in range(6):
        prompt = list(range(3 + k, 12 + k))
        a, b, c, d = greedy(model, prompt, 4)[-4:]
        other = next(t for t in range(3, 40) if t not in (a, b, c, d))
        labels = [[other, b, end], [a, other, end], [a, b, c, other, end], [a, b, c, d, end]]
        tree = LabelTree.of(labels)
        # Only what labels share before they part is computed: not the last label's d.
        assert sorted(tree.tokens) == sorted([a, b, c])
        assert tree.first(model, prompt) == 3
        assert LabelTree.of(labels[:3]).first(model, prompt) == 2
        assert LabelTree.of([labels[0], [other, c, end]]).first(model, prompt) is None
        # A label may end where another goes on.
        assert LabelTree.of([[a, end], [a, b, end]]).first(model, prompt) == 1


def test_replies_that_are_generated_are_named_alike(place, served):
    texts = [f"w{k} w{j}" for k in range(8) for j in (10, 12, 30)]
    tree, by_tree = served._tree, served.choose(texts)
    served._tree = None
    by_reply = served.choose(texts)
    served._tree = tree
    assert tree is not None
    assert by_tree == by_reply


def test_switched_adapters_have_the_bits_of_those_that_stand_alone(place, tmp_path):
    from peft import LoraConfig, get_peft_model

    kinds = {
        "plain": {},
        "rslora": {"use_rslora": True},
        "dora": {"use_dora": True},
        "second": {"layers_to_transform": [1]},
        "rank": {"rank_pattern": {"q_proj": 3}},
    }

    def base():
        return load_model(place / "base", "main", dtype=torch.float32)

    for k, (name, more) in enumerate(kinds.items()):
        torch.manual_seed(k)
        config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], lora_dropout=0.3, **more)
        model = get_peft_model(base(), config)
        with torch.no_grad():
            for p in model.parameters():
                if p.requires_grad:
                    p.add_(torch.randn_like(p), alpha=0.2)
        model.save_pretrained(tmp_path / name)
    names = list(kinds)
    together = PeftModel.from_pretrained(base(), tmp_path / names[0], adapter_name=names[0])
    for name in names[1:]:
        together.load_adapter(tmp_path / name, adapter_name=name)
    switch, ids = Switch(together), torch.arange(3, 12)[None]
    untouched = base()(ids).logits
    for name in (*names, *names[::-1]):
        alone = PeftModel.from_pretrained(base(), tmp_path / name).eval()
        switch.to(name)
        assert torch.equal(together(ids).logits, alone(ids).logits)
        with together.disable_adapter():
            assert torch.equal(together(ids).logits, untouched)
    with pytest.raises(KeyError):
        switch.to("none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--base", "{d}/none"], "no folder with config.json, and no name such as"),
        (
            ["--rows", "{d}/none.jsonl"],
            r"file none\.jsonl: not in .*/; give one JSON object a line",
        ),
        (["--rows", "{d}/empty.jsonl"], r"empty\.jsonl: holds no row"),
        (["--which", "{{input}}\n?"], r"writes its answer 'w30\\nw31' as 'w30 w31', .*: --which"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(place, tmp_path, capsys, change, said):
    (tmp_path / "empty.jsonl").write_text("")
    given = {"--base": place / "base", "--rows": place / "rows.jsonl", "--which": "{input} w39"}
    given[change[0]] = change[1].format(d=tmp_path)
    words = [str(word) for pair in given.items() for word in pair]
    out = tmp_path / "selector"
    found = main(["select", "train", str(place / "adapters"), "--selector", str(out), *words])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert found == 2
    assert re.search(said, error), error
    assert not out.exists()


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
