"""Arms that start from arms: planned, trained, merged, evaluated, marked and kept sound."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from safetensors.torch import load_file, save_file
from test_plan import law_of
from test_verify import SCALE as TINY
from tiny_world import make_base, make_rows, make_run, make_scale
from transformers import AutoModelForCausalLM

import lawcheck
from lawcheck.__main__ import main
from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import (
    DEPTH,
    Hypothesis,
    Law,
    Mixture,
    Recipe,
    Upsampling,
    arm,
    difference,
)
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import unrealisable
from lawcheck.errors import InputError
from lawcheck.evaluation import run as evaluation
from lawcheck.files import origin
from lawcheck.files.origin import OriginError
from lawcheck.methods.base import Method
from lawcheck.pipeline import cards, stages
from lawcheck.planning import sources
from lawcheck.planning.cost import gpu_hours, planned_cost
from lawcheck.planning.memory import planned_memory
from lawcheck.planning.plan import Planner, batches
from lawcheck.planning.storage import run_bytes
from lawcheck.scores.files import read_rows
from lawcheck.training import record
from lawcheck.training.chain import load_model
from lawcheck.training.record import Link
from lawcheck.training.run import train_run

ROOT = Path(__file__).resolve().parents[1]
TINIEST = Recipe(fraction=0.2)
FIRST = arm("full", Recipe(fraction=0.5))
CHILD = arm("full", TINIEST, parents=[FIRST])
LORA = arm("lora", TINIEST, parents=[FIRST])
OTHER = arm("lora", Recipe(fraction=0.3), parents=[FIRST])
SECOND = arm("lora", TINIEST, parents=[LORA])
MERGED = arm("mean_merge", parents=[FIRST, CHILD])
ON_MERGED = arm("lora", TINIEST, parents=[MERGED])
COMPOSED = arm("lora_comp", TINIEST, parents=[LORA, OTHER], experts=2)
ARC = arm("slerp", parents=[FIRST, CHILD], schedule="linear")
ARMS = (FIRST, CHILD, LORA, OTHER, SECOND, MERGED, ON_MERGED, COMPOSED, ARC)
STACKED = Law(
    name="stacked",
    title="Arms on arms",
    claim="a merge beats its second parent",
    source="a test",
    shown=ARMS,
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="a merge beats its second parent",
            estimand=difference([MERGED], [CHILD]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)


def stranger(folder: Path) -> Path:
    """The merge of docs/adding.md, as a file in a folder of methods."""
    text = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n# my_methods/mean_merge.py\n(.*?)^```$", text, re.S | re.M)
    folder.mkdir(parents=True)
    (folder / "mean_merge.py").write_text(code)
    return folder


@pytest.fixture(scope="module", autouse=True)
def found(tmp_path_factory):
    """The stranger's merge, and a law over the arms above."""
    folder = tmp_path_factory.mktemp("declared")
    (folder / "laws").mkdir()
    (folder / "laws" / "stacked.py").write_text("from test_parents import STACKED as LAW\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAWCHECK_METHODS", str(stranger(folder / "methods")))
        patch.setenv("LAWCHECK_LAWS", str(folder / "laws"))
        discovery.forget()
        yield folder
    discovery.forget()


# ------------------------------------------------------------------------------------- planned


@pytest.fixture
def planner():
    return Planner(load_scale("proxy"), (0, 1))


def test_a_run_names_its_parents_and_changes_with_them(planner):
    child = planner.runs_of(CHILD, 1)[0]
    assert planner.needs(child) == planner.runs_of(FIRST, 1)
    assert child.id.startswith("full.d50--full.d20-s1-")
    assert child.id != planner.runs_of(arm("full", TINIEST), 1)[0].id
    # lora_comp's implied parents, and a child of a child: whatever changes above changes the id.
    methods = dict(planner.scale.methods)
    methods["full"] = methods["full"].model_copy(update={"learning_rate": 1.0})
    other = Planner(planner.scale.model_copy(update={"methods": methods}), (0,))
    for a in (SECOND, MERGED, COMPOSED):
        assert planner.runs_of(a, 0)[0].digest != other.runs_of(a, 0)[0].digest
    assert planner.runs_of(arm("lora", TINIEST), 0) == other.runs_of(arm("lora", TINIEST), 0)


