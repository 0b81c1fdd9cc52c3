"""The scale on a pretrained model: caps, forms, controls, claims. Nothing is downloaded."""

import dataclasses
import hashlib
import os
import shutil

import pytest

from lawcheck.corpus.build import build_corpus, corpus_identity
from lawcheck.corpus.real import geobench, mol_instructions
from lawcheck.corpus.real.rows import Choice, Pair, training_row
from lawcheck.corpus.recipe import planned_mixture
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Score
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import bears_claims, science, unclaimed
from lawcheck.errors import InputError
from lawcheck.files import hashing
from lawcheck.pipeline.tuning import served
from lawcheck.pipeline.workflow import Workflow
from lawcheck.planning.cost import planned_tokens
from lawcheck.planning.memory import planned_memory
from lawcheck.planning.plan import Planner
from lawcheck.planning.remaining import remaining, study_runs
from lawcheck.scores.files import write_scores
from lawcheck.studies.real_model import arms
from lawcheck.training.objectives.foreign import exchanged

SCALE = load_scale("smollm2")
DEMO = [discovery.law(n) for n in ("real_model_controls", "real_model_sharing")]


# ------------------------------------------------------------------------------------ the corpus


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke") / "corpus"
    build_corpus(load_scale("smoke"), folder)
    return folder


def capped(**caps):
    return load_scale("smoke", {"corpus": {"caps": caps}})


def test_a_cap_takes_the_first_rows_and_leaves_the_other_disciplines(smoke, tmp_path):
    scale = capped(math=40, biology=10_000)
    build_corpus(scale, tmp_path / "capped")
    for d in science(scale):
        whole, cut = (
            (folder / f"{d.name}.train.jsonl").read_text(encoding="utf-8").splitlines()
            for folder in (smoke, tmp_path / "capped")
        )
        assert cut == (whole[:40] if d.name == "math" else whole)
    assert (
        corpus_identity(scale) != corpus_identity(load_scale("smoke")) == corpus_identity(capped())
    )


def test_caps_are_planned_with():
    planned = planned_mixture(
        Recipe(fraction=0.5), science(SCALE), SCALE.corpus.size, 0, SCALE.corpus.caps
    )
    rows = {"math": 100, "chemistry": 150, "biology": 100, "medicine": 200, "geography": 50}
    assert planned == {**rows, "general": 0}


@pytest.mark.parametrize(
    ("caps", "message"),
    [
        ({"maths": 3}, "corpus.caps: no discipline 'maths'; nearest: math"),
        ({"math": 0}, "math has"),
    ],
)
def test_bad_caps_are_one_line(caps, message, tmp_path):
    with pytest.raises(InputError, match=message):
        build_corpus(capped(**caps), tmp_path / "corpus")


def test_true_or_false_is_trained_with_the_word_that_is_evaluated():
    asked = mol_instructions.Instruction(
        Pair("t.1", "Does it?", "Maybe, more trials are needed."), mol_instructions.TRUE_FALSE
    )
    other = mol_instructions.Instruction(Pair("t.2", "Entities of it?", "No, none."), "Entities")
    assert mol_instructions.verdict(asked).choices[2] == "Maybe"
    assert training_row("biology", mol_instructions.matched(asked))["response"] == "Maybe"
    assert mol_instructions.matched(other) is other.pair


def test_a_term_is_asked_as_a_choice_of_answers_of_its_kind():
    terms = [Pair(f"g.{k}", f"Explain the term: t{k}", f"It is {k}.") for k in range(6)]
    gaps = [Pair("c.1", "Complete the sentence: ()", "A gap.")]
    answers = geobench.short_answers([*terms, *gaps])
    found = geobench.as_choice(terms[2], answers)
    assert isinstance(found, Choice)
    assert found.choices[found.answer] == "It is 2."
    assert len(set(found.choices)) == 4
    assert "A gap." not in found.choices
    # Equal whatever the order they are read in; too few of a kind are left as they are.
    assert geobench.as_choice(terms[2], geobench.short_answers([*gaps, *reversed(terms)])) == found
    assert geobench.as_choice(gaps[0], answers) is None
    assert geobench.as_choice(Pair("d.1", "Discuss: it", "So."), answers) is None
    places = {geobench.as_choice(t, answers).answer for t in terms}
    assert len(places) > 1


