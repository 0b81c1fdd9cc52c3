"""Other people's results as score tables: true lm-eval output, CSV and Parquet."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lawcheck.__main__ import main
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import realisable
from lawcheck.errors import InputError
from lawcheck.judging.importing import ImportMap, import_scores, read_map
from lawcheck.judging.importing.placement import Placement, Placer
from lawcheck.planning.plan import Planner
from lawcheck.scores import load_scores

CHOICE = """
task: {task}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}, cache_dir: {cache}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
GENERATE = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}, cache_dir: {cache}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: lol
metric_list: [{{metric: exact_match}}]
filter_list:
  - name: strict
    filter: [{{function: regex, regex_pattern: "#### (.*)"}}, {{function: take_first}}]
  - {{name: loose, filter: [{{function: take_first}}]}}
"""
ITEMS = 12


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> Path:
    """Two runs of the harness's own dummy model, written by its own tracker."""
    lm_eval = pytest.importorskip("lm_eval")
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    home = tmp_path_factory.mktemp("harness")
    rows = home / "rows.jsonl"
    words = [[f"a{k}", "b" * (1 + k % 3)] for k in range(ITEMS)]
    docs = [
        {"id": f"d{k}", "question": f"q{k}?", "choices": w, "answer": k % 2}
        for k, w in enumerate(words)
    ]
    rows.write_text("".join(json.dumps(d) + "\n" for d in docs))
    tasks = home / "tasks"
    tasks.mkdir()
    where = {"rows": rows, "cache": home / "cache"}
    for name in ("mmlu_one", "mmlu_two"):
        (tasks / f"{name}.yaml").write_text(CHOICE.format(task=name, **where))
    (tasks / "sums.yaml").write_text(GENERATE.format(**where))
    (tasks / "mmlu.yaml").write_text("group: mmlu\ntask: [mmlu_one, mmlu_two]\n")
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    # Descriptions of environment and tokenizer are not read here, take seconds, and ask a hub.
    patch = pytest.MonkeyPatch()
    patch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    patch.setattr("lm_eval.evaluator.add_tokenizer_info", lambda results, lm: None)
    for seed in (0, 1):
        tracker = EvaluationTracker(output_path=str(home / "out" / f"lora-s{seed}"))
        results = lm_eval.simple_evaluate(
            model="dummy",
            model_args=f"pretrained=org/base,peft=adapters/lora-s{seed}",
            tasks=["mmlu", "sums"],
            task_manager=manager,
            evaluation_tracker=tracker,
            log_samples=True,
            bootstrap_iters=0,
            random_seed=seed,
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        for task in results["configs"]:
            tracker.save_results_samples(task_name=task, samples=samples[task])
    patch.undo()
    return home / "out"


@pytest.fixture
def output(evaluated, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(evaluated, tmp_path / "out"))


def samples_of(folder: Path, task: str, seed: int = 0) -> list[dict]:
    (file,) = folder.glob(f"lora-s{seed}/*/samples_{task}_*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def imported(tmp_path, *paths, **options):
    out = tmp_path / "scores.parquet"
    found = import_scores(paths, out, **options)
    return load_scores(out), found.notes


def test_true_harness_output_becomes_its_item_scores(evaluated, tmp_path):
    scores, notes = imported(tmp_path, evaluated, mapping=ImportMap(tasks={"sums": "math"}))
    assert scores.arms == ("lora",)
    # The group is what the discipline declares; its subtasks are what was run.
    assert scores.tasks == ("math", "mmlu")
    assert scores.seeds("lora", "mmlu") == (0, 1)
    for seed in (0, 1):
        expected = {
            f"{task}/{s['doc']['id']}": s["acc"]
            for task in ("mmlu_one", "mmlu_two")
            for s in samples_of(evaluated, task, seed)
        }
        cube = scores.cube("lora", "mmlu", (seed,))[0]
        assert dict(zip(scores.items("lora", "mmlu"), cube.tolist(), strict=True)) == expected
    assert scores.cube("lora", "math", (0,)).sum() == 0
    assert any("exact_match,strict is read, not exact_match,loose" in n for n in notes)


def test_the_mapping_chooses_arms_tasks_metrics_and_filters(evaluated, tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        "runs:\n  - {match: '*lora-s0*', arm: base, seed: [0, 1, 2]}\n"
        "  - {match: 'adapters/*', arm: ours}\n"
        "tasks: {'mmlu_*': chemistry, sums: math}\n"
        "metrics: {mmlu_one: acc_norm, mmlu_two: 'acc_norm,none', sums: 'exact_match,loose'}\n"
    )
    scores, notes = imported(tmp_path, evaluated, mapping=read_map(path))
    assert scores.arms == ("base", "ours")
    assert scores.seeds("base", "math") == (0, 1, 2)
    assert scores.seeds("ours", "math") == (1,)
    assert scores.item_metric == {"chemistry": "acc_norm", "math": "exact_match"}
    assert scores.cube("ours", "math", (1,)).mean() == 1
    assert any("sound for an untrained model only" in n for n in notes)


def test_runs_without_a_place_are_all_named_or_skipped(output, tmp_path, capsys):
    for seed, name in ((0, "one"), (1, "two")):
        (folder,) = (output / f"lora-s{seed}").iterdir()
        (file,) = folder.glob("results_*.json")
        results = json.loads(file.read_text())
        file.write_text(json.dumps(results | {"model_name": "org/base"}))
        folder.rename(folder.with_name("org__base"))
        (output / f"lora-s{seed}").rename(output / name)
    target = tmp_path / "t.parquet"
    line = ["import", str(output), "--out", str(target)]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "2 runs without arm or seed" in error
    assert "one" in error
    assert "two" in error
    assert not target.exists()
    (output / "two").rename(output / "two-s4")
    assert main([*line, "--partial"]) == 0
    printed = capsys.readouterr().out
    assert "two  seeds 4" in printed
    assert "left out, without arm or seed" in printed
    assert load_scores(target).arms == ("two",)
    assert main([*line, "--arm", "x", "--seed", "7"]) == 2
    assert "both hold arm 'x', seed 7" in capsys.readouterr().err


def one(output: Path, pattern: str) -> Path:
    return sorted(output.glob(f"lora-s0/*/{pattern}"))[0]


def rewrite(file: Path, change) -> None:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(r) + "\n" for r in change(rows)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda o: one(o, "results_*").write_text("{"), "not valid JSON"),
        (lambda o: one(o, "results_*").write_text("[]"), "found list, expected a JSON object"),
        (lambda o: one(o, "samples_sums_*").unlink(), "no such file; run lm_eval with --log"),
        (
            lambda o: one(o, "samples_sums_*").write_text('{"doc_id": 0}\n{'),
            "line 2: not valid JSON",
        ),
        (lambda o: one(o, "samples_sums_*").write_text("3\n"), "line 1: not a sample"),
        (lambda o: one(o, "samples_sums_*").write_text(""), "0 samples of filter 'strict'"),
        (lambda o: rewrite(one(o, "samples_sums_*"), lambda r: r[:5]), "5 samples.*expected 12"),
        (
            lambda o: rewrite(one(o, "samples_mmlu_one_*"), lambda r: [x | {"acc": 57} for x in r]),
            "line 1: acc 57, expected 0 to 1",
        ),
        (
            lambda o: rewrite(
                one(o, "samples_mmlu_one_*"),
                lambda r: [{k: v for k, v in x.items() if k != "acc"} for x in r],
            ),
            "line 1: no metric 'acc', found acc, acc_norm",
        ),
        (
            lambda o: rewrite(
                one(o, "samples_mmlu_one_*"), lambda r: [x | {"doc_hash": "other"} for x in r]
            ),
            "hold different documents",
        ),
        (lambda o: shutil.copytree(o / "lora-s0", o / "again" / "lora-s0"), "both hold arm 'lora'"),
        (shutil.rmtree, "no such file or folder"),
        (lambda o: [shutil.rmtree(o / f"lora-s{s}") for s in (0, 1)], "no results_<date>.json"),
    ],
)
def test_damaged_output_is_refused_in_one_line(output, tmp_path, damage, message):
    damage(output)
    with pytest.raises(InputError, match=message) as caught:
        imported(tmp_path, output)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "scores.parquet").exists()