def test_parents_of_one_run_a_discipline_are_of_the_same_discipline(planner):
    alone = arm("full", TINIEST, each_alone=True)
    for run in planner.runs_of(arm("lora", TINIEST, each_alone=True, parents=[alone]), 0):
        (parent,) = planner.needs(run)
        assert (parent.arm, parent.part, parent.seed) == (alone, run.part, 0)


def test_jobs_lie_on_levels_and_two_laws_share_one_parent(planner):
    laws = {
        "one": law_of("one", ON_MERGED, arm("base")),
        "two": law_of("two", arm("full", Recipe(fraction=0.7), parents=[FIRST]), arm("base")),
    }
    jobs = batches(planner, laws)
    home = {r.id: b for b in jobs.values() for r in b.runs}
    runs = planner.with_parents(planner.runs(ON_MERGED))
    assert [r.arm for r in runs.values() if r.seed == 0] == [FIRST, CHILD, MERGED, ON_MERGED]
    # What both laws want lies in a job of its own.
    shared = home[planner.runs_of(FIRST, 0)[0].id]
    asked = [{r.arm.name for r in planner.law_runs(law).values()} for law in laws.values()]
    assert {r.arm.name for r in shared.runs} == {FIRST.name} | (asked[0] & asked[1])
    done: set[str] = set()
    for job in jobs.values():
        assert set(job.needs) <= done
        done.add(job.id)
    for run in runs.values():
        assert {home[p.id].id for p in planner.needs(run)} <= set(home[run.id].needs)
    assert [len(planner.chain(planner.runs_of(a, 0)[0])) for a in ARMS] == [
        1,
        2,
        2,
        2,
        3,
        1,
        2,
        2,
        1,
    ]


def test_a_child_costs_its_own_and_a_merge_costs_disk_space_alone(planner):
    scale = load_scale("paper")
    merge = planner.runs_of(MERGED, 0)[0]
    assert planner.row_count(merge) == 0
    assert planned_cost(MERGED, "gpu_hours") == planned_cost(MERGED, "trainable_share") == 0
    assert planned_memory(MERGED, scale) is None
    assert run_bytes(MERGED, scale) == run_bytes(FIRST, scale) > 4 * 7e9
    assert gpu_hours(CHILD, scale) == gpu_hours(arm("full", TINIEST), scale)
    assert planned_memory(CHILD, scale) == planned_memory(FIRST, scale)


def chained(length):
    found = arm("full", TINIEST)
    for _ in range(length):
        found = arm("full", TINIEST, parents=[found])
    return found


def upsampled(target):
    return Recipe(upsampling=Upsampling(kind="diverse", disciplines=("biology",), target=target))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: arm("full", TINIEST, parents=[FIRST, CHILD]), "2 parents, .* takes 0 to 1"),
        (lambda: arm("mean_merge", parents=[FIRST]), "1 parents, .* takes 2"),
        (lambda: arm("lora_comp", TINIEST, parents=[LORA]), "1 parents, .* takes 2 to"),
        (lambda: arm("mean_merge", parents=[FIRST, LORA]), "'lora', .* takes whole models"),
        (lambda: arm("lora_comp", TINIEST, parents=[LORA, FIRST]), "'full', .* takes adapters"),
        (lambda: arm("full", parents=[FIRST]), "no recipe"),
        (lambda: arm("lora_comp"), "no recipe"),
        (lambda: arm("full", TINIEST, parents=[arm("base")]), "the base model as it is"),
        (lambda: arm("lora", TINIEST, parents=[COMPOSED]), "can be merged into its model"),
        (
            lambda: arm("lora_comp", TINIEST, parents=[LORA, arm("lora", TINIEST)], experts=2),
            "adapters of 2 different models",
        ),
        (
            # Labels give targets in thousands.
            lambda: arm(
                "mean_merge",
                parents=[arm("full", upsampled(t)) for t in (100_000, 100_001)],
            ),
            "two of its parents are called",
        ),
        (lambda: arm("full", TINIEST, parents=[arm("full", TINIEST, base="llama")]), "base is"),
        (lambda: chained(DEPTH + 1), f"{DEPTH + 1} arms lie above it"),
    ],
)
def test_bad_parents_are_refused_in_one_line(planner, make, says):
    with pytest.raises(InputError, match=says) as told:
        planner.runs_of(make(), 0)
    assert "\n" not in str(told.value)


