"""The paper's evaluation: task folders over released files, their prompts, and their means."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from released import BIOTEXT, CHEMBENCH, write_released
from tiny_world import make_scale

from lawcheck.corpus.real import harness
from lawcheck.declare import discovery
from lawcheck.declare.worlds import source_module
from lawcheck.errors import InputError
from lawcheck.evaluation.benchmarks import ifeval, local
from lawcheck.evaluation.benchmarks.means import means_text, task_means
from lawcheck.judging.evidence import Evidence
from lawcheck.scores import load_scores, task_places
from lawcheck.scores.files import write_scores

WORLD = local.WORLD
CHEMBENCH_TASKS = tuple(f"chembench_{name.lower()}" for name in CHEMBENCH)
OURS = (*CHEMBENCH_TASKS, "mol_instructions_mcq", "geobench_apstudy", "geobench_npee")
HARNESS = ("gsm8k", "medmcqa", "ifeval", "mmlu")


def paper_disciplines() -> list[Any]:
    return [d for d in discovery.disciplines().values() if WORLD in d.worlds]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def corpus(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation files of a corpus, as its build writes them."""
    folder = tmp_path_factory.mktemp("corpus")
    scale = make_scale().model_copy(update={"world": WORLD})
    for d in paper_disciplines():
        rows = source_module(d, scale).samples("eval", None, data)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{d.name}.eval.jsonl").write_text(text)
    return folder


def asked(corpus: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for d in paper_disciplines():
        for line in (corpus / f"{d.name}.eval.jsonl").read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["task"], []).append(row)
    return found