@pytest.mark.skipif("LAWCHECK_DATA" not in os.environ, reason="needs the data folder")
def test_every_discipline_trains_on_the_form_it_is_evaluated_in(tmp_path):
    manifest = build_corpus(SCALE, tmp_path / "corpus")
    caps = {f"{n}.train.jsonl": rows for n, rows in SCALE.corpus.caps.items()}
    assert {f: manifest["files"][f]["rows"] for f in caps} == caps
    from lawcheck.corpus.folder import read_rows

    for d in science(SCALE):
        rows = read_rows(tmp_path / "corpus" / f"{d.name}.train.jsonl")
        if d.name == "math":
            assert all(row["prompt"].startswith("Question: ") for row in rows)
            assert all("\n#### " in row["response"] for row in rows)
            continue
        items = read_rows(tmp_path / "corpus" / f"{d.name}.eval.jsonl")
        answers = (
            {"Yes", "No", "Maybe"}
            if d.name == "biology"
            else set("ABCDE"[: len(items[0]["choices"])])
        )
        short = [row["response"] for row in rows if row["kind"] == "choice"]
        assert len(short) > len(rows) / 4
        assert answers <= set(short) <= answers | {"E"}


# ----------------------------------------------------------------------------------- the control


def test_every_response_is_learnt_under_a_prompt_of_its_discipline_that_is_not_its_own():
    rows = [
        {"id": f"{d}.{k}", "discipline": d, "prompt": f"{d} asks {k % 7}", "response": f"{d}{k}"}
        for d in ("math", "biology")
        for k in range(21)
    ]
    found = list(exchanged(rows))
    assert [(r["id"], r["response"]) for r in found] == [(r["id"], r["response"]) for r in rows]
    assert all(a["prompt"] != b["prompt"] for a, b in zip(found, rows, strict=True))
    assert all(r["prompt"].startswith(r["discipline"]) for r in found)
    assert list(exchanged(rows)) == found
    # Without repeated prompts every prompt is used once.
    distinct = [{**r, "prompt": r["id"]} for r in rows]
    assert sorted(r["prompt"] for r in exchanged(distinct)) == sorted(r["id"] for r in rows)
    with pytest.raises(InputError, match="all 3 rows of 'math' have one prompt"):
        list(exchanged([{**r, "prompt": "same"} for r in rows[:3]]))


def test_the_controls_are_of_the_arms_that_are_compared():
    again = dataclasses.replace(arms.AGAIN, recipe=arms.SHARED_A.recipe)
    assert again == arms.SHARED_A != arms.AGAIN
    controls, contrasts = DEMO
    compared = {a for a in contrasts.arms if a != arms.BASE}
    assert {arms.SHARED_A, arms.DISCIPLINE_LORA} <= compared & set(controls.arms)
    shares = {a.recipe.fraction for a in (*controls.arms, *compared) if a.recipe}
    assert shares == {arms.SHARE}


# -------------------------------------------------------------------------------- what is claimed


def test_parts_on_likelihoods_are_claimed_and_those_on_accuracy_are_not():
    assert not SCALE.claims
    for law in DEMO:
        assert bears_claims(SCALE, law)
        assert bears_claims(load_scale("proxy"), law)
        assert not bears_claims(load_scale("slices"), law)
    on_accuracy = {"share_accuracy", "recipe_accuracy", "instructions_kept"}
    assert set(unclaimed(SCALE, DEMO[1])) == on_accuracy
    # Its primary parts read accuracy.
    assert not bears_claims(SCALE, discovery.law("share_then_specialize"))


# ---------------------------------------------------------------------------------- what it takes


def test_memory_and_time_are_planned_before_anything_is_fetched():
    work = Workflow({"scale": "smollm2"})
    hardware = SCALE.hardware
    # Two jobs at a time, unless one trains the whole model.
    assert 2 * hardware.memory_mb <= 6000
    assert hardware.full_memory_mb <= 6000 < hardware.full_memory_mb + hardware.memory_mb
    asked = {a: work._memory(b.id) for b in work.batches.values() for r in b.runs for a in [r.arm]}
    for law in DEMO:
        for arm in law.arms:
            planned = planned_memory(arm, SCALE)
            assert planned is None or planned.total < 1e6 * asked[arm]
    assert asked[arms.FULL] == hardware.full_memory_mb
    assert planned_tokens(arms.PLAIN, SCALE) == pytest.approx(0.25 * 152_000, rel=0.05)


