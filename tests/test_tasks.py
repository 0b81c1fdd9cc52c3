"""A law's tasks on anybody's scores: by name, by group, as an average; and what stays unread."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from lawcheck.__main__ import main
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Hypothesis, Law, Unused, difference
from lawcheck.errors import InputError
from lawcheck.judging.comparing import compare
from lawcheck.judging.evidence import MissingScoresError
from lawcheck.judging.verdict import design_digest, judge
from lawcheck.judging.verdict_forms import text
from lawcheck.scores import load_scores

A, B = Arm(method="Ours-7B/v2"), Arm(method="their model")
# Points that A gains over B on each task; items differ so that pooling them would be seen.
GAIN = {"mmlu_pro": (20, 40), "humaneval": (-10, 10), "mbpp": (30, 20), "general": (50, 30)}


def write(path, arms=("Ours-7B/v2", "their model"), seeds=3, tasks=GAIN, more=()):
    """Every seed of an arm answers alike but for a few items, so that means are exact."""
    lines = ["arm,seed,task,item_id,value", *more]
    for arm in arms:
        for seed in range(seeds):
            for task in tasks:
                gain, n = GAIN[task]
                right = n * (50 + (gain if arm == arms[0] else 0)) // 100
                values = np.roll(np.arange(n) < right, 3 * seed + (arm == arms[0]))
                lines += [f"{arm},{seed},{task},q{i},{int(v)}" for i, v in enumerate(values)]
    path.write_text("\n".join(lines) + "\n")
    return load_scores(path)


def law(target="average", **named):
    part = Hypothesis(
        name="gain",
        role="primary",
        claim="A beats B",
        estimand=difference([A], [B], target),
        alternative="greater",
        sesoi=1.0,
    )
    return Law(name="mine", title="T", claim="c", source="s", hypotheses=(part,), **named)


GROUPS = {"code": ("humaneval", "mbpp")}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Nobody named tasks: each of the table's counts once, companions stand outside.
        ({}, (20 - 10 + 30) / 3),
        ({"tasks": ("mmlu_pro", "humaneval")}, (20 - 10) / 2),
        ({"tasks": ("mmlu_pro", "code"), "groups": GROUPS}, (20 + 10) / 2),
        ({"groups": GROUPS}, 10),
        ({"target": "code", "groups": GROUPS}, 10),
        ({"target": "mbpp"}, 30),
        ({"target": "mbpp", "tasks": ("mmlu_pro",)}, 30),
        ({"target": "general"}, 50),
        ({"tasks": ("general", "mbpp")}, 40),
    ],
)
def test_targets_are_the_tasks_named(tmp_path, given, expected):
    found = judge(law(**given), write(tmp_path / "s.csv"), quick=True).parts[0]
    assert found.estimate == pytest.approx(expected)


def test_a_table_says_what_its_average_is_of(tmp_path):
    printed = text(judge(law(), write(tmp_path / "s.csv"), quick=True))
    assert "average of the 3 tasks scored, of equal weight: humaneval, mbpp, mmlu_pro" in printed
    assert "not used: 180 rows of tasks general: no part is about them" in printed
    assert "disciplines" not in printed


def test_tasks_that_lawcheck_knows_are_a_strangers_own(tmp_path):
    """`mmlu` and `gsm8k` belong to disciplines of a study; elsewhere they are tasks like others."""
    rows = [
        f"{a.method},{s},{t},q{i},{int(i < n)}"
        for a, n in ((A, 6), (B, 5))
        for s in range(3)
        for t in ("mmlu", "gsm8k", "math")
        for i in range(10)
    ]
    scores = write(tmp_path / "s.csv", arms=(), more=rows)
    found = judge(law(), scores, quick=True)
    assert found.notes[0].endswith("gsm8k, math, mmlu")
    # A discipline's name still finds its tasks, where no task of the table has the name.
    assert judge(law("out_of_domain"), scores, quick=True).parts[0].n_items == 10
    assert judge(law("math"), scores, quick=True).parts[0].n_items == 10


def test_every_row_that_no_part_reads_is_counted_under_one_name(tmp_path):
    more = [f"elsewhere,{s},mmlu_pro,q{i},1" for s in range(2) for i in range(40)]
    more += [f"Ours-7B/v2,7,{t},q{i},1" for t in GAIN for i in range(GAIN[t][1])]
    more_law = law(tasks=("mmlu_pro",))
    scores = write(tmp_path / "s.csv", more=more)
    found = judge(more_law, scores, quick=True)
    assert found.unused == (
        Unused(kind="arms", names=("elsewhere",), rows=80),
        # Three seeds of two arms, and the seed that only one arm has.
        Unused(kind="tasks", names=("general", "humaneval", "mbpp"), rows=(6 + 1) * 60),
        Unused(kind="seeds", names=("seed 7 of Ours-7B/v2",), rows=40),
    )
    read = 2 * 3 * 40
    assert read + sum(u.rows for u in found.unused) == scores.n_rows
    assert judge(more_law, scores).unused == found.unused


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tasks": ("mmlu_pro", "humaneva")}, "needs scores of humaneva.*nearest: humaneval"),
        ({"target": "codes", "groups": GROUPS}, "unknown target 'codes'.*nearest: code"),
    ],
)
def test_a_task_that_nobody_scored_is_refused(tmp_path, given, named):
    with pytest.raises(InputError, match=named):
        judge(law(**given), write(tmp_path / "s.csv"), quick=True)


def test_an_arm_without_a_task_of_the_average_is_refused(tmp_path):
    more = [f"Ours-7B/v2,{s},extra,q0,1" for s in range(3)]
    with pytest.raises(MissingScoresError, match="'their model', found no seed with scores of ext"):
        judge(law(), write(tmp_path / "s.csv", more=more), quick=True)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"tasks": "mmlu_pro"}, "tasks is 'mmlu_pro', expected names"),
        ({"groups": {"code": "mbpp"}}, "group 'code' is 'mbpp', expected names"),
        ({"groups": {"code": ()}}, "group 'code' is empty"),
        ({"tasks": ("code", "mbpp"), "groups": GROUPS}, "'mbpp' counts twice"),
        ({"tasks": ("mbpp", "mbpp")}, "'mbpp' counts twice"),
        ({"tasks": ("mbpp",), "groups": {"mbpp": ("mbpp", "x")}}, "'mbpp' is a task and a group"),
        ({"tasks": 3}, "tasks is '3', expected names"),
        ({"tasks": ("average", "mbpp")}, "a task called 'average'"),
        ({"groups": {"code": ("average", "mbpp")}}, "a task called 'average'"),
    ],
)
def test_names_of_tasks_are_checked_where_they_are_declared(given, named):
    with pytest.raises(InputError, match=named):
        law(**given)


def test_a_task_called_average_is_refused_where_an_average_is_taken(tmp_path):
    more = [f"{a},{s},average,q0,1" for a in ("Ours-7B/v2", "their model") for s in range(3)]
    scores = write(tmp_path / "s.csv", more=more)
    with pytest.raises(InputError, match="a task called 'average' cannot be told from the mean"):
        judge(law(), scores, quick=True)
    with pytest.raises(InputError, match="a task called 'average'"):
        compare(scores, "Ours-7B/v2", "their model", quick=True)
    (left,) = (u for u in judge(law(tasks=("mmlu_pro",)), scores, quick=True).unused)
    assert "average" in left.names


def test_the_tasks_are_part_of_the_design():
    plain = law()
    assert law(groups=GROUPS) == law(groups=tuple(GROUPS.items()))
    assert design_digest(law(tasks=("mmlu_pro",))) != design_digest(plain)
    assert design_digest(dataclasses.replace(plain, title="other")) == design_digest(plain)


LAW_FILE = """
from lawcheck import Arm, Hypothesis, Law, difference

