"""A stranger's table in the forms in which tables come: read, or refused in one right line."""

from __future__ import annotations

import decimal
import math
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from lawcheck.errors import InputError
from lawcheck.judging.importing import ImportMap, import_scores
from lawcheck.judging.importing.columns import is_statistic
from lawcheck.scores import load_scores

WIDE = "arm,seed,gsm8k,biology\nours,0,0.62,0.5\nours,1,0.64,0.25\nbase,0,0.41,0.5\n"


def imported(tmp_path: Path, content: str | bytes | pa.Table, name: str = "x.csv", **mapping):
    path = tmp_path / name
    if isinstance(content, pa.Table):
        pa.parquet.write_table(content, path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    out = tmp_path / "scores.parquet"
    found = import_scores([path], out, mapping=ImportMap(**mapping))
    return load_scores(out), found.notes


def values(scores, arm: str, task: str) -> list[float]:
    return scores.cube(arm, task, scores.seeds(arm, task)).ravel().tolist()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (WIDE, "x.csv"),
        (WIDE.replace(",", "\t"), "x.tsv"),
        (WIDE.replace(",", ";").replace(".", ","), "x.csv"),
        (WIDE.replace(",", ";"), "x.csv"),
        (WIDE.replace(",", "\t").replace(".", ","), "x.tsv"),
        (WIDE.replace(",", " , ").replace("\n", "\r\n"), "x.csv"),
        ("\ufeff" + WIDE, "x.csv"),
        (WIDE.replace("arm", '"arm"').replace("ours", '"ours"').replace("0.62", '"0.62"'), "x.csv"),
        (WIDE.replace("arm", "Model"), "x.csv"),
        (WIDE.replace("0,0.62", "0.0,62%").replace("0.64", "64 %").replace("0.41", "41%")
             .replace("0.25", "25%").replace("0.5", "50%"), "x.csv"),
        (WIDE.replace("0.62", "62").replace("0.64", "64").replace("0.41", "41")
             .replace("0.25", "25.0").replace("0.5", "50"), "x.csv"),
    ],
)  # fmt: skip
def test_one_table_in_many_forms(tmp_path, text, name):
    scores, notes = imported(tmp_path, text, name)
    assert scores.arms == ("base", "ours")
    assert values(scores, "ours", "gsm8k") == pytest.approx([0.62, 0.64])
    assert values(scores, "ours", "biology") == pytest.approx([0.5, 0.25])
    assert values(scores, "base", "gsm8k") == pytest.approx([0.41])
    assert any("percentages" in n for n in notes) == (",62," in text or "\t62" in text)


def test_columns_of_errors_and_counts_are_no_scores(tmp_path):
    text = (
        "arm,seed,arc_easy,arc_easy_stderr,arc_challenge,arc_challenge_n,n_arc,arc_ci_low\n"
        "a,0,0.5,0.01,0.25,400,400,0.2\nb,0,0.75,0.01,0.5,400,400,0.2\n"
    )
    scores, notes = imported(tmp_path, text, tasks={"arc_*": "biology", "n_*": "biology"})
    assert scores.items("a", "biology") == ["arc_challenge/mean", "arc_easy/mean"]
    assert values(scores, "b", "biology") == [0.5, 0.75]
    (left,) = (n for n in notes if "columns left out" in n)
    assert left.endswith("arc_easy_stderr, arc_challenge_n, n_arc, arc_ci_low")
    with pytest.raises(InputError, match="'arc_easy_stderr' holds an error or a count"):
        imported(tmp_path, text, tasks={"arc_easy_stderr": "biology"})
    assert not is_statistic("math_count_of_words")
    for name in ("acc_stderr,none", "gsm8k (std)", "exact_match_stderr,strict-match", "SE_gsm8k"):
        assert is_statistic(name), name


def test_two_metrics_of_a_task_are_not_two_items(tmp_path):
    text = "arm,seed,arc_acc,arc_acc_norm\na,0,0.5,0.25\n"
    with pytest.raises(InputError, match="'arc_acc' and 'arc_acc_norm' are two metrics of one"):
        imported(tmp_path, text, tasks={"arc*": "biology"})
    scores, _ = imported(tmp_path, text, tasks={"arc_acc_norm": "biology"})
    assert values(scores, "a", "biology") == [0.25]


