"""What the evaluation tools themselves wrote, version by version, and what is refused of it.

tests/imports holds their output on ten questions and one tiny model, with paths shortened and
the description of the machine taken out.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lawcheck.errors import InputError
from lawcheck.judging.importing import ImportMap, import_scores, read_map
from lawcheck.judging.importing.placement import Placement, Placer
from lawcheck.scores import load_scores

WRITTEN = Path(__file__).parent / "imports"
NO_COLA = {"my_cola": None}


def imported(tmp_path: Path, *paths: Path, **options):
    mapping = ImportMap(**options.pop("mapping", {}))
    out = tmp_path / "scores.parquet"
    found = import_scores(paths, out, mapping=mapping, **options)
    return load_scores(out), found.notes


@pytest.mark.parametrize("version", ["0.4.0", "0.4.3"])
def test_samples_without_a_filter_are_told_apart_by_their_order(tmp_path, version):
    folder = WRITTEN / f"lm-eval-{version}"
    for variant, right in (("strict", 0.0), ("loose", 0.8)):
        mapping = {"tasks": NO_COLA, "metrics": {"my_two": f"exact_match,{variant}"}}
        with pytest.raises(InputError, match="'my_two' matches no task; found my_choice, my_cola"):
            imported(tmp_path, folder / "ours-s0", mapping=mapping)
        mapping["metrics"]["my_choice"] = "acc_norm"
        scores, _ = imported(tmp_path, folder, mapping=mapping)
        assert scores.cube("ours", "my_two", (1,)).mean() == right
        assert scores.cube("ours", "my_choice", (0,)).mean() == 0.8


def test_runs_of_different_versions_hold_the_same_documents(tmp_path):
    mapping = {"tasks": NO_COLA, "runs": [{"match": "*0.4.0*", "arm": "old", "seed": 0}]}
    paths = [WRITTEN / f"lm-eval-{v}" / "ours-s0" for v in ("0.4.0", "0.4.12")]
    scores, notes = imported(tmp_path, *paths, mapping=mapping)
    assert scores.arms == ("old", "ours")
    assert any("differ in lm_eval_version (None and 0.4.12)" in n for n in notes)


def test_swapped_filters_do_not_match_the_results(tmp_path):
    folder = shutil.copytree(WRITTEN / "lm-eval-0.4.3/ours-s1", tmp_path / "ours-s1")
    (file,) = folder.rglob("samples_my_two_*.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[10:], *lines[:10]]))
    with pytest.raises(InputError, match=r"exact_match,strict is 0 in the results, 0\.8 on avera"):
        imported(tmp_path, folder)


@pytest.mark.parametrize("version", ["0.4.0", "0.4.3", "0.4.12"])
def test_statistics_of_a_data_set_are_no_item_scores(tmp_path, version):
    folder = WRITTEN / f"lm-eval-{version}" / "ours-s0"
    with pytest.raises(InputError, match="metric mcc,none: a statistic of the whole data set"):
        imported(tmp_path, folder)
    scores, notes = imported(tmp_path, folder, mapping={"tasks": NO_COLA})
    assert scores.cube("ours", "my_choice", (0,)).mean() == 0.9
    assert "tasks left out by the mapping: my_cola" in notes
    assert not any("mean of the samples" in n for n in notes)


def test_logs_of_inspect_ai(tmp_path):
    scores, notes = imported(tmp_path, WRITTEN / "inspect-0.3.285")
    half = [[0, 1, 0, 1, 0, 1]]
    assert scores.cube("ours", "sums", (0,)).tolist() == half
    assert scores.cube("ours", "sums_epochs", (0,)).tolist() == half
    assert scores.items("ours", "sums") == [f"q{k}" for k in range(6)]
    assert scores.item_metric["dicted"] == "good"
    assert scores.cube("ours", "dicted", (0,)).tolist() == [[0, 1, 1, 0, 0, 0]]
    assert any("metric good is read, not bad" in n for n in notes)
    deflated, _ = imported(tmp_path, WRITTEN / "inspect-0.3.112")
    assert deflated.cube("ours", "sums", (0,)).tolist() == half
    early, _ = imported(tmp_path, WRITTEN / "inspect-0.3.40")
    assert early.cube("ours", "sums_epochs", (0,)).tolist() == half
    # Correct, incorrect, partial, no answer.
    assert early.cube("ours", "partial", (0,)).tolist() == [[1, 0, 0.5, 0, 1, 1]]


def test_numbers_that_inspect_ai_did_not_tell_apart_are_noted(tmp_path):
    folder = shutil.copytree(WRITTEN / "inspect-0.3.40", tmp_path / "logs")
    (file,) = folder.rglob("*_sums-epochs_*.json")
    log = json.loads(file.read_text())
    targets = ["827115", "1,000,040", ["82711", "three"], "1e9", "nan", "0.333333"]
    for sample in log["samples"]:
        sample["target"] = targets[int(sample["id"].removeprefix("q"))]
    file.write_text(json.dumps(log))
    assert not any("five significant" in n for n in imported(tmp_path, folder)[1])
    log["results"]["scores"][0]["params"] = {"numeric": True}
    file.write_text(json.dumps(log))
    _, notes = imported(tmp_path, folder)
    assert any("five significant digits, and 3 of 6 targets have more" in n for n in notes)


def test_an_evaluation_that_did_not_end_well_is_refused(tmp_path):
    folder = shutil.copytree(WRITTEN / "inspect-0.3.40", tmp_path / "logs")
    (file,) = folder.rglob("*_partial_*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "error"}))
    with pytest.raises(InputError, match="status 'error', expected 'success'"):
        imported(tmp_path, folder)


@pytest.mark.parametrize("version", ["0.10.0", "0.13.0"])
def test_details_of_lighteval(tmp_path, version):
    scores, notes = imported(tmp_path, WRITTEN / f"lighteval-{version}")
    (choice,) = (t for t in scores.tasks if t.endswith("my_choice"))
    (text,) = (t for t in scores.tasks if t.endswith("my_gen"))
    assert scores.cube("ours", choice, (0,)).sum() == 9
    assert scores.item_metric[choice] == "acc"
    assert (scores.item_metric[text], scores.cube("ours", text, (0,)).sum()) == ("em", 0)
    with pytest.raises(InputError, match="metric mcc: a statistic of the whole data set"):
        imported(tmp_path, WRITTEN / f"lighteval-{version}", mapping={"metrics": {choice: "mcc"}})
    assert any("em is read, not bleu, f1" in n for n in notes)


def test_a_metric_of_lighteval_that_names_a_function_is_the_same_in_every_run(tmp_path):
    paths = [tmp_path / f"{arm}-s0" for arm in "ab"]
    for k, path in enumerate(paths):
        shutil.copytree(WRITTEN / "lighteval-0.13.0" / "ours-s0", path)
        name = f"maj@n:n=4&normalize_pred=<function math_normalizer at 0x7fac1e18a{k}>"
        (file,) = path.rglob("results_*.json")
        file.write_text(file.read_text().replace('"em"', f'"{name}"'))
        (file,) = path.rglob("details_my_gen*.parquet")
        table = pq.read_table(file)
        metrics = [
            {name if m == "em" else m: v for m, v in row.items() if m != "bleu"}
            for row in table["metric"].to_pylist()
        ]
        table = table.set_column(table.schema.get_field_index("metric"), "metric", [metrics])
        pq.write_table(table, file)
    scores, notes = imported(tmp_path, *paths)
    assert scores.item_metric["my_gen"] == "maj@n:n=4&normalize_pred=<function math_normalizer>"
    assert any("'my_gen': lighteval's maj@n compares whole texts" in n for n in notes)


def test_settings_of_lighteval_are_compared(tmp_path):
    paths = [tmp_path / f"{arm}-s0" for arm in "ab"]
    for path in paths:
        shutil.copytree(WRITTEN / "lighteval-0.13.0" / "ours-s0", path)
    (file,) = paths[1].rglob("results_*.json")
    content = json.loads(file.read_text())
    content["config_general"]["model_config"]["generation_parameters"]["temperature"] = 1
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="differ in generation"):
        imported(tmp_path, *paths)
    with pytest.raises(InputError, match="name it once, or the one results file"):
        imported(tmp_path, paths[0], paths[0])


def written(folder: Path, values, *, task="sums", date="2026-01-01T00-00-00", metric="acc", **more):
    """A results file and its samples as lm-eval 0.4.13 lays them out."""
    flat = [x for v in values for x in (v if isinstance(v, list) else [v])]
    task_more = more.pop("task_more", {})
    results = {
        "results": {task: {f"{metric},none": sum(flat) / len(flat), f"{metric}_stderr,none": 0.1}},
        "configs": {task: {"metric_list": [{"metric": metric}]}},
        "n-samples": {task: {"original": len(values), "effective": len(values)}},
        "n-shot": {task: 0},
        "higher_is_better": {task: {metric: True}},
        "config": {"model": "hf", "model_args": {"pretrained": "org/base"}, "limit": None},
        "model_name": "org/base",
    }
    for key, value in task_more.items():
        results[key] = {task: value}
    results |= more
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"results_{date}.json").write_text(json.dumps(results))
    lines = [
        json.dumps({"doc_id": k, "doc": {"q": k}, "doc_hash": f"h{k}", "filter": "none", metric: v})
        for k, v in enumerate(values)
    ]
    (folder / f"samples_{task}_{date}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


MIXED = [1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1]


@pytest.mark.parametrize(
    ("values", "metric", "more", "message"),
    [
        # [gold, prediction], as f1 and mcc are logged.
        ([[1, 1], [0, 1]], "f1", {}, "f1,none: a statistic of the whole data set"),
        ([[1, 1], [0, 1]], "my_mcc", {"results": {"my_mcc,none": 0.3}}, "0.75 on average over"),
        (MIXED, "median", {"results": {"median,none": 1.0}}, "median,none is 1 in the results"),
        (MIXED, "brier", {"higher_is_better": {"brier": False}}, "brier,none: lower is better"),
        ([-3.5, -2], "perplexity", {}, "perplexity,none: a statistic"),
        (MIXED, "wer", {"higher_is_better": {}}, "wer,none: lower is better"),
        (
            MIXED,
            "gap",
            {"higher_is_better": {},
             "configs": {"metric_list": [{"metric": "gap", "higher_is_better": False}]}},
            "gap,none: lower is better",
        ),
        (
            [[1, 0], [0, 1]],
            "spearman",
            {"results": {"spearman,none": "N/A"}},
            "several values per sample and the results hold no number",
        ),
        (
            MIXED,
            "acc",
            {"configs": {"metric_list": [{"metric": "acc", "aggregation": "weighted"}]},
             "results": {"acc,none": 0.1}},
            "acc,none is 0.1 in the results",
        ),
    ],
)  # fmt: skip
def test_what_is_no_mean_of_item_scores_is_refused(tmp_path, values, metric, more, message):
    folder = written(tmp_path / "a-s0", values, metric=metric, task_more=more)
    with pytest.raises(InputError, match=message):
        imported(tmp_path, folder)


def test_lists_of_checks_whose_mean_is_the_result_are_items(tmp_path):
    folder = written(tmp_path / "a-s0", [[1, 0], [1]], metric="inst_level_acc")
    scores, _ = imported(tmp_path, folder)
    assert scores.items("a", "sums") == ["0/0", "0/1", "1/0"]


def test_samples_of_a_mean_count_where_the_results_say_otherwise(tmp_path):
    more = {"results": {"acc,none": 0.25}}
    scores, notes = imported(tmp_path, written(tmp_path / "a-s0", MIXED, task_more=more))
    assert scores.cube("a", "sums", (0,)).sum() == 7
    assert any("0.25, mean 0.583333" in n for n in notes)


def test_what_no_score_depends_on_refuses_nothing(tmp_path):
    folder = written(tmp_path / "a-s0", MIXED)
    (file,) = folder.glob("samples_*")
    lines = file.read_text().splitlines()
    lines[0] = lines[0].replace('{"q": 0}', '{"q": %s}' % ("9" * 5000))
    lines[1] = lines[1].replace('{"q": 1}', '{"q": 1, "q": NaN, "x": -Infinity}')
    lines[2] = lines[2].replace('{"q": 2}', "[" * 5000 + '"a\\"]}"' + "]" * 5000)
    lines[3] = lines[3].replace('{"q": 3}', '"\\ud800"')
    file.write_text("\n".join(lines) + "\n")
    scores, _ = imported(tmp_path, folder)
    assert scores.cube("a", "sums", (0,)).astype(int).sum() == sum(MIXED)
    file.write_text("\n".join([lines[0].replace('"acc"', '"acc": 0, "acc"'), *lines[1:]]) + "\n")
    with pytest.raises(InputError, match="line 1: a key stands twice"):
        imported(tmp_path, folder)


def test_what_is_not_read_is_named(tmp_path):
    folder = written(tmp_path / "a-s0", MIXED)
    (folder / "samples_old_2025-01-01T00-00-00.jsonl").write_text("")
    (folder / "other").mkdir()
    (folder / "other" / "results.json").write_text("not json")
    (folder / "2025.json").write_text("[]")
    _, notes = imported(tmp_path, folder)
    assert any("1 files belong to no results file, not read: samples_old" in n for n in notes)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task_more": {"n-shot": 5}}, r"differ in num_fewshot \(0 and 5\); evaluate alike, or"),
        ({"task_more": {"versions": 2}}, r"task version \(none and 2\)"),
        ({"chat_template_sha": "c"}, r"chat_template \(none and \"c\"\)"),
        ({"task_more": {"configs": {"repeats": 8}}}, r"repeats \(none and 8\)"),
        ({"config": {"limit": 12}}, r"limit \(none and 12\); evaluate alike\Z"),
        (
            {"task_more": {"configs": {"generation_kwargs": {"temperature": 1}}}},
            r"generation \(none and .*temperature",
        ),
    ],
)
def test_runs_that_were_not_evaluated_alike_are_refused(tmp_path, more, message):
    paths = [written(tmp_path / "a-s0", MIXED), written(tmp_path / "b-s0", MIXED[::-1], **more)]
    with pytest.raises(InputError, match=message):
        imported(tmp_path, *paths)
    # The same in one folder: two evaluations of one task.
    again = written(tmp_path / "a-s0", MIXED, date="2026-02-01T00-00-00", **more)
    if "config" not in more:
        with pytest.raises(InputError, match="was evaluated 2 times, which differ in"):
            imported(tmp_path, again)


def test_few_shots_may_belong_to_the_arms(tmp_path):
    paths = [
        written(tmp_path / "a-s0", MIXED),
        written(tmp_path / "b-s0", MIXED[::-1], task_more={"n-shot": 5}),
    ]
    scores, _ = imported(tmp_path, *paths, mapping={"differ": ["num_fewshot"]})
    assert scores.arms == ("a", "b")


def test_two_models_in_one_place_are_refused_and_may_be_mapped(tmp_path):
    folder = tmp_path / "evals" / "m-s0"
    for k, step in enumerate(("step1", "step2")):
        config = {"model_args": f"pretrained=org/base,revision={step}", "model_revision": step}
        values = MIXED[k:] + MIXED[:k]
        written(folder, values, date=f"2026-01-0{k + 1}T00-00-00", config=config)
    with pytest.raises(InputError, match=r"both hold arm 'm', seed 0.* \(step1 and step2\)"):
        imported(tmp_path, folder.parent)
    # Other tasks make no difference: one arm and seed is one model.
    (late,) = folder.glob("*2026-01-02*.jsonl")
    late.rename(late.with_name(late.name.replace("sums", "more")))
    results = next(folder.glob("results_2026-01-02*"))
    results.write_text(results.read_text().replace('"sums"', '"more"'))
    with pytest.raises(InputError, match=r"both hold arm 'm', seed 0.* \(step1 and step2\)"):
        imported(tmp_path, folder.parent)
    runs = [{"match": "*revision=step1", "arm": "early"}, {"match": "*=step2", "arm": "late"}]
    scores, _ = imported(tmp_path, folder.parent, mapping={"runs": runs})
    assert scores.seeds("early", "sums") == scores.seeds("late", "more") == (0,)


def test_an_arm_and_seed_is_one_model_by_name_too(tmp_path):
    for k, name in enumerate(("org/one", "org/two")):
        more = {"model_name": name, "task": f"t{k}"}
        written(tmp_path / "a-s0" / name.replace("/", "__"), MIXED, **more)
    with pytest.raises(InputError, match=r"differ in model name \(org/one and org/two\)"):
        imported(tmp_path, tmp_path / "a-s0")
    scores, _ = imported(tmp_path, tmp_path / "a-s0", mapping={"differ": ["model name"]})
    assert scores.tasks == ("t0", "t1")


def test_copies_of_one_run_are_no_seeds(tmp_path):
    paths = [written(tmp_path / f"a-s{s}", MIXED) for s in (0, 1)]
    with pytest.raises(InputError, match="hold the same answers under seeds 0 and 1 of arm 'a'"):
        imported(tmp_path, *paths)
    runs = [{"match": "*", "arm": "a", "seed": [0, 1]}]
    scores, _ = imported(tmp_path, paths[0], mapping={"runs": runs})
    assert scores.seeds("a", "sums") == (0, 1)
    # Few wrong answers agree by chance.
    good = [written(tmp_path / f"b-s{s}", [1] * 11 + [0]) for s in (0, 1)]
    assert imported(tmp_path, *good)[0].seeds("b", "sums") == (0, 1)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            {"runs": [{"match": "*c-s*", "arm": "c"}]},
            r"runs: '\*c-s\*' matches no run; found .*a-s0",
        ),
        (
            {"runs": [{"match": "*", "arm": "a"}, {"match": "*s0*", "arm": "b"}]},
            "matches only runs that an earlier entry takes; put it first",
        ),
        ({"tasks": {"sum": "math"}}, "tasks: 'sum' matches no task; found sums"),
        ({"metrics": {"arc_*": "acc"}}, r"metrics: 'arc_\*' matches no task; found sums"),
        ({"metrics": {"s*": "f1"}}, "no metric 'f1', found acc,none"),
        ({"columns": {"arm": "model"}}, "columns: no table is read"),
        ({"percent": True}, "percent: no table is read"),
        ({"tasks": {"Sums": "math"}}, "tasks: 'Sums' matches no task; found sums"),
    ],
)
def test_instructions_that_match_nothing_are_refused(tmp_path, mapping, message):
    with pytest.raises(InputError, match=message):
        imported(tmp_path, written(tmp_path / "a-s0", MIXED), mapping=mapping)
    assert not (tmp_path / "scores.parquet").exists()


def test_a_mapping_may_name_tasks_of_other_folders(tmp_path):
    mapping = {"tasks": {"sums": "math", "arc_*": "biology"}}
    scores, notes = imported(tmp_path, written(tmp_path / "a-s0", MIXED), mapping=mapping)
    assert scores.tasks == ("math",)
    assert "mapping: tasks: arc_*: no such task here" in notes


@pytest.mark.parametrize(
    ("folder", "model", "found"),
    [
        ("evals/x", "simplescaling/s1-32B", "no seed in its names"),
        ("evals/simplescaling__s1-32B", "", "no seed in its names"),
        ("evals/s1-32B", "", "no seed in its names"),
        ("evals/simplescaling__s1", "simplescaling/s1", "no seed in its names"),
        ("evals/x", "GAIR/LIMO-s1", "no seed in its names"),
        ("evals/Seed-OSS-36B", "ByteDance-Seed/Seed-OSS-36B", "no seed in its names"),
        ("evals/doubao-seed-1.6", "bytedance/seed-1.6", "no seed in its names"),
        ("evals/phi-3", "microsoft/phi-3", "no seed in its names"),
        ("evals/llama-v2", "meta/llama-2", "no seed in its names"),
        ("evals/wide-seed1-seed2", "", "its names say seeds 1 and 2"),
        ("seed1/wide-s2", "", "its names say seeds 1 and 2"),
        ("evals/wide-s20260501", "", "no seed in its names"),
        ("evals/wide-s99999999999999999999", "", "no seed in its names"),
        ("evals/x-s4", "simplescaling/s1-32B", (4,)),
        ("evals/x", "org/wide_seed2", (2,)),
        ("evals/x", "./runs/wide-s2/checkpoint-500", (2,)),
        ("evals/wide-seed3-lr1e-4/run", "", (3,)),
    ],
)
def test_a_seed_is_read_only_where_nothing_else_is_meant(folder, model, found):
    place = Placer(ImportMap(), arm="reasoner").place([folder], model)
    assert place == (found if isinstance(found, str) else Placement("reasoner", found))


def test_the_line_shows_what_to_write(tmp_path):
    written(tmp_path / "evals" / "mine", MIXED)
    with pytest.raises(InputError, match=r"\(runs: \[\{match: '\S+mine', arm: NAME, seed: N\}\]\)"):
        imported(tmp_path, tmp_path / "evals")


def changed(folder: Path, sample=None, results=None) -> Path:
    """The folder, its samples and its results file passed through functions."""
    (file,) = folder.glob("samples_*")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows = [r for row in rows for r in (sample(row) if sample else [row])]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    (file,) = folder.glob("results_*")
    content = json.loads(file.read_text())
    if results:
        results(content["results"]["sums"])
    file.write_text(json.dumps(content))
    return folder


def test_answers_filtered_in_different_ways_are_not_compared(tmp_path):
    def filtered(row):
        return [row | {"filter": f} for f in ("strict", "loose")]

    paths = [written(tmp_path / f"{arm}-s0", MIXED) for arm in "ab"]
    for path, order in zip(paths, (("strict", "loose"), ("loose", "strict")), strict=True):

        def renamed(results, order=order):
            mean = results.pop("acc,none")
            results |= {f"acc,{f}": mean for f in order}

        changed(path, filtered, renamed)
    with pytest.raises(InputError, match="differ in filter"):
        imported(tmp_path, *paths)
    scores, _ = imported(tmp_path, *paths, mapping={"metrics": {"sums": "acc,loose"}})
    assert scores.arms == ("a", "b")


def test_the_same_questions_must_have_the_same_right_answers(tmp_path):
    paths = [
        changed(
            written(tmp_path / f"{arm}-s0", values),
            lambda row, arm=arm: [row | {"target_hash": f"{row['doc_id']}{arm}"}],
        )
        for arm, values in (("a", MIXED), ("b", MIXED[::-1]))
    ]
    with pytest.raises(InputError, match="hold different right answers"):
        imported(tmp_path, *paths)


def test_one_copied_task_is_no_second_seed(tmp_path):
    def answered(row):
        return [row | {"resps": [[f"answer {row['doc_id']}"]]}]

    paths = [changed(written(tmp_path / f"a-s{s}", MIXED), answered) for s in (0, 1)]
    written(paths[1], MIXED[::-1], task="more", date="2026-01-02T00-00-00")
    with pytest.raises(InputError, match="the same answers to task 'sums' under seeds 0 and 1"):
        imported(tmp_path, *paths)
    arms = [changed(written(tmp_path / f"{arm}-s5", MIXED), answered) for arm in "bc"]
    _, notes = imported(tmp_path, *arms)
    assert any("hold the same answers, as arms 'b' and 'c'" in n for n in notes)


def test_where_a_model_ran_makes_no_other_model(tmp_path):
    for k, task in enumerate(("sums", "more")):
        config = {"model_args": f"pretrained=org/base,device=cuda:{k}"}
        written(tmp_path / "m-s0" / task, MIXED, task=task, config=config)
        for file in (tmp_path / "m-s0" / task).iterdir():
            file.rename(tmp_path / "m-s0" / file.name.replace("01T", f"0{k}T"))
    assert imported(tmp_path, tmp_path / "m-s0")[0].tasks == ("more", "sums")


def test_blank_lines_and_packed_samples(tmp_path):
    folder = written(tmp_path / "a-s0", MIXED)
    (file,) = folder.glob("samples_*")
    (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes() + b"\n\n"))
    file.unlink()
    assert imported(tmp_path, folder)[0].cube("a", "sums", (0,)).sum() == sum(MIXED)


def test_how_the_model_was_loaded_and_answers_scored_is_noted(tmp_path):
    config = {"model_args": "pretrained=b,load_in_4bit=True", "model": "hf"}
    more = {"configs": {"filter_list": [{"name": "none"}], "metric_list": [{"metric": "acc"}]}}
    paths = [
        written(tmp_path / "a-s0", MIXED),
        written(tmp_path / "b-s0", MIXED[::-1], config=config, task_more=more),
    ]
    _, notes = imported(tmp_path, *paths)
    assert any("differ in model_args load_in_4bit (none and True)" in n for n in notes)
    assert any("filter or score answers differently" in n for n in notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: [{match: x, arm: a, seed: yes}]", "true is no seed"),
        ("runs: [{match: x, arm: a, seed: 9223372036854775808}]", "no seed|64 bits"),
        ("runs: [{match: x, arm: '', seed: 1}]", "runs.0.arm: string should have"),
        ("tasks: {x: ''}", "tasks.x: string should have"),
    ],
)
def test_a_mapping_names_what_can_be_meant(tmp_path, text, message):
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_map(tmp_path / "map.yaml")


def test_a_name_with_brackets_matches_itself():
    mapping = ImportMap(runs=[{"match": "ours[1]", "arm": "a", "seed": 1}], tasks={"t[0]": "math"})
    assert Placer(mapping).place(["ours[1]"]) == Placement("a", (1,))
    assert mapping.task("t[0]") == "math"


def log(folder: Path, values, header=None, plan=None, metrics=("accuracy",)) -> Path:
    """A log with the members of inspect_ai 0.3.40."""
    scores = [{"value": v, "answer": f"x{k}"} for k, v in enumerate(values)]
    content = {
        "version": 2,
        "status": "success",
        "eval": {"task": "sums", "model": "m", "created": "2026", "config": {}} | (header or {}),
        "plan": {"steps": plan or []},
        "results": {
            "total_samples": len(values),
            "scores": [
                {
                    "name": "match",
                    "scorer": "match",
                    "metrics": {m: {"value": 0.5} for m in metrics},
                }
            ],
        },
        "samples": [
            {"id": k, "input": f"q{k}", "target": "t", "scores": {"match": s}}
            for k, s in enumerate(scores)
        ],
    }
    folder.mkdir()
    (folder / "2026-01-01T00-00-00_sums_x.json").write_text(json.dumps(content))
    return folder


def test_logs_that_were_not_set_up_alike(tmp_path):
    first = log(tmp_path / "a-s0", ["C", "1", "0", "I"])
    for name, header, message in (
        ("b-s0", {"model_roles": {"grader": {"model": "g"}}}, "differ in model roles"),
        ("c-s0", {"task_args": {"shots": 5}}, "differ in task arguments"),
    ):
        with pytest.raises(InputError, match=message):
            imported(tmp_path, first, log(tmp_path / name, ["I", "C", "C", "I"], header))
    other = log(tmp_path / "d-s0", ["I", "C", "C", "I"], plan=["cot"], metrics=("f1_macro",))
    scores, notes = imported(tmp_path, first, other)
    assert scores.cube("a", "sums", (0,)).ravel().tolist() == [1, 1, 0, 0]
    assert any("prompts of" in n for n in notes)
    assert any("reports no mean of match" in n for n in notes)
