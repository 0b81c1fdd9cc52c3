"""A merge of one's own against both of its parents, from scores."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lawcheck.__main__ import main


def write(path, arm, level, seeds=4, items=400, shared=7):
    """Scores of one arm; items are equally hard for every arm, so that pairs are close."""
    rng, luck = np.random.default_rng(shared), np.random.default_rng(sum(map(ord, arm)))
    hard = rng.random((seeds, 2, items))
    lines = ["arm,seed,task,item_id,value"]
    for s in range(seeds):
        for k, task in enumerate(("math", "biology")):
            noise = 0.02 * luck.standard_normal(items)
            right = hard[s, k] + noise < level
            lines += [f"{arm},{s},{task},q{i},{int(r)}" for i, r in enumerate(right)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def three(tmp_path):
    """Files of a merge that equals its better parent, and of both parents."""
    levels = {"merged": 0.7, "tuned": 0.7, "instruct": 0.4}
    return [write(tmp_path / f"{n}.csv", n, level) for n, level in levels.items()]


def run(capsys, *words):
    status = main(["synergy", *map(str, words)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_merge_that_equals_its_better_parent_is_no_synergy(three, capsys):
    """Though it lies far above the mean of both."""
    status, out, _ = run(capsys, *three, "--json", "--exit-code", "--quick")
    found = json.loads(out)
    parts = {p["name"]: p for p in found["parts"]}
    assert (status, found["outcome"]) == (4, "CONTRADICTED")
    assert parts["over_other"]["outcome"] == "shown"
    assert parts["over_tuned"]["outcome"] == "negligible"
    assert parts["over_mean"]["outcome"] == "shown"
    assert parts["over_mean"]["role"] == "secondary"
    assert parts["over_mean"]["estimate"] == pytest.approx(
        (parts["over_tuned"]["estimate"] + parts["over_other"]["estimate"]) / 2
    )
    assert any("no evidence of synergy" in n for n in found["notes"])


def test_a_merge_above_both_is(three, tmp_path, capsys):
    better = write(tmp_path / "better.csv", "better", 0.8)
    status, out, _ = run(capsys, better, *three[1:], "--exit-code", "--margin", 2, "--quick")
    assert (status, out.splitlines()[0]) == (0, "better_synergy: HOLDS (exploratory)")
    # Above the one and below the other it is not.
    status, out, _ = run(capsys, three[0], better, three[2], "--exit-code", "--quick")
    assert (status, "CONTRADICTED" in out.splitlines()[0]) == (4, True)


def test_one_file_may_hold_all_three(three, tmp_path, capsys):
    whole = tmp_path / "whole.csv"
    texts = [p.read_text().splitlines(keepends=True) for p in three]
    whole.write_text("".join([texts[0][0], *(line for t in texts for line in t[1:])]))
    arms = ("--arms", "merged", "tuned", "instruct")
    apart = tmp_path / "apart.json"
    assert run(capsys, *three, "--json", apart)[0] == 0
    assert run(capsys, whole, *arms, "--json")[1] == apart.read_text()
    task = run(capsys, whole, *arms, "--task", "math", "--quick")[1]
    assert "merged scores above tuned and above instruct on math" in task


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([0, 1], "2 files of scores, expected those of the merge"),
        ([0, 1, 1], "are called merged, tuned, tuned; give each model its own name"),
        ([0, 1, 2, "--arms", "merged", "tuned", "tuned"], "are not three arms"),
        ([0, 1, 2, "--arms", "merged", "tuned", "base"], "synergy: no arm 'base'; arms: instruct"),
        ([0, 1, 2, "--margin", "0"], "synergy: margin is 0.0, expected points"),
        ([0, 1, 2, "--task", "law"], "synergy: no task 'law' in the scores"),
    ],
)
def test_bad_requests_are_one_line(words, said, three, capsys):
    given = [three[w] if isinstance(w, int) else w for w in words]
    status, _, err = run(capsys, *given)
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


def test_seeds_in_common_are_needed(three, capsys):
    three[2].write_text(three[2].read_text().replace("instruct,", "instruct,1"))
    status, _, err = run(capsys, *three)
    assert status == 2
    assert "synergy: no seed in common" in err