def test_a_law_on_arms_from_elsewhere_is_not_planned(planner):
    elsewhere = arm("lora", TINIEST, parents=[arm("their_pretraining", TINIEST)])
    told = unrealisable(planner.scale, law_of("theirs", elsewhere, arm("base")))
    assert "no method is called 'their_pretraining'" in told


def test_the_longest_chain_is_planned(planner):
    run = planner.runs_of(chained(DEPTH), 0)[0]
    assert len(planner.with_parents([run])) == DEPTH + 1


def test_a_method_takes_one_of_five_things():
    with pytest.raises(InputError, match="takes 'parents', expected base, model, adapter"):
        Method(name="odd", title="", version=1, trains="", group="full", takes="parents")


# ------------------------------------------------------------------------------------- trained


def logits(model):
    torch.manual_seed(0)
    with torch.no_grad():
        return model.eval()(torch.randint(3, 30, (2, 9))).logits


def test_training_begins_with_the_parents_model(tmp_path):
    """At a rate that moves nothing, a child ends as its parent, not as the base."""
    base = make_base(tmp_path / "base")
    still = make_scale(method={"learning_rate": 1e-12, "weight_decay": 0.0})
    for name in ("full", "lora"):
        train_run(make_run(name), make_scale(), make_rows(60), base, tmp_path / name)
        links = (Link(make_run(name).id, name, tmp_path / name / "adapter"),)
        parent = discovery.method_module(name).load(
            AutoModelForCausalLM.from_pretrained(base), links[0].folder
        )
        expected = logits(parent)
        assert not torch.allclose(expected, logits(AutoModelForCausalLM.from_pretrained(base)))
        for method in ("full", "lora", "lora_moe"):
            out = tmp_path / f"{name}--{method}"
            train_run(make_run(method), still, make_rows(20), base, out, start=links)
            begun = load_model(base, "main", links, dtype=torch.float32)
            child = discovery.method_module(method).load(begun, out / "adapter")
            assert torch.allclose(logits(child), expected, atol=1e-4)


def test_adapters_are_merged_before_numbers_are_rounded(tmp_path):
    base = make_base(tmp_path / "base")
    train_run(make_run("lora"), make_scale(), make_rows(20), base, tmp_path / "lora")
    links = (Link(make_run("lora").id, "lora", tmp_path / "lora" / "adapter"),)
    exact = load_model(base, "main", links, dtype=torch.float32).state_dict()
    rounded = load_model(base, "main", links, dtype=torch.bfloat16)
    assert all(torch.equal(t, exact[n].bfloat16()) for n, t in rounded.state_dict().items())
    assert rounded.model.rotary_emb.inv_freq.dtype is torch.float32


def test_an_adapter_that_cannot_be_merged_is_refused(tmp_path):
    base = make_base(tmp_path / "base")
    train_run(make_run("lora_moe"), make_scale(), make_rows(20), base, tmp_path / "moe")
    link = Link("stranger-s0-0", "lora_moe", tmp_path / "moe" / "adapter")
    with pytest.raises(InputError, match="cannot be merged into its model; start from"):
        load_model(base, "main", (link,), dtype=torch.float32)