@pytest.fixture(scope="module")
def loaded(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Our task files as they are, with the hub's address replaced by the local folder."""
    import datasets
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    geobench = data / "geobench" / "data" / "geobench"
    archive = data / "mol_instructions_biotext" / "data" / f"{BIOTEXT}.zip"
    configs = []
    for task in OURS:
        config = load_yaml(local._definition(task))
        files = config["dataset_kwargs"]["data_files"]
        if task in CHEMBENCH_TASKS:
            assert config["dataset_path"] == "AI4Chem/ChemBench4K"
            assert re.fullmatch("[0-9a-f]{40}", config["dataset_kwargs"].pop("revision"))
            config["dataset_path"] = str(data / "chembench4k")
        elif task == "mol_instructions_mcq":
            member, _, _ = files["test"].partition("::https://")
            files["test"] = f"{member}::{archive}"
        else:
            files["test"] = str(geobench / files["test"].rsplit("/", 1)[1])
        configs.append(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        # A member of an archive counts as remote wherever the archive lies.
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        return dict(TaskManager(include_defaults=False).load(configs)["tasks"])


def test_task_files_read_the_releases_as_the_corpus_does(
    loaded: dict[str, Any], corpus: Path
) -> None:
    rows = asked(corpus)
    assert set(loaded) == set(OURS)
    for name, task in loaded.items():
        documents = list(task.eval_docs)
        assert len(documents) == len(rows[name]), name
        columns = ("question", "choices", "answer", "cluster")
        of_files = Counter(json.dumps([d[c] for c in columns]) for d in documents)
        assert of_files == Counter(json.dumps([d[c] for c in columns]) for d in rows[name]), name
        for document in documents:
            letters = task.doc_to_choice(document)
            assert len(letters) == len(document["choices"])
            assert 0 <= int(task.doc_to_target(document)) < len(letters)


def test_prompts_are_the_original_ones(loaded: dict[str, Any]) -> None:
    def first(name: str) -> tuple[str, list[str], int]:
        task = loaded[name]
        document = next(iter(task.eval_docs))
        return (
            task.doc_to_text(document),
            task.doc_to_choice(document),
            int(task.doc_to_target(document)),
        )

    assert first("chembench_name_conversion") == (
        "There is a single choice question about chemistry. Answer the question by replying A, B, "
        "C or D.\nQuestion: Name_Conversion of C=C?\nA. a 0 test\nB. b 0 test\nC. c 0 test\n"
        "D. d 0 test\nAnswer: ",
        ["A", "B", "C", "D"],
        0,
    )
    assert first("mol_instructions_mcq") == (
        "Which of these is a base?\n(A) adenine (B) ribose",
        ["(A)", "(B)"],
        1,
    )
    assert first("geobench_npee") == (
        "Identify the choice that best completes the statement or answers the question.\n"
        "The softest rock is:\nChoose from:\nA. talc\nB. granite\nC. slate",
        ["A", "B", "C"],
        0,
    )
    assert first("geobench_apstudy")[1:] == (["A", "B", "C", "D", "E"], 4)
    # "(A-type)" and "(E)-butenal" label no option.
    second = list(loaded["mol_instructions_mcq"].eval_docs)[1]
    assert second["choices"] == ["trypsin", "(E)-butenal", "amylase", "none"]
    assert second["answer"] == 2


def test_copies_share_a_cluster_and_bonds_tell_molecules_apart(loaded: dict[str, Any]) -> None:
    clusters = [d["cluster"] for d in loaded["chembench_name_conversion"].eval_docs]
    assert len(set(clusters)) == 3
    assert clusters[2] == clusters[3]


def test_chembench_shows_five_examples_as_turns(loaded: dict[str, Any]) -> None:
    task = loaded["chembench_mol2caption"]
    turns: list[dict[str, str]] = []

    def template(messages: list[dict[str, str]], **_: Any) -> str:
        turns.extend(messages)
        return ""

    task.fewshot_context(
        next(iter(task.eval_docs)),
        task.config.num_fewshot,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=template,
    )
    assert [t["role"] for t in turns] == [*("user", "assistant") * 5, "user"]
    assert [t["content"] for t in turns[1::2]] == ["A", "B", "C", "D", "A"]
    assert all("dev" in t["content"] for t in turns[0:10:2])


@pytest.fixture(scope="module")
def scored(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model's score file on everything that the paper's scale asks."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from lawcheck.evaluation.run import EvalJob, evaluate_runs
    from lawcheck.training.base.tokenizer import train_bpe

    folder = tmp_path_factory.mktemp("scored")
    tokenizer = train_bpe([p.read_text() for p in corpus.iterdir()], 600)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=32,
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    job = EvalJob(
        run_id="base-s0-000000000000",
        arm="base",
        seed=0,
        method="base",
        base_folder=folder / "base",
        run_folder=None,
        disciplines=tuple(paper_disciplines()),
    )
    scale = make_scale().model_copy(update={"world": WORLD})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "has_punkt", lambda: False)
        evaluate_runs([job], scale, corpus, lambda _: folder / "scores.parquet")
    return folder / "scores.parquet"


def test_scores_carry_task_metric_and_cluster(scored: Path, corpus: Path) -> None:
    table = load_scores(scored)
    rows = asked(corpus)
    assert set(table.tasks) == {*OURS, *HARNESS}
    for d in paper_disciplines():
        for declared in d.worlds[WORLD].tasks:
            name = declared.name
            assert table.item_metric[name] == declared.metric
            values = table.cube("base", name, [0])[0]
            unscored = dict(zip(table.items("base", name), map(math.isnan, values), strict=True))
            assert set(unscored) == {row["id"] for row in rows[name]}
            # Of IFEval's prompts only the one with a check that cannot be made.
            assert [i for i, nan in unscored.items() if nan] == (
                ["ifeval.2"] if name == "ifeval" else []
            )
            assert {v for v in values if not math.isnan(v)} <= {0.0, 1.0}
            clusters = table.clusters(name)
            if declared.cluster:
                assert clusters is not None
                assert len(set(clusters)) == len({row["cluster"] for row in rows[name]})


def test_disciplines_weigh_equally_and_so_do_tasks_inside(scored: Path) -> None:
    places = task_places(discovery.disciplines().values(), WORLD)
    strata = Evidence(scores=load_scores(scored), places=places).strata("average")
    weights = {s.task: s.weight for s in strata}
    assert set(weights) == {*OURS, "gsm8k", "medmcqa"}
    assert math.isclose(sum(weights.values()), 1)
    assert all(math.isclose(weights[t], 1 / 5 / 9) for t in CHEMBENCH_TASKS)
    assert math.isclose(weights["geobench_npee"], 1 / 5 / 2)


def test_macro_and_micro_mean(tmp_path: Path) -> None:
    from lawcheck.declare.design import Score

    # Task k has k + 1 items, of which k are right; one further item of the first is unscored.
    def row(task: str, item: int, value: float) -> Score:
        return Score(
            run_id="a-s0-000000000000",
            arm="a",
            seed=0,
            task=task,
            item_id=f"{item}",
            cluster="",
            metric="acc",
            value=value,
        )

    rows = [row(CHEMBENCH_TASKS[0], 99, math.nan)]
    for k, task in enumerate(CHEMBENCH_TASKS):
        rows += [row(task, i, float(i < k)) for i in range(k + 1)]
    write_scores(rows, tmp_path / "scores.parquet")
    (found,) = task_means(
        load_scores(tmp_path / "scores.parquet"), discovery.disciplines().values(), WORLD
    )
    assert found.discipline == "chemistry"
    assert found.macro == pytest.approx(100 * sum(k / (k + 1) for k in range(9)) / 9)
    assert found.micro == pytest.approx(100 * 36 / 45)
    assert found.tasks[0] == (CHEMBENCH_TASKS[0], 0.0, 1, 1)
    assert "80.00" in means_text([found])


def test_versions_are_those_of_the_definitions() -> None:
    from lm_eval.tasks._yaml_loader import load_yaml

    for d in paper_disciplines():
        for declared in d.worlds[WORLD].tasks:
            path = local._definition(declared.name)
            config = load_yaml(path, resolve_func=False)
            # MedMCQA's definition states no version.
            stated = {} if declared.name == "medmcqa" else config["metadata"]
            assert stated.get("version", 1) == declared.version, declared.name
            kind = {"multiple_choice": "multiple_choice", "generate": "generate_until"}
            assert config["output_type"] == kind[declared.output], declared.name


def test_local_task_files_load_and_keep_the_harness_definitions(data: Path, tmp_path: Path) -> None:
    import datasets
    from lm_eval.tasks import TaskManager

    names = local.write_tasks(data, tmp_path / "tasks")
    assert set(names) == {
        *OURS,
        *HARNESS,
        "chembench",
        "chembench_pooled",
        "geobench_choice",
    }
    manager = TaskManager(include_path=tmp_path / "tasks", include_defaults=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        patch.setattr(harness, "has_punkt", lambda: False)
        names = ["gsm8k", "medmcqa", "ifeval", "mmlu_anatomy", "mmlu_high_school_biology"]
        tasks = manager.load([*names, "chembench", "mol_instructions_mcq", "geobench_choice"])
        found = tasks["tasks"]
        assert len(found) == len(names) + 12
        assert set(tasks["groups"]) == {"chembench", "geobench_choice"}
        prompts = {n: t.doc_to_text(next(iter(t.eval_docs))) for n, t in found.items()}
        assert prompts["gsm8k"] == "Question: What is 1 and 1?\nAnswer:"
        assert prompts["medmcqa"].startswith("Question: Bone number 0?\nChoices:\nA. bone a\n")
        assert prompts["mmlu_anatomy"] == "Q0?\nA. w\nB. x\nC. y\nD. z\nAnswer:"
        assert [f.name for f in found["gsm8k"]._filters] == ["strict-match", "flexible-extract"]
        golds = [int(found["medmcqa"].doc_to_target(d)) for d in found["medmcqa"].eval_docs]
        assert golds == [3, 0, 2]
        values = [
            found["ifeval"].process_results(d, ["all fine"])["prompt_level_strict_acc"]
            for d in found["ifeval"].eval_docs
        ]
    assert [math.isnan(v) for v in values] == [False, True, False]
    assert ifeval.scored_mean([1.0, math.nan, 0.0]) == 0.5
    assert ifeval.scored_mean_of_lists([[1.0, 0.0], [math.nan], [1.0]]) == pytest.approx(2 / 3)


def test_a_folder_of_other_things_is_not_replaced(data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"holds 'thesis.tex', expected a new folder"):
        local.write_tasks(data, tmp_path)
    assert (tmp_path / "thesis.tex").is_file()
    with pytest.raises(InputError, match="found no evaluation set in it"):
        local.report(tmp_path)


def test_copies_and_contradictions_are_counted(data: Path) -> None:
    lines = {line["task"]: line for line in local.report(data)}
    assert lines["geobench_npee"] == {
        "task": "geobench_npee",
        "items": 2,
        "questions": 1,
        "repeated": 1,
        "contradictory": 1,
    }
    assert lines["geobench_apstudy"]["contradictory"] == 1
    assert lines["chembench_name_conversion"]["repeated"] == 0


def test_published_geobench_copies() -> None:
    folder = os.environ.get("LAWCHECK_DATA")
    if not folder:
        pytest.skip("LAWCHECK_DATA is not set: it names the folder that holds geobench/")
    lines = {line["task"]: line for line in local.report(Path(folder))}
    columns = ("items", "questions", "repeated", "contradictory")
    assert [lines["geobench_npee"][c] for c in columns] == [180, 118, 52, 10]
    assert [lines["geobench_apstudy"][c] for c in columns] == [1395, 1394, 1, 1]
    assert lines["gsm8k"]["items"] == 1319
    assert lines["mmlu"]["items"] == 14042


def test_first_release_of_mol_instructions_is_refused() -> None:
    import datasets

    from lawcheck.evaluation.benchmarks.documents import mol_instructions

    row = {"instruction": "?", "input": "", "output": "(A)", "metadata": "{'task': 'x'}"}
    with pytest.raises(InputError, match="metadata names no 'split'") as error:
        mol_instructions(datasets.Dataset.from_list([row]))
    assert "\n" not in str(error.value)


def test_the_harness_lists_the_folder_without_lawcheck(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['lm_eval', 'ls', 'groups', '--include_path', sys.argv[1]]\n"
        "from lm_eval.__main__ import cli_evaluate\n"
        "cli_evaluate()\n"
        "assert not [m for m in sys.modules if m.startswith('lawcheck')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(local.task_folder())],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for group in ("chembench", "chembench_pooled", "geobench_choice", "lawcheck_paper"):
        assert re.search(rf"\|{group} +\|", done.stdout), group
