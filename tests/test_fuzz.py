"""Bad input: what the strict readers refuse, and a short form of benchmarks/fuzz.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lawcheck.accelerators import load_accelerator
from lawcheck.errors import LONGEST, InputError, one_line, wrong_path
from lawcheck.reading import parse_json, parse_yaml, read_json
from lawcheck.scale import load_scale

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import fuzz

sys.path.pop(0)
BOMB = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 10}]\n" for i in range(1, 9))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"a": 1, "a": 2}', "key 'a' stands twice"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "not finite"),
        ("[1" + "0" * 400 + "]", "64 bits"),
        ("[" + "1" * 5000 + "]", "64 bits"),
        ("[" * 100_000, "nested"),
        ('"\\ud800"', "surrogate"),
        ('"a\x00"', "control character"),
        ("", "Expecting value"),
    ],
)
def test_json_that_means_nothing_or_two_things_is_refused(text, named):
    with pytest.raises(InputError, match=named):
        parse_json(text, "x.json, line 3", "mend it")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: 1\na: 2", "key 'a' stands twice"),
        ("a: .nan", "not finite"),
        ("a: 010", "two ways"),
        ("a: 12:30:00", "two ways"),
        ("a: 1" + "0" * 400, "64 bits"),
        ("a: !!python/object/apply:os.system [id]", "tag"),
        ("a: &a [*a]", "alias"),
        (BOMB, "unfold"),
        ("[" * 100_000, "nested"),
        ("- " * 5000, "nested"),
        ("a: !!timestamp x", "not valid YAML"),
        ("a: !!bool x", "not valid YAML"),
        ("a: 2020-13-40", "month"),
        ("--- 1\n--- 2", "another document"),
        ("a: \x00", "not allowed"),
    ],
)
def test_yaml_that_means_nothing_or_two_things_is_refused(text, named):
    with pytest.raises(InputError, match=named):
        parse_yaml(text, "x.yaml", "mend it")


def test_aliases_and_merged_keys_of_ordinary_size_stay():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: [*a, *a]"
    assert parse_yaml(text, "x", "y")["b"] == {"x": 3, "y": 2}


def test_separators_inside_text_are_no_line_ends():
    assert parse_json('"a\u2028b\u0085c"', "x", "y") == "a\u2028b\u0085c"


@pytest.mark.parametrize("line", ["batch_size: yes", "epochs: no", "max_grad_norm: 1e999"])
def test_a_scale_takes_no_yes_and_no_infinity_for_a_number(tmp_path, line):
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: smoke\ntraining: {{{line}}}\n")
    with pytest.raises(InputError, match=line.partition(":")[0]):
        load_scale(str(path))
    path.write_text(f"title: x\nmemory_gb: {line.partition(' ')[2]}\nbf16_tflops: 300\n")
    with pytest.raises(InputError, match="memory_gb"):
        load_accelerator(str(path))


def test_what_is_no_file_is_one_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "loop", tmp_path / "none", Path("a\0b")):
        with pytest.raises(InputError, match="mend it"):
            read_json(path, "mend it")


def test_an_error_line_cannot_break_a_terminal():
    assert one_line("a\nb\x1b[2J\u202ec\ud800") == r"a\nb\x1b[2J\u202ec\ud800"
    assert one_line("grün 😀") == "grün 😀"
    long = one_line("head " + "x" * 9000 + " tail")
    assert long.startswith("head")
    assert long.endswith("tail")
    assert len(long) <= LONGEST


def test_a_path_of_the_wrong_kind_is_the_users_a_fault_of_the_disk_is_not():
    assert "is a directory" in (wrong_path(IsADirectoryError(21, "", "x")) or "")
    assert wrong_path(OSError(5, "", "x")) is None
    assert wrong_path(ValueError()) is None


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A folder and every kind by its name, but for adapters: those load torch."""
    folder = tmp_path_factory.mktemp("fuzz")
    with fuzz.workplace(folder):
        yield folder, {kind.name: kind for kind in fuzz.kinds(folder, adapters=False)}


def test_damaged_files_are_refused_in_one_line_or_read_rightly(found, capsys):
    """The sound file of every kind is accepted, and none of a few damaged ones fails."""
    folder, kinds = found
    assert len(kinds) >= 59
    failed = []
    for number, kind in enumerate(kinds.values()):
        place = folder / str(number)
        place.mkdir()
        counts = fuzz.run_kind(kind, place, 1, range(1 if kind.lines else 5))
        failed += [kind.name] * counts["failed"]
    assert failed == [], capsys.readouterr().err


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_any_damage_to_any_small_file_is_refused_or_read_rightly(found, data):
    folder, kinds = found
    name = data.draw(st.sampled_from([n for n, k in kinds.items() if k.share == 1]))
    place = folder / f"any {name}"
    place.mkdir(exist_ok=True)
    case = data.draw(st.integers(0, 1 << 30))
    outcome, what = fuzz.one_case(kinds[name], place, 1, case)
    assert outcome != "failed", f"--seed 1 --kind '{name}' --case {case}: {what}"