class World:
    """A tiny study in a folder: its planner, its layout and the runs of seed 0."""

    def __init__(self, scale, results):
        self.path, self.scale = scale, load_scale(str(scale))
        self.layout = Layout(results, self.scale.name)
        self.planner = Planner(self.scale, (0,))

    def run(self, a):
        return self.planner.runs_of(a, 0)[0]

    def folder(self, a):
        return self.layout.adapter(self.run(a).id)

    def train(self, *arms):
        return stages.train(self.planner, self.layout, [self.run(a) for a in arms])

    def evaluate(self, *arms):
        return stages.evaluate(self.planner, self.layout, [self.run(a) for a in arms])

    def record(self, a):
        return json.loads(self.layout.train_record(self.run(a).id).read_text())

    def verify(self, *words):
        given = ["--scale", str(self.path), "--results", str(self.layout.results)]
        return main(["verify", *words, *given])

    def change(self, a, weights=lambda tensor: tensor, **entries):
        """Give a run other weights or another record, with an origin that vouches for them."""
        run = self.run(a)
        (file,) = self.folder(a).glob("*.safetensors")
        save_file({n: weights(t) for n, t in load_file(file).items()}, file, {"format": "pt"})
        found = self.record(a) | entries | {"weights_sha256": record.weights_sha256(file.parent)}
        self.layout.train_record(run.id).write_text(json.dumps(found))
        made_from = sources.weights(self.planner, self.layout, run)
        record.seal(self.layout.run(run.id), run.id, made_from)


@pytest.fixture(scope="module")
def made(found, tmp_path_factory):
    """Every arm trained and scored; the logits of the models that were asked, by run."""
    mixture = dict.fromkeys(load_scale("gpu").bases["default"].mixture, 60)
    text = TINY.replace("MIXTURE", json.dumps(mixture))
    # Logits are compared without rounding to bfloat16 between.
    text = text.replace("device: cpu", "device: cpu, precision: float32")
    (found / "tiny.yaml").write_text(text)
    world = World(found / "tiny.yaml", tmp_path_factory.mktemp("study") / "results")
    build_corpus(world.scale, world.layout.corpus)
    stages.build_bases(world.planner, world.layout, "default", [0])
    world.trained = world.train(*ARMS)
    world.asked, rows = {}, evaluation._rows

    def watched(job, placed, lm):
        world.asked[job.run_id] = logits(lm.model)
        return rows(job, placed, lm)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "_rows", watched)
        # Not in the order of their starts.
        world.evaluate(*reversed(ARMS))
    return world


@pytest.fixture
def world(made, tmp_path):
    """A copy to damage."""
    shutil.copytree(made.layout.results, tmp_path / "results")
    return World(made.path, tmp_path / "results")


def test_every_chain_is_evaluated_on_the_model_it_was_trained_on(made):
    def whole(a):
        return AutoModelForCausalLM.from_pretrained(made.folder(a))

    def put(model, a):
        return PeftModel.from_pretrained(model, made.folder(a))

    mean = whole(FIRST)
    one, two = whole(FIRST).state_dict(), whole(CHILD).state_dict()
    mean.load_state_dict({n: (one[n] + two[n]) / 2 for n in one})
    composed = discovery.method_module("lora_comp").load(whole(FIRST), made.folder(COMPOSED))
    expected = {
        FIRST: whole(FIRST),
        CHILD: whole(CHILD),
        LORA: put(whole(FIRST), LORA),
        OTHER: put(whole(FIRST), OTHER),
        SECOND: put(put(whole(FIRST), LORA).merge_and_unload(), SECOND),
        MERGED: mean,
        ON_MERGED: put(mean, ON_MERGED),
        COMPOSED: composed,
        ARC: whole(ARC),
    }
    assert set(made.asked) == {made.run(a).id for a in expected}
    base = AutoModelForCausalLM.from_pretrained(made.layout.base("default", 0))
    # The mean last: its model is adapted in place above.
    told = {a: logits(model) for a, model in expected.items() if a != MERGED}
    for a, seen in told.items():
        assert torch.allclose(made.asked[made.run(a).id], seen, atol=1e-5), a.name
        assert not torch.allclose(seen, logits(base), atol=1e-3), a.name
    merged = whole(MERGED).state_dict()
    assert all(torch.equal(merged[n], (one[n] + two[n]) / 2) for n in one)
    assert torch.equal(made.asked[made.run(MERGED).id], logits(whole(MERGED)))


def test_a_merge_is_recorded_as_made_and_not_as_trained(made):
    told, trained = made.record(MERGED), made.trained[made.run(MERGED).id]
    assert (told["rows"], told["steps"], told["trained_rows"]) == (0, 0, False)
    assert told["parents"] == [made.run(FIRST).id, made.run(CHILD).id]
    assert trained == {"trained": False, "weights_sha256": told["weights_sha256"]}
    assert made.trained[made.run(CHILD).id]["trained"]
    assert "corpus" not in sources.weights(made.planner, made.layout, made.run(MERGED))
    assert made.verify() == 0


