"""VersaTune: rules on numbers worked out by hand, detection, references, the study in small."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from score_world import PLACES, columns, table
from tiny_world import make_scale
from transformers import LlamaConfig, LlamaForCausalLM

from lawcheck.corpus.build import build_corpus
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Contrast, Mixture, Recipe, arm, difference
from lawcheck.declare.estimands import Pooled
from lawcheck.declare.layout import Layout
from lawcheck.declare.mixing import Phase, Reference
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import scale_laws
from lawcheck.errors import InputError
from lawcheck.files.origin import OriginError
from lawcheck.files.reading import read_object
from lawcheck.judging.estimators import estimate
from lawcheck.judging.evidence import Evidence
from lawcheck.pipeline import stages
from lawcheck.pipeline.tuning import served
from lawcheck.pipeline.verify.walk import Walk
from lawcheck.planning.plan import Planner, Source
from lawcheck.scores import load_scores
from lawcheck.studies.versatune import arms
from lawcheck.training import detection
from lawcheck.training.base.tokenizer import train_bpe

ROOT = Path(__file__).parents[1]
REFERENCE = Reference(
    losses={"a": 1.0, "b": 2.0, "c": 0.5},
    transfer={
        "a": {"a": -0.5, "b": 0.4, "c": 0.0},
        "b": {"a": 0.1, "b": -0.6, "c": 0.2},
        "c": {"a": 0.1, "b": 0.0, "c": -0.4},
    },
)
WEIGHTS = {"a": 0.5, "b": 0.3, "c": 0.2}
LOSSES = {"a": 2.0, "b": 1.0, "c": 1.0}  # potentials 0.5, 0 and 0.5


def rule(name, weights=WEIGHTS, losses=LOSSES, history=None, **fields):
    before = history or [Phase(weights=weights, losses=losses)]
    found = discovery.mixing_rule(name)(
        weights, losses, before, Mixture(update=name, **fields), REFERENCE
    )
    assert sum(found.values()) == pytest.approx(1)
    return [round(found[n], 6) for n in "abc"]


# ------------------------------------------------------------------------------------ the rules


def test_potential_placebo_and_released():
    assert rule("potential") == [0.555556, 0.222222, 0.222222]  # 0.75 : 0.3 : 0.3
    assert rule("potential", strength=2.0) == [0.588235, 0.176471, 0.235294]  # 1 : 0.3 : 0.4
    # a has b's potential, b has c's, c has a's.
    assert rule("placebo") == [0.4, 0.36, 0.24]  # 0.5 : 0.45 : 0.3
    grown = [w * math.exp(LOSSES[n]) for n, w in WEIGHTS.items()]
    assert rule("released") == [round(g / sum(grown), 6) for g in grown]


def test_expansion_tests_with_a_product_and_stops_at_its_limit():
    # Nothing was forgotten: the quotient that the paper writes has no value here.
    assert rule("expansion", target="c") == [0.519841, 0.207937, 0.272222]
    # b and a rose by 1 and 3 over what they were: mean 2 is above c's potential.
    forgot = [Phase(weights=WEIGHTS, losses={"a": 1.0, "b": 0.25, "c": 1.0})]
    assert rule("expansion", target="c", history=forgot) == rule("potential")
    without = rule("expansion", target="c", history=forgot, guard=False)
    assert without == rule("expansion", target="c")
    assert rule("expansion", target="c", history=forgot, threshold=0.2) == without
    high = {"a": 0.04, "b": 0.04, "c": 0.92}
    assert rule("expansion", high, target="c")[2] == 0.9
    with pytest.raises(InputError, match="no target, which mixing rule 'expansion' favours"):
        rule("expansion")


def test_peers():
    even = dict.fromkeys(WEIGHTS, 1 / 3)
    # Excess losses are 1, 0 and 0.5.
    grown = np.exp([1.0, 0.0, 0.5])
    expected = 0.999 * grown / grown.sum() + 0.001 / 3
    assert rule("doremi", even) == pytest.approx(expected, abs=1e-6)
    # The first rewards are 0.1 x loss; exploration is 1/3 at step 3, sqrt(ln 3 / 18) at step 6.
    e = math.sqrt(math.log(3) / 18)
    grown = np.exp(np.array([0.2, 0.1, 0.1]) / 3)
    assert rule("odm", even) == pytest.approx((1 - 3 * e) * grown / grown.sum() + e, abs=1e-6)


def test_a_curriculum_takes_the_most_forgettable_domain_first_and_opens_with_it():
    # Mean rise when another is trained on alone: a 0.1, b 0.2, c 0.1; ties go by name.
    def opened(name, done):
        history = [Phase(weights=WEIGHTS, losses=LOSSES)] * done
        found = discovery.mixing_rule(name)(
            WEIGHTS, LOSSES, history, Mixture(update=name, phases=3), REFERENCE
        )
        return max(found, key=found.get)

    assert [opened("curriculum", k) for k in range(3)] == ["b", "a", "c"]
    assert [opened("curriculum_reversed", k) for k in range(3)] == ["c", "a", "b"]
    assert discovery.mixing_rule("curriculum").opens


def test_the_placebo_moves_every_domain_by_anothers_potential():
    names = sorted(arms.DOMAINS)
    for k, name in enumerate(names):
        only = {n: 2.0 if n == name else 1.0 for n in names}
        reference = Reference(losses=dict.fromkeys(names, 1.0), transfer={})
        even = dict.fromkeys(names, 1 / 6)
        found = discovery.mixing_rule("placebo")(
            even, only, [Phase(weights=even, losses=only)], Mixture(update="placebo"), reference
        )
        assert max(found, key=found.get) == names[k - 1] != name


# ------------------------------------------------------------------------------------- detection


def test_total_variation():
    assert detection.total_variation({"a": 0.5, "b": 0.5}, {"a": 30, "b": 10}) == 0.25
    assert detection.total_variation({"a": 1.0}, {"b": 5}) == 1


def test_a_classifier_keeps_probabilities():
    rows = {
        name: [
            {"id": f"{name}{i}", "prompt": f"{word} x{i % 7}", "response": "y"} for i in range(40)
        ]
        for name, word in (("one", "red"), ("two", "blue"))
    }
    classify, about = detection._fitted(rows, 30)
    assert (about["rows"], about["held_out_rows"], about["held_out_accuracy"]) == (60, 8, 1.0)
    found = classify(["red red", "blue", "green"])
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[0][0] > 0.9 > 0.6 > found[2][0] > 0.4
    assert found[1][1] > 0.8


def test_a_judge_reads_the_likelihood_of_every_name(tmp_path):
    names = ("law", "medicine and health", "code")
    tokenizer = train_bpe([detection.JUDGE_PROMPT, *names] * 3, 300)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    settings = {"texts": 4, "max_tokens": 8, "judge": {"model": str(tmp_path), "revision": "x"}}
    scale = make_scale().model_copy(
        update={"detection": load_scale("versatune", {"detection": settings}).detection}
    )
    judge, about = detection.classifier(scale, {name: [] for name in names})
    assert about == {"kind": "judge model", **settings["judge"]}
    (found,) = judge(["the court rules"])
    asked = detection.JUDGE_PROMPT.format(domains=", ".join(names), text="the court rules")
    chat = tokenizer.apply_chat_template(
        [{"role": "user", "content": asked}], tokenize=False, add_generation_prompt=True
    )
    begin = tokenizer(chat, add_special_tokens=False)["input_ids"]
    sums = []
    for name in names:
        ids = tokenizer(name, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([[*begin, *ids]])).logits[0].log_softmax(-1)
        sums.append(sum(float(logits[len(begin) - 1 + k, t]) for k, t in enumerate(ids)))
    assert found == pytest.approx(np.exp(sums) / np.exp(sums).sum(), abs=1e-6)


# ------------------------------------------------------------------------- pooled over the targets


def test_pooled_contrasts_are_one_sum_over_items():
    p, q, r, s = (Arm(method=name) for name in "pqrs")
    rows = columns({p: 0.6, q: 0.5, r: 0.7, s: 0.4}, 3, 40, ("math", "biology"))
    evidence = Evidence(scores=table(rows), places=PLACES)
    whole = Pooled(parts=(difference([p], [q], "math"), difference([r], [s], "math")))
    same = Contrast(weights=((p, 0.5), (q, -0.5), (r, 0.5), (s, -0.5)), target="math")
    a, b = (estimate(e, evidence).estimate for e in (whole, same))
    assert (a.value, a.se, a.df) == pytest.approx((b.value, b.se, b.df))
    apart = Pooled(parts=(difference([p], [q], "math"), difference([r], [s], "biology")))
    each = [estimate(c, evidence).estimate.value for c in apart.parts]
    assert estimate(apart, evidence).estimate.value == pytest.approx(sum(each) / 2)
    # Targets that overlap: math counts in both, biology in one.
    both = difference([r], [s], ("math", "biology"))
    whole = estimate(Pooled(parts=(difference([p], [q], "math"), both)), evidence).estimate.value
    assert whole == pytest.approx((each[0] + estimate(both, evidence).estimate.value) / 2)


# ------------------------------------------------------------------------------------- the study


def test_arms_are_those_of_the_design():
    laws = scale_laws(load_scale("versatune"))
    assert list(laws) == [
        "detection",
        "dynamic_potential",
        "flexible_expansion",
        "knowledge_consistency",
    ]
    planner = Planner(load_scale("versatune"), (0,))
    runs = {r for law in laws.values() for r in planner.law_runs(law)}
    assert len(runs) == 42
    a, b = arms.SWAPPED
    assert [s.name for s in planner.made_from(planner.runs(a)[0])] == ["", "skew_b", "skew_a"]
    assert b.recipe.mixture.knowledge_of == "skew_a"
    assert dict(arms.increase("biology").recipe.mixture.given)["biology"] == 0.5
    # No other study's runs come along, and rates are searched on even mixtures alone.
    assert served(laws.values()) == {"full": arms.UNIFORM}


def test_what_a_mixture_reads_names_its_runs():
    scale = load_scale("versatune")

    def ids(scale):
        plan = Planner(scale, (0,))
        return [plan.runs(a[0])[0].digest for a in (arms.UNIFORM, arms.CONSTANT, arms.DYNAMIC)]

    before = ids(scale)
    more = load_scale("versatune", {"detection": {"texts": 2000}})
    assert [a == b for a, b in zip(before, ids(more), strict=True)] == [True, False, False]
    rate = {"skew_a": {"learning_rate": 1e-3}}
    other = load_scale("versatune", {"references": rate})
    assert [a == b for a, b in zip(before, ids(other), strict=True)] == [True, True, False]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The smoke scale's bases, what was detected in one of them, and its reference."""
    scale = load_scale("versatune_smoke")
    planner, layout = Planner(scale, (0,)), Layout(tmp_path_factory.mktemp("small"), scale.name)
    build_corpus(scale, layout.corpus)
    for base in ("skew_a", "small"):
        stages.build_bases(planner, layout, base, (0,))
    found = stages.detect(planner, layout, "skew_a", 0)
    stages.measure_reference(planner, layout, "small", 0)
    return planner, layout, found


