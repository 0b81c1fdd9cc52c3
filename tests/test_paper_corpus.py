"""The paper's data sets: layouts, pins, counts, comparison with evaluation items, streaming."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import paper_release
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_token_store import same_samples

from lawcheck.__main__ import main
from lawcheck.corpus import contamination, decontaminate
from lawcheck.corpus.build import build_corpus, check_corpus, training_rows
from lawcheck.corpus.contamination import Asked, EvaluationIndex, Item
from lawcheck.corpus.encoding import encode
from lawcheck.corpus.fingerprints import hash_words
from lawcheck.corpus.real.rows import words
from lawcheck.corpus.recipe import mix, order_key
from lawcheck.corpus.shards import Shards, ShardWriter, shard_files
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.locking import read_lock, write_lock
from lawcheck.corpus.sources.mapping import Choices, Pairs, clean
from lawcheck.corpus.sources.reading import rows_of
from lawcheck.corpus.sources.staging import write_pins
from lawcheck.corpus.streamed import sources_of
from lawcheck.declare import discovery
from lawcheck.declare.design import Mixture, Recipe, Run, Upsampling, arm
from lawcheck.declare.scale import load_scale
from lawcheck.disciplines.general import paper as general
from lawcheck.disciplines.geography import paper as geography
from lawcheck.disciplines.math import paper as math
from lawcheck.errors import InputError
from lawcheck.training import mixture
from lawcheck.training.base.tokenizer import train_bpe

SCALE = load_scale("paper", {"corpus": {"general_pool": 40}})
SETS = [s for source in sources_of(SCALE).values() for s in source.sets]
NAMES = sorted({s.name for s in SETS})


def train(name: str) -> DataSet:
    return next(s for source in sources_of(SCALE).values() for s in source.train if s.name == name)


# ------------------------------------------------------------------------------- declarations


def test_declarations_add_up_to_the_published_corpus() -> None:
    for d in discovery.of_role("discipline", "paper"):
        declared = sources_of(SCALE)[d.name].train
        assert sum(s.rows or 0 for s in declared) == d.rows, d.name
    assert sum(s.rows or 0 for s in general.TRAIN) >= load_scale("paper").corpus.general_pool
    assert all(s.substitute_for for s in general.TRAIN)
    assert all(s.licence and s.counted_in and s.files for s in SETS)


def test_listing_and_planning_import_nothing_heavy() -> None:
    code = (
        "import sys\nfrom lawcheck.declare.scale import load_scale\n"
        "from lawcheck.planning.plan import Planner\n"
        "Planner(load_scale('paper'), (0,)).data_digest\n"
        "print([m for m in ('torch','pyarrow','numpy','datasets','lm_eval') if m in sys.modules])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "LAWCHECK_DATA"}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert found.stdout.strip() == "[]"


# ------------------------------------------------------------------------------- whole build


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All releases staged, and a working directory of its own for the lock file."""
    data = tmp_path / "data"
    paper_release.write_training(data)
    paper_release.write_evaluation(data)
    here = tmp_path / "here"
    (here / "reproduce").mkdir(parents=True)
    (here / "reproduce" / "sources.lock.yaml").write_text("")
    monkeypatch.chdir(here)
    monkeypatch.setenv("LAWCHECK_DATA", str(data))
    return data


def pin(data: Path) -> Path:
    return write_pins(SETS, data, lambda _: None)


def lines(manifest: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(line["set"], line["split"]): line for line in manifest["counts"] if line["set"]}


