"""Load: tables beyond memory are judged as smaller ones are."""

import dataclasses
import math
import random

import pyarrow as pa
import pyarrow.parquet
import pytest
import score_world

from lawcheck.declare import discovery
from lawcheck.errors import InputError
from lawcheck.judging.judged import judge_file
from lawcheck.judging.verdict_forms import verdict_json
from lawcheck.scores import DIVERGED, FAULT, load_scores, sorting
from lawcheck.scores.files import SCHEMA, write_scores


@pytest.fixture
def small_parts(monkeypatch):
    """Many batches, dealt into many parts, so that no boundary falls where it would not matter."""
    monkeypatch.setattr(sorting, "BATCH", 997)
    monkeypatch.setattr(sorting, "PART", 1500)


def typed(rows):
    return pa.table({c: pa.array(rows[c]).cast(SCHEMA.field(c).type) for c in SCHEMA.names})


def shuffled(rows, seed=0):
    order = list(range(len(rows["arm"])))
    random.Random(seed).shuffle(order)
    return {c: [v[k] for k in order] for c, v in rows.items()}


@pytest.mark.parametrize("form", ["parquet", "csv", "two files"])
def test_a_table_sorted_on_disk_is_the_one_sorted_in_memory(form, tmp_path, small_parts):
    law = discovery.law("share_then_specialize")
    routed = {a: 0.5 for a in law.arms if a.method == "lora_moe"}
    rows = score_world.columns(score_world.levels(law), 3, 40, sharpness=routed)
    rows["cluster"] = [
        "pair" if t == "math" and q in ("q3", "q4") else ""
        for t, q in zip(rows["task"], rows["item_id"], strict=True)
    ]
    rows["value"][5] = math.nan
    last = {c: v[-1] for c, v in rows.items()}
    for run in ("x", "y", "x"):
        mark = {**last, "run_id": run, "metric": DIVERGED, "item_id": "run", "value": 1.0}
        for column, value in mark.items():
            rows[column].append(value)
    wrong = {"metric": FAULT, "item_id": "one_answer", "value": 0.97}
    for column, value in {**last, **wrong}.items():
        rows[column].append(value)
    table = typed(shuffled(rows))
    half = len(table) // 2
    if form == "csv":
        paths = [tmp_path / "scores.csv"]
        table.to_pandas().to_csv(paths[0], index=False)
    elif form == "parquet":
        paths = [tmp_path / "scores.parquet"]
        pa.parquet.write_table(table, paths[0], row_group_size=1234)
    else:
        paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
        write_scores(table.slice(0, half), paths[0])
        pa.parquet.write_table(table.slice(half), paths[1])
    whole, streamed = load_scores(paths), load_scores(paths, in_memory_rows=0)
    assert streamed.digest() == whole.digest()
    for name in ("arms", "tasks", "metrics", "item_metric", "diverged", "faults", "n_rows"):
        assert getattr(streamed, name) == getattr(whole, name)
    assert all(whole._names[c] == names for c, names in streamed._names.items())
    assert whole.diverged == {(last["arm"], last["seed"]): 2}
    assert whole.faults == {(last["arm"], last["seed"]): ((last["task"], "one_answer", 0.97),)}
    assert streamed.clusters("math") == whole.clusters("math")
    for key, blocks in whole._blocks.items():
        for arm, block in blocks.items():
            for field in dataclasses.fields(block):
                mine = getattr(streamed._blocks[key][arm], field.name)
                assert mine.tolist() == getattr(block, field.name).tolist()
    assert streamed._values.tobytes() == whole._values.tobytes()


def test_the_verdict_is_the_same_to_the_byte(tmp_path, small_parts, monkeypatch):
    law = discovery.law("variability")
    rows = score_world.columns(score_world.levels(law), 3, 60)
    path = tmp_path / "scores.parquet"
    pa.parquet.write_table(typed(shuffled(rows)), path)
    in_memory = verdict_json(judge_file(law, [path]))
    monkeypatch.setattr("lawcheck.scores.loading.is_large", lambda files, rows: True)
    assert verdict_json(judge_file(law, [path])) == in_memory


def broken(column, row, value):
    def change(rows):
        rows[column][row] = value

    return change


def doubled(rows):
    for values in rows.values():
        values.append(values[7])


@pytest.mark.parametrize(
    "change",
    [
        doubled,
        broken("value", 9, 1.5),
        broken("value", 9, math.inf),
        broken("seed", 9, -1),
        broken("item_id", 9, "odd"),
        broken("cluster", 9, "odd"),
        broken("metric", 9, "f1"),
        lambda rows: rows.update(value=[math.nan] * len(rows["value"])),
        lambda rows: rows.update(metric=[DIVERGED] * len(rows["value"])),
        lambda rows: [values.clear() for values in rows.values()],
    ],
)
def test_faults_get_the_same_line(change, tmp_path, small_parts):
    law = discovery.law("variability")
    rows = score_world.columns({law.base: 0.4, law.arms[0]: 0.6}, 2, 30)
    change(rows)
    path = tmp_path / "scores.parquet"
    pa.parquet.write_table(typed(shuffled(rows)), path)
    lines = []
    for limit in (sorting.IN_MEMORY_ROWS, -1):
        with pytest.raises(InputError) as caught:
            load_scores(path, in_memory_rows=limit)
        lines.append(str(caught.value))
    assert lines[0] == lines[1]


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    law = discovery.law("variability")
    path = tmp_path / "scores.parquet"
    pa.parquet.write_table(typed(score_world.columns({law.base: 0.4}, 1, 30)), path)
    monkeypatch.setattr(sorting.shutil, "disk_usage", lambda p: type("", (), {"free": 10}))
    with pytest.raises(InputError, match=r"210 rows need .* set TMPDIR"):
        load_scores(path, in_memory_rows=0)


def test_a_bad_file_beside_a_large_one_is_named(tmp_path):
    law = discovery.law("variability")
    good = tmp_path / "scores.parquet"
    pa.parquet.write_table(typed(score_world.columns({law.base: 0.4}, 1, 30)), good)
    for name, said in (("none.parquet", "no such file"), ("bad.parquet", "not a Parquet file")):
        if said != "no such file":
            (tmp_path / name).write_bytes(b"PAR1 no")
        with pytest.raises(InputError, match=said):
            load_scores([good, tmp_path / name], in_memory_rows=0)
