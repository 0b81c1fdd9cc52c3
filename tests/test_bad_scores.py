"""Bad score tables on the command line: one line and status 2, or a counted exclusion."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_pytest_plugin import LAW

from lawcheck.__main__ import main
from lawcheck.declare import discovery

COLUMNS = ("arm", "seed", "task", "item_id", "value")
_RNG = np.random.default_rng(7)
ROWS = [
    (arm, seed, task, f"q{item}", float(_RNG.random() < level))
    for arm, level in (("ours", 0.7), ("theirs", 0.4))
    for seed in range(3)
    for task in ("math", "biology")
    for item in range(40)
]


@pytest.fixture(autouse=True, scope="module")
def law(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laws")
    (folder / "ours.py").write_text(LAW)
    patch = pytest.MonkeyPatch()
    patch.setenv("LAWCHECK_LAWS", str(folder))
    discovery.forget()
    yield
    patch.undo()
    discovery.forget()


def judged(path: Path, capsys, *options: str) -> tuple[int, str, str]:
    code = main(["judge", "ours_wins", "--scores", str(path), *options])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def written(tmp_path: Path, rows, columns=COLUMNS) -> Path:
    path = tmp_path / "scores.csv"
    lines = [",".join(columns), *(",".join(map(str, r)) for r in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def changed(at: int, **cells) -> list[tuple]:
    row = dict(zip(COLUMNS, ROWS[at], strict=True)) | cells
    return [*ROWS[:at], tuple(row.values()), *ROWS[at + 1 :]]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([], "0 rows"),
        (ROWS[1:], "item 'q0' is only in one"),
        (changed(5, item_id="other"), "is only in one"),
        ([*ROWS, ROWS[9]], "stands twice"),
        (changed(5, value=1.5), "value 1.5"),
        (changed(5, value=-1), "value -1"),
        (changed(5, value="inf"), "value inf"),
        (changed(5, seed=-1), "seed -1"),
        (changed(5, seed="x"), "not a CSV score table"),
        ([(*r[:4], "") for r in ROWS], "no item has a value"),
        ([(*r[:4], "" if r[0] == "ours" else r[4]) for r in ROWS], "no seed has a scored item"),
        ([r for r in ROWS if r[0] == "ours"], "needs arm 'theirs'"),
        ([r for r in ROWS if r[1] == (0 if r[0] == "ours" else 1)], "same seeds in every arm"),
        ([r for r in ROWS if r[0] == "ours" or r[2] == "math"], "no seed with scores of biology"),
    ],
)
def test_bad_rows_get_one_line(tmp_path, capsys, rows, named):
    code, out, err = judged(written(tmp_path, rows), capsys, "--json", str(tmp_path / "v.json"))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert named in err
    assert not (tmp_path / "v.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("x.parquet", b"PAR1 but no more", "not a Parquet file"),
        ("x.parquet", b"", "not a Parquet file"),
        ("x.csv", b"", "not a CSV score table"),
        ("x.csv", b"\xff\xfe\x00arm", "line 1: not UTF-8 text"),
        ("x.csv", b"arm,seed,task,item_id,value\nb\xfcro,0,math,q,1\n", "line 2: not UTF-8 text"),
        ("x.csv", b"arm,seed,task,item_id,value\na,0,math,q,yes\n", "column 'value' holds 'yes'"),
        ("x.csv", b"arm,seed,task,item_id,value\na,0,math,q,-1\n", "(correct it, or leave out"),
        ("x.csv", b"arm,seed,task,item_id,value\na,0,math,q,90\n", "(divide percentages by 100)"),
        ("x.csv", b"arm,seed,task,item_id,valeu\na,0,math,q,1\n", "nearest: value"),
        ("x.csv", b"arm;seed;task;item_id;value\na;0;math;q;1\n", "needs arm 'ours'"),
        ("x.csv", b"arm,seed,math\na,0,0.5\n", "needs arm 'ours'"),
        ("x.csv", b"arm,task,item_id,value\na,math,q,1\n", "'seed' is missing"),
    ],
)
def test_bad_files_get_one_line(tmp_path, capsys, name, content, named):
    (tmp_path / name).write_bytes(content)
    code, _, err = judged(tmp_path / name, capsys)
    assert code == 2
    assert err.count("\n") == 1
    assert named in err


def test_one_seed_is_judged_as_a_single_run_and_never_holds(tmp_path, capsys):
    path = written(tmp_path, [r for r in ROWS if r[1] == 0])
    code, out, _ = judged(path, capsys, "--exit-code")
    assert code == 3
    assert "ours_wins: INCONCLUSIVE" in out
    assert "single run: the interval covers items only" in out
    assert "needs 3 seeds, found 1" in out


def test_unscored_items_and_missing_seeds_are_counted(tmp_path, capsys):
    rows = [r for r in changed(0, value="") if r[:2] != ("theirs", 2)]
    out = tmp_path / "v.json"
    assert judged(written(tmp_path, rows), capsys, "--json", str(out))[0] == 0
    part = json.loads(out.read_bytes())["parts"][0]
    assert (part["n_unscored"], part["n_seeds"]) == (1, 2)
    assert any("arm 'theirs' has no seed 2" in n for n in part["notes"])


CELLS = {
    "arm": st.sampled_from(["ours", "theirs", "", "x"]),
    "seed": st.sampled_from([0, 1, 2, -1, "", "1.5", "a", 10**20]),
    "task": st.sampled_from(["math", "biology", "general", "", "x"]),
    "item_id": st.sampled_from(["q0", "q1", "", "7"]),
    "value": st.sampled_from([0, 1, 0.5, "", math.nan, "inf", 2, -0.0, "x"]),
}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(ROWS) - 1),
            st.sampled_from(COLUMNS).flatmap(lambda c: st.tuples(st.just(c), CELLS[c])),
        ),
        max_size=3,
    ),
    st.sets(st.integers(0, len(ROWS) - 1), max_size=2),
    st.sampled_from([(), ("ours",), ("theirs",)]),
)
def test_no_damage_ends_in_a_traceback(tmp_path, capsys, changes, gone, without):
    rows = [list(r) for r in ROWS]
    for at, (column, cell) in changes:
        rows[at][COLUMNS.index(column)] = cell
    kept = [r for k, r in enumerate(rows) if k not in gone and r[0] not in without]
    code, out, err = judged(written(tmp_path, kept), capsys)
    assert (code, err.count("\n")) in ((0, 0), (2, 1))
    assert bool(out) == (code == 0)