def test_shares_are_the_mean_of_iterations_and_are_detected_once(small, capsys):
    planner, layout, found = small
    by_iteration = [i["shares"] for i in found["iterations"]]
    assert len(by_iteration) == 2
    assert by_iteration[0] != by_iteration[1]
    for name, share in found["shares"].items():
        assert share == pytest.approx(np.mean([i[name] for i in by_iteration]))
    rows = [json.loads(x) for x in layout.knowledge("skew_a", 0).with_name("texts.jsonl").open()]
    assert len(rows) == sum(i["texts"] for i in found["iterations"]) == 80
    certain = [
        r["probabilities"]["math"] for r in rows if r["iteration"] == 1 and r["probabilities"]
    ]
    assert np.mean(certain) == pytest.approx(by_iteration[0]["math"])
    true = planner.scale.bases["skew_a"].mixture
    assert found["total_variation"] == detection.total_variation(found["shares"], true)
    # Once more is the same to the bit; and as it is there, nothing is made.
    folder = stages.base_folder(planner, layout, "skew_a", 0)
    again = detection.sample(planner.scale, "skew_a", 0, folder)
    assert [s.text for s in again[0]] == [r["text"] for r in rows if r["iteration"] == 1]
    at = layout.knowledge("skew_a", 0).stat().st_mtime_ns
    assert stages.detect(planner, layout, "skew_a", 0) == found
    assert layout.knowledge("skew_a", 0).stat().st_mtime_ns == at


