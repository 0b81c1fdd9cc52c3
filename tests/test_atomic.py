"""Outputs are whole or absent."""

import json
import os

import pytest

from lawcheck.errors import InputError
from lawcheck.files.atomic import atomic_file, atomic_folder, write_json


def _write_and_fail(target):
    with atomic_file(target) as part:
        part.write_text("half")
        raise RuntimeError


def _fill_and_fail(target):
    with atomic_folder(target) as part:
        (part / "new").write_text("y")
        raise RuntimeError


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        _write_and_fail(target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_folder_replaces_the_old_one_whole(tmp_path):
    target = tmp_path / "f"
    target.mkdir()
    (target / "stale").write_text("x")
    with pytest.raises(RuntimeError):
        _fill_and_fail(target)
    assert [p.name for p in target.iterdir()] == ["stale"]
    with atomic_folder(target) as part:
        (part / "new").write_text("y")
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"b": 1, "a": [2.5]})
    with pytest.raises(ValueError, match="JSON"):
        write_json(target, {"a": float("nan")})
    assert json.loads(target.read_text()) == {"a": [2.5], "b": 1}


def test_a_folder_is_not_replaced_by_a_file(tmp_path):
    (tmp_path / "out.json" / "kept").mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder, expected a file"):
        write_json(tmp_path / "out.json", {})
    assert [p.name for p in tmp_path.rglob("*")] == ["out.json", "kept"]


def test_a_device_or_a_pipe_is_not_replaced_and_a_link_leads_to_its_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a device or a pipe, expected a file"):
        write_json(tmp_path / "pipe", {})
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "null").symlink_to(os.devnull)
    with pytest.raises(InputError, match="is a device"):
        write_json(tmp_path / "null", {})
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write_json(tmp_path / "link", 1)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "1\n"
