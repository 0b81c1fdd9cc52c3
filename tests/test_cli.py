"""The command line: what it prints, and one line with exit status 2 for bad input."""

import dataclasses
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import lawcheck
from lawcheck.__main__ import main
from lawcheck.cli.describing import measured
from lawcheck.cli.main import GROUPS, _names, _parsed, _verbs, help_text
from lawcheck.corpus.build import check_corpus
from lawcheck.corpus.folder import read_rows
from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Estimand
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


def test_names_of_a_scale_are_those_that_all_runs(capsys):
    assert main(["list", "--names", "--scale", "merging"]) == 0
    names = capsys.readouterr().out.split()
    assert set(names) == set(discovery.laws_of(("merging",)))
    assert len(names) == 7
    assert "expected it with --names" in fails(capsys, "list", "--scale", "merging")


def test_list_names_everything_that_is_found(capsys):
    assert main(["list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "share_then_specialize" in [law["name"] for law in found["laws"]]
    assert {"base", "full", "lora", "lora_moe", "lora_comp"} <= {
        m["name"] for m in found["methods"]
    }
    assert {"response", "text", "dpo", "orpo"} <= {o["name"] for o in found["objectives"]}
    assert {"chemistry", "medicine", "biology", "math", "geography"} == {
        d["name"]
        for d in found["disciplines"]
        if d["role"] == "discipline" and "proxy" in d["worlds"]
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
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "odd.py line 1: cannot be imported (TypeError: 'float' object is not callable)" in line


def test_a_law_file_whose_error_names_a_step_gets_no_second_one(tmp_path, capsys):
    text = "from lawcheck import Arm\n\n"
    for name, line in {
        "own": 'Arm(method="lora", decoding="beam")',
        "theirs": 'raise ValueError("x; y")',
    }.items():
        (tmp_path / f"{name}.py").write_text(f"{text}{line}\n")
        assert main(["judge", str(tmp_path / f"{name}.py"), "--scores", "x.csv"]) == 2
    own, theirs = capsys.readouterr().err.splitlines()
    assert own.count("; ") == 1
    assert "own.py line 3: arm" in own
    assert theirs.endswith("(ValueError: x; y); correct the file")


VERBS = _verbs(_names())


def test_the_help_groups_every_verb_and_fits_a_terminal():
    text = help_text()
    for name in VERBS:
        assert sum(line.startswith(f"  {name} ") for line in text.splitlines()) == 1, name
    assert [t for t in GROUPS.values() if f"\n{t}:\n" not in text] == []
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_examples_that_parse(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert VERBS[name].EXAMPLES
    for line in VERBS[name].EXAMPLES:
        words = shlex.split(line.partition(" <")[0])
        assert words[0] == "lawcheck"
        assert _parsed(words[1:]).name == name
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert all(line in shown for line in VERBS[name].EXAMPLES)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["jugde", "x"], "verb 'jugde': unknown; nearest: judge"),
        (["--laws", "laws", "lst"], "verb 'lst': unknown; nearest: list"),
        (["judge", "x", "--scorse", "y"], "judge: option '--scorse': unknown; nearest: --scores"),
        (["list", "lawz"], "list: argument 'lawz': expected none; lawcheck list --help"),
    ],
)
def test_a_mistyped_verb_or_option_gets_the_nearest(capsys, argv, named):
    assert named in fails(capsys, *argv)


def test_nothing_asked_for_is_the_help_and_status_2(capsys):
    assert main([]) == 2
    assert "judge your own results" in capsys.readouterr().err


def test_version_names_python_and_the_commit(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    shown = capsys.readouterr().out
    assert re.match(rf"lawcheck {lawcheck.__version__} \(Python \d\.\d+\.\d+", shown)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """What `init` writes, here."""
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    assert main(["import", "runs.csv", "--map", "map.yaml", "--out", "scores.parquet"]) == 0
    yield tmp_path
    discovery.forget()


def fed(monkeypatch, content: bytes):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


LAW = "ours_beats_theirs"


@pytest.mark.parametrize(
    "words",
    [
        ["judge", f"laws/{LAW}.py"],
        ["judge", LAW, "--laws", "laws"],
        ["--laws", f"laws/{LAW}.py", "judge", f"law_{LAW}"],
    ],
)
def test_a_law_is_named_by_its_file_or_by_where_it_lies(project, capsys, words):
    capsys.readouterr()
    assert main([*words, "--scores", "scores.parquet", "--quick"]) == 0
    assert capsys.readouterr().out.startswith(f"{LAW}: HOLDS")
    # It was this command's alone.
    assert LAW not in discovery.laws()


def test_standard_input_is_a_law_or_scores_but_not_both(project, capsys, monkeypatch):
    capsys.readouterr()
    law, scores = project / "laws" / f"{LAW}.py", project / "scores.parquet"
    fed(monkeypatch, law.read_bytes())
    assert main(["judge", "-", "--scores", str(scores), "--quick"]) == 0
    of_law = capsys.readouterr().out
    fed(monkeypatch, scores.read_bytes())
    assert main(["judge", str(law), "--scores", "-", "--quick"]) == 0
    assert capsys.readouterr().out == of_law
    assert "named 2 times" in fails(capsys, "judge", "-", "--scores", "-")
    fed(monkeypatch, b"arm,seed\na,0\n")
    assert "standard input" in fails(capsys, "judge", str(law), "--scores", "-")
    fed(monkeypatch, b"x = 1\ny = (\n")
    assert "standard input line 2" in fails(capsys, "judge", "-", "--scores", str(scores))
    fed(monkeypatch, law.read_bytes())
    assert main(["show", "-"]) == 0
    assert "declared in standard input line " in capsys.readouterr().out
    # A pilot comes in the forms of any scores, a table by its name in the form that it has.
    assert main(["plan", str(law), "--pilot", "runs.csv"]) == 0
    assert "note: runs.csv: per-run means" in capsys.readouterr().out
    assert "a score table is Parquet" in fails(capsys, "import", "runs.csv", "--out", "s.csv")
    assert not Path("s.csv").exists()


def test_laws_that_are_not_there_get_the_nearest(project, capsys):
    capsys.readouterr()
    wrong = f"laws/{LAW[:-1]}.py"
    assert f"nearest: laws/{LAW}.py" in fails(capsys, "show", wrong)
    assert "no such file or folder" in fails(capsys, "--laws", "lows", "list")
    assert "expected a Python file (.py)" in fails(capsys, "--laws", "runs.csv", "list")
    assert "(a folder: add --laws laws" in fails(capsys, "show", "laws")
    assert f"laws/{LAW}.py" in fails(capsys, "show", LAW)


@pytest.mark.parametrize("name", sorted(discovery.laws()))
def test_every_law_can_be_shown(capsys, name):
    assert main(["show", name, "--json"]) == 0
    found, law = json.loads(capsys.readouterr().out), discovery.law(name)
    assert [p["name"] for p in found["parts"]] == [h.name for h in law.hypotheses]
    assert [a["name"] for a in found["arms"]] == [a.name for a in law.arms]
    assert found["seeds"] == max(h.min_seeds for h in law.hypotheses)
    path, _, line = found["declared_in"].rpartition(" line ")
    assert Path(path).read_text().splitlines()[int(line) - 1].startswith("LAW")
    assert main(["show", name]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for h in law.hypotheses:
        assert " ".join(h.claim.split()) in shown
        assert all(a.name in shown for a in h.arms)


def test_a_stranger_s_estimand_is_shown_by_its_own_words():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Count(Estimand):
        """How many questions an arm gets right."""

        arm: Arm

        @property
        def arms(self):
            return (self.arm,)

    words, unit = measured(Count(arm=Arm(method="ours")))
    assert words == "How many questions an arm gets right. Arms: ours"
    assert unit == ""


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