def test_a_reference_is_the_lowest_held_out_loss_and_leaves_no_models(small):
    _, layout, _ = small
    path = layout.reference("small", 0)
    found = read_object(path, "")
    assert set(found["losses"]) == set(arms.DOMAINS)
    for name, by_epoch in found["by_epoch"].items():
        assert len(by_epoch) == 3
        assert found["losses"][name] == min(by_epoch)
        assert set(found["transfer"][name]) == set(arms.DOMAINS)
        expected = (by_epoch[-1] - by_epoch[0]) / by_epoch[0]
        assert found["transfer"][name][name] == pytest.approx(expected)
    assert not [p for p in path.parent.iterdir() if p.is_dir()]


def test_a_run_follows_what_was_measured(small):
    planner, layout, detected = small
    (run,) = planner.runs(arms.DYNAMIC[0])
    stages.train(planner, layout, [run])
    found = read_object(layout.train_record(run.id), "")
    mixture = found["mixture"]
    first, second = mixture["phases"][:2]
    assert first["weights"] == pytest.approx(detected["shares"], abs=2e-3)
    assert mixture["reference"] == read_object(layout.reference("small", 0), "")["losses"]
    after = first["losses"]
    gamma = {n: max(0, (x - mixture["reference"][n]) / x) for n, x in after.items()}
    assert mixture["potentials"][1] == pytest.approx(gamma)
    grown = {n: w * (1 + gamma[n]) for n, w in first["weights"].items()}
    total = sum(grown.values())
    assert second["weights"] == pytest.approx({n: g / total for n, g in grown.items()}, abs=2e-3)
    assert found["probe_seconds"] > 0


