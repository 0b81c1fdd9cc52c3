"""The score table: what it refuses, and that the order of rows means nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_world import PLACES, columns, table

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Discipline, EvalTask, Score, World
from lawcheck.errors import InputError
from lawcheck.scores import concatenate, load_scores, task_places, write_scores
from lawcheck.scores.files import SCHEMA
from lawcheck.scores.sorting import _batches

A, B = Arm(method="a"), Arm(method="b")
ROWS = columns({A: 0.6, B: 0.5}, n_seeds=2, n_items=8, tasks=("math", "biology"))


def changed(column: str, at: int, value: object) -> dict[str, list]:
    rows = {c: list(v) for c, v in ROWS.items()}
    rows[column][at] = value
    return rows


def without(*at: int) -> dict[str, list]:
    return {c: [x for k, x in enumerate(v) if k not in at] for c, v in ROWS.items()}


def shuffled(rows: dict[str, list], order: list[int]) -> dict[str, list]:
    return {c: [v[k] for k in order] for c, v in rows.items()}


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(len(ROWS["value"]))))
def test_row_order_changes_nothing(order):
    first, moved = table(ROWS), table(shuffled(ROWS, list(order)))
    assert moved.digest() == first.digest()
    assert np.array_equal(moved.cube("a", "math", (1, 0)), first.cube("a", "math", (1, 0)))
    assert moved.items("a", "math") == first.items("a", "math")


def test_cube_holds_the_rows_it_should():
    scores = table(ROWS)
    cube = scores.cube("b", "biology", (0, 1))
    for k, seed in enumerate((0, 1)):
        for i, item in enumerate(scores.items("b", "biology")):
            values = [
                v
                for a, s, t, q, v in zip(
                    *(ROWS[c] for c in ("arm", "seed", "task", "item_id", "value")), strict=True
                )
                if (a, s, t, q) == ("b", seed, "biology", item)
            ]
            assert values == [cube[k, i]]
    assert scores.seeds("b", "biology") == (0, 1)
    assert scores.seeds("b", "chemistry") == ()
    with pytest.raises(InputError, match=r"no rows of task 'math' for seeds \[7\]"):
        scores.cube("a", "math", (0, 7))


def test_digest_sees_values_and_names_but_not_run_ids_or_other_arms():
    digest = table(ROWS).digest()
    assert table(changed("run_id", 0, "other")).digest() == digest
    assert table(changed("value", 0, 0.25)).digest() != digest
    assert table(changed("value", 0, math.nan)).digest() != digest
    only_b = table({c: [x for x, a in zip(v, ROWS["arm"], strict=True) if a == "b"]
                    for c, v in ROWS.items()})  # fmt: skip
    assert table(ROWS).digest(["b"]) == only_b.digest() != digest


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without(*range(len(ROWS["value"]))), "0 rows"),
        (changed("value", 3, 57.0), r"value 57 of arm 'a', seed 0, task 'math', item 'q3'"),
        (changed("value", 3, -0.1), "expected 0 to 1"),
        (changed("value", 3, math.inf), "value inf"),
        (changed("item_id", 3, "q2"), "item 'q2' stands twice"),
        (changed("seed", 3, -1), "seed -1"),
        (changed("cluster", 3, "c"), "different clusters"),
        (without(3), r"has 7 items, arm 'a' seed 1 8, and item 'q3' is only in one"),
        (changed("item_id", 3, "other"), "only in one"),
        ({**ROWS, "value": [math.nan] * len(ROWS["value"])}, "no item has a value"),
        ({**ROWS, "metric": ["f1", *ROWS["metric"][1:]]}, "item metrics 'acc' and 'f1'"),
        ({**ROWS, "metric": ["diverged"] * len(ROWS["metric"])}, "only diverged runs"),
    ],
)
def test_refuses_with_one_line(rows, message):
    with pytest.raises(InputError, match=message) as caught:
        table(rows)
    assert "\n" not in str(caught.value)


def test_files_round_trip_in_any_order_and_join(tmp_path):
    half = [k for k, a in enumerate(ROWS["arm"]) if a == "a"]
    rest = [k for k, a in enumerate(ROWS["arm"]) if a == "b"]
    for name, order in (("a", half), ("b", rest[::-1])):
        write_scores(shuffled(ROWS, order), tmp_path / f"{name}.parquet")
    concatenate([tmp_path / "b.parquet", tmp_path / "a.parquet"], tmp_path / "all.parquet")
    rows = [Score(**{c: ROWS[c][k] for c in SCHEMA.names}) for k in range(len(ROWS["value"]))]
    write_scores(rows, tmp_path / "rows.parquet")
    found = {n: load_scores(tmp_path / f"{n}.parquet").digest() for n in ("all", "rows")}
    assert set(found.values()) == {table(ROWS).digest()}
    assert (tmp_path / "all.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()
    with pytest.raises(InputError, match="stands twice"):
        concatenate([tmp_path / "a.parquet"] * 2, tmp_path / "twice.parquet")
    assert not (tmp_path / "twice.parquet").exists()


def test_a_plain_csv_is_enough(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("value,arm,seed,task,item_id\n1,a,0,math,07\n,a,0,math,8\n0.5,a,1,math,8\n"
                    "0,a,1,math,07\n")  # fmt: skip
    scores = load_scores(str(path))
    assert scores.items("a", "math") == ["07", "8"]
    cube = scores.cube("a", "math", (0, 1))
    assert cube[0, 0] == 1
    assert np.isnan(cube[0, 1])
    assert cube[1].tolist() == [0, 0.5]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.parquet", b"not parquet", "not a Parquet file"),
        ("x.parquet", b"", "not a Parquet file"),
        ("x.csv", b"", "not a CSV score table"),
        ("x.csv", b"arm,seed,task,item_id,value\na,0,math,q1\n", "not a CSV score table"),
        ("x.csv", b"arm,seed,task,item_id,value\na,0,math,q1,good\n", "not a CSV score table"),
        ("x.csv", b"arm,seed,task,item_id,value\na,zero,math,q1,1\n", "not a CSV score table"),
        ("x.csv", b"arm,seed,task,item_id,value\na,,math,q1,1\n", "'seed' has empty cells"),
        ("x.csv", b"arm,seed,task,item_id,value\n", "0 rows"),
        ("x.csv", b"arm,sed,task,item_id,value\na,0,math,q1,1\n", r"'sed' is unknown.*seed"),
        ("x.csv", b"arm,seed,task,item_id\na,0,math,q1\n", "'value' is missing"),
        ("x.csv", b"arm,arm,seed,task,item_id,value\na,a,0,math,q1,1\n", "there twice"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_scores(path)
    assert "\n" not in str(caught.value)


def test_absent_file_and_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_scores(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="no file given"):
        load_scores([])


def test_clusters_and_diverged_runs():
    rows = {c: list(v) for c, v in ROWS.items()}
    rows["cluster"] = [
        f"p{int(q[1:]) // 2}" if t == "math" and q != "q7" else ""
        for t, q in zip(rows["task"], rows["item_id"], strict=True)
    ]
    for run in ("x", "y", "y"):
        for c, v in zip(SCHEMA.names, (run, "a", 1, "train", "", "", "diverged", 1.0), strict=True):
            rows[c].append(v)
    scores = table(rows)
    assert scores.clusters("biology") is None
    assert len(set(scores.clusters("math"))) == 5
    assert dict(scores.diverged) == {("a", 1): 2}
    assert "train" not in scores.item_metric


def test_tasks_belong_to_the_discipline_that_declares_them():
    def discipline(name: str, task: str, role: str = "discipline") -> Discipline:
        worlds = {"proxy": World(source="none", tasks=(EvalTask(name=task),))}
        return Discipline(name=name, title=name, role=role, rows=1, version=1, worlds=worlds)

    places = task_places([discipline("math", "sums"), discipline("general", "ifeval", "general")])
    assert places["sums"] == places["math"] == PLACES["math"]
    assert places["ifeval"].role == "general"
    with pytest.raises(InputError, match="declared by disciplines"):
        task_places([discipline("math", "sums"), discipline("biology", "sums")])


def test_a_study_averages_the_disciplines_of_its_own_worlds():
    def names(study: str) -> set[str]:
        return {d.name for d in discovery.of_study(discovery.study(study))}

    five = {"math", "chemistry", "biology", "medicine", "geography", "general", "out_of_domain"}
    assert names("discipline_laws") == five
    six = {"law", "medicine", "finance", "science", "code", "general"}
    assert names("real_mixtures") == six
    # A table of one's own, judged on a law of the first study, misses none of the others'.
    of = task_places(discovery.disciplines().values(), "proxy")
    assert {p.discipline for p in of.values()} == five


def test_true_and_false_are_scores_as_pandas_writes_them(tmp_path):
    head = "arm,seed,task,item_id,value\n"
    path = tmp_path / "mine.csv"
    path.write_text(head + "a,0,math,q1,True\na,0,math,q2,False\na,0,math,q3,\n")
    (cells,) = load_scores([path]).cube("a", "math", [0])
    np.testing.assert_array_equal(cells, [1.0, 0.0, math.nan])
    # Anything else beside them is named as before.
    path.write_text(head + "a,0,math,q1,True\na,0,math,q2,maybe\n")
    with pytest.raises(InputError, match="column 'value' holds 'True'"):
        load_scores([path])


def test_true_and_false_are_read_alike_from_files_too_large_for_memory(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("arm,seed,task,item_id,value\na,0,math,q1,True\na,0,math,q2,False\n")
    (batch,) = _batches([path])
    assert batch.column("value").to_pylist() == [1.0, 0.0]