def test_every_release_is_read_in_its_published_layout(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(release)
    # Planted: a GSM8K question inside a problem, with other case and punctuation.
    shop = paper_release.sentence("shop", 3).upper().replace(" ", ", ")
    planted = {"problem": f"Again: {shop} ?", "generated_solution": "no", "x": 1}
    target = release / "openmathinstruct2/data/train_2M-00000-of-00002.parquet"
    paper_release.parquet(target, [planted])
    # Planted: a validation question of MedMCQA as a question of MedQA.
    usmle = json.loads(
        (release / "medqa/phrases_no_exclude_train.jsonl").read_text().split("\n")[0]
    )
    usmle["question"] = paper_release.sentence("cardiac", 2)
    paper_release.jsonl(
        release / "medqa/phrases_no_exclude_train.jsonl", [usmle, usmle | {"question": "new"}]
    )
    lock = read_lock(Path("reproduce/sources.lock.yaml"))
    for name in ("openmathinstruct2", "medqa"):
        del lock[name]
    write_lock(Path("reproduce/sources.lock.yaml"), lock)
    pin(release)

    folder = tmp_path / "corpus"
    manifest = build_corpus(SCALE, folder, NAMES)
    assert check_corpus(folder, SCALE) == json.loads((folder / "manifest.json").read_text())
    found = lines(manifest)
    expected = dict.fromkeys((s.name for s in SETS if s.rows), 12) | {
        "openmathinstruct2": 7,  # one planted, six of the other file
        "medmcqa": 10,  # single-answer questions
        "medqa": 2,
        "medquad": 8,  # with an answer
        "pubmedqa": 6,  # outside the test half
        "natural_instructions": 9 * 12,
    }
    for s in (s for source in sources_of(SCALE).values() for s in source.train):
        assert found[s.name, "train"]["samples"] == expected[s.name], s.name
    assert found["openmathinstruct2", "train"]["removed_by_task"] == {
        "gsm8k": {"exact": 0, "ngram": 1}
    }
    assert found["medqa", "train"]["removed_by_task"] == {"medmcqa": {"exact": 1, "ngram": 1}}
    assert sum(line.get("removed", 0) for line in found.values()) == 2
    printed = capsys.readouterr().out
    assert "instead of InternLM" in printed
    assert "openmathinstruct2  gsm8k" in " ".join(printed.split()).replace(" gsm8k", "  gsm8k")

    rows = {
        r["id"]: r
        for d in ("math", "chemistry", "biology", "medicine", "geography", "general")
        for r in Shards(shard_files(folder, d))
    }
    assert len([r for r in rows.values() if r["discipline"] == "general"]) == 40
    assert rows["chemdata700k.1"]["prompt"].startswith("earlier question\nearlier answer\nName")
    assert rows["medmcqa.2"]["response"] == "B"
    assert rows["medmcqa.2"]["prompt"].endswith("D. renal d 1\nAnswer:")
    assert rows["headqa.5"]["response"] == "E"
    assert rows["opengpt.1"]["response"] == "care,\n0"
    assert rows["pubmedqa.2"]["prompt"].startswith("Background 1.\nMethods.\ntrial")
    assert rows["pubmedqa.2"]["response"] == "No. We found 1."
    assert rows["natural_instructions.1"]["prompt"].startswith("Extract.\nBriefly.\ntask179")
    assert not any("<|" in r["prompt"] + r["response"] for r in rows.values())
    tasks = {json.loads(line)["task"] for line in (folder / "chemistry.eval.jsonl").open()}
    assert tasks == {"chembench_name_conversion", "chembench_retrosynthesis"}
    mcq = json.loads((folder / "biology.eval.jsonl").read_text().split("\n")[0])
    assert len(mcq["choices"]) == 4
    assert mcq["choices"][3] == "(E)-delta"


def test_streamed_mixtures_equal_the_listed_ones(release: Path, tmp_path: Path) -> None:
    pin(release)
    folder = tmp_path / "corpus"
    build_corpus(SCALE, folder, NAMES)
    disciplines = {d.name: d for d in discovery.of_role("discipline", "paper")}
    rows = {name: list(Shards(shard_files(folder, name))) for name in disciplines}
    pool = list(Shards(shard_files(folder, "general")))
    # The recipe counts per published sample, so a small corpus needs a large target.
    target = {d: disciplines[d].rows for d in ("biology", "geography")}
    recipes = [
        Recipe(),
        Recipe(fraction=0.3, general_share=0.5),
        Recipe(disciplines=("geography", "biology")),
        *(
            Recipe(
                fraction=0.7,
                upsampling=Upsampling(
                    kind=kind, disciplines=("biology", "geography"), target=5 * min(target.values())
                ),
                general_share=1.0,
            )
            for kind in ("diverse", "unique")
        ),
    ]
    tokenizer = train_bpe((r["response"] for own in rows.values() for r in own), 400)
    manifest = json.loads((folder / "manifest.json").read_text())
    for recipe in recipes:
        run = Run(arm=arm("lora", recipe), seed=0, scale="paper", digest="x")
        listed = list(mix(recipe, rows, pool, disciplines, SCALE.corpus.unique_below))
        assert list(training_rows(run, SCALE, folder)) == listed
        alone = dataclasses.replace(run, part="biology")
        assert list(training_rows(alone, SCALE, folder)) == [
            row for row in listed if row["discipline"] == "biology"
        ]
        for one in (run, alone):
            plain = encode(tokenizer, training_rows(one, SCALE, folder), 150)
            stored = mixture.rows_of(one, SCALE, folder, manifest, tmp_path / "tokens")
            same_samples(stored.encoded(tokenizer, 150), plain)
    moves = Recipe(disciplines=("geography", "general"), mixture=Mixture())
    run = Run(arm=arm("lora", moves), seed=0, scale="paper", digest="x")
    stored = mixture.rows_of(run, SCALE, folder, manifest, tmp_path / "tokens")
    held = mixture.DomainRows({"geography": rows["geography"], "general": pool}, stored.weights)
    sizes = encode(tokenizer, itertools.chain(*held.rows.values()), 1000)
    limit = int(np.median(sizes.answers))  # Half of the responses lie beyond it.
    found, plain = (mixture.encoded_domains(d, tokenizer, limit, None) for d in (stored, held))
    same_samples(found.encoded, plain.encoded)
    assert found.encoded.lost
    for name in held.rows:
        for kind in ("learned", "measured"):
            members = getattr(found, kind)[name]
            assert members.tolist() == getattr(plain, kind)[name].tolist()
            assert {found.encoded.ids[m] for m in members} <= {r["id"] for r in held.rows[name]}
    assert len([p for p in (tmp_path / "tokens").iterdir() if p.is_dir()]) == 1
    assert any("#" in row["id"] for row in listed)


def test_counts_that_differ_are_refused_until_accepted(release: Path, tmp_path: Path) -> None:
    pin(release)
    others = [n for n in NAMES if n not in ("geosignal", "mmlu")]
    with pytest.raises(
        InputError,
        match=r"'mmlu' \(eval\): found 8 samples, expected 14,042 within 1 % .*\(2 counts off\)"
        r".*--accept mmlu --accept geosignal",
    ):
        build_corpus(SCALE, tmp_path / "corpus", others)
    assert not (tmp_path / "corpus").exists()
    manifest = build_corpus(SCALE, tmp_path / "corpus", NAMES)
    assert manifest["accepted"] == NAMES
    with pytest.raises(InputError, match="'geosignals': no such data set; nearest: geosignal"):
        build_corpus(SCALE, tmp_path / "corpus", ["geosignals"])


def test_a_published_count_is_met_within_its_tolerance() -> None:
    from lawcheck.corpus.sources.tables import count_faults

    def faults(samples: int) -> list[str]:
        line = {"set": "geosignal", "split": "train", "samples": samples, "published": 39_749}
        line |= {"tolerance": 0.01, "counted_in": "Table 1"}
        return count_faults({"counts": [line], "accepted": []})

    assert not faults(39_749)
    assert not faults(39_400)
    assert not faults(40_100)
    assert len(faults(39_300)) == 1
    assert len(faults(40_200)) == 1


# ------------------------------------------------------------------------------- pins


def test_nothing_is_read_that_is_not_pinned(release: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"staged, but sources.lock.yaml pins neither.*--lock"):
        build_corpus(SCALE, tmp_path / "corpus", NAMES)
    lock = pin(release)
    assert {e.sha256 is not None for e in read_lock(lock).values()} == {True}
    # Sets of the hub were staged by hand: no revision is made up for them.
    assert read_lock(lock)["alpaca"].revision is None
    assert read_lock(lock)["opengpt"].revision == train("opengpt").revision
    before = lock.read_bytes()
    assert pin(release).read_bytes() == before
    with (release / "geosignal/geosignal.json").open("a") as stream:
        stream.write(" ")
    with pytest.raises(InputError, match=r"'geosignal': the staged files hash to .* restore"):
        build_corpus(SCALE, tmp_path / "corpus", NAMES)


def test_a_missing_set_is_named_with_what_to_do(release: Path, tmp_path: Path) -> None:
    pin(release)
    lock = Path("reproduce/sources.lock.yaml")
    entries = read_lock(lock)
    del entries["umls"]
    write_lock(lock, entries)
    (release / "umls/release.json").unlink()
    with pytest.raises(InputError, match=r"'umls': not in .* no revision in .*\(1 such: umls\)"):
        build_corpus(SCALE, tmp_path / "corpus", NAMES)


def test_run_ids_follow_the_pins(release: Path) -> None:
    from lawcheck.planning.plan import Planner

    def digest() -> str | None:
        return Planner(SCALE, (0,)).data_digest

    unpinned = digest()
    pin(release)
    pinned = digest()
    assert pinned != unpinned
    # Where the data lie does not matter.
    release.rename(release.parent / "elsewhere")
    assert digest() == pinned


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("alpaca: {revision: main}", "alpaca: revision is 'main', expected 40 hexadecimal"),
        ("alpaca: {sha256: 12}", "expected 64 hexadecimal"),
        ("alpaca: 0123", "may be read in two ways, quote it"),
        ("[a, b]", "expected data sets by name"),
        ("a: [", "not valid YAML"),
    ],
)
def test_a_faulty_lock_is_one_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "sources.lock.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=fault) as found:
        read_lock(path)
    assert "\n" not in str(found.value)


