"""The first minutes on an accelerator, without one: pieces, time boxes, the order in tiny form."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reproduce" / "gpu"
ORDER = ["shapes", "law", "more seeds", "precision", "gpu base"]
TABLE = "printf '| a |\\n| --- |\\n| {} |\\n'"
# Nothing that could be compressed.
CONTENT = random.Random(0).randbytes(50_000)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import boxes
    import pieces

    return Namespace(boxes=boxes, pieces=pieces)


def test_pieces_make_the_whole_again_and_a_lost_one_is_named(gpu, tmp_path):
    packed, carried = tmp_path / "packed", tmp_path / "carried"
    (packed / "wheels").mkdir(parents=True)
    carried.mkdir()
    (packed / "wheels" / "one.whl").write_bytes(CONTENT)
    (packed / "two.txt").write_text("two")
    written = gpu.pieces.split(packed, carried, 20_000)
    assert len(written) > 2
    assert all(p.stat().st_size <= 20_000 for p in written)
    gpu.pieces.join(carried, tmp_path / "there")
    assert {
        p.relative_to(tmp_path / "there").as_posix(): p.read_bytes()
        for p in (tmp_path / "there").rglob("*")
        if p.is_file()
    } == {"wheels/one.whl": CONTENT, "two.txt": b"two"}
    written[1].write_bytes(b"damaged")
    with pytest.raises(SystemExit, match=r"piece\.01: found .*, expected .*; carry this piece"):
        gpu.pieces.join(carried, tmp_path / "again")
    written[1].unlink()
    with pytest.raises(SystemExit, match=r"piece\.01: found no file"):
        gpu.pieces.join(carried, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_box_that_overruns_is_ended_and_what_it_printed_counts(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.boxes, "GRACE", 0.5)
    options = Namespace(out=tmp_path, dry=True, seconds=12.0, began=None)
    session = gpu.boxes.Session(options)

    def box(name, *programs):
        session.run(name, [["sh", "-c", p] for p in programs], dict)

    box("shapes", f"{TABLE.format(1)}; sleep 60")
    # What a killed visit leaves.
    told = json.loads((tmp_path / "results.json").read_text())
    assert told["boxes"][0]["status"] == "cut"
    assert told["boxes"][0]["tables"] == [[["a"], ["1"]]]
    box("law", "exit 3", TABLE.format(2))
    box("precision", TABLE.format(3))
    session.write()
    told = {b["box"]: b for b in json.loads((tmp_path / "results.json").read_text())["boxes"]}
    assert list(told) == ORDER
    assert told["law"]["status"] == "failed with status 3"
    assert told["law"]["tables"] == []
    assert told["precision"]["status"] == "done"
    assert told["precision"]["tables"] == [[["a"], ["3"]]]
    assert told["gpu base"]["status"] == "waiting"
    page = (tmp_path / "tables.md").read_text()
    assert "| a |\n| --- |\n| 1 |" in page
    assert "its numbers mean nothing" in page


def test_every_box_has_its_turn_in_a_few_seconds(tmp_path):
    """Most are cut: the order and the files are what is looked at."""
    began = time.time()
    words = ["bash", str(FOLDER / "first_ten_minutes.sh"), "dry", str(tmp_path), "--seconds", "8"]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads((tmp_path / "results.json").read_text())
    assert [b["box"] for b in told["boxes"]] == ORDER
    assert {b["status"] for b in told["boxes"]} <= {"done", "cut"}
    assert told["dry"] is True
    log = (tmp_path / "log.txt").read_text()
    titles = [line for line in log.splitlines() if line.startswith("## ")]
    assert [t.partition(": ")[0] for t in titles] == [
        "## Training steps at 7B shapes, and the adapters' table",
        "## The law, one seed",
        "## The law, more seeds",
        "## bfloat16 and flash attention beside float32 and eager",
        "## Levels of the base of scale `gpu`",
    ]
    assert (tmp_path / "tables.md").stat().st_mtime >= began - 1
