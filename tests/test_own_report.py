"""The page about somebody's own scores: no study, no workflow, right numbers, equal bytes."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from test_report import Document, browser, unfold, visit  # noqa: F401

from lawcheck.cli.main import main
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Hypothesis, Law, difference

ROOT = Path(__file__).resolve().parents[1]
OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")
FILE = """
from lawcheck.declare.design import Arm, Hypothesis, Law, difference

OURS, THEIRS = Arm(method="ours"), Arm(method="theirs")
LAW = Law(
    name="ours_wins",
    title="Ours wins",
    claim="Ours scores higher than theirs on mathematics.",
    source="our runs",
    hypotheses=(
        Hypothesis(
            name="math_gain",
            role="primary",
            claim="ours beats theirs on mathematics",
            estimand=difference([OURS], [THEIRS], "math"),
            alternative="greater",
            sesoi=2.0,
        ),
    ),
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A law file and 4 seeds x 120 items of two arms and of one that no law names."""
    found = tmp_path_factory.mktemp("own")
    (found / "laws").mkdir()
    (found / "laws" / "mine.py").write_text(FILE)
    draw = random.Random(7)
    lines = ["arm,seed,task,item_id,value"]
    for arm, right in (("ours", 0.7), ("theirs", 0.55), ("extra", 0.5)):
        lines += [
            f"{arm},{seed},math,q{k},{int(draw.random() < right)}"
            for seed in range(4)
            for k in range(120)
        ]
    (found / "mine.csv").write_text("\n".join(lines) + "\n")
    return found


def report(folder: Path, *arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    env = os.environ | {"LAWCHECK_LAWS": str(folder / "laws"), "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "lawcheck", "report", "--scores", "mine.csv", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def page(folder):
    done = report(folder, "--law", "ours_wins", "--out", "page")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "page/index.html"
    return folder / "page" / "index.html"


@pytest.fixture(scope="module")
def shown(page):
    return Document(page.read_text(encoding="utf-8")).shown


def test_the_page_says_what_the_scores_say(folder, shown):
    frame = pd.read_csv(folder / "mine.csv")
    mean = 100 * frame.groupby("arm")["value"].mean()
    gain = mean["ours"] - mean["theirs"]
    assert f"+{gain:.2f} [" in shown
    assert "HOLDS on these scores" in shown
    assert "The only primary part is shown." in shown
    # The arms of the law, to three decimals; what it does not name is not among them.
    assert f"{mean['ours'] / 100:.3f}" in shown
    assert f"{mean['extra'] / 100:.3f}" not in shown
    sha = hashlib.sha256((folder / "mine.csv").read_bytes()).hexdigest()
    assert sha in shown
    assert "lawcheck report --scores mine.csv --law ours_wins" in shown
    assert "1,440 rows, 3 arms, 1 task" in shown
    # A base that the law does not compare and nobody scored is not asked for; no file is claimed.
    assert "no scores" not in shown
    assert ".tex" not in shown


def test_a_stranger_sees_nothing_of_a_study(shown):
    for d in discovery.disciplines().values():
        # The stranger's own task is called math; a law is what every page is about.
        if d.name not in ("math", "law"):
            assert not re.search(rf"\b({d.title}|{d.name})\b", shown), d.name
    for word in ("snakemake", "proxy", "Wang", "discipline"):
        assert word not in shown, word


def test_equal_scores_give_equal_bytes_in_other_processes(folder, page):
    for seed in ("1", "2"):
        done = report(folder, "--law", "ours_wins", "--out", f"again{seed}", seed=seed)
        assert done.returncode == 0, done.stderr
        assert (folder / f"again{seed}" / "index.html").read_bytes() == page.read_bytes()


def test_without_a_law_every_law_whose_arms_have_scores_is_judged(folder):
    done = report(folder, "--out", "every")
    assert done.returncode == 0, done.stderr
    text = (folder / "every" / "index.html").read_text(encoding="utf-8")
    assert text.count('<section class="law"') == 1
    assert 'id="law-ours_wins"' in text
    # One that cannot be judged is named, and takes no other with it.
    (folder / "more").mkdir()
    lacking = FILE.replace("ours_wins", "bounded").replace('"greater"', '"equivalent", margin=1.0')
    (folder / "more" / "bounded.py").write_text(
        lacking.replace("    hypotheses", '    base=Arm(method="untrained"),\n    hypotheses')
    )
    done = report(folder, "--laws", "more", "--out", "every")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("lawcheck: left out: bounded: hypothesis 'assay sensitivity'")
    assert done.stderr.count("\n") == 1
    assert (folder / "every" / "index.html").read_text(encoding="utf-8") == text
    # A law by its file is named so where the page says how to make it again.
    done = report(folder, "--law", "laws/mine.py", "--out", "file")
    assert done.returncode == 0, done.stderr
    shown = Document((folder / "file" / "index.html").read_text(encoding="utf-8")).shown
    assert "lawcheck report --scores mine.csv --law laws/mine.py" in shown


def test_what_cannot_be_answered_is_refused_in_one_line(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    scores = str(folder / "mine.csv")
    for arguments, told in (
        (["--scores", scores], "no law speaks of the arms"),
        (["--scores", scores, "--law", "variability"], "found no scores"),
        (["--scores", scores, "--from", "results"], "--from beside --scores"),
        (["--law", "variability"], "without --scores"),
        (["--from", "nowhere"], "--from nowhere: no such folder"),
        (["--from", str(tmp_path)], "no laws/ in it"),
    ):
        assert main(["report", *arguments, "--out", str(tmp_path)]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_unanswered_law_is_not_taken(folder):
    """Only laws whose compared arms all have scores are taken without --law."""
    from lawcheck.scores import load_scores
    from lawcheck.show.page.own import answered

    assert answered(load_scores(folder / "mine.csv")) == ()


def test_tasks_that_lawcheck_does_not_know_have_columns_of_their_own():
    from render_world import table

    from lawcheck.show.page.own import columns

    made = [
        {"run_id": "r", "arm": arm, "seed": 0, "task": task, "item_id": "i", "cluster": "",
         "metric": "acc", "value": 1.0}
        for arm in ("ours", "theirs")
        for task in ("MMLU-Pro", "gsm8k")
    ]  # fmt: skip
    part = Hypothesis(
        name="better",
        role="primary",
        claim="c",
        estimand=difference([OURS], [THEIRS]),
        alternative="greater",
        sesoi=1.0,
    )
    law = Law(name="mine", title="Mine", claim="c", source="s", hypotheses=(part,))
    assert [d.title for d in columns(law, table(made))] == ["MMLU-Pro", "gsm8k"]


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_a_phone_and_a_desk(browser, page, width):  # noqa: F811
    visit(browser, page, width)
    hidden = browser.execute_script(
        "return [...document.querySelectorAll('.stack')].map(t => t.closest('.scroll'))"
        ".map(e => e.scrollWidth - e.clientWidth)"
    )
    assert len(hidden) == 3
    assert max(hidden) <= 0
    unfold(browser)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_scores_from_standard_input_leave_no_path_of_a_copy(folder):
    wide = "arm,seed,math\nours,0,61\nours,1,62\ntheirs,0,51\ntheirs,1,53\n"
    pages = []
    for out in ("piped", "again"):
        command = [sys.executable, "-m", "lawcheck", "report", "--scores", "-", "--out", out]
        done = subprocess.run(
            [*command, "--law", "laws/mine.py"],
            cwd=folder, input=wide, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        pages.append((folder / out / "index.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    assert "lawcheck report --scores - --law laws/mine.py" in pages[0]
    assert "standard input: per-run means" in pages[0]
