"""What the machine refuses: one line, exit 2, nothing half written, and the same bits later."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from studies import differences, digests
from verbs_in_turn import ROOT


@pytest.fixture
def mounted(tmp_path):
    """Mount a small file system, or the same one again with other options."""
    place = tmp_path / "mounted"
    place.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system of its own here: {done.stderr.strip() or 'not root'}")
        return place

    if not shutil.which("mount"):
        pytest.skip("no mount command here")
    yield mount
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


def one_line(ended):
    """The line of a process that ended as it should."""
    said = [line for line in ended.said.splitlines() if line.startswith("lawcheck: ")]
    assert ended.status == 2, ended.said[-2000:]
    assert "Traceback" not in ended.said
    assert len(said) == 1
    return said[0]


def nothing_false(folder, expected):
    """No part of a file counts as a result: what is there is as it should be."""
    found = digests(folder / ROOT)
    kept = {k: v for k, v in found.items() if "/checkpoints/" not in k}
    assert differences(kept, {k: v for k, v in expected.items() if k in kept}) == []
    assert not list((folder / ROOT).rglob("*.part"))


@pytest.mark.parametrize("kilobytes", [300, 1100, 2400])
def test_a_full_disk_is_told_and_survived(lawcheck, training, expected, mounted, kilobytes):
    folder, words = training
    used = sum(p.stat().st_blocks for p in folder.rglob("*")) // 2
    place = mounted(f"size={used + kilobytes}k")
    shutil.copytree(folder, place, dirs_exist_ok=True)
    line = one_line(lawcheck.run(place, words, checkpoint_seconds=0, said=str(folder / "said.txt")))
    assert "no room left to write" in line
    assert "run '" in line or "record" in line
    nothing_false(place, expected)
    mounted("remount,size=64m")
    ended = lawcheck.run(place, words, checkpoint_seconds=0)
    assert ended.status == 0, ended.said[-2000:]
    nothing_false(place, expected)


@pytest.mark.parametrize("bytes_", [2_000, 700_000])
def test_a_limit_on_file_sizes_is_told_and_survived(lawcheck, training, expected, bytes_):
    folder, words = training
    line = one_line(lawcheck.run(folder, words, checkpoint_seconds=0, file_size=bytes_))
    assert "no room left to write" in line
    nothing_false(folder, expected)
    assert lawcheck.run(folder, words).status == 0
    nothing_false(folder, expected)


def test_no_memory_is_told_and_survived(lawcheck, training, expected):
    folder, words = training
    taken = lawcheck.address_space()
    failed = 0
    for more in (0, 32, 128):
        ended = lawcheck.run(folder, words, address_space=taken + more * 2**20)
        if ended.status == 0:
            break
        failed += 1
        line = one_line(ended)
        assert "out of memory" in line
        assert "mem_mb" in line
        nothing_false(folder, expected)
    assert failed
    assert lawcheck.run(folder, words).status == 0
    nothing_false(folder, expected)


@pytest.mark.parametrize("verb", ["corpus", "mixtures", "train", "collect", "judge", "render"])
def test_a_read_only_folder_is_told(lawcheck, whole, stages, mounted, verb, tmp_path):
    place = mounted("size=64m")
    shutil.copytree(whole, place, dirs_exist_ok=True)
    if verb == "train":
        next((place / ROOT / "runs").glob("*/train.json")).unlink()
    words = max((words for words in stages if words[0] == verb), key=len)
    before = digests(place / ROOT)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    line = one_line(lawcheck.run(place, words, said=str(tmp_path / "said.txt")))
    assert "read-only" in line
    assert digests(place / ROOT) == before


def test_a_folder_of_somebody_else_is_told(lawcheck, training):
    folder, words = training
    if os.getuid() != 0:
        pytest.skip("needs root, to work as another user")
    line = one_line(lawcheck.run(folder, words, user=65534, said=str(Path(folder) / "said.txt")))
    assert "not allowed" in line or "permission" in line
