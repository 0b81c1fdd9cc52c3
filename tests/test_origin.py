"""Records that lie, checkpoints that are damaged, and writers that were killed."""

from __future__ import annotations

import errno
import json
import os

import pytest
from tiny_world import make_base, make_rows, make_run, make_scale

from lawcheck.errors import InputError
from lawcheck.files import atomic, origin
from lawcheck.files.hashing import digest
from lawcheck.training import record
from lawcheck.training.checkpoints import require_checkpoint
from lawcheck.training.run import train_run
from lawcheck.training.trainer import TimedCheckpoints


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    origin.seal(path, "verdict", "a", made_from={"table a": "0" * 64})
    return path


def rewrite(path, **changes):
    """A record that is whole in itself, with other content."""
    file = origin.record_path(path)
    content = json.loads(file.read_text()) | changes
    content.pop("seal")
    file.write_text(json.dumps(content | {"seal": digest(content, 64)}))


@pytest.mark.parametrize("name", ["../b.json", "/etc/passwd", "", "x/../../b"])
def test_a_recorded_name_outside_the_folder_is_refused(sealed, name):
    rewrite(sealed, files={name: "0" * 64})
    with pytest.raises(origin.OriginError, match="expected a file of its folder") as error:
        origin.require(sealed, "verdict", "a", "make it again")
    assert error.value.state == "foreign"


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda p: origin.record_path(p).unlink(), "unrecorded"),
        (lambda p: origin.record_path(p).write_text("{"), "changed"),
        (lambda p: origin.record_path(p).write_text("[]"), "changed"),
        (lambda p: rewrite(p, name="b"), "foreign"),
        (lambda p: rewrite(p, kind="table"), "foreign"),
        (lambda p: rewrite(p, made_from={"table a": "1" * 64}), "stale"),
        (lambda p: rewrite(p, made_from={"table a": 1}), "changed"),
        (lambda p: p.write_text("[]"), "changed"),
        (lambda p: p.unlink(), "missing"),
    ],
)
def test_every_difference_from_a_record_has_its_name(sealed, change, state):
    now = {"table a": "0" * 64}
    assert origin.require(sealed, "verdict", "a", "make it again", now).made_from == now
    change(sealed)
    with pytest.raises(InputError, match="make it again") as error:
        origin.require(sealed, "verdict", "a", "make it again", now)
    assert error.value.state == state
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "damaged"), [("optimizer.pt", 1), ("adapter_model.safetensors", 2)]
)
def test_a_damaged_checkpoint_is_passed_over_and_recorded(tmp_path, file, damaged):
    base = make_base(tmp_path / "base")
    arguments = (make_run(), make_scale(), make_rows(120), base)
    whole = train_run(*arguments, tmp_path / "whole")
    cut = tmp_path / "cut"

    keep = TimedCheckpoints.on_save

    def killed(self, args, state, control, **kwargs):
        keep(self, args, state, control, **kwargs)
        if state.global_step == 6:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimedCheckpoints, "on_save", killed)
        with pytest.raises(KeyboardInterrupt):
            train_run(*arguments, cut, checkpoint_seconds=0)
    folders = sorted((cut / record.CHECKPOINTS).glob("checkpoint-*"), reverse=True)
    assert [f.name for f in folders] == ["checkpoint-6", "checkpoint-5"]
    for folder in folders[:damaged]:
        path = folder / file
        path.write_bytes(path.read_bytes()[:-7])
    resumed = train_run(*arguments, cut)
    assert resumed["resumed_at_step"] == {1: 5, 2: None}[damaged]
    lines = resumed["checkpoints_discarded"]
    assert len(lines) == damaged
    assert all(file in line and "changed" in line for line in lines)
    assert resumed["weights_sha256"] == whole["weights_sha256"]


def test_a_checkpoints_record_without_sizes_is_damaged(tmp_path):
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    (folder / "trainer_state.json").write_text("{}")
    origin.seal(folder / "trainer_state.json", "checkpoint", "run checkpoint-1")
    with pytest.raises(origin.OriginError, match="without sizes"):
        require_checkpoint(folder, "run")


def test_weights_made_from_something_else_are_trained_again(tmp_path, capsys):
    base = make_base(tmp_path / "base")
    arguments = (make_run(), make_scale(), make_rows(40), base, tmp_path / "run")
    first = train_run(*arguments, made_from={"corpus": "0" * 64})
    assert train_run(*arguments, made_from={"corpus": "0" * 64}) == first
    again = train_run(*arguments, made_from={"corpus": "1" * 64})
    assert "stale" in capsys.readouterr().err
    assert again["weights_sha256"] == first["weights_sha256"]
    # A run from before there were records.
    origin.forget(tmp_path / "run" / record.RECORD)
    train_run(*arguments, made_from={"corpus": "1" * 64})
    assert "unrecorded" in capsys.readouterr().err


def fill(target, text):
    with atomic.atomic_folder(target) as part:
        (part / "file").write_text(text)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_with_and_without_an_exchange(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    fill(tmp_path / "f", "old")
    fill(tmp_path / "f", "new")
    assert (tmp_path / "f" / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_moved_aside_by_a_killed_writer_comes_back(tmp_path):
    target = tmp_path / "f"
    fill(target, "old")
    target.replace(tmp_path / ".f.abcd1234.old")

    def fail():
        with atomic.atomic_folder(target):
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert (target / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_that_a_live_writer_moved_aside_is_left_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    monkeypatch.setattr(atomic, "SETTLED_SECONDS", -1)
    target, taken = tmp_path / "f", []
    fill(target, "old")
    move = type(target).replace

    def watched(path, to):
        if path.suffix == ".part":
            # Between the two steps: the old folder is aside, the new one not yet in its place.
            taken.extend(atomic.leftovers(target))
            raise OSError(errno.EIO, "broken")
        return move(path, to)

    monkeypatch.setattr(type(target), "replace", watched)
    with pytest.raises(OSError, match="broken"):
        fill(target, "new")
    assert taken == []
    assert (target / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["f"]


def test_only_a_dead_writers_leftovers_of_the_same_target_go(tmp_path, monkeypatch):
    (tmp_path / ".a.json.abcd1234.part").write_text("half")
    (tmp_path / ".a.json.origin.abcd1234.part").write_text("of another target")
    atomic.write_json(tmp_path / "a.json", {})
    # Young: its writer may not have locked it yet.
    assert len(list(tmp_path.glob(".a.json.*.part"))) == 2
    monkeypatch.setattr(atomic, "SETTLED_SECONDS", -1)
    with atomic.atomic_file(tmp_path / "a.json") as mine:
        mine.write_text("{}")
        atomic.write_json(tmp_path / "a.json", {})
        assert mine.exists()
    assert [p.name for p in tmp_path.glob(".a.json.*.part")] == [".a.json.origin.abcd1234.part"]