def test_long_rows_of_several_metrics(tmp_path):
    text = (
        "model,seed,benchmark,metric,score\n"
        "a,0,arc,acc,0.5\na,0,arc,acc_norm,0.25\na,0,arc,acc_stderr,0.01\n"
    )
    with pytest.raises(InputError, match="item metrics 'acc' and 'acc_norm'; keep one"):
        imported(tmp_path, text)
    scores, notes = imported(tmp_path, text, metrics={"a*": "acc_norm"})
    assert values(scores, "a", "arc") == [0.25]
    assert any("2 rows of metrics acc, acc_stderr left out" in n for n in notes)
    assert any("column 'benchmark' read as 'task'" in n for n in notes)
    with pytest.raises(InputError, match=r"no metric 'f1', found acc, acc_norm, acc_stderr"):
        imported(tmp_path, text, metrics={"a*": "f1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,seed,math,biology\na,0,62.5,0.41\n", r"'math' go up to 62\.5, those of 'biology' to"),
        ("arm,seed,math\na,0,62.5\nb,0,0.41\n", r"such as 0\.41 beside 62\.5: percentages and"),
        ("arm,seed,math\na,0,62%\nb,0,0.41\n", "some values bear a percent sign, some do not"),
        ("arm,seed,math\na,0,120\nb,0,41\n", "value 120"),
        ("arm,seed,math\na,0,62.1 +- 0.3\n", "'value' holds no numbers"),
        ('arm,seed,math\na,0,"1,234.5"\n', "'value' holds no numbers"),
        ("arm,seed,lr,gsm,arc\na,0,1e-4,0.5,0.5\n", r"in --map: tasks: \{gsm: gsm, arc: arc\}"),
        (
            "arm,seed,step,math\na,0,100,0.1\na,0,200,0.2\n",
            r"differ only in column 'step' \(100, 200\); keep one of them, or make it part",
        ),
        (
            "arm,seed,task,checkpoint,value\na,0,math,x,0.1\na,0,math,y,0.2\n",
            r"differ only in column 'checkpoint' \(x, y\)",
        ),
        ("model,method,seed,math\na,b,0,0.5\n", "'model' or 'method' could be it; write 'columns"),
        ("arm,seed,math\na,1.5,0.5\n", "'seed' holds no whole numbers"),
        (b"arm,seed,math\n\xe9,0,0.5\n", "line 2: not UTF-8 text"),
        ("arm\rx,seed,math\na,0,0.5\n", "not a CSV table"),
        (f"arm,seed,{'x' * 140_000}\na,0,0.5\n", "not a CSV table"),
        ("arm,seed,math\na,0,0.5\n".encode("utf-16"), "not UTF-8 text"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        imported(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "scores.parquet").exists()


def test_shares_are_not_said_to_be_percentages(tmp_path):
    with pytest.raises(InputError, match=r"percent: the largest value is 0\.64, so these are shar"):
        imported(tmp_path, WIDE, percent=True)
    low = "arm,seed,math\na,0,0.5\nb,0,3\n"
    scores, _ = imported(tmp_path, low, percent=True)
    assert values(scores, "b", "math") == [0.03]


def test_missing_cells_are_counted(tmp_path):
    text = "arm,seed,math,biology\na,0,0.5,NA\na,1,0.5,n/a\nb,0,0.25,0.5\n"
    scores, notes = imported(tmp_path, text)
    assert scores.seeds("a", "biology") == ()
    assert any("2 empty cells left out" in n for n in notes)


def test_wide_items_keep_their_ids(tmp_path):
    text = "arm,seed,item_id,math,biology\na,0,01,1,0\na,0,1,0,1\n"
    scores, _ = imported(tmp_path, text)
    assert scores.items("a", "math") == ["01", "1"]
    assert values(scores, "a", "math") == [1, 0]


def test_repeated_seeds_are_noted(tmp_path):
    rows = [f"{arm},{s},math,q{k},{k % 2}" for arm in "ab" for s in (0, 1) for k in range(10)]
    rows = [r if not r.startswith("b,1") else r[:-1] + "1" for r in rows]
    _, notes = imported(tmp_path, "arm,seed,task,item_id,value\n" + "\n".join(rows) + "\n")
    (note,) = (n for n in notes if "same score in every item" in n)
    assert note.startswith("arm 'a': seeds 0 and 1 have")


def test_parquet_of_pandas(tmp_path):
    frame = pd.DataFrame(
        {
            "arm": pd.Categorical(["ours", "base"]),
            "seed": pd.array([0, 0], dtype="Int64"),
            "math": [0.62, math.nan],
            "biology": pd.array([0.5, 0.25], dtype="Float64"),
        },
        index=["x", "y"],
    )
    frame.to_parquet(tmp_path / "p.parquet")
    scores, notes = imported(tmp_path, (tmp_path / "p.parquet").read_bytes(), "q.parquet")
    assert values(scores, "ours", "math") == [0.62]
    assert scores.seeds("base", "math") == ()
    assert values(scores, "base", "biology") == [0.25]
    assert any("columns left out: __index_level_0__" in n for n in notes)


def test_parquet_in_the_types_of_other_writers(tmp_path):
    names = pa.array(["ours", "base"])
    table = pa.table(
        {
            "arm": names.dictionary_encode(),
            "seed": pa.array([0.0, 0.0]),
            "task": pa.array([" math", "math "], pa.large_string()),
            "item_id": pa.array([7, 7], pa.uint8()),
            "value": pa.array([decimal.Decimal("0.62"), decimal.Decimal("0.41")]),
            "notes": pa.array([["a"], []]),
        }
    )
    scores, _ = imported(tmp_path, table, "x.parquet")
    assert scores.items("ours", "math") == ["7"]
    assert values(scores, "base", "math") == [0.41]
    views = table.set_column(0, "arm", names.cast(pa.string_view())).drop_columns(["item_id"])
    scores, _ = imported(tmp_path, views, "y.parquet")
    assert values(scores, "ours", "math") == [0.62]


def test_tasks_of_different_types(tmp_path):
    table = pa.table(
        {
            "arm": ["ours", "base"],
            "seed": [0, 0],
            "math": ["0.62", "0.1"],
            "biology": [0.1 + 0.2, math.nan],
            "chemistry": pa.array([True, None]),
            "when": pa.array([1, 2], pa.timestamp("s")),
        }
    )
    scores, _ = imported(tmp_path, table, "x.parquet")
    assert values(scores, "ours", "biology") == [0.1 + 0.2]
    assert values(scores, "ours", "chemistry") == [1]
    assert scores.seeds("base", "biology") == ()
    with pytest.raises(InputError, match=r"'value' holds no numbers|cannot be read"):
        imported(tmp_path, table, "x.parquet", tasks={"when": "math"})


@pytest.mark.parametrize(
    "column",
    ["gsm8k (\u00b1)", "gsm8k +/-", "gsm8k_err", "gsm8kStderr", "gsm8k_95ci", "gsm8k_time", "avg",
     "Average", "macro avg", "Unnamed: 0", "__index_level_0__", "index", "", "lr", "step", "n"],
)  # fmt: skip
def test_what_a_glob_leaves_out(tmp_path, column):
    text = f"arm,seed,gsm8k,{column}\na,0,0.62,0.01\nb,0,0.41,0.01\n"
    scores, notes = imported(tmp_path, text, tasks={"*": "math"})
    assert scores.items("a", "math") == ["gsm8k/mean"]
    assert any(n.endswith(f"columns left out: {column}") for n in notes)


@pytest.mark.parametrize("column", ["gsm8k_delta", "gsm8k.1", "gsm8k_baseline", "gsm8k error"])
def test_a_glob_takes_no_column_about_another(tmp_path, column):
    text = f"arm,seed,gsm8k,{column}\na,0,0.62,0.01\n"
    with pytest.raises(InputError, match="are both taken for 'math'"):
        imported(tmp_path, text, tasks={"*": "math"})
    scores, _ = imported(tmp_path, text, tasks={"gsm8k": "math", column: "math"})
    assert len(scores.items("a", "math")) == 2


def test_a_task_is_not_merged_with_one_of_its_new_name(tmp_path):
    text = "arm,seed,math,gsm8k\na,0,0.5,0.25\n"
    with pytest.raises(InputError, match="'gsm8k' becomes 'math', which is there too"):
        imported(tmp_path, text, tasks={"gsm8k": "math"})
    scores, _ = imported(tmp_path, text, tasks={"gsm8k": "math", "math": None})
    assert scores.items("a", "math") == ["gsm8k/mean"]


def test_averages_over_tasks_are_no_task_unless_named(tmp_path):
    text = "arm,seed,task,value\na,0,gsm8k,0.5\na,0,arc,0.7\na,0,average,0.6\n"
    scores, notes = imported(tmp_path, text, tasks={"*": "math"})
    assert scores.items("a", "math") == ["arc/mean", "gsm8k/mean"]
    assert any("averages or settings left out: average" in n for n in notes)
    scores, _ = imported(tmp_path, text, tasks={"average": "math", "*": None})
    assert scores.items("a", "math") == ["average/mean"]


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("arm,seed,task,metric,value\na,0,math,loss,0.5\n", {}),
        ("arm,seed,task,metric,value\na,0,math,word_perplexity,0.5\n", {}),
        ("arm,seed,gsm8k_nll\na,0,0.5\n", {"tasks": {"gsm*": "math"}}),
    ],
)
def test_of_what_less_is_better_is_no_score(tmp_path, text, mapping):
    with pytest.raises(InputError, match="lower is better"):
        imported(tmp_path, text, **mapping)