def test_lists_of_checks_are_items_clustered_by_document_and_reruns_count_once(output, tmp_path):
    file = one(output, "samples_mmlu_one_*")
    rewrite(file, lambda r: [x | {"acc": [True, False, None]} for x in r])
    shutil.rmtree(output / "lora-s1")
    scores, _ = imported(tmp_path, output)
    assert len(set(scores.clusters("mmlu"))) == 2 * ITEMS
    assert len(scores.items("lora", "mmlu")) == 4 * ITEMS
    values = scores.cube("lora", "mmlu", (0,))[0]
    assert sum(math.isnan(v) for v in values) == ITEMS
    date = file.stem.rpartition("_")[2]
    for old in sorted(file.parent.iterdir()):
        shutil.copy(old, old.with_name(old.name.replace(date, "2020-01-01T00-00-00")))
    rewrite(one(output, "samples_sums_2020*"), lambda r: [x | {"exact_match": 1} for x in r])
    again, notes = imported(tmp_path, output)
    assert again.digest() == scores.digest()
    assert any("evaluated 2 times, the latest counts" in n for n in notes)


def test_every_run_id_of_ours_finds_its_arm_and_seed():
    planner = Planner(load_scale("proxy"), (0, 12))
    placer = Placer(ImportMap())
    for law in realisable(planner.scale, discovery.laws()).values():
        for run in planner.with_parents(planner.law_runs(law).values()).values():
            wanted = Placement(run.arm.name, (run.seed,))
            assert placer.place([run.id]) == wanted
            assert placer.place(["org/base", f"results/runs/{run.id}/adapter"]) == wanted


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["out/lora-s3"], Placement("lora", (3,))),
        (["org/moe_seed=2"], Placement("moe", (2,))),
        (["out/my.moe-seed12/run"], Placement("my.moe", (12,))),
        (["out/seed_3/lora"], "no arm in its names"),
        (["Qwen/Qwen2.5-7B-Instruct"], "no arm or seed in its names"),
        (["a-s1", "out/b-s1"], "its names say a and b"),
        (["a-s1", "out/a-s2"], "its names say seeds 1 and 2"),
    ],
)
def test_places_read_from_names(labels, found):
    assert Placer(ImportMap()).place(labels) == found


