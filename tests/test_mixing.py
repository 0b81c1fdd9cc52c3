"""Mixtures whose shares move: which rows a phase holds, and what moves its weights."""

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tiny_world import make_base, make_rows, make_scale

from lawcheck.corpus import moving
from lawcheck.corpus.build import build_corpus
from lawcheck.corpus.recipe import in_order
from lawcheck.declare import discovery
from lawcheck.declare.design import (
    Hypothesis,
    Law,
    Mixture,
    Recipe,
    Run,
    Score,
    arm,
    difference,
)
from lawcheck.declare.layout import Layout
from lawcheck.declare.mixing import FLOOR, MixingRule, Reference, floored
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import science
from lawcheck.errors import InputError
from lawcheck.files.reading import read_object
from lawcheck.pipeline import stages
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.scores import load_scores, write_scores
from lawcheck.scores.checks import check_sorted
from lawcheck.scores.sorting import sort_rows
from lawcheck.training import record
from lawcheck.training.checkpoints import kept_state
from lawcheck.training.mixture import DomainRows
from lawcheck.training.phases import MovingWeights
from lawcheck.training.run import train_run
from lawcheck.training.trainer import TimedCheckpoints

ROOT = Path(__file__).parents[1]
SIZES = {"chemistry": 60, "math": 50, "general": 30}
# Of docs/adding.md, word for word.
PAGE = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
RULE = PAGE.partition("# my_mixing/by_loss.py\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def by_loss(tmp_path, monkeypatch):
    folder = tmp_path / "my_mixing"
    folder.mkdir()
    (folder / "by_loss.py").write_text(RULE, encoding="utf-8")
    monkeypatch.setenv("LAWCHECK_MIXING", str(folder))
    discovery.forget()
    yield "by_loss"
    discovery.forget()


REFERENCE = Reference(losses=dict.fromkeys(SIZES, 1.0), transfer={})


def domain_rows(weights=None):
    """Domains differ in what they ask, so that their losses part."""
    rows = {}
    for k, (name, n) in enumerate(SIZES.items()):
        own = [{**r, "id": f"{name}.{r['id']}"} for r in make_rows(n, k)]
        rows[name] = in_order({**r, "response": " ".join([r["response"]] * (k + 1))} for r in own)
    return DomainRows(rows, weights or dict.fromkeys(SIZES, 1 / 3), reference=REFERENCE)


def run_of(epochs=None, **fields):
    """15 steps of 8 rows at the tiny scale."""
    recipe = Recipe(epochs=epochs, mixture=Mixture(**{"rows": 120_000, "phases": 3} | fields))
    return Run(arm=arm("lora", recipe), seed=0, scale="tiny", digest="0" * 12)


def train(base, out, run=None, rows=None, **options):
    return train_run(run or run_of(), make_scale(), rows or domain_rows(), base, out, **options)


# ------------------------------------------------------------------------------------ the rows


names = st.sampled_from("abcdefgh")
shares = st.dictionaries(names, st.floats(0, 1e6), min_size=1).filter(lambda w: sum(w.values()) > 0)


@settings(deadline=None)
@given(shares, st.integers(0, 5000))
def test_apportioned_rows_sum_and_stay_within_one_of_their_share(weights, rows):
    counts = moving.apportioned(weights, rows)
    assert sum(counts.values()) == rows
    total = sum(weights.values())
    assert all(abs(n - rows * weights[k] / total) < 1 + 1e-6 for k, n in counts.items())


@settings(deadline=None)
@given(shares)
def test_no_domain_falls_below_the_floor(weights):
    found = floored(weights)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= FLOOR * (1 - 1e-12)
    kept = [k for k, w in found.items() if w > FLOOR * (1 + 1e-9)]
    ratios = {round(weights[k] / found[k] / max(weights.values()), 9) for k in kept}
    assert len(ratios) <= 1


counts = st.lists(
    st.fixed_dictionaries({"a": st.integers(0, 40), "b": st.integers(0, 40)}), min_size=1
)


@settings(deadline=None)
@given(counts, st.integers(1, 30), st.integers(1, 30))
def test_a_row_comes_again_only_after_all_rows_of_its_domain(phases, a, b):
    sizes = {"a": a, "b": b}
    for name, size in sizes.items():
        drawn = [
            pair for k in range(len(phases)) for pair in moving.draws(phases[: k + 1], sizes)[name]
        ]
        assert len(set(drawn)) == len(drawn) == sum(p[name] for p in phases)
        often = Counter(place for place, _ in drawn)
        if drawn:
            times = [often[place] for place in range(size)]
            assert max(times) - min(times) <= 1
            assert times == sorted(times, reverse=True)
        # The order in which domains are named changes nothing.
        turned = [dict(reversed(p.items())) for p in phases]
        assert moving.draws(turned, sizes)[name] == moving.draws(phases, sizes)[name]


def test_start_weights():
    domains = ("a", "b", "c")
    detected = {"a": 0.5, "b": 0.3, "c": 0.2}

    def of(start, **fields):
        found = moving.start_weights(Mixture(start=start, **fields), domains, "default", detected)
        return [round(found[name], 6) for name in domains]

    assert of("uniform") == [round(1 / 3, 6)] * 3
    assert of("knowledge") == [0.5, 0.3, 0.2]
    assert of("inverse") == [0.25, 0.35, 0.4]
    assert of("reciprocal") == [0.193548, 0.322581, 0.483871]
    given = (("c", 0.2), ("a", 0.7), ("b", 0.1))
    assert of("given", given=given) == [0.7, 0.1, 0.2]


# ------------------------------------------------------------------------------------ training


def test_phases_take_the_planned_steps_and_continue_where_the_last_stopped(base, tmp_path):
    found = train(base, tmp_path, run_of(epochs=2))
    assert found["steps"] == found["planned_steps"] == 30
    assert found["rows"] == 240
    mixture = found["mixture"]
    # A tenth is held out: 54, 45 and 27 rows are learned.
    assert mixture["held_out_rows"] == {"chemistry": 6, "math": 5, "general": 3}
    assert mixture["available_rows"] == mixture["distinct_rows"]
    first = mixture["phases"][0]
    assert first["rows"] == {"chemistry": 27, "math": 27, "general": 26}
    assert first["distinct_rows"] == {"chemistry": 27, "math": 27, "general": 26}
    assert [p["weights"] for p in mixture["phases"]] == [dict.fromkeys(SIZES, 1 / 3)] * 3
    before, after = mixture["losses_before"], mixture["phases"][-1]["losses"]
    assert all(after[name] < before[name] for name in SIZES)


def test_one_phase_of_constant_shares_is_a_plain_run_on_its_rows(base, tmp_path):
    rows = domain_rows()
    one = train(base, tmp_path / "one", run_of(phases=1), rows)
    places = moving.draws([one["mixture"]["phases"][0]["rows"]], one["mixture"]["available_rows"])
    drawn = [
        {**rows.rows[name][place], "id": moving.copy_id(rows.rows[name][place]["id"], copy)}
        for name, pairs in places.items()
        for place, copy in pairs
    ]
    assert {r["id"] for r in drawn if "#" in r["id"]} == {
        f"{r['id']}#1" for r in rows.rows["general"][:13]
    }
    plain = Run(arm=arm("lora", Recipe()), seed=0, scale="tiny", digest="0" * 12)
    other = train_run(plain, make_scale(), drawn, base, tmp_path / "plain")
    assert one["weights_sha256"] == other["weights_sha256"]
    assert one["loss"] == other["loss"]
    assert one["tokens"] == other["tokens"]


def test_a_strangers_rule_moves_the_weights(base, tmp_path, by_loss):
    found = train(base, tmp_path / "out", run_of(update=by_loss))["mixture"]
    assert (found["rule"], found["rule_version"]) == ("by_loss", 1)
    first, second = found["phases"][:2]
    rule = discovery.mixing_rule("by_loss")
    expected = rule(first["weights"], first["losses"], (), Mixture(update="by_loss"))
    assert second["weights"] == expected != first["weights"]
    most = max(first["losses"], key=first["losses"].get)
    assert second["weights"][most] > first["weights"][most]
    assert second["rows"] == moving.apportioned(second["weights"], 40)


# Steps 5 and 10 end a phase; their checkpoints are written before the next one begins.
@pytest.mark.parametrize(
    ("step", "rule"), [(3, "by_loss"), (5, "potential"), (8, "potential"), (10, "by_loss")]
)
def test_a_killed_run_goes_on_to_the_same_bits(base, tmp_path, monkeypatch, by_loss, step, rule):
    whole = train(base, tmp_path / "whole", run_of(update=rule))

    def killed(self, args, state, control, **kwargs):
        if state.global_step == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(base, tmp_path / "cut", run_of(update=rule), checkpoint_seconds=0)
    checkpoint = tmp_path / "cut" / "checkpoints" / f"checkpoint-{step}"
    kept = kept_state(checkpoint, MovingWeights)
    begun = [p["weights"] for p in whole["mixture"]["phases"]][: (step - 1) // 5 + 1]
    assert kept["weights"] == begun
    resumed = train(base, tmp_path / "cut", run_of(update=rule))
    assert resumed["resumed_at_step"] == step
    assert resumed["mixture"] == whole["mixture"]
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert resumed["loss"] == whole["loss"]


WORKER = """
import sys
from pathlib import Path
from test_mixing import domain_rows, run_of
from tiny_world import make_scale
from lawcheck.training import run, sharding
from lawcheck.training.launch import rank

# What other processes measure is not what counts.
measured = run.held_out_losses
run.held_out_losses = lambda *a: {name: loss + rank() for name, loss in measured(*a).items()}
hardware = {"micro_batch": 4, "gpus_per_node": 2, "zero_stage": int(sys.argv[3]) or None}
scale = make_scale(hardware=hardware)
base, out = map(Path, sys.argv[1:3])
run.train_run(run_of(update=sys.argv[4]), scale, domain_rows(), base, out)
sharding.leave()
"""


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    ("stage", "rule"),
    [(0, "potential"), (2, "by_loss"), pytest.param(3, "by_loss", marks=pytest.mark.slow)],
)
def test_two_processes_move_weights_as_one_does(base, tmp_path, by_loss, stage, rule):
    """stage 0 is the Trainer's own data parallelism, over gloo."""
    if stage:
        pytest.importorskip("deepspeed", reason="the extra 'deepspeed' is not installed")
    one = train(base, tmp_path / "one", run_of(update=rule))
    out = tmp_path / "two"
    code = (
        "import sys; from lawcheck.training.launch import launch; "
        "from lawcheck.declare.scale import Hardware; "
        f"command = [sys.executable, '-c', {WORKER!r}, {str(base)!r}, {str(out)!r}, "
        f"'{stage}', '{rule}']; "
        "sys.exit(launch(command, Hardware(micro_batch=1, gpus_per_node=2)))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "src", ROOT / "tests"))),
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TORCH_EXTENSIONS_DIR": str(tmp_path / "extensions"),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    two = record.read_record(out)
    assert two["world_size"] == 2
    for mine, theirs in zip(one["mixture"]["phases"], two["mixture"]["phases"], strict=True):
        assert mine["rows"] == theirs["rows"]
        assert mine["weights"] == pytest.approx(theirs["weights"], abs=1e-5)
        assert mine["losses"] == pytest.approx(theirs["losses"], abs=1e-5)
    pairs = zip(one["loss"], two["loss"], strict=True)
    assert all(abs(a["loss"] - b["loss"]) <= 1e-5 for a, b in pairs)
    a, b = (load_file(next((p / "adapter").glob("*.safetensors"))) for p in (tmp_path / "one", out))
    assert max(float((a[k] - b[k]).abs().max()) for k in a) <= 1e-4


# ------------------------------------------------------------------------------------- planning


def test_a_rules_version_names_runs_and_nothing_else_does(monkeypatch, by_loss):
    scale = load_scale("smoke")
    plain, moves = arm("lora", Recipe()), arm("lora", Recipe(mixture=Mixture(update=by_loss)))

    def ids():
        return [Planner(scale, (0,)).runs_of(a, 0)[0].digest for a in (plain, moves)]

    before = ids()
    newer = dataclasses.replace(discovery.mixing_rule(by_loss), version=2)
    with monkeypatch.context() as patch:
        patch.setattr(discovery, "mixing_rules", lambda: {by_loss: newer})
        assert [a == b for a, b in zip(before, ids(), strict=True)] == [True, False]


def test_planned_rows_are_those_of_a_pass():
    scale = load_scale("proxy")
    planner = Planner(scale, (0,))

    def rows(recipe):
        return planner.row_count(planner.runs_of(arm("lora", recipe), 0)[0])

    assert rows(Recipe(mixture=Mixture(rows=60_000))) == 200
    assert rows(Recipe(fraction=0.5, mixture=Mixture(rows=60_000))) == 100
    given = Mixture(start="given", given=(("math", 0.25), ("general", 0.75)), rows=60_000)
    assert rows(Recipe(mixture=given)) == 200


# ------------------------------------------------------------------------------------ bad input


def test_bad_input_gets_a_line(base, tmp_path):
    available = tuple(SIZES)

    def domains(**fields):
        return moving.domains_of(Recipe(mixture=Mixture(**fields)), available)

    with pytest.raises(InputError, match=r"domain 'mathh' is not in the corpus.*math"):
        domains(start="given", given=(("mathh", 0.5), ("chemistry", 0.5)))
    with pytest.raises(InputError, match="target 'law' is none of its domains"):
        domains(target="law")
    with pytest.raises(InputError, match=r"sum to 0\.9, expected"):
        Mixture(start="given", given=(("math", 0.5), ("chemistry", 0.4)))
    missing = r"no detected shares of base 'skew_a' \(knowledge.json\); run: lawcheck detect"
    with pytest.raises(InputError, match=missing):
        moving.start_weights(
            Mixture(start="knowledge", knowledge_of="skew_a"), available, "default"
        )
    detected = {"chemistry": 0.5, "math": 0.0, "general": 0.5}
    with pytest.raises(InputError, match="detected share of 'math' in base 'default' is 0"):
        moving.start_weights(Mixture(start="reciprocal"), available, "default", detected)
    with pytest.raises(InputError, match="each_alone with a mixture"):
        arm("lora", Recipe(mixture=Mixture()), each_alone=True)
    with pytest.raises(InputError, match="a mixture beside objective 'text'"):
        Recipe(objective="text", mixture=Mixture())
    with pytest.raises(InputError, match="mixing rule 'by_los': unknown"):
        Planner(load_scale("smoke"), (0,)).runs_of(
            arm("lora", Recipe(mixture=Mixture(update="by_los"))), 0
        )
    few = DomainRows({k: r[:20] for k, r in domain_rows().rows.items()}, dict.fromkeys(SIZES, 0.3))
    with pytest.raises(InputError, match="54 distinct rows, expected at least 80"):
        train(base, tmp_path / "few", rows=few)
    one = {**domain_rows().rows, "general": domain_rows().rows["general"][:1]}
    alone = DomainRows(one, dict.fromkeys(SIZES, 1 / 3))
    with pytest.raises(InputError, match="domain 'general' has no row to learn"):
        train(base, tmp_path / "alone", rows=alone)
    assert not (tmp_path / "few" / "train.json").exists()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ({"a": 1.0}, "weights of 1 domains, expected one for each of a, b"),
        ({"a": 1.0, "b": float("nan")}, "weight of 'b' is nan"),
        ({"a": 1.0, "b": -0.1}, "weight of 'b' is -0.1"),
        ({"a": 0.0, "b": 0.0}, "all weights are 0"),
        ({"a": 0.5, "b": None}, r"fails on losses of a, b \(TypeError"),
    ],
)
def test_a_rule_that_returns_no_weights_is_named(returned, said):
    rule = MixingRule(name="odd", title="odd", version=1, update=lambda *_: returned)
    with pytest.raises(InputError, match=rf"mixing rule 'odd': {said}"):
        rule({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 2.0}, (), Mixture(update="odd"))