@pytest.mark.parametrize(
    "text",
    [
        "| arm | seed | math |\n|:--|---|--:|\n| a | 0 | 0.5 |\n",
        "sep=;\narm;seed;math\na;0;0,5\n",
        "# written by a script\narm,seed,math\na,0,0.5\n",
        "arm,seed,math\ra,0,0.5\r",
        "arm,seed,math,,\na,0,0.5,,\n",
    ],
)
def test_tables_as_other_programs_save_them(tmp_path, text):
    scores, _ = imported(tmp_path, text)
    assert values(scores, "a", "math") == [0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arm,run,math\na,1,0.5\n", r"'seed' is missing; write 'columns: \{seed: run\}'"),
        (
            'arm,seed,task,"acc,none","acc_stderr,none"\na,0,math,0.5,0.1\n',
            r"'value' is missing; write 'columns: \{value: \"acc,none\"\}'",
        ),
        ("arm,seed,task,score,accuracy\na,0,math,0.5,0.5\n", r"'columns: \{value: score\}'"),
        ("arm,seed,mt,math\na,0,0.5,7.2\nb,0,0.5,8\n", "up to 8, those of|marks out of 10"),
        ("arm,seed,math\na,0,7.2\nb,0,8\n", "up to 8: percentages, or marks out of 10"),
        (",,seed,math\na,x,0,0.5\n", "columns 1, 2 have no name"),
    ],
)
def test_a_line_shows_what_to_write(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        imported(tmp_path, text)


def test_measurements_of_a_run_of_ours_stay(tmp_path):
    text = (
        "arm,seed,task,item_id,metric,value\na,0,math,1,exact_match,1\na,0,wiki,0,domain_loss,0.5\n"
    )
    scores, _ = imported(tmp_path, text + "a,0,math,2,exact_match,0\n")
    assert values(scores, "a", "math") == [1, 0]


def test_a_column_named_outright_counts(tmp_path):
    scores, _ = imported(tmp_path, "arm,seed,real_time\na,0,0.5\n", tasks={"real_time": "math"})
    assert values(scores, "a", "math") == [0.5]


def test_long_seeds_keep_their_digits(tmp_path):
    text = "arm,seed,math\na,9007199254740993,0.5\na,9007199254740992,0.25\n"
    scores, _ = imported(tmp_path, text)
    assert scores.seeds("a", "math") == (9007199254740992, 9007199254740993)


def test_arms_that_look_alike_are_noted(tmp_path):
    _, notes = imported(tmp_path, "arm,seed,math\nMy-arm,0,0.5\nmy_arm,1,0.5\n")
    assert any("arms 'My-arm' and 'my_arm' are two arms" in n for n in notes)


STRANGE = (
    "arm,seed,lr,contracts_v2,summaries,average,runtime_x,params_b\n"
    "ours,0,0.1,61,40.5,50.7,11,7\nours,1,0.2,62,41,51.5,12,7\n"
    "theirs,0,0.1,51,30.5,40.7,11,8\ntheirs,1,0.2,52,32,42,12,8\n"
)


def test_columns_of_tasks_that_nobody_declared_are_read_where_they_vary_as_scores_do(tmp_path):
    scores, notes = imported(tmp_path, STRANGE)
    assert scores.tasks == ("contracts_v2", "summaries")
    assert values(scores, "theirs", "summaries") == pytest.approx([0.305, 0.32])
    assert any(n.endswith("columns read as tasks: contracts_v2, summaries") for n in notes)
    assert any(n.endswith("left out: lr, average, runtime_x, params_b") for n in notes)
    beside, notes = imported(tmp_path, STRANGE.replace("average", "gsm8k"))
    assert beside.tasks == ("contracts_v2", "gsm8k", "summaries")
    only, _ = imported(tmp_path, STRANGE, tasks={"summaries": "summaries"})
    assert only.tasks == ("summaries",)
    for text in (
        # One run an arm: nothing tells a score from a setting. Two metrics: of which task?
        "arm,seed,contracts_v2\nours,0,61\ntheirs,0,51\n",
        STRANGE.replace("contracts_v2", "acc").replace("summaries", "f1"),
    ):
        with pytest.raises(InputError, match="name the columns of scores in --map"):
            imported(tmp_path, text)


@pytest.mark.parametrize("entry", [{"arm": "b"}, {"arm": "b", "seed": 1}])
def test_a_mapping_does_not_place_runs_that_the_table_places(tmp_path, entry):
    text = "arm,seed,run_id,task,value\na,0,first,math,0.5\n"
    with pytest.raises(InputError, match="names another"):
        imported(tmp_path, text, runs=({"match": "first", **entry},))


def test_runs_without_a_name_get_a_line_too(tmp_path):
    with pytest.raises(InputError, match="name the runs in column 'run_id', or add columns"):
        imported(tmp_path, "run_id,math,x\n,,\n,0,\n")
