"""What CONTRIBUTING.md promises: where tests are, which words and spellings the texts keep to."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_file_belongs_to_one_room():
    text = (ROOT / "tests" / "rooms.mk").read_text().replace("\\\n", " ")
    lines = re.findall(r"^(\w+) [:+]= (.*)$", text, re.MULTILINE)
    names = [name for room, names in lines if room != "ROOMS" for name in names.split()]
    assert sorted(names) == sorted(
        p.stem.removeprefix("test_") for p in ROOT.glob("tests/test_*.py")
    )
    (rooms,) = (names.split() for room, names in lines if room == "ROOMS")
    assert set(rooms) == {room for room, _ in lines} - {"ROOMS"}
    package = {p.parent.name for p in ROOT.glob("src/lawcheck/*/__init__.py")}
    assert set(rooms) == package | {"whole"}
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert [room for room in package if f"`{room}/`" not in page] == []


def test_phrases_are_found_across_lines(tmp_path):
    script = (ROOT / ".ci" / "words").read_text()
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "words").write_text(script)
    command = [sys.executable, str(tmp_path / ".ci" / "words")]
    page = tmp_path / "PAGE.md"
    page.write_text("The run resumes; disk space and a room with a view.\n")
    assert subprocess.run(command, check=False).returncode == 0
    page.write_text("The run goes\non to the same bits.\n")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "PAGE.md:1: 'goes on to'" in done.stdout
    assert "PAGE.md:2: 'the same bits'" in done.stdout