# --------------------------------------------------------------------------- CSV and Parquet


def csv(tmp_path, text: str, name: str = "mine.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_their_column_names_booleans_and_leading_zeros(tmp_path):
    path = csv(
        tmp_path,
        "model,seed,task,question,correct,answer\nA,0,math,07,True,x\nA,0,math,8,false,y\n"
        "B,0,math,07,,z\nB,0,math,8,1,w\n",
    )
    columns = {"arm": "model", "item_id": "question", "value": "correct"}
    scores, notes = imported(tmp_path, path, mapping=ImportMap(columns=columns))
    assert scores.arms == ("A", "B")
    assert scores.items("A", "math") == ["07", "8"]
    assert scores.cube("A", "math", (0,)).tolist() == [[1, 0]]
    assert math.isnan(scores.cube("B", "math", (0,))[0, 0])
    assert any("left out: answer" in n for n in notes)


def test_wide_means_are_judged_over_seeds_only(tmp_path, monkeypatch, capsys):
    rows = ["arm,seed,lr,math,biology"]
    rows += [f"ours,{s},0.1,{60 + s},{50 - s / 2}" for s in range(4)]
    rows += [f"theirs,{s},0.1,{40 + 2 * s},30" for s in range(4)]
    rows += ["theirs,9,0.1,70,"]
    path = csv(tmp_path, "\n".join(rows) + "\n")
    scores, notes = imported(tmp_path, path)
    assert any("values up to 70 read as percentages" in n for n in notes)
    assert any("1 empty cells left out" in n for n in notes)
    assert scores.digest() == imported(tmp_path, path, mapping=ImportMap(percent=True))[0].digest()
    assert scores.tasks == ("biology", "math")
    assert scores.seeds("theirs", "math") == (0, 1, 2, 3, 9)
    assert scores.seeds("theirs", "biology") == (0, 1, 2, 3)
    assert scores.cube("ours", "math", (3,)).tolist() == [[0.63]]
    assert any("columns left out: lr" in n for n in notes)
    assert any("judged over seeds only" in n for n in notes)
    from test_pytest_plugin import LAW

    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "ours.py").write_text(LAW)
    monkeypatch.setenv("LAWCHECK_LAWS", str(tmp_path / "laws"))
    discovery.forget()
    try:
        out = str(tmp_path / "scores.parquet")
        assert main(["judge", "ours_wins", "--scores", out, "--exit-code"]) == 0
        printed = capsys.readouterr().out
        assert "4 seeds, 2 items" in printed
        single = csv(tmp_path, "arm,seed,math\nours,0,0.9\ntheirs,0,0.1\n", "one.csv")
        imported(tmp_path, single)
        assert main(["judge", "ours_wins", "--scores", out, "--exit-code"]) == 3
        assert "needs 3 seeds, found 1" in capsys.readouterr().out
    finally:
        discovery.forget()