def test_slerp_takes_the_way_of_every_merge(made):
    """First parent at t = 0; how tensors were joined lies beside the weights, under their seal."""
    one, two, arc = (load_file(made.folder(a) / "model.safetensors") for a in (FIRST, CHILD, ARC))
    first, last = (f"model.layers.{k}.self_attn.q_proj.weight" for k in (0, 1))
    assert torch.equal(arc[first], one[first])
    assert torch.equal(arc[last], two[last])
    told = json.loads((made.folder(ARC) / "merge.json").read_text())
    assert told["schedule"] == {"name": "linear", "first": FIRST.name, "second": CHILD.name}
    assert told["tensors"].keys() == arc.keys()
    assert made.record(ARC)["parents"] == [made.run(FIRST).id, made.run(CHILD).id]
    origin = made.layout.train_record(made.run(ARC).id).with_suffix(".json.origin")
    assert "adapter/merge.json" in json.loads(origin.read_text())["files"]


def test_every_model_has_a_card_that_hubs_read(made):
    for a in ARMS:
        run, path = made.run(a), made.folder(a) / "README.md"
        card, text = ModelCard.load(path), path.read_text()
        method = discovery.method(a.method)
        whole = (path.parent / "config.json").is_file()
        assert card.data.library_name == ("transformers" if whole else "peft")
        # Generated rows, and a base made of them.
        assert card.data.license == "apache-2.0"
        assert card.data.tags == ["lawcheck", a.method]
        assert text.startswith("---\n")
        assert f"# {run.id}\n" in text
        assert f"lawcheck {lawcheck.__version__}" in text
        assert f"| seed | {run.seed} |" in text
        assert f"`{made.record(a)['weights_sha256']}`" in text
        assert method.trains in text
        assert str(made.layout.results) not in text
        scores = read_rows([made.layout.run_scores(run.id)]).to_pandas()
        task = scores[(scores.task == "proxy_math") & (scores.metric == "exact_match")].value
        assert f"| proxy_math | exact_match | {len(task)} | 0 | {task.mean():.4g} |" in text
        assert ("merged into it" in text) == (a == SECOND)
    text = (made.folder(MERGED) / "README.md").read_text()
    assert all(made.run(a).id in text for a in (FIRST, CHILD))
    assert "learning rate" not in text


@pytest.mark.parametrize(
    ("recipe", "named"),
    [
        (Recipe(disciplines=(), general_share=1.0), {"general"}),
        (Recipe(disciplines=("math",)), {"math"}),
        (
            Recipe(
                mixture=Mixture(start="given", given=(("math", 0.5), ("general", 0.5))),
            ),
            {"math", "general"},
        ),
        (Recipe(mixture=Mixture(), disciplines=("math", "biology")), {"math", "biology"}),
    ],
)
def test_a_card_names_the_data_that_was_learned_and_no_other(recipe, named):
    planner = Planner(load_scale("versatune"), (0,))
    runs = planner.runs_of(arm("full", recipe, base="skew_a"), 0)
    assert {d.name for d in cards.learned(planner, runs)} == named


def test_a_card_is_no_part_of_what_is_sealed(world):
    run = world.run(FIRST)
    recorded = origin.read(world.layout.train_record(run.id), "weights", run.id, "")
    assert not any("README" in name for name in [*recorded.files, *recorded.beside])
    card = world.folder(FIRST) / "README.md"
    before = card.read_bytes()
    card.write_text("Edited.")
    assert world.verify() == 0
    # Nothing is trained or scored again, and the card is as it was.
    world.train(FIRST)
    assert card.read_bytes() == before
    # Nor does it count where the folder is somebody's base, unlike one that came with a model.
    listed = sources._listing(card.parent)
    assert "README.md" not in listed
    card.write_text("Of a hub.")
    assert sources._listing(card.parent).keys() == listed.keys() | {"README.md"}
    # Scores of other weights are not told.
    world.change(FIRST, lambda tensor: tensor * 1.01)
    world.train(FIRST)
    assert "None yet" in card.read_text()


