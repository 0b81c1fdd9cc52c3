"""Two arms without a law: what is claimed, judged, drawn and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lawcheck
from lawcheck.__main__ import main
from lawcheck.errors import InputError
from lawcheck.judging.verdict_forms import read_verdict

LEVELS = {"base": 0.2, "ours": 0.7, "theirs": 0.6, "My-Model/v2": 0.7}


def write(path: Path, seeds=4, tasks=("mmlu_pro", "HumanEval+"), levels=LEVELS, items=300) -> Path:
    rng = np.random.default_rng(3)
    lines = ["arm,seed,task,item_id,value"]
    for arm, level in levels.items():
        for seed in range(seeds):
            for task in tasks:
                right = rng.random(items) < level
                lines += [f"{arm},{seed},{task},q{i},{int(r)}" for i, r in enumerate(right)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main(["compare", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_comparison_prints_the_verdict_and_every_task(tmp_path, capsys):
    code, out, _ = run(capsys, write(tmp_path / "s.csv"), "ours", "theirs", "--exit-code")
    assert (code, out.splitlines()[0]) == (0, "ours_vs_theirs: HOLDS (exploratory)")
    assert "ours scores above theirs on the average of 2 tasks (HumanEval+, mmlu_pro)" in out
    assert "not used: 4,800 rows of arms My-Model/v2, base: no part compares them" in out
    assert "probability: as claimed" in out
    assert "a study of this size would say" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ["HumanEval+", "mmlu_pro"]
    assert "discipline" not in out
    code, out, _ = run(capsys, tmp_path / "s.csv", "theirs", "ours", "--exit-code")
    assert (code, out.split()[1]) == (4, "CONTRADICTED")


def test_the_primary_part_is_that_of_the_whole_verdict(tmp_path):
    """Tasks judged beside it, quickly, change neither its numbers nor what stands beside it."""
    path = write(tmp_path / "s.csv")
    several = lawcheck.compare(path, "ours", "theirs")
    assert [p.role for p in several.parts] == ["primary", "secondary", "secondary"]
    one = lawcheck.compare(path, "ours", "theirs", tasks=["mmlu_pro"])
    assert [p.name for p in one.parts] == ["gain"]
    assert several.parts[2].estimate == one.parts[0].estimate
    assert several.parts[0].posterior
    assert several.parts[0].estimate == pytest.approx(
        np.mean([p.estimate for p in several.parts[1:]])
    )
    quick = lawcheck.compare(path, "ours", "theirs", quick=True)
    assert [p.outcome for p in quick.parts] == [p.outcome for p in several.parts]


def test_margin_is_the_smallest_difference_that_matters(tmp_path):
    path = write(tmp_path / "s.csv")
    small = lawcheck.compare(path, "ours", "theirs", margin=2, quick=True)
    large = lawcheck.compare(path, "ours", "theirs", margin=40, quick=True)
    assert (small.parts[0].size, small.outcome) == ("at least the smallest effect", "HOLDS")
    assert (large.parts[0].outcome, large.outcome) == ("negligible", "CONTRADICTED")


def test_equal_arms_agree_and_arms_at_chance_prove_nothing(tmp_path, capsys):
    path = write(tmp_path / "s.csv", items=1500)
    both = ("ours", "My-Model/v2", "--equivalent", "4", "--quick")
    _, out, _ = run(capsys, path, *both)
    assert out.startswith("ours_vs_my_model_v2: HOLDS")  # `base` is found by its name
    assert "primary same: shown" in out
    assert "secondary gain: " in out
    path = write(tmp_path / "t.csv", levels=dict.fromkeys(("x", "y", "z"), 0.25), items=1500)
    _, out, _ = run(capsys, path, "x", "y", "--equivalent", "4", "--base", "z", "--quick")
    assert out.startswith("x_vs_y: NOT TESTED")
    _, out, _ = run(capsys, path, "x", "y", "--equivalent", "4", "--quick")
    assert out.startswith("x_vs_y: HOLDS")
    assert "no base named: not checked that the arms learned" in out


def test_one_seed_shows_nothing_of_another_run(tmp_path, capsys):
    code, out, _ = run(capsys, write(tmp_path / "s.csv", seeds=1), "ours", "theirs", "--exit-code")
    assert (code, out.split()[1]) == (3, "INCONCLUSIVE")
    assert "single run: the interval covers items only, not a new training run" in out
    assert "needs 3 seeds, found 1; train and score more seeds of both arms" in out
    assert "would settle it: more seeds: one run shows no variation between runs" in out
    assert "    1 seed, 600 items" in out
    assert "other choices" not in out
    assert "snakemake" not in out


def test_the_verdict_goes_to_a_file_or_standard_output_and_the_forest_to_a_picture(
    tmp_path, capsys
):
    path = write(tmp_path / "s.csv")
    figure, file = tmp_path / "f.png", tmp_path / "v.json"
    options = ("--figure", figure, "--json", file)
    _, out, _ = run(capsys, path, "ours", "theirs", *options)
    assert out.startswith("ours_vs_theirs")
    assert figure.read_bytes().startswith(b"\x89PNG")
    _, out, _ = run(capsys, path, "ours", "theirs", "--json")
    assert out.encode() == file.read_bytes()
    again = lawcheck.compare(path, "ours", "theirs")
    assert read_verdict(file).to_dict() == again.to_dict()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("our", "theirs"), "no arm 'our'; arms: My-Model/v2, base, ours, theirs"),
        (("ours", "ours"), "'ours' twice"),
        (("ours", "theirs", "--task", "mmlu"), "no task 'mmlu' in the scores (nearest: mmlu_pro)"),
        (("ours", "theirs", "--base", "b"), "no arm 'b'"),
        (("ours", "theirs", "--figure", "f.jpeg"), "expected .png or .pdf"),
        (("ours", "theirs", "--margin", "-1"), "margin is -1.0, expected points"),
        (("ours", "theirs", "--margin", "0"), "margin is 0.0, expected points"),
        (("ours", "theirs", "--equivalent", "nan"), "equivalent is nan, expected points"),
        (("ours", "theirs", "--equivalent", "200"), "equivalent is 200.0, expected points"),
        (("ours", "theirs", "--base", "ours"), "base 'ours' is one of the two arms"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(tmp_path, capsys, arguments, named):
    code, out, err = run(capsys, write(tmp_path / "s.csv", items=5), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert named in err


def test_a_task_of_one_arm_is_left_out_by_name_and_seeds_must_meet(tmp_path):
    path = write(tmp_path / "s.csv", items=50)
    path.write_text(path.read_text() + "ours,0,extra,q0,1\n")
    found = lawcheck.compare(path, "ours", "theirs", quick=True)
    assert "task extra left out: no scores of theirs" in found.notes
    assert ("tasks", ("extra",), 1) in [(u.kind, u.names, u.rows) for u in found.unused]
    with pytest.raises(InputError, match="arm 'theirs' has no scores of extra"):
        lawcheck.compare(path, "ours", "theirs", tasks=["extra"])
    apart = path.read_text().replace("theirs,", "theirs,1")
    path.write_text(apart)
    with pytest.raises(InputError, match=r"no seed in common.*number the runs of both alike"):
        lawcheck.compare(path, "ours", "theirs")


def test_a_table_in_wide_form_is_imported_on_the_way(tmp_path):
    lines = ["arm,seed,math,biology"]
    for seed in range(4):
        lines += [f"ours,{seed},0.6{seed},0.70", f"theirs,{seed},0.50,0.5{seed}"]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n")
    found = lawcheck.compare(tmp_path / "wide.csv", "ours", "theirs", quick=True)
    assert found.parts[0].estimate == pytest.approx((11.5 + 18.5) / 2)
    assert any("per-run means, no items" in n for n in found.notes)


def test_a_comparison_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from lawcheck.__main__ import main; "
        f"main(['compare', {str(write(tmp_path / 's.csv', items=20))!r}, 'ours', 'theirs']); "
        "heavy = {'pandas', 'scipy.stats', 'scipy.optimize', 'pydantic', 'matplotlib', 'torch'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_result_is_a_dict_a_frame_and_a_table_of_a_notebook(tmp_path):
    found = lawcheck.compare(write(tmp_path / "s.csv"), "ours", "My-Model/v2")
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert found.parts[0].to_dict() == found.to_dict()["parts"][0]
    frame = found.to_frame()
    assert list(frame["name"]) == ["gain", "humaneval", "mmlu_pro"]
    assert frame["estimate"].dtype == float
    assert frame.loc[0, "low"] < frame.loc[0, "estimate"] < frame.loc[0, "high"]
    assert frame["margin"].isna().all()
    odd = lawcheck.compare(
        write(tmp_path / "t.csv", levels={"<b>x</b>": 0.5, "y & z": 0.4}), "<b>x</b>", "y & z"
    )
    shown = odd._repr_html_()
    assert "<b>x" not in shown
    assert "&lt;b&gt;x&lt;/b&gt; scores above y &amp; z" in shown
    # Colours are those of the page, so that it is legible on any.
    assert not any(word in shown for word in ("color:", "background", "<style", "#"))


def test_scores_in_several_files_and_one_task_by_its_name(tmp_path, capsys):
    whole = write(tmp_path / "s.csv", items=50)
    head, *rows = whole.read_text().splitlines()
    parts = []
    for arm in ("ours", "theirs"):
        parts.append(tmp_path / f"{arm}.csv")
        mine = [r for r in rows if r.startswith(f"{arm},")]
        parts[-1].write_text("\n".join([head, *mine]) + "\n")
    assert main(["compare", *map(str, parts), "ours", "theirs", "--quick"]) == 0
    printed = capsys.readouterr().out.replace("\n", " ")
    found = lawcheck.compare(whole, "ours", "theirs", quick=True)
    assert f"p {found.parts[0].p:.3f}" in printed
    task = lawcheck.load_scores(whole).tasks[0]
    one = lawcheck.compare(parts, "ours", "theirs", tasks=task, quick=True)
    assert one.claim == f"ours scores above theirs on {task}"


def test_an_effect_that_is_too_small_to_matter_says_so(tmp_path, capsys):
    path = tmp_path / "s.csv"
    path.write_text(
        "arm,seed,task,value\n"
        + "".join(f"ours,{s},z,{60.5 + s + e}\n" for s, e in enumerate((0, 0.1, -0.1, 0)))
        + "".join(f"theirs,{s},z,{60 + s}\n" for s in range(4))
    )
    _, out, _ = run(capsys, path, "ours", "theirs", "--quick")
    assert "CONTRADICTED" in out
    assert "negligible: an effect of 1 point is excluded" in out
    assert "4 seeds, 1 item, p" in out
    # Whoever compares need not know of disciplines.
    assert "discipline" not in out


def test_what_is_no_table_and_no_law_is_refused_in_one_line(tmp_path):
    table = lawcheck.load_scores(write(tmp_path / "s.csv", items=5))
    frame = pd.read_csv(tmp_path / "s.csv")
    law = lawcheck.Law(
        name="x",
        title="x",
        claim="x",
        source="x",
        base=lawcheck.Arm(method="base"),
        hypotheses=(
            lawcheck.Hypothesis(
                name="x",
                role="primary",
                claim="x",
                estimand=lawcheck.difference(
                    [lawcheck.Arm(method="ours")], [lawcheck.Arm(method="theirs")]
                ),
                alternative="greater",
                sesoi=0.0,
            ),
        ),
    )
    for call, line in (
        (lambda: lawcheck.compare(frame, "ours", "theirs"), "a DataFrame, expected names of files"),
        (lambda: lawcheck.load_scores(frame), "a DataFrame, expected names of files"),
        (lambda: lawcheck.judge(law, tmp_path / "s.csv"), "scores is a PosixPath, expected a S"),
        (lambda: lawcheck.judge("x", table), "law is a str, expected a Law"),
    ):
        with pytest.raises(lawcheck.InputError, match=line):
            call()
    # No smallest effect of interest: judged, and no size to plan for.
    assert lawcheck.judge(law, table, quick=True).parts[0].seeds_needed is None
    for name in lawcheck.__all__:
        if name != "LoraMoeConfig":
            assert getattr(lawcheck, name)


def test_the_forest_names_tasks_as_the_scores_do(tmp_path):
    from lawcheck.judging.comparing import compared, comparison
    from lawcheck.judging.reading import read_scores
    from lawcheck.show.context import RenderContext
    from lawcheck.show.figures import hypotheses

    scores, _ = read_scores(write(tmp_path / "s.csv"))
    law, _ = comparison(scores, "ours", "theirs")
    context = RenderContext(
        law=law,
        scores=scores,
        verdict=compared(law, scores),
        disciplines=(),
        world="",
        scale_name="",
    )
    figure = hypotheses.build(context)
    labels = figure.axes[0].get_yticklabels()
    assert figure.get_suptitle().endswith(", exploratory (4 seeds)")
    assert [x.get_text() for x in labels] == ["Gain", "HumanEval+", "mmlu_pro"]


def test_likelihoods_alone_are_no_accuracies(tmp_path, capsys):
    path = write(tmp_path / "scores.csv", seeds=2, items=3)
    lines = path.read_text().splitlines()
    rows = [lines[0] + ",metric", *(line + ",bits_per_byte" for line in lines[1:])]
    path.write_text("\n".join(rows) + "\n")
    status, _, err = run(capsys, path, "ours", "theirs")
    assert (status, err.count("\n")) == (2, 1)
    assert "found only bits_per_byte, expected accuracies; name the metric in a law file" in err
