"""The study of stages and merges: what its laws compare, and its whole path in tiny form."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from score_world import PLACES, columns, table
from tiny_world import WORDS, make_base, make_scale

from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.lineage import check_parents, lineage
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import scale_laws
from lawcheck.judging.verdict import judge
from lawcheck.pipeline.tuning import served
from lawcheck.planning.plan import Planner
from lawcheck.planning.sources import tasks
from lawcheck.studies.merging.arms import (
    BASE,
    DOMAINS,
    INSTRUCT,
    TUNED,
    after,
    merged,
    name_of,
    over_mean,
    tuned,
)

ROOT = Path(__file__).resolve().parents[1]
LAWS = {
    "clean_text",
    "cpt_epochs",
    "merge_needs_scale",
    "merge_schedule",
    "merge_synergy",
    "slerp_geometry",
    "stages",
}


def arms():
    laws = [law for name, law in discovery.laws().items() if name in LAWS]
    return lineage(a for law in laws for a in law.arms)


def part(law, name):
    return next(h for h in discovery.laws()[law].hypotheses if h.name == name)


@pytest.mark.parametrize(
    "scale", ["merging", "merging_smoke", "merging_paper", "merging_paper_llama"]
)
def test_every_law_is_realised_and_every_arm_has_its_rate(scale):
    found = load_scale(scale)
    assert scale_laws(found).keys() == LAWS
    for a in arms():
        check_parents(a)
        if a.recipe is not None:
            assert found.settings_of(a.method, a.recipe.objective).learning_rate > 0


def test_arms_are_told_apart_by_both_of_their_names():
    found = arms()
    assert len({a.name for a in found}) == len(found)
    named = [name_of(a) for a in found]
    assert len(set(named)) == len(named)
    assert {"base", "instruct", "instruct.cpt@2+slerp", "base.cpt.sft.dpo+lerp"} < set(named)
    assert {"instruct.cpt.sft.orpo+slerp:linear_same", "instruct small.cpt.sft"} < set(named)


def test_a_merge_starts_at_the_partner_and_every_chain_on_one_base():
    for model in TUNED:
        assert merged(model).parents == (INSTRUCT, model)
    chain = lineage([tuned("instruct", "cpt.sft.orpo")])
    said = [(a.recipe.disciplines, a.recipe.objective) for a in chain]
    assert said == [
        ((), "response"),
        ((), "dpo"),
        (DOMAINS, "text"),
        (DOMAINS, "response"),
        (DOMAINS, "orpo"),
    ]
    assert tuned("base", "cpt").parents == ()


def test_synergy_is_the_gain_over_the_mean_of_both_parents():
    """On scores where every merge is 3 points above that mean, whatever the parents' are."""
    rng = np.random.default_rng(0)
    score = {a: rng.uniform(30, 80) for a in (INSTRUCT, *TUNED)}
    for model in TUNED:
        score[merged(model)] = (score[model] + score[INSTRUCT]) / 2 + 3
    assert sum(w * score[a] for a, w in over_mean(TUNED)) == pytest.approx(3)
    declared = part("merge_synergy", "over_mean").estimand
    assert sum(w * score[a] for a, w in declared.weights) == pytest.approx(3)
    over = part("merge_synergy", "over_instruct").estimand
    expected = np.mean([score[merged(m)] - score[INSTRUCT] for m in TUNED])
    assert sum(w * score[a] for a, w in over.weights) == pytest.approx(expected)


def judged(law, score):
    """The parts of a law on scores of so many points, with little noise."""
    law = discovery.laws()[law]
    level = {a: score(name_of(a)) / 100 for a in lineage(law.arms)}
    scores = table(columns(level, 3, 400, (*DOMAINS, "general"), seed_sd=0.001))
    return {p.name: p for p in judge(law, scores, tasks=PLACES, quick=True).parts}


def test_a_merge_that_equals_the_best_unmerged_model_is_not_above_all():
    def score(name):
        return 30 if name == "base" else 60 if ".cpt.sft." in name else 45

    found = judged("stages", score)["merged_best"]
    assert found.low > 5
    assert found.outcome != "shown"
    found = judged("stages", lambda name: score(name) + 8 * ("+" in name))["merged_best"]
    assert found.outcome == "shown"


def test_a_merge_that_equals_its_better_parent_is_no_synergy_at_any_stage():
    def score(name):
        """CPT alone loses, SFT wins."""
        tuned = {"base": 30, "instruct": 45}.get(name, 65 if ".sft" in name else 35)
        return max(tuned, 45) if "+" in name else tuned

    found = judged("merge_synergy", score)
    assert min(found[f"over_{name}"].low for name in ("mean", "tuned", "instruct")) > 1
    assert found["over_mean"].outcome == "shown"
    assert {found["over_tuned"].outcome, found["over_instruct"].outcome}.isdisjoint({"shown"})