def test_bad_input_gets_a_line(small, tmp_path):
    planner, layout, _ = small
    scale = planner.scale
    with pytest.raises(InputError, match=r"no 'detection' section.*add one, or start from"):
        Planner(scale.model_copy(update={"detection": None}), (0,)).runs(arms.CONSTANT[0])
    with pytest.raises(InputError, match=r"no reference of base 'skew_a'.*'references'"):
        Planner(scale.model_copy(update={"references": {}}), (0,)).runs(arms.DYNAMIC[0])
    responses = arm("full", Recipe(mixture=Mixture(start="knowledge")))
    with pytest.raises(InputError, match="base 'default' has learned no whole texts"):
        planner.runs(responses)
    with pytest.raises(InputError, match="base 'default' has learned no whole texts"):
        stages.detect(planner, layout, "default", 0)
    with pytest.raises(InputError, match=r"no reference base 'smal'; .*small"):
        stages.measure_reference(planner, layout, "smal", 0)
    stages.build_bases(planner, layout, "skew_b", (0,))
    (run,) = planner.runs(arms.SWAPPED[0])
    with pytest.raises(InputError, match=r"knowledge skew_b-s0: unrecorded.*lawcheck detect"):
        stages.train(planner, layout, [run])
    # Of another base under this one's name.
    foreign = layout.knowledge("skew_b", 0)
    foreign.parent.mkdir(parents=True)
    for name in ("knowledge.json", "knowledge.json.origin", "texts.jsonl"):
        (foreign.parent / name).write_bytes(
            (layout.knowledge("skew_a", 0).parent / name).read_bytes()
        )
    with pytest.raises(OriginError, match="knowledge skew_b-s0: foreign"):
        stages.knowledge(planner, layout, Source("knowledge", "skew_b", 0))
    with pytest.raises(InputError, match=r"pooled: 0 contrasts"):
        Pooled(parts=())


@pytest.mark.slow
def test_the_study_in_small_from_corpus_to_verdict(tmp_path):
    law = "flexible_expansion"
    command = (
        *("-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(tmp_path)),
        *("--cores", "1", f"law_{law}", "--config", "scale=versatune_smoke"),
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    layout = Layout(tmp_path / "results", "versatune_smoke")
    verdict = read_object(layout.verdict(law), "")
    table = load_scores([layout.law_scores(law)])
    shares = read_object(layout.knowledge("skew_a", 0), "")
    base = arms.UNTRAINED[0].name
    seen = table.cube(base, "base_model", (0,), "total_variation").item()
    assert seen == shares["total_variation"]
    # The mean over targets of a difference on the domains that are not the target.
    parts = {p["name"]: p for p in verdict["parts"]}
    expected = []
    for target in arms.TARGETS:
        pair = [strategy(target).name for strategy in (arms.flexible, arms.specific)]
        others = [f"proxy_{d}" for d in arms.DOMAINS if d != target]
        level = [np.mean([table.cube(a, t, (0,)).mean() for t in others]) for a in pair]
        expected.append(100 * (level[0] - level[1]))
    assert parts["keeps_others"]["estimate"] == pytest.approx(np.mean(expected))
    walk = Walk(Planner(load_scale("versatune_smoke"), (0,)), layout)
    assert not walk.faults()
    assert {"knowledge skew_a-s0", "reference small-s0"} <= walk.nodes.keys()