def test_rows_without_a_place_and_run_ids(tmp_path):
    path = csv(
        tmp_path,
        "run_id,task,item_id,value\nlora.d100-s4-0123456789ab,math,a,1\nnameless,math,a,0\n",
    )
    with pytest.raises(InputError, match=r"1 runs .*'nameless' \(no arm or seed"):
        imported(tmp_path, path)
    scores, _ = imported(tmp_path, path, partial=True)
    assert scores.arms == ("lora.d100",)
    assert scores.seeds("lora.d100", "math") == (4,)
    half = csv(tmp_path, "arm,seed,task,item_id,value\na,0,math,q,1\n,0,math,q,1\na,,math,r,0\n")
    with pytest.raises(
        InputError, match=r"1 rows with empty arm, first in data row 2; .*empty seed"
    ):
        imported(tmp_path, half)
    named = csv(tmp_path, "task,item_id,value\nmath,q,1\n", "moe-s2.csv")
    assert imported(tmp_path, named)[0].seeds("moe", "math") == (2,)
    seeded = csv(tmp_path, "seed,task,item_id,value\n5,math,q,1\n", "plain.csv")
    assert imported(tmp_path, seeded, arm="x")[0].seeds("x", "math") == (5,)


def test_parquet_with_several_files_and_renamed_tasks(tmp_path):
    table = {"arm": ["a", "a"], "seed": [0, 1], "task": ["arc", "arc"], "item_id": ["q", "q"]}
    for name, ok in (("one", [True, False]), ("two", [False, True])):
        path = tmp_path / f"{name}.parquet"
        pa.parquet.write_table(pa.table({**table, "arm": [name] * 2, "value": ok}), path)
    paths = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    scores, _ = imported(tmp_path, *paths, mapping=ImportMap(tasks={"arc": "biology"}))
    assert scores.items("one", "biology") == ["arc/q"]
    assert scores.cube("two", "biology", (0, 1)).ravel().tolist() == [0, 1]
    _, notes = imported(tmp_path, *paths)
    assert any("outside lawcheck's disciplines: arc" in n for n in notes)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "not a CSV table"),
        ("arm,seed,task,item_id,value\na,0,math,q\n", {}, "not a CSV table"),
        ("arm,seed,task,item_id,value\n", {}, "no row could be placed"),
        ("arm,seed,task,item_id,value\na,0,math,q,good\n", {}, "'value' holds no numbers"),
        ("arm,seed,task,item_id,value\na,x,math,q,1\n", {}, "'seed' holds no whole"),
        ("arm,seed,task,item_id,value\na,0,math,q,1\na,0,math,q,1\n", {}, "stands twice"),
        (
            "arm,seed,task,value\na,0,math,1\na,0,math,0\n",
            {},
            "2 rows of 1 runs .* 'item_id' tells",
        ),
        ("arm,seed,task,id,value\na,0,math,7,1\na,0,math,8,0\n", {}, r"\{item_id: id\}"),
        ("arm,seed,task,item_id,value\na,0,math,q,-1\n", {}, "expected 0 to 1"),
        ("arm,seed,task,item_id\na,0,math,q\n", {}, "'value' is missing"),
        ("arm,seed,item_id,value\na,0,q,1\n", {}, "'task' is missing"),
        ("arm,seed,weight\na,0,1\n", {}, "nor a column named like a task"),
        ("arm,seed,math\na,0,1\n", {"arm": "b"}, "has a column 'arm'; leave out --arm"),
        ("arm,arm,seed,math\na,b,0,1\n", {}, "'arm' is there twice"),
        ("m,seed,math\na,0,1\n", {"mapping": ImportMap(columns={"arm": "n"})}, "nearest|known: m"),
        ("m,seed,math\na,0,1\n", {"mapping": ImportMap(columns={"am": "m"})}, "nearest: arm"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path, text, options, message):
    with pytest.raises(InputError, match=message) as caught:
        imported(tmp_path, csv(tmp_path, text), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: 3", "runs: "),
        ("run: []", "run: extra"),
        ("runs: [{match: x}]", "arm: field required"),
        ("[", "expected the node|while parsing"),
        ("", "file: "),
    ],
)
def test_bad_mappings_are_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_map(csv(tmp_path, text, "map.yaml"))
    assert "\n" not in str(caught.value)