def test_a_rule_that_names_a_step_gets_no_second_one():
    def update(*_):
        raise InputError("losses: none of a; train a")

    rule = MixingRule(name="odd", title="odd", version=1, update=update)
    with pytest.raises(InputError, match=r"^mixing rule 'odd': losses: none of a; train a$"):
        rule({"a": 0.5, "b": 0.5}, {"a": 1.0, "b": 2.0}, (), Mixture(update="odd"))


# ------------------------------------------------------------------------------------ the stages

MOVES = arm("lora", Recipe(mixture=Mixture(update="by_loss", rows=1_000_000, phases=4)))
RESTS = arm("lora", Recipe(mixture=Mixture(rows=1_000_000, phases=4)))
LAW = Law(
    name="moving_shares",
    title="Moving shares",
    claim="Shares that follow losses beat constant ones.",
    source="a test",
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="moving beats constant",
            estimand=difference([MOVES], [RESTS]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)


def test_weights_and_losses_reach_the_score_table(tmp_path, by_loss):
    small = {"corpus": {"size": "1/2000", "general_pool": 100}, "evaluation": {"items": 4}}
    scale = load_scale("smoke", small)
    planner, layout = Planner(scale, (0,)), Layout(tmp_path, "smoke")
    build_corpus(scale, layout.corpus)
    runs = list(planner.law_runs(LAW).values())
    stages.train(planner, layout, runs)
    stages.evaluate(planner, layout, runs)
    # Statistics of mixtures are of those that are known beforehand; here are none.
    assert not sources.mixed(runs)
    table = load_scores([stages.collect(planner, layout, LAW)])
    (run,) = planner.runs(MOVES)
    mixture = read_object(layout.train_record(run.id), "")["mixture"]
    assert set(mixture["available_rows"]) == {*(d.name for d in science(scale)), "general"}
    assert record.read_record(layout.run(run.id))["planned_steps"] == 16
    for domain in mixture["available_rows"]:
        phases = mixture["phases"]
        losses = [mixture["losses_before"], *(p["losses"] for p in phases)]
        found = table.cube(MOVES.name, domain, (0,), "mixture_weight")[0]
        assert found.tolist() == [p["weights"][domain] for p in phases]
        found = table.cube(MOVES.name, domain, (0,), "domain_loss")[0]
        assert found.tolist() == [x[domain] for x in losses]
    losses = [table.cube(RESTS.name, d, (0,), "domain_loss") for d in mixture["available_rows"]]
    assert max(x.max() for x in losses) > 1


STRANGERS_LAW = """
from lawcheck.declare.design import Hypothesis, Law, Mixture, Recipe, arm, difference

MOVES = arm("lora", Recipe(mixture=Mixture(update="by_loss", phases=4, rows=1_000_000)))
RESTS = arm("lora", Recipe(mixture=Mixture(phases=4, rows=1_000_000)))

LAW = Law(
    name="follow_the_loss",
    title="Follow the loss",
    claim="Shares that follow losses beat constant ones.",
    source="our question",
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="moving beats constant",
            estimand=difference([MOVES], [RESTS]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
"""
STRANGERS_SCALE = """
extends: smoke
title: a stranger's
claims: false
seeds: [0]
corpus: {size: 1/2000, general_pool: 100}
evaluation: {items: 4, tune_items: 0, max_new_tokens: 8}
"""


@pytest.mark.slow
def test_a_strangers_law_and_rule_from_corpus_to_figure(tmp_path, by_loss):
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "follow_the_loss.py").write_text(STRANGERS_LAW, encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(STRANGERS_SCALE, encoding="utf-8")
    environment = {
        **os.environ,
        "LAWCHECK_LAWS": str(tmp_path / "laws"),
        "LAWCHECK_SCALES": str(tmp_path),
        "HF_HUB_OFFLINE": "1",
    }
    command = (
        *("-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)),
        *("--cores", "1", "law_follow_the_loss", "--config", "scale=tiny"),
    )
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    drawn = [*tmp_path.rglob("mixture_paths_follow_the_loss.png")]
    (rows,) = tmp_path.rglob("mixture_rows_follow_the_loss.csv")
    assert len(drawn) == 1
    (path,) = (p for p in tmp_path.rglob("train.json") if "by_loss" in str(p))
    mixture = read_object(path, "")["mixture"]
    counted = pd.read_csv(rows).query("column != 'all' and arm.str.contains('by_loss')")
    different = dict(zip(counted["column"], counted["mean"], strict=True))
    assert different == mixture["distinct_rows"]
    # A published copy holds domains among its scores, which are no tasks.
    for words in (("publish", "--out", "kept"), ("verify", "--results", "kept")):
        command = [sys.executable, "-m", "lawcheck", words[0], "--scale", "tiny", *words[1:]]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_losses_above_one_are_read_back_from_files_sorted_on_disk(tmp_path):
    common = {"run_id": "a-s0", "arm": "a", "seed": 0, "cluster": ""}
    rows = [Score(**common, task="t", item_id="i", metric="acc", value=1.0)]
    loss = Score(**common, task="math", item_id="0", metric="domain_loss", value=3.5)
    write_scores([*rows, loss], tmp_path / "good.parquet")
    for table in (
        load_scores([tmp_path / "good.parquet"]),
        check_sorted(sort_rows([tmp_path / "good.parquet"], "scores"), "scores"),
    ):
        assert table.cube("a", "math", (0,), "domain_loss").tolist() == [[3.5]]
    infinite = dataclasses.replace(loss, value=float("inf"))
    high = dataclasses.replace(rows[0], value=1.5)
    for odd, expected in (([*rows, infinite], "a finite number from 0"), ([high, loss], "0 to 1")):
        write_scores(odd, tmp_path / "odd.parquet")
        with pytest.raises(InputError, match=f"expected {expected}, or"):
            load_scores([tmp_path / "odd.parquet"])
        with pytest.raises(InputError, match=f"expected {expected}, or"):
            check_sorted(sort_rows([tmp_path / "odd.parquet"], "scores"), "scores")