def test_what_is_left_follows_what_is_there(tmp_path):
    planner = Planner(SCALE, (0,))
    planner.__dict__["data_digest"] = None
    layout = Layout(tmp_path, SCALE.name)
    runs = study_runs(planner, DEMO[0])
    trained = [r for r in runs.values() if r.arm.has_weights]
    n, scored = len(trained), f"0 of {len(runs)} scored"
    first = remaining(planner, layout, runs, 1)
    assert first.startswith(f"0 of {n} runs trained, {scored}")
    for run in trained:
        layout.run(run.id).mkdir(parents=True)
        layout.train_record(run.id).write_text('{"wall_seconds": 60}', encoding="utf-8")
    done = remaining(planner, layout, runs, 1)
    assert done.startswith(f"{n} of {n} runs trained, {scored}")

    def minutes(line):
        return int(line.split("about ")[1].split()[0])

    assert minutes(done) < minutes(first)
    assert minutes(remaining(planner, layout, runs, 2)) == pytest.approx(minutes(done) / 2, abs=1)


def test_a_large_file_is_hashed_again_only_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(hashing, "LARGE", 1000)
    path, times = tmp_path / "weights", []
    real = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda *a: times.append(1) or real(*a), raising=True
    )
    path.write_bytes(b"a" * 2000)
    assert hashing.file_sha256(path) == hashing.file_sha256(path)
    assert len(times) == 1
    # Another content of equal size, with the times of the first set back.
    before = path.stat()
    first = hashing.file_sha256(path)
    path.write_bytes(b"b" * 2000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashing.file_sha256(path) != first
    shutil.copy(path, tmp_path / "small")
    monkeypatch.setattr(hashing, "LARGE", 10_000)
    count = len(times)
    assert hashing.file_sha256(tmp_path / "small") == hashing.file_sha256(tmp_path / "small")
    assert len(times) == count + 2


def test_generated_answers_are_asked_of_fewer_items(smoke):
    from lawcheck.evaluation.tasks import load_tasks

    scale = load_scale("smoke", {"evaluation": {"generated_items": 3}})
    world = [d for d in discovery.disciplines().values() if scale.world in d.worlds]
    for p in load_tasks(world, scale, smoke, "eval"):
        asked = 3 if p.declared.output == "generate" else scale.evaluation.items
        assert len(p.task.eval_docs) == asked
    assert SCALE.evaluation.generated_items < SCALE.evaluation.items


def test_rates_are_compared_by_bits_with_every_task_and_discipline_alike(tmp_path):
    from lawcheck.pipeline.tuning import SEARCH_SEED, _bits

    planner = Planner(SCALE, (SEARCH_SEED,))
    planner.__dict__["data_digest"] = None
    layout = Layout(tmp_path, SCALE.name)
    group = planner.runs_of(arms.PLAIN, SEARCH_SEED)
    tasks = [(d.name, t.name) for d in science(SCALE) for t in d.worlds[SCALE.world].tasks]

    def level(**values):
        rows = [
            Score(
                run_id=group[0].id,
                arm=arms.PLAIN.name,
                seed=SEARCH_SEED,
                task=task,
                item_id=str(k),
                cluster="",
                metric=metric,
                value=value if metric == "bits_per_byte" else 1.0,
            )
            for _, task in tasks
            for k, value in enumerate(values.get(task, (2.0, 2.0)))
            for metric in ("acc", "bits_per_byte")
        ]
        write_scores(rows, layout.run_scores(group[0].id, "tune"))
        return _bits(planner, layout, group)

    # 30 items of one task weigh as much as two of the other.
    found = level(medmcqa=(1.0,) * 30, slices_headqa=(3.0, 5.0))
    assert found == {**dict.fromkeys((d.name for d in science(SCALE)), 2.0), "medicine": 2.5}
    assert level(gsm8k=()) is None
    assert level(gsm8k=(float("nan"), 1.0)) is None


def test_rates_are_searched_on_what_the_contrasts_compare():
    found = served([DEMO[1]])
    assert {m: {a.name for a in got} for m, got in found.items()} == {
        "full": {"full.d100"},
        "lora": {"discipline_lora.d100"},
        "lora_moe": {"lora_moe.plain.d100", "lora_moe.shared_a.d100"},
    }
    rates = [s.learning_rate for s in SCALE.methods.values()]
    assert max(rates) <= 5e-4