def test_a_smaller_loss_in_a_larger_model_is_no_gain():
    def score(name, wide=-3):
        tuned = 30 if name.startswith("base") else 60 if "." in name else 40
        return (tuned, 50 + (wide if "wide" in name else -9))["+" in name]

    found = judged("merge_needs_scale", score)
    assert found["threshold"].low > 2
    assert found["threshold"].outcome != "shown"
    assert found["small_hurts"].outcome == "shown"
    found = judged("merge_needs_scale", lambda name: score(name, 6))
    assert found["threshold"].outcome == "shown"


def test_the_trend_over_epochs_is_a_slope():
    for start, name in (("instruct", "instruct_gains"), ("base", "base_does_not")):
        score = {merged(after(start, e)): 20 + 1.5 * e for e in range(1, 6)}
        weights = part("cpt_epochs", name).estimand.weights
        assert sum(w * score[a] for a, w in weights) == pytest.approx(1.5)
    assert after("base", 5) == tuned("base", "cpt")
    assert after("base", 2).recipe.stop_after == 2


def test_rates_are_searched_on_the_shallowest_stage_that_learns_disciplines():
    found = served(scale_laws(load_scale("merging")).values())
    told = {key: [name_of(a) for a in chosen] for key, chosen in found.items()}
    assert told == {
        "full": ["base.cpt.sft"],
        "full.text": ["base.cpt"],
        "full.dpo": ["base.cpt.sft.dpo"],
        "full.orpo": ["base.cpt.orpo"],
        "lora": ["instruct.lora-sft"],
    }


def test_only_the_disciplines_that_a_scale_asks_are_scored():
    scale = load_scale("merging")
    (run,) = Planner(scale, (0,)).runs(BASE)
    assert tasks(run, scale) == ["proxy_general", "proxy_geography", "proxy_medicine"]
    everything = scale.evaluation.model_copy(update={"disciplines": None})
    assert len(tasks(run, scale.model_copy(update={"evaluation": everything}))) == 7


def test_held_out_loss_is_the_mean_over_all_tokens_of_the_items(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from lawcheck.evaluation.held_out import held_out_loss
    from lawcheck.evaluation.tasks import load_tasks

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    documents = [
        {
            "id": f"medicine.tune.{k}",
            "discipline": "medicine",
            "question": " ".join(WORDS[k : k + 3 + k % 4]),
            "choices": WORDS[:4],
            "answer": k % 4,
        }
        for k in range(5)
    ]
    lines = "".join(json.dumps(d) + "\n" for d in documents)
    (corpus / "medicine.tune.jsonl").write_text(lines)
    base = make_base(tmp_path / "base", words=["options", ":", ";"])
    model = AutoModelForCausalLM.from_pretrained(base).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    placed = load_tasks([discovery.discipline("medicine")], make_scale(), corpus, "tune")
    found = held_out_loss(model, tokenizer, placed, "text", batch=2, longest=64)
    total, count = 0.0, 0
    for d in documents:
        options = " ; ".join(d["choices"])
        text = f"{d['question']} options : {options} {d['choices'][d['answer']]}"
        ids = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
        with torch.inference_mode():
            loss = model(input_ids=ids, labels=ids).loss
        total, count = total + float(loss) * (ids.shape[1] - 1), count + ids.shape[1] - 1
    assert found == pytest.approx(total / count, rel=1e-5)


# ------------------------------------------------------------------------------- the whole path


def snakemake(folder, *words):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--profile", str(ROOT / "reproduce/profiles/local"), "--directory", str(folder)),
            *(*words, "--config", "scale=merging_smoke", "seeds=[0]"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        start_new_session=True,
    )


@pytest.mark.slow
def test_a_law_is_judged_in_tiny_form_and_goes_on_where_it_was_killed(tmp_path):
    layout = Layout(tmp_path / "results", "merging_smoke")
    planner = Planner(load_scale("merging_smoke"), (0,))
    child = planner.runs_of(tuned("instruct", "cpt"), 0)[0]
    process = snakemake(tmp_path, "law_clean_text")
    deadline = time.monotonic() + 900
    # Its parent is trained, and it is on its way.
    while not layout.run(child.id).is_dir() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not layout.verdict("clean_text").exists()
    process = snakemake(tmp_path, "law_clean_text")
    told, _ = process.communicate(timeout=900)
    assert process.returncode == 0, told[-3000:]
    verdict = json.loads(layout.verdict("clean_text").read_text())
    assert [p["name"] for p in verdict["parts"]] == ["noise_hurts", "shuffling_hurts"]
    # The same chain trained at once, in one process, ends in the same weights.
    again = Layout(tmp_path / "again", "merging_smoke")
    again.root.mkdir(parents=True)
    for name in ("corpus", "bases"):
        shutil.copytree(layout.root / name, again.root / name)
    chain = list(planner.with_parents([child]))
    command = [sys.executable, "-m", "lawcheck", "train", "--scale", "merging_smoke"]
    command += ["--results", str(again.results), "--seeds", "0", *chain]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    for run_id in chain:
        sums = [json.loads(x.train_record(run_id).read_text()) for x in (layout, again)]
        assert sums[0]["weights_sha256"] == sums[1]["weights_sha256"]
