"""The first minutes on an accelerator, without one: pieces, time boxes, the order in tiny form."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "reproduce" / "gpu"
ORDER = ["shapes", "law", "more seeds", "precision", "gpu base"]
SLOW = "import time; print('| a |\\n| --- |\\n| {} |', flush=True); time.sleep(60)"


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
    (packed / "wheels" / "one.whl").write_bytes(bytes(range(256)) * 200)
    (packed / "two.txt").write_text("two")
    written = gpu.pieces.split(packed, carried, 20_000)
    assert len(written) > 2
    assert all(p.stat().st_size <= 20_000 for p in written)
    gpu.pieces.join(carried, tmp_path / "there")
    assert {
        p.relative_to(tmp_path / "there").as_posix(): p.read_bytes()
        for p in (tmp_path / "there").rglob("*")
        if p.is_file()
    } == {"wheels/one.whl": bytes(range(256)) * 200, "two.txt": b"two"}
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
        session.run(name, [[sys.executable, "-c", p] for p in programs], dict)

    box("shapes", SLOW.format(1))
    # What a killed visit leaves.
    told = json.loads((tmp_path / "results.json").read_text())
    assert told["boxes"][0]["status"] == "cut"
    assert told["boxes"][0]["tables"] == [[["a"], ["1"]]]
    box("law", "raise SystemExit(3)", SLOW.format(2))
    box("precision", "print('| b |\\n|---|\\n| 3 |')")
    session.write()
    told = {b["box"]: b for b in json.loads((tmp_path / "results.json").read_text())["boxes"]}
    assert list(told) == ORDER
    assert told["law"]["status"] == "failed with status 3"
    assert told["law"]["tables"] == []
    assert told["precision"]["status"] == "done"
    assert told["precision"]["tables"] == [[["b"], ["3"]]]
    assert told["gpu base"]["status"] == "waiting"
    page = (tmp_path / "tables.md").read_text()
    assert "| a |\n| --- |\n| 1 |" in page
    assert "its numbers mean nothing" in page


def test_every_box_has_its_turn_in_a_few_seconds(tmp_path):
    """Most are cut: the order, the commands' first words and the files are what is looked at."""
    began = time.time()
    words = ["bash", str(FOLDER / "first_ten_minutes.sh"), "dry", str(tmp_path), "--seconds", "12"]
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
    places = [log.find(w) for w in ("gpu.py --tiny", "law_share_then_specialize", "precision.py")]
    assert -1 < places[0] < places[1]
    assert (tmp_path / "tables.md").stat().st_mtime >= began - 1