lenient = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["doc", "doc_id", "filter", "acc", "id", "doc_hash"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)


def refuses_in_one_line(tmp_path: Path, path: Path) -> None:
    """Anything goes in; scores or one line come out, never another exception."""
    line = ""
    try:
        imported(tmp_path, path)
    except InputError as error:
        line = str(error)
    assert "\n" not in line


@lenient
@given(st.lists(json_values, max_size=4), st.text(max_size=6))
def test_no_samples_file_crashes_the_reader(tmp_path, rows, tail):
    date = "2026-01-01T00-00-00"
    folder = tmp_path / "run-s0"
    folder.mkdir(exist_ok=True)
    results = {"results": {"math": {"acc,none": 0.5}}, "configs": {"math": {}}}
    (folder / f"results_{date}.json").write_text(json.dumps(results))
    text = "".join(json.dumps(r) + "\n" for r in rows) + tail
    (folder / f"samples_math_{date}.jsonl").write_text(text, encoding="utf-8")
    refuses_in_one_line(tmp_path, folder)


@lenient
@given(
    st.lists(
        st.lists(
            st.sampled_from(["", "a", "0", "1", "0.5", "math", "nan", "-1", "true", "\u2028", '"']),
            min_size=4,
            max_size=5,
        ),
        max_size=4,
    ),
    st.sampled_from(["arm,seed,task,item_id,value", "arm,seed,math,biology", "run_id,math,x,y"]),
    st.binary(max_size=4),
)
def test_no_csv_crashes_the_reader(tmp_path, rows, head, tail):
    path = tmp_path / "x.csv"
    path.write_bytes("\n".join([head, *map(",".join, rows)]).encode() + b"\n" + tail)
    refuses_in_one_line(tmp_path, path)
