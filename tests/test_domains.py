"""VersaTune's six domains on slices of real data: released layouts in, rows of both splits out."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

from lawcheck.corpus.build import build_corpus
from lawcheck.corpus.folder import read_rows
from lawcheck.corpus.real import agieval, fineval, headqa, legalbench, medqa
from lawcheck.corpus.real.rows import Choice, Pair
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import bears_claims, realisable, scale_laws, unclaimed, unrealisable
from lawcheck.errors import InputError
from lawcheck.evaluation import likelihood
from lawcheck.evaluation.tasks import load_tasks
from lawcheck.planning.forecast import plan_law
from lawcheck.planning.plan import Planner
from lawcheck.studies.real_mixtures.arms import DOMAINS

WORLD = "domains"
SCALE = load_scale("versatune_smollm2")
N = 60


def of_world():
    return [d for d in discovery.disciplines().values() if WORLD in d.worlds]


def modules():
    return {d.name: import_module(d.worlds[WORLD].source) for d in of_world()}


def lettered(k, **more):
    return {"question": f"What is {k} plus {k}?", **dict(zip("ABCD", "1234", strict=True)), **more}


FILES = {
    "legalbench/train.jsonl": [
        *(
            {"task": "hearsay", "index": str(k), "answer": "No", "text": f"He waved {k} times."}
            for k in range(N)
        ),
        *(
            {"task": "nda_notice", "index": str(k), "answer": ("Yes", "No")[k % 2],
             "text": f"Clause {k} holds.", "document_name": f"d{k}.txt"}
            for k in range(N)
        ),
        {"task": "free_form", "index": "0", "answer": "The court below.", "text": "Who decides?"},
    ],
    "legalbench/test.jsonl": [
        *(
            {"task": "abercrombie", "label": "generic", "text": f"The mark {k} for mark {k}."}
            for k in range(N)
        ),
        *({"task": "hearsay", "label": "Yes", "text": f"She said {k}.", "slice": "Non-assertive"}
          for k in range(N)),
    ],
    "fineval/dev.jsonl": [
        {"subject": "tax_law", "id": str(k), **lettered(k, answer="D ", explanation="so")}
        for k in range(N)
    ],
    "fineval/val.jsonl": [
        {"subject": "tax_law", "id": str(k), **lettered(N + k, answer="A")} for k in range(N)
    ],
    "medqa/test.jsonl": [
        {"question": f"Case {k}?", "answer": "rest", "answer_idx": "B", "meta_info": "step1",
         "options": {"A": "air", "B": "rest", "C": "tea", "D": "ice"}, "metamap_phrases": []}
        for k in range(N)
    ],
    "codealpaca/train.jsonl": [
        {"instruction": f"Print {k}.", "input": "", "output": f"if True:\n    print({k})"}
        for k in range(N)
    ],
    "humaneval/test.jsonl": [
        {"task_id": f"HumanEval/{k}", "prompt": f'def f{k}(x):\n    """Add {k}."""\n',
         "entry_point": f"f{k}", "canonical_solution": f"    return x + {k}\n",
         "test": f"def check(candidate):\n    assert candidate(1) == {1 + k}\n"}
        for k in range(N)
    ],
    "mbpp/mbpp.jsonl": [
        {"task_id": k, "text": f"Write a function to add {k}.", "test_setup_code": "",
         "code": f"def add(x):\r\n    return x + {k}", "challenge_test_list": [],
         "test_list": [f"assert add({j}) == {j + k}" for j in range(3)]}
        for k in (*range(11, 41), *range(511, 541), *range(601, 661))
    ],
    **{
        f"agieval/{part}.jsonl": [
            {"passage": "Once." if part == "sat-en" else None, "question": f"{part} {k}?",
             "options": ["(A)one", "(B) two", "(C)(3)"], "label": "C", "other": None}
            for k in range(N // 4)
        ]
        for part in ("aqua-rat", "logiqa-en", "lsat-ar", "lsat-lr", "sat-en", "sat-math")
    },
    "alpaca/train.jsonl": [
        {"instruction": f"Greet {k}.", "input": "", "output": f"Hello {k}."} for k in range(N)
    ],
    **{
        f"headqa_en/{part}.jsonl": [
            {"name": "e", "year": "2013", "category": category, "qid": str(k), "ra": "2",
             "qtext": f"{part} {category} {k}?", "image": "",
             "answers": [{"aid": a, "atext": f"option {a}"} for a in range(1, 5)]}
            for category in ("biology", "chemistry", "medicine")
            for k in range(N)
        ]
        for part in ("train", "validation", "test")
    },
    **{
        f"mmlu/{part}.jsonl": [
            {"question": f"{part} {s} {k}?", "subject": s, "choices": list("wxyz"), "answer": 1}
            for s in ("astronomy", "college_physics", "marketing")
            for k in range(N // 2)
        ]
        for part in ("dev", "test")
    },
    **{
        f"medmcqa/{part}.jsonl": [
            {"id": f"{part}{k}", "question": f"{part} {k}?", "cop": 1,
             **{f"op{o}": f"{o}{k}" for o in "abcd"}}
            for k in range(N)
        ]
        for part in ("validation", "validation_rest")
    },
    **{
        name: [{"instruction": "Answer.", "input": f"{name} {k}?", "output": "Yes."}
               for k in range(5)]
        for name in ("chatdoctor/train.jsonl", "medical_meadow/wikidoc_patient_information.jsonl")
    },
    "medquad/train.jsonl": [{"qid": "1", "Question": "What is flu?", "Answer": "A virus."}],
    "pubmedqa/train.jsonl": [
        {"pubid": "1", "QUESTION": "Does it?", "CONTEXTS": ["c"], "LONG_ANSWER": "It does.",
         "final_decision": "yes"}
    ],
}  # fmt: skip


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for name, rows in FILES.items():
        write(root / name, rows)
    return root


@pytest.fixture(scope="module", params=["synthetic", "slices"])
def data(request, written):
    if request.param == "synthetic":
        return written
    named = os.environ.get("LAWCHECK_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("LAWCHECK_DATA names no folder of real data slices")
    return Path(named)


def test_the_domains_are_those_of_the_paper_and_of_no_other_world():
    assert {d.name for d in of_world()} == set(DOMAINS)
    new = {"law", "finance", "science", "code"}
    assert {d.name for d in of_world() if set(d.worlds) == {WORLD}} == new
    for world in ("proxy", "proxy_tasks", "slices", "paper"):
        assert not new & {d.name for d in discovery.of_role("discipline", world)}


def test_splits_share_no_question_and_domains_no_row(data):
    owners = {}
    for name, module in modules().items():
        rows = {s: module.samples(s, None, data) for s in ("train", "tune", "eval")}
        tasks = {t.name for t in discovery.discipline(name).worlds[WORLD].tasks}
        for split in ("tune", "eval"):
            assert {row["task"] for row in rows[split]} == tasks
        clusters = {s: {row["cluster"] for row in rows[s]} for s in ("tune", "eval")}
        assert not clusters["tune"] & clusters["eval"], name
        ids = [row["id"] for found in rows.values() for row in found]
        assert len(set(ids)) == len(ids), name
        for row in rows["train"]:
            assert owners.setdefault((row["prompt"], row["response"]), name) == name
        read = getattr(module, "matched_samples", module.samples)
        whole = read("train", None, data)
        assert read("train", 7, data) == whole[:7]
        assert all(path.is_file() for path in module.source_files(data))


def test_rows_of_the_slices_are_counted(data):
    if data.name.startswith("data"):
        pytest.skip("of the slices")
    counted = {
        "law": (legalbench.read_train(data / "legalbench/train.jsonl", "l"), 588),
        "law test": (legalbench.read_test(data / "legalbench/test.jsonl", "l"), 335),
        "fineval": (fineval.read(data / "fineval/val.jsonl", "f"), 408),
        "fineval dev": (fineval.read(data / "fineval/dev.jsonl", "f"), 170),
        "medqa": (medqa.read(data / "medqa/test.jsonl", "m"), 1273),
        "aqua": (agieval.read(data / "agieval/aqua-rat.jsonl", "a"), 254),
    }
    assert {k: len(rows) for k, (rows, _) in counted.items()} == {
        k: n for k, (_, n) in counted.items()
    }
    pools = {n: len(m.samples("train", None, data)) for n, m in modules().items()}
    caps = {**SCALE.corpus.caps, "general": SCALE.corpus.general_pool}
    assert all(pools[name] >= cap for name, cap in caps.items()), pools


def test_layouts_are_read_as_released(written):
    law = legalbench.read_train(written / "legalbench/train.jsonl", "l")
    assert law[0] == Choice("l.hearsay.1", "He waved 0 times.\nIs there hearsay?", ("Yes", "No"), 1)
    asked = "nda notice\ntext: Clause 0 holds.\ndocument_name: d0.txt"
    assert law[N] == Pair(f"l.nda_notice.{N + 1}", asked, "Yes", "label")
    matched = legalbench.as_choices(law)
    assert matched[N] == Choice(law[N].id, asked, ("No", "Yes"), 1)
    # One answer is no choice.
    assert matched[-1] == law[-1]
    # The kind of reasoning stays untold.
    assert (
        "Non-assertive"
        not in legalbench.read_test(written / "legalbench/test.jsonl", "l")[-1].question
    )
    assert fineval.read(written / "fineval/dev.jsonl", "f")[0].answer == 3
    assert agieval.read(written / "agieval/sat-en.jsonl", "a")[1] == Choice(
        "a.2", "Once.\nsat-en 1?", ("one", "two", "(3)"), 2
    )
    categories = {
        q.question.split()[1]
        for q in headqa.read(written / "headqa_en/test.jsonl", "h", ("biology", "medicine"))
    }
    assert categories == {"biology", "medicine"}
    # Line breaks of a program are kept; those of another system are not.
    code = modules()["code"].samples("train", None, written)
    assert {row["response"].partition("\n")[0] for row in code} == {"if True:", "```python"}
    assert all("\n    " in row["response"] and "\r" not in row["response"] for row in code)


@pytest.mark.parametrize(
    ("read", "row", "said"),
    [
        (medqa.read, {"question": "Q?", "answer": "x", "answer_idx": "A",
                      "options": dict(zip("ABCD", "abcd", strict=True))}, "'answer_idx' is 'A'"),
        (fineval.read, {"subject": "s", "id": "0", **lettered(1, answer="E")}, "'answer' is 'E'"),
        (agieval.read, {"passage": None, "question": "Q?", "options": ["(A)x", "(B)y"],
                        "label": "C"}, "'label' is 'C', expected a letter of its 2 options"),
        (agieval.read, {"passage": None, "question": "Q?", "options": None, "label": "C"},
         "'options' is NoneType"),
        (legalbench.read_test, {"task": "hearsay", "label": "Maybe", "text": "t"}, "is 'Maybe'"),
        (legalbench.read_test, {"task": "scalr", "label": "0", "text": "t"}, "no question here"),
        (legalbench.read_train, {"task": "scalr", "index": "0", "answer": "0"}, "no text beside"),
    ],
)  # fmt: skip
def test_other_layouts_are_refused_in_one_line(tmp_path, read, row, said):
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / "rows.jsonl", [row]), "p")
    message = str(caught.value)
    assert message.startswith("rows.jsonl, line 1")
    assert said in message
    assert "\n" not in message


def test_a_category_that_no_examination_has_is_named(written):
    with pytest.raises(InputError, match=r"test.jsonl: found no question of category physics"):
        headqa.read(written / "headqa_en/test.jsonl", "h", ("physics",))


def test_the_corpus_and_its_tasks_are_built(data, tmp_path, monkeypatch):
    monkeypatch.setenv("LAWCHECK_DATA", str(data))
    scale = load_scale(
        "versatune_smollm2", {"evaluation": {"items": 4, "tune_items": 2, "generated_items": 2}}
    )
    manifest = build_corpus(scale, tmp_path / "corpus")
    assert set(manifest["files"]) == {
        f"{d}.{s}.jsonl" for d in DOMAINS for s in ("train", "tune", "eval")
    }
    rows = read_rows(tmp_path / "corpus" / "law.train.jsonl")
    assert {row["kind"] for row in rows} == {"choice", "label"}
    placed = load_tasks(of_world(), scale, tmp_path / "corpus", "eval")
    assert [len(list(p.task.eval_docs)) for p in placed if p.discipline.name == "code"] == [2, 2]
    for p in placed:
        document = next(iter(p.task.eval_docs))
        gold = p.task.doc_to_target(document)
        if p.discipline.name == "code":
            assert gold == document["solution"]
            assert "assert" not in gold
        else:
            assert p.task.doc_to_choice(document)[int(gold)] in "ABCDEFGH"
    assert likelihood.BITS in SCALE.claimed_metrics


def test_which_laws_the_scale_realises():
    assert set(scale_laws(SCALE)) == {"real_consistency", "real_potential", "real_expansion"}
    # What the base learned is unknown; a second family is not in a package.
    for name, lost in (("detection", "'skew_a'"), ("real_swapped", "'second'")):
        assert lost in unrealisable(SCALE, discovery.law(name))
    two = load_scale("versatune_two_families")
    assert set(scale_laws(two)) == {*scale_laws(SCALE), "real_swapped"}
    assert not realisable(load_scale("smollm2"), scale_laws(two))
    for law in scale_laws(two).values():
        assert bears_claims(two, law)
        assert set(unclaimed(two, law)) <= {"consistent_accuracy"}


def test_the_plan_counts_domains_of_this_world_only(written, monkeypatch):
    monkeypatch.setenv("LAWCHECK_DATA", str(written))
    planner = Planner(SCALE, (0,))
    found = plan_law(planner, discovery.law("real_expansion"))
    trained = [a for a in found["arms"] if a["rows_per_seed"]]
    assert {a["rows_per_seed"] for a in trained} == {600}
    # Twenty held-out rows of each domain, before eight phases and after.
    assert max(a["probe_rows_per_seed"] for a in trained) == 6 * 20 * 9
    # The paper scale has other domains.
    assert {a["gpu_hours_paper"] for a in trained} == {None}