LAW = Law(
    name="wide_wins", title="T", claim="c", source="s", tasks=("knowledge", "code"),
    groups={"code": ("functions", "basics")},
    hypotheses=(Hypothesis(name="gain", role="primary", claim="more", alternative="greater",
                           sesoi=1.0, estimand=difference([Arm(method="x")], [Arm(method="y")])),),
)
"""


def test_a_wide_table_of_ones_own_tasks_is_judged_with_its_mapping(tmp_path, capsys, monkeypatch):
    (tmp_path / "laws").mkdir()
    (tmp_path / "laws" / "wide_wins.py").write_text(LAW_FILE)
    monkeypatch.setenv("LAWCHECK_LAWS", str(tmp_path / "laws"))
    lines = ["arm,seed,mmlu_pro,humaneval,mbpp,other"]
    for seed in range(3):
        lines += [f"x,{seed},0.5{seed},0.40,0.3{seed},1", f"y,{seed},0.40,0.30,0.20,1"]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n")
    mapping = "tasks: {mmlu_pro: knowledge, humaneval: functions, mbpp: basics}\n"
    (tmp_path / "map.yaml").write_text(mapping)
    discovery.forget()
    arguments = ["--scores", str(tmp_path / "wide.csv"), "--map", str(tmp_path / "map.yaml")]
    try:
        assert main(["judge", "wide_wins", *arguments, "--quick", "--json"]) == 0
    finally:
        discovery.forget()
    found = json.loads(capsys.readouterr().out)
    # knowledge gains 11; code 10.5, the mean of 10 and 11.
    assert found["parts"][0]["estimate"] == pytest.approx((11 + 10.5) / 2)
    assert any("left out" in n and "other" in n for n in found["notes"])