def test_shipped_lock_is_valid_and_keeps_its_entries() -> None:
    shipped = Path(__file__).parents[1] / "reproduce" / "sources.lock.yaml"
    entries = read_lock(shipped)
    assert set(entries) <= set(NAMES)
    assert yaml.safe_load(shipped.read_text()) is None or entries


def test_fetching_asks_for_the_pinned_revision(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    from lawcheck.corpus.sources import locking

    calls = []

    def snapshot(hub: str, **options: Any) -> str:
        calls.append((hub, options["revision"], tuple(options["allow_patterns"])))
        paper_release.dump(options["local_dir"] / "geosignal.json", paper_release.asked("t", 3))
        return ""

    class Api:
        def dataset_info(self, hub: str) -> Any:
            return type("Info", (), {"sha": "a" * 40})()

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    (release / "geosignal/geosignal.json").unlink()
    pin(release)
    assert calls == [
        ("daven3/geosignal", "a" * 40, tuple(p for f in train("geosignal").files for p in f))
    ]
    assert read_lock(Path("reproduce/sources.lock.yaml"))["geosignal"].revision == "a" * 40

    # Files of a repository come one by one from the commit that is declared.
    source = train("opengpt")
    mirror = release.parent / "mirror"
    (release / "opengpt").rename(mirror)
    monkeypatch.setattr(locking, "REPOSITORY_FILES", mirror.as_uri() + "/{path}")
    locking.fetch(source, release, str(source.revision))
    assert locking.staged(source, release)

    def offline(*_: Any, **__: Any) -> str:
        raise OSError("Authorization: Bearer hf_secret")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(InputError, match="cannot be fetched") as found:
        locking.fetch(train("alpaca"), release, "b" * 40)
    assert "hf_secret" not in str(found.value)


# ------------------------------------------------------------------------------- command line


def test_command_line_builds_reports_and_refuses(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scales = tmp_path / "small.yaml"
    scales.write_text("extends: paper\nname: small\ncorpus: {general_pool: 40}\n")
    where = ["--scale", str(scales), "--results", str(tmp_path / "results")]
    assert main(["corpus", *where]) == 2
    assert "--lock" in capsys.readouterr().err
    assert main(["corpus", *where, "--lock"]) == 0
    assert main(["corpus", *where]) == 2
    refused = capsys.readouterr()
    assert refused.err.count("\n") == 1
    accept = [word for name in NAMES for word in ("--accept", name)]
    assert main(["corpus", *where, *accept]) == 0
    assert "math.train-00000-of-00062.arrow" in capsys.readouterr().out
    assert main(["corpus", *where, "--report"]) == 0
    assert "Removed training rows" in capsys.readouterr().out
    assert main(["corpus", "--scale", "smoke", "--results", str(tmp_path), "--accept", "x"]) == 2
    assert main(["corpus", "--scale", "smoke", "--results", str(tmp_path), "--lock"]) == 2


# ------------------------------------------------------------------------------- files and rows


ROW = {"instruction": "do", "input": "", "output": "done"}


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a":\n', "a.jsonl, line 2: not valid JSON"),
        ("a.jsonl", b'{"a": 1}\n\n', "a.jsonl, line 2: found an empty line"),
        ("a.jsonl", b'{"a": 1}\n"\xff"\n', "a.jsonl, line 2: not UTF-8"),
        ("a.jsonl", b'{"a": NaN}\n', "a.jsonl, line 1: not valid JSON"),
        ("a.jsonl", b'{"a": "\\ud800"}\n', "a.jsonl, line 1: not valid JSON"),
        ("a.jsonl", b"[1]\n", "a.jsonl, line 1: found list, expected an object"),
        ("a.jsonl", b"", "a.jsonl: found no row"),
        ("a.json", b'[{"a": 1},\n{"a": ]\n', "a.json, line 2: not valid JSON"),
        ("a.json", b'[{"a": 1}\n{"a": 2}]', "a.json, line 2: found .* expected a comma"),
        ("a.json", b'[{"a": 1},', "a.json, line 1"),
        ("a.json", b'[{"a": 1}\n', "a.json, line 2: the list does not end"),
        ("a.json", b"[1]", "a.json, line 1: found int, expected an object"),
        ("a.json", b'"text"', "a.json: found .* expected a JSON list"),
        ("a.csv", b"x,y\n1\n", "a.csv, line 2: found 1 cells, expected 2"),
        ("a.csv", b'x,y\n"1,2\n', "a.csv, line .*: not valid CSV"),
        ("a.parquet", b"PAR1 but no more", "a.parquet, after row 0: not readable Parquet"),
        ("a.zip", b"PK nothing", "a.zip: not a whole zip file"),
        (
            "a.jsonl.gz",
            gzip.compress(mtime=0, data=b'{"a": 1}\n' * 99)[:-9],
            "a.jsonl.gz: cannot be read",
        ),
        ("a.xml", b"<Document><QAPair>", "a.xml: not valid XML"),
        ("a.pkl", b"x", "a.pkl: found a file of kind '.pkl'"),
    ],
)
def test_unreadable_files_are_one_line(
    tmp_path: Path, name: str, content: bytes, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault) as found:
        list(rows_of(path))
    assert "\n" not in str(found.value)


