"""Bad input: what the strict readers refuse, and a short form of benchmarks/fuzz.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lawcheck.__main__ import main
from lawcheck.corpus.shards import COLUMNS, Shards
from lawcheck.declare.scale import load_scale
from lawcheck.errors import LONGEST, InputError, one_line, wrong_path
from lawcheck.files import records
from lawcheck.files.atomic import write_json
from lawcheck.files.reading import parse_json, parse_yaml, read_json
from lawcheck.files.records import read_provenance
from lawcheck.methods import adapters
from lawcheck.planning.accelerators import load_accelerator
from lawcheck.show import printed
from lawcheck.studies import discipline_laws

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import fuzz
import fuzz_adapters
import fuzz_study

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


def shard(path, columns, offsets=None):
    """An Arrow file as it may lie on a damaged disk; offsets: of the first column's texts."""
    arrays = [pa.array(values) for values in columns.values()]
    if offsets is not None:
        where = pa.py_buffer(np.array(offsets, np.int32).tobytes())
        sound = pa.py_buffer(np.array([0, 2, 4], np.int32).tobytes())
        arrays[0] = pa.Array.from_buffers(pa.string(), 2, [None, sound, pa.py_buffer(b"abcd")])
    batch = pa.record_batch(arrays, names=list(columns))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    if offsets is not None:
        raw, end = path.read_bytes(), b"abcd"
        before = sound.to_pybytes().ljust(16, b"\0") + end
        assert raw.count(before) == 1
        path.write_bytes(raw.replace(before, where.to_pybytes().ljust(16, b"\0") + end))


@pytest.mark.parametrize(
    ("change", "offsets", "named"),
    [
        ({}, [0, 2, 1 << 30], "not a whole Arrow file"),
        ({}, [0, -7, 4], "not a whole Arrow file"),
        ({"id": [1, 2]}, None, "expected id"),
        ({"prompt": ["a", None]}, None, "without text"),
    ],
)
def test_a_shard_is_checked_before_arrow_follows_its_offsets(tmp_path, change, offsets, named):
    path = tmp_path / "math.train.arrow"
    shard(path, {**{c: ["a", "b"] for c in COLUMNS}, **change}, offsets)
    with pytest.raises(InputError, match=named):
        _ = Shards([path])[1]


@pytest.mark.parametrize(
    ("kind", "content", "named"),
    [
        (
            records.Provenance,
            {"runs": {"a": {"cpu_seconds": "1"}}},
            "runs.a.cpu_seconds: found '1'",
        ),
        (records.Provenance, {"runs": []}, r"runs: found \[\]"),
        (records.Provenance, {"seeds": [True]}, "seeds.0: found True"),
        (records.Statistics, {"disciplines": {}}, "origin: found nothing"),
        (records.StreamedManifest, {"identity": "a", "files": {}}, "counts: found nothing"),
        (records.OriginRecord, {"holds": {"seeds": [-1]}}, "kind: found nothing"),
        (records.Processes, {"processes": 0}, "processes: found 0"),
    ],
)
def test_a_record_of_another_form_is_one_line(kind, content, named):
    with pytest.raises(InputError, match=rf"x.json: {named}.*; mend it"):
        records.fitting(content, kind, "x.json", "mend it")


def test_published_provenance_fits_its_record():
    found = sorted(
        (Path(fuzz.__file__).parents[1] / "results/reference").rglob("*.provenance.json")
    )
    assert found
    # A law about base models alone has no runs.
    read = map(read_provenance, found)
    assert all(record["runs"] or record["bases"] for record in read)


PRINTED = Path(discipline_laws.__file__).parent / discipline_laws.STUDY.published


@pytest.mark.parametrize("change", ["damaged", "lost", "unlisted"])
def test_a_table_in_print_is_the_one_that_was_transcribed(tmp_path, monkeypatch, change):
    folder = tmp_path / "data"
    shutil.copytree(PRINTED, folder)
    table = folder / "table3_final.csv"
    if change == "damaged":
        table.write_bytes(table.read_bytes().replace(b"0.", b"1.", 1))
    elif change == "lost":
        table.unlink()
    else:
        shutil.copyfile(table, folder / "table3_again.csv")
    recorded = printed._recorded
    copied = {PRINTED: folder}
    monkeypatch.setattr(printed, "_recorded", lambda path: recorded(copied.get(path, path)))
    printed._printed.cache_clear()
    try:
        with pytest.raises(InputError, match="published table 'table3_"):
            printed.printed("table3_final")
    finally:
        printed._printed.cache_clear()


def test_a_law_on_own_scores_leaves_the_planning_of_others_alone(found, capsys):
    """Its methods are nobody's here: it is judged, and nothing of it is planned."""
    assert main(["plan", fuzz_study.NAME, "--scale", "smoke", "--runs"]) == 0
    assert main(["plan", "ours_wins", "--scale", "smoke"]) == 2
    assert "method 'untrained': unknown" in capsys.readouterr().err


def test_an_empty_path_is_no_score_table(capsys):
    assert main(["judge", "variability", "--scores", ""]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("word", ["a\0b", "a\udcff"])
def test_an_argument_that_is_no_text_is_refused(word, capsys):
    assert main(["import", word, "--out", "x"]) == 2
    assert "not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_output_needs_a_name(name):
    with pytest.raises(InputError, match="give it a name"):
        write_json(Path(name), {})


def test_an_adapter_of_whole_numbers_is_refused(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a.lora_A.weight": np.zeros((2, 3), np.int32)}, tmp_path / adapters.WEIGHTS)
    with pytest.raises(InputError, match="of type I32"):
        adapters.stored_shapes(tmp_path)


def test_a_damaged_adapter_is_refused_in_one_line_or_loaded(tmp_path, capsys):
    """Case 21: peft joins base_model_name_or_path to a file's name, whatever it is."""
    for number, kind in enumerate(fuzz_adapters.adapter_kinds(tmp_path)):
        place = tmp_path / str(number)
        place.mkdir()
        counts = fuzz.run_kind(kind, place, 0, (0, 1, 21))
        assert counts["failed"] == 0, capsys.readouterr().err