def test_of_several_nodes_the_first_one_merges(made, tmp_path, monkeypatch, capsys):
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text(f"extends: {made.path}\nhardware: {{nodes: 2, micro_batch: 8}}\n")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    words = ["train", made.run(MERGED).id, "--scale", str(nodes), "--results", str(tmp_path)]
    for node, status in (("1", 0), ("0", 2)):
        monkeypatch.setenv("NODE_RANK", node)
        assert main(words) == status
    # The first one looks for what it needs.
    assert "corpus" in capsys.readouterr().err


def test_a_composition_holds_the_adapters_that_its_arm_names(made):
    config = json.loads((made.folder(COMPOSED) / "adapter_config.json").read_text())
    assert config["expert_names"] == [LORA.name, OTHER.name]
    held = load_file(made.folder(COMPOSED) / "adapter_model.safetensors")
    for place, parent in enumerate((LORA, OTHER)):
        for name, tensor in load_file(made.folder(parent) / "adapter_model.safetensors").items():
            if "lora_A" not in name:
                continue
            (whole,) = (t for n, t in held.items() if n == name.replace("lora_A", "lora_moe_A"))
            rank = tensor.shape[0]
            assert torch.equal(whole[place * rank : (place + 1) * rank], tensor)


def test_changed_parents_make_all_below_stale_and_it_is_made_again(world, capsys):
    before = {a: world.record(a)["weights_sha256"] for a in (LORA, SECOND, MERGED, ON_MERGED)}
    world.change(FIRST, lambda tensor: tensor * 1.01)
    # The adapter of LORA is as it was, and what SECOND is loaded on is not.
    for a in (LORA, SECOND):
        with pytest.raises(OriginError, match="stale"):
            sources.require_scores(world.planner, world.layout, world.run(a))
    assert world.verify() == 2
    told = capsys.readouterr().err
    for a in (CHILD, LORA, OTHER, SECOND, MERGED, ARC):
        assert f"weights {world.run(a).id}: stale" in told
    assert world.verify("--repair") == 0
    assert not world.folder(CHILD).exists()
    assert world.folder(FIRST).exists()
    world.train(*ARMS)
    world.evaluate(*ARMS)
    assert world.verify() == 0
    for a, weights in before.items():
        assert world.record(a)["weights_sha256"] != weights, a.name


def test_training_alone_notices_a_changed_parent(world, capsys):
    world.change(MERGED, lambda tensor: tensor * 1.01)
    before = world.record(ON_MERGED)["weights_sha256"]
    world.train(ON_MERGED)
    assert f"found weights {world.run(MERGED).id}" in capsys.readouterr().err
    assert world.record(ON_MERGED)["weights_sha256"] != before


def test_a_diverged_parent_marks_all_below_and_the_study_goes_on(world):
    world.change(CHILD, diverged=True, at_step=1, reason="loss not finite at step 1")
    for a in (MERGED, ON_MERGED, ARC):
        shutil.rmtree(world.layout.run(world.run(a).id))
    trained = world.train(*ARMS)
    assert trained[world.run(FIRST).id]["trained"]
    for a, parent in ((MERGED, CHILD), (ON_MERGED, MERGED), (ARC, CHILD)):
        assert not trained[world.run(a).id]["trained"]
        told = world.record(a)
        assert (told["diverged"], told["steps"]) == (True, 0)
        assert told["reason"] == f"its parent {world.run(parent).id} diverged"
    # What it has is its diverged parent's last good state, and no mean.
    two = load_file(world.folder(CHILD) / "model.safetensors")
    for a in (MERGED, ARC):
        one = load_file(world.folder(a) / "model.safetensors")
        assert all(torch.equal(one[n], two[n]) for n in two)
    assert not (world.folder(ARC) / "merge.json").exists()
    world.evaluate(*ARMS)
    for a in ARMS:
        rows = read_rows([world.layout.run_scores(world.run(a).id)]).to_pylist()
        marked = any(r["metric"] == "diverged" for r in rows)
        assert marked == (a in (MERGED, ON_MERGED, ARC)), a.name