def test_a_row_of_another_layout_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    paper_release.jsonl(path, [ROW, ROW | {"output": 3}])
    mapping = Pairs(prompt=("instruction", "input"), response="output")
    with pytest.raises(InputError, match=r"a.jsonl, line 2: column 'output' is int, expected text"):
        [mapping(row, where) for where, row in rows_of(path)]
    with pytest.raises(InputError, match="column 'question' is missing, found 'input'"):
        Choices("question", ("options",), "gold")(ROW, "a.jsonl, line 1")
    row = {"question": "q", "options": ["x", "y"], "gold": 2}
    # "AB" stands in "ABCD", and is no letter of an option.
    for gold in (2, "AB"):
        with pytest.raises(InputError, match=f"column 'gold': found '{gold}', expected 0 to 1"):
            Choices("question", ("options",), "gold")(row | {"gold": gold}, "here")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.text(max_size=5), st.text(max_size=40) | st.none(), max_size=4),
        max_size=8,
    ),
    st.sampled_from([None, 1]),
    st.integers(1, 40),
)
def test_a_list_is_read_in_pieces_as_in_one(
    rows: list[dict[str, Any]], indent: int | None, piece: int
) -> None:
    import io

    from lawcheck.corpus.sources import reading

    text = io.StringIO(json.dumps(rows, indent=indent, ensure_ascii=False)[1:])
    before, reading.PIECE = reading.PIECE, piece
    try:
        assert [row for _, row in reading._list(text, "x")] == rows
    finally:
        reading.PIECE = before


