"""The command line: what it prints, and one line with exit status 2 for bad input."""

import json
import os
import subprocess
import sys

import pytest

from lawcheck.__main__ import main
from lawcheck.corpus.build import check_corpus
from lawcheck.corpus.folder import read_rows
from lawcheck.declare import discovery
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.pipeline import stages
from lawcheck.planning.plan import Planner


def fails(capsys, *argv):
    """Run a command that must end with status 2; return its one line."""
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "Traceback" not in printed.err
    return printed.err


def test_list_names_everything_that_is_found(capsys):
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "share_then_specialize" in [law["name"] for law in found["laws"]]
    assert {"base", "full", "lora", "lora_moe", "lora_comp"} <= {
        m["name"] for m in found["methods"]
    }
    assert {"response", "text", "dpo", "orpo"} <= {o["name"] for o in found["objectives"]}
    assert {"chemistry", "medicine", "biology", "math", "geography"} == {
        d["name"] for d in found["disciplines"] if d["role"] == "discipline"
    }
    assert {"smoke", "proxy", "paper"} <= {s["name"] for s in found["scales"]}


def test_plan_counts_runs_and_accepts_the_prefix(capsys):
    assert main(["plan", "law_share_then_specialize", "--seeds", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    per_seed = sum(a["runs_per_seed"] for a in found["arms"])
    assert len(found["runs"]) == 4 * per_seed
    assert found["seeds"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["plan", "share_then_specialise"], "nearest: share_then_specialize"),
        (
            ["plan", "share_then_specialize", "--arm", "lora_moe.plain.d71"],
            "nearest: lora_moe.plain",
        ),
        (["plan", "share_then_specialize", "--scale", "porxy"], "nearest: proxy"),
        (["plan", "share_then_specialize", "--seeds", "0,0"], "distinct"),
        (["plan", "share_then_specialize", "--seeds", "-1"], "seeds"),
        (["train", "nonsense"], "<arm>-s<seed>-<digest>"),
        (["train", "lora_moe.plain.d100-s0-000000000000"], "no law declares it"),
        (["base", "--base", "defautl"], "nearest: default"),
        (["judge", "share_then_specialize", "--scores", "absent.parquet"], "absent.parquet"),
    ],
)
def test_bad_words_get_one_line(capsys, argv, named):
    assert named in fails(capsys, *argv)


def test_real_data_folder_must_be_named_and_exist(capsys, monkeypatch, tmp_path):
    if "slices" not in [p.stem for p in load_scale_files()]:
        pytest.skip("this checkout has no scale that reads real data")
    monkeypatch.delenv("LAWCHECK_DATA", raising=False)
    assert "LAWCHECK_DATA" in fails(capsys, "plan", "share_then_specialize", "--scale", "slices")
    monkeypatch.setenv("LAWCHECK_DATA", str(tmp_path / "nowhere"))
    assert "nowhere" in fails(capsys, "plan", "share_then_specialize", "--scale", "slices")
    monkeypatch.setenv("LAWCHECK_DATA", str(tmp_path))
    assert "LAWCHECK_DATA" in fails(capsys, "plan", "share_then_specialize", "--scale", "slices")


def load_scale_files():
    from lawcheck.declare.scale import scale_folders

    return [p for folder in scale_folders() for p in folder.glob("*.yaml")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    assert main(["corpus", "--scale", "smoke", "--results", str(results)]) == 0
    return results / "smoke" / "corpus"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda text: "", "sha256"),
        (lambda text: text.replace('"', "'", 1), "sha256"),
        (None, "no file"),
    ],
)
def test_damaged_corpus_is_found_before_use(corpus, damage, named):
    scale = load_scale("smoke")
    check_corpus(corpus, scale)
    path = corpus / "math.train.jsonl"
    text = path.read_text()
    path.unlink() if damage is None else path.write_text(damage(text))
    with pytest.raises(InputError, match=f"math.train.jsonl.*{named}.*lawcheck corpus"):
        check_corpus(corpus, scale)
    path.write_text(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"id": 1}\n{"id": \n', 2), ('{"id": 1}\n\n{"id": 2}\n', 2), ("", 1), ("[1]\n", 1)],
)
def test_malformed_rows_are_named_by_file_and_line(tmp_path, text, line):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"rows\.jsonl, line {line}"):
        read_rows(path)


def test_rows_are_split_on_newline_only(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x\u2028y\x85z"}\n', encoding="utf-8")
    assert read_rows(path) == [{"a": "x\u2028y\x85z"}]


def test_python_does_not_warn_beside_our_line(tmp_path):
    (tmp_path / "odd.py").write_text('LAW = 1.5(name="x")\n')
    done = subprocess.run(
        [sys.executable, "-m", "lawcheck", "list"],
        env={**os.environ, "LAWCHECK_LAWS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "odd.py: cannot be imported (TypeError: 'float' object is not callable)" in line


def test_an_engine_that_clears_up_meanwhile_takes_neither_record(monkeypatch, tmp_path):
    """As Snakemake does before a job, while one whose Snakemake was killed is still at work."""
    record, scores = tmp_path / "train.json", tmp_path / "scores.json"

    def scored(*_):
        record.unlink(missing_ok=True)
        return {"run": "digest"}

    monkeypatch.setattr(stages, "train", lambda *_: {"run": {"trained": True}})
    monkeypatch.setattr(stages, "evaluate", scored)
    run = Planner(load_scale("smoke"), (0,)).law_runs(discovery.law("variability"))
    words = ["--scale", "smoke", "--results", str(tmp_path), next(iter(run))]
    assert main(["train", *words, "--record", str(record), "--scores", str(scores)]) == 0
    assert json.loads(record.read_text()) == {"run": {"trained": True}}
    assert json.loads(scores.read_text()) == {"run": "digest"}