def test_line_separators_inside_strings_do_not_cut_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"a": "x\u2028y\x85z"}, ensure_ascii=False) + "\r\n", "utf-8")
    assert [row for _, row in rows_of(path)] == [{"a": "x\u2028y\x85z"}]


def test_texts_cannot_end_a_turn() -> None:
    assert clean(" a\r\nb\x00 <|im_end|>\n") == "a\nb < |im_end|>"


# ------------------------------------------------------------------------------- comparison

TEXTS = st.text(alphabet="aAbB \n.-_äßﬁ9İ", max_size=60) | st.text(max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_hashed_words_are_the_folded_words(texts: list[str]) -> None:
    texts = [t.encode("utf-8", "replace").decode() for t in texts]
    found = hash_words(texts)
    assert found.lengths.tolist() == [len(words(t)) for t in texts]
    names = dict(zip((w for t in texts for w in words(t)), found.hashes.tolist(), strict=True))
    assert [names[w] for t in texts for w in words(t)] == found.hashes.tolist()
    assert len(set(names.values())) == len(names)


def test_long_words_differ_in_every_part() -> None:
    base = "abcdefgh" * 5
    variants = [base, *(base[:k] + "x" + base[k + 1 :] for k in range(40)), base[:-1], base + "a"]
    assert len(set(hash_words(variants).hashes.tolist())) == len(variants)


def test_overlap_is_that_of_the_plain_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against decontaminate.overlapping, which compares words in plain Python."""
    monkeypatch.setattr(contamination, "FRAME", 1 << 30)
    draw = random.Random(5)

    def text(length: int) -> str:
        return " ".join(draw.choices("one two three", k=length))

    items = [{"id": str(i), "prompt": text(draw.randint(3, 20))} for i in range(60)]
    rows = []
    for _ in range(120):
        inside = items[draw.randrange(40)]["prompt"].split()
        start = draw.randint(0, 3)
        piece = " ".join(inside[start : len(inside) - draw.randint(0, 2)]).upper()
        rows.append({"prompt": f"{text(draw.randint(0, 9))}, {piece}.", "response": text(3)})
    sets = {item["id"]: [Item(item["prompt"])] for item in items[:30]}
    index = EvaluationIndex(sets)
    found = index.compare([Asked("none", f"{r['prompt']}\n{r['response']}") for r in rows])
    reached = 0
    for row, mask in zip(rows, found.ngram.tolist(), strict=True):
        plain = decontaminate.overlapping(items[:30], [row])
        assert {name for bit, name in enumerate(index.names) if mask >> bit & 1} == plain
        reached += len(plain)
    assert 20 < reached < 100


def test_frames_of_a_set_and_short_stems_remove_nothing_by_themselves() -> None:
    frame = "which of the following statements about the molecule shown here is the correct one {}"
    framed = [Item(frame.format(f"molecule{i}"), ("a", f"b{i}")) for i in range(9)]
    short = [Item("True statement is:", ("calcium", "iron"))]
    index = EvaluationIndex({"framed": framed, "short": short})
    assert index.summary["framed"]["frames"] > 0
    rows = [
        Asked(frame.format("another"), frame.format("another")),
        Asked(frame.format("molecule3"), frame.format("molecule3")),
        Asked("True statement is", "True statement is ...", ("iron", "zinc")),
        Asked("true statement is", "True statement is ...", ("Iron", "calcium")),
        Asked("true statement is", "True statement is ..."),
    ]
    found = index.compare(rows)
    assert found.any.tolist() == [False, True, False, True, False]
    assert found.exact.tolist() == [0, 1, 0, 2, 0]


def test_molecules_are_compared_whole_and_with_case() -> None:
    sugar = "OCC1OC(O)C(O)C(O)C1O"
    item = Item(f"Which of these is a name of the molecule C{sugar}N in common use today?")
    row = Asked("x", f"The molecule N{sugar}C is not a name of it.")
    benzene = Asked(
        item.question.replace("OC(O)", "oc(o)"), item.question.replace("OC(O)", "oc(o)")
    )
    word, notation = (EvaluationIndex({"c": [item]}, unit) for unit in ("word", "notation"))
    assert word.compare([benzene]).any.tolist() == [True]
    assert notation.compare([row, benzene]).any.tolist() == [False, False]
    assert notation.compare([Asked(item.question, item.question)]).any.tolist() == [True]


# ------------------------------------------------------------------------------- shards


def row(name: str, text: str = "x") -> tuple[str, ...]:
    return (name, "math", "s", "open", text, "y")


def test_shards_stand_in_the_order_of_fractions(tmp_path: Path) -> None:
    names = [f"s.{i}" for i in range(3000)]
    with ShardWriter(tmp_path, "math", 100_000, None) as writer:
        for name in names:
            writer.add(row(name))
        assert sum(writer.finish().values()) == 3000
    assert not list(tmp_path.glob("*.spill"))
    rows = Shards(shard_files(tmp_path, "math"))
    ordered = sorted(names, key=order_key)
    assert [r["id"] for r in rows] == ordered
    assert [r["id"] for r in islice(rows, 1500)] == ordered[:1500]
    assert rows[1234]["id"] == ordered[1234]
    assert rows[-1]["id"] == ordered[-1]
    with ShardWriter(tmp_path / "..", "few", 100_000, 70) as writer:
        for name in names:
            writer.add(row(name))
        writer.finish()
    few = Shards(shard_files(tmp_path / "..", "few"))
    assert [r["id"] for r in few] == ordered[:70]


def test_a_repeated_id_and_a_cut_file_are_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, "math", 1, None) as writer:
        writer.add(row("a"))
        writer.add(row("a"))
        with pytest.raises(InputError, match="two rows have the same id"):
            writer.finish()
    (tmp_path / "x.arrow").write_bytes(b"ARROW1 and then nothing")
    with pytest.raises(InputError, match=r"x.arrow: not a whole Arrow file"):
        Shards([tmp_path / "x.arrow"])


MEMORY = """
import json, sys
from pathlib import Path
from lawcheck.corpus.contamination import EvaluationIndex, Item
from lawcheck.corpus.shards import Shards, ShardWriter, shard_files
from lawcheck.corpus.sources.declare import DataSet
from lawcheck.corpus.sources.mapping import Pairs
from lawcheck.corpus.streamed import _add

def kilobytes(what):
    return int(Path("/proc/self/status").read_text().split(what + ":")[1].split()[0])

folder = Path(sys.argv[1])
index = EvaluationIndex({"e": [Item(" ".join(f"w{i}{k}" for k in range(20))) for i in range(2000)]})
peaks = []
for n in (40_000, 200_000):
    data = folder / str(n)
    (data / "s").mkdir(parents=True)
    with (data / "s" / "train.json").open("w") as stream:
        stream.write("[")
        for i in range(n):
            asked = " ".join(f"a{i}b{k}" for k in range(70))
            stream.write((", " if i else "") + json.dumps({"q": asked, "a": asked[:40]}))
        stream.write("]")
    s = DataSet(name="s", title="s", licence="x", rows=n, counted_in="x", hub="x/y",
                files=(("train.json",),), mapping=Pairs(prompt=("q",), response="a"))
    with ShardWriter(data, "math", n, None) as writer:
        line = _add(writer, "math", s, data, index)
        writer.finish()
    assert line["kept"] == n
    peaks.append(kilobytes("VmHWM"))
before = kilobytes("RssAnon")
# Mapped pages belong to the files and are given back at will; what a reader owns is bounded.
assert sum(1 for _ in Shards(shard_files(data, "math"))) == n
peaks += [kilobytes("RssAnon") - before, (data / "s" / "train.json").stat().st_size // 1024]
print(json.dumps(peaks))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]
    small, large, read, size = json.loads(found.stdout)
    assert size > 150_000
    # Five times the rows: a file's worth of sorting at most, not a corpus's worth.
    assert large - small < 60_000, (small, large)
    assert read < 30_000


# ------------------------------------------------------------------------------- real slices


@pytest.fixture(scope="module")
def slices() -> Path:
    named = os.environ.get("LAWCHECK_DATA")
    if not named or not Path(named, "SOURCES.md").is_file():
        pytest.skip("LAWCHECK_DATA names no folder of real data slices")
    return Path(named)


FROM_ONE = dataclasses.replace(train("medmcqa").mapping, counts_from=1)  # type: ignore[type-var]
CAPITALS = Pairs(prompt=("Question",), response="Answer")
REAL = [
    ("openmathinstruct2/sample_row.jsonl", train("openmathinstruct2"), None, 1),
    ("mol_instructions_biotext/train.jsonl", train("mol_instructions_biotext"), None, 2400),
    ("headqa_en/train.jsonl", train("headqa"), None, 2657),
    ("headqa_en/original_format_sample.json", train("headqa"), None, 90),
    ("medmcqa/validation.jsonl", train("medmcqa"), FROM_ONE, None),
    ("medqa/test.jsonl", train("medqa"), None, 1273),
    ("chatdoctor/train.jsonl", train("chatdoctor_healthcaremagic"), None, 4000),
    ("medquad/train.jsonl", train("medquad"), CAPITALS, 1600),
    ("pubmedqa/train.jsonl", train("pubmedqa"), None, 500),
    ("pubmedqa/original_format_sample.json", train("pubmedqa"), None, 20),
    ("opengpt/train.jsonl", train("opengpt"), None, 306),
    ("opengpt/original_format_sample.csv", train("opengpt"), None, 40),
    (
        "medical_meadow/wikidoc_patient_information.jsonl",
        train("medical_meadow_medical_flashcards"),
        None,
        3000,
    ),
    (
        "natural_instructions/task179_participant_extraction.json",
        train("natural_instructions"),
        None,
        13,
    ),
    (
        "natural_instructions/task1645_medical_question_pair_dataset_text_classification.json",
        train("natural_instructions"),
        None,
        12,
    ),
    # Two outputs are empty and two are the mark of a missing input.
    ("alpaca/train.jsonl", train("alpaca"), None, 4996),
]


@pytest.mark.parametrize(("name", "declared", "mapping", "count"), REAL, ids=[r[0] for r in REAL])
def test_real_rows_become_samples(
    slices: Path, name: str, declared: DataSet, mapping: Any, count: int | None
) -> None:
    read = mapping or declared.mapping
    samples = [read(row, where) for where, row in rows_of(slices / name, declared.layout)]
    kept = [s for s in samples if s is not None]
    assert count is None or len(kept) == count
    assert kept
    for s in kept:
        assert s.prompt == s.prompt.strip()
        assert s.response
        assert s.question in s.prompt
        assert "<|" not in s.prompt + s.response
        if s.kind == "choice":
            assert s.response in "ABCDE"


def test_real_medquad_documents_become_pairs(slices: Path) -> None:
    found = {
        path.parent.name: [train("medquad").mapping(row, where) for where, row in rows_of(path)]
        for path in sorted((slices / "medquad/original_xml").glob("*/*.xml"))
    }
    # Three of the twelve collections are published without answers.
    assert sorted(k.split("_")[0] for k, v in found.items() if not any(v)) == ["10", "11", "12"]


def test_real_evaluation_releases_become_items(slices: Path, tmp_path: Path) -> None:
    from lawcheck.corpus.sources import evaluation
    from lawcheck.disciplines.out_of_domain import paper as out_of_domain

    def place(file: str, target: str) -> None:
        path = tmp_path / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(slices / file)

    place("gsm8k/test.jsonl", "gsm8k/test.jsonl")
    place("geobench/apstudy.jsonl", "geobench/apstudy.jsonl")
    place("geobench/npee_original_format_sample.json", "geobench/geobench_npee.json")
    place("ifeval/input_data.jsonl", "ifeval/input_data.jsonl")
    place("mmlu/test_full.jsonl.gz", "mmlu/test_full.jsonl.gz")
    counts = {
        "gsm8k": len(evaluation.gsm8k(math.EVALUATION[0], tmp_path)),
        "apstudy": len(evaluation.geobench_apstudy(geography.EVALUATION[0], tmp_path)),
        "npee": len(evaluation.geobench_npee(geography.EVALUATION[1], tmp_path)),
        "ifeval": len(evaluation.instructions(general.EVALUATION[0], tmp_path)),
        "mmlu": len(evaluation.mmlu(out_of_domain.EVALUATION[0], tmp_path)),
    }
    assert counts == {"gsm8k": 1319, "apstudy": 1395, "npee": 8, "ifeval": 541, "mmlu": 14042}


def test_published_overlaps_are_found_in_real_rows(slices: Path) -> None:
    """All true-or-false rows of Mol-Instructions are PubMedQA questions (SOURCES.md)."""
    file = slices / "mol_instructions_biotext/eval_true_or_false.jsonl"
    true_false = [row for _, row in rows_of(file)]
    questions = [row["QUESTION"] for _, row in rows_of(slices / "pubmedqa/test.jsonl")]
    other = [row["QUESTION"] for _, row in rows_of(slices / "pubmedqa/train.jsonl")]
    index = EvaluationIndex(
        {"test": [Item(q) for q in questions], "rest": [Item(q) for q in other]}
    )
    found = index.compare([Asked(r["instruction"], r["instruction"]) for r in true_false])
    assert (found.exact & 1).sum() >= 0.99 * len(true_false)
    assert (found.exact & 2).sum() == 0
