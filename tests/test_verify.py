"""Every artefact of a study, damaged in every way: found by its next user, named, made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_world import WORDS  # noqa: F401  (sets one thread)

from lawcheck.__main__ import main
from lawcheck.declare import discovery
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.planning.plan import Planner

ROOT = Path(__file__).resolve().parents[1]
NAME = "composed_beats_lora"
LAW = f"""
from lawcheck.studies.discipline_laws.arms import lora, lora_comp
from lawcheck.declare.design import Hypothesis, Law, difference

LAW = Law(
    name="{NAME}",
    title="Composition beats one adapter",
    claim="composition beats one adapter",
    source="a test",
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="composition beats one adapter",
            estimand=difference([lora_comp()], [lora()]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)
"""
SCALE = """
extends: gpu
title: verify
claims: false
seeds: [0]
corpus: {size: 1/20000, general_pool: 30}
bases:
  default:
    architecture: {hidden_size: 32, intermediate_size: 48, num_hidden_layers: 2,
                   num_attention_heads: 4, num_key_value_heads: 2}
    mixture: MIXTURE
adapter: {rank: 2}
training: {batch_size: 16}
evaluation: {items: 6, tune_items: 0, max_new_tokens: 8}
hardware: {device: cpu, micro_batch: 16}
"""


class Study:
    """The stages of a tiny study in a results folder, as the command line runs them."""

    def __init__(self, scale: Path, results: Path) -> None:
        self.words = ["--scale", str(scale), "--results", str(results)]
        self.scale = load_scale(str(scale))
        self.layout = Layout(results, self.scale.name)
        self.planner = Planner(self.scale, (0,))
        law = discovery.law(NAME)
        runs = self.planner.with_parents(self.planner.law_runs(law).values())
        self.runs = list(runs)
        self.composed = next(r for r in runs if r.startswith("lora_comp"))
        self.expert, self.other = (e.id for e in self.planner.needs(runs[self.composed])[:2])
        self.judged = list(self.planner.law_runs(law))

    def do(self, verb: str, *more: str) -> int:
        return main([verb, *more, *self.words])

    def train(self) -> int:
        record = self.layout.batches / "s0.train.json"
        return self.do("train", *self.runs, "--record", str(record))

    def evaluate(self) -> int:
        record = self.layout.batches / "s0.scores.json"
        return self.do("evaluate", *self.judged, "--record", str(record))

    def judge(self) -> int:
        table, verdict = self.layout.law_scores(NAME), self.layout.verdict(NAME)
        words = [NAME, "--scale", self.words[1], "--scores", str(table), "--json", str(verdict)]
        return main(["judge", *words])

    def render(self) -> int:
        return self.do("render", NAME, "--figures", str(self.layout.results / "figures"))

    def whole(self) -> None:
        """Every stage whose output is not there, as a workflow engine calls them."""
        layout = self.layout
        for done, stage in (
            (layout.manifest, lambda: self.do("corpus")),
            (layout.base("default", 0) / "base.json", lambda: self.do("base")),
            (layout.mixtures, lambda: self.do("mixtures")),
            (layout.batches / "s0.train.json", self.train),
            (layout.batches / "s0.scores.json", self.evaluate),
            (layout.law_scores(NAME), lambda: self.do("collect", NAME)),
            (layout.verdict(NAME), self.judge),
            (layout.tables / f"arms_{NAME}.csv", self.render),
            (layout.report / "index.html", lambda: self.do("report")),
        ):
            if not done.exists():
                assert stage() == 0

    def content(self) -> dict[str, bytes]:
        """Every file without a clock in it; the page prints the time that training took."""
        clocks = ("train.json", "base.json", ".provenance.json", ".lock", "index.html")
        root = self.layout.root
        return {
            p.relative_to(root).as_posix(): p.read_bytes()
            for p in sorted(root.rglob("*"))
            if p.is_file()
            and not p.name.endswith(clocks)
            # These hold digests of files with clocks.
            and not p.name.endswith(tuple(f"{c}.origin" for c in (*clocks, ".scores.parquet")))
        }


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    folder = tmp_path_factory.mktemp("declared")
    (folder / "laws").mkdir()
    (folder / "laws" / f"{NAME}.py").write_text(LAW)
    mixture = dict.fromkeys(load_scale("gpu").bases["default"].mixture, 60)
    (folder / "verify.yaml").write_text(SCALE.replace("MIXTURE", json.dumps(mixture)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAWCHECK_LAWS", str(folder / "laws"))
        discovery.forget()
        yield folder / "verify.yaml"
    discovery.forget()


@pytest.fixture(scope="module")
def made(scale, tmp_path_factory):
    """A finished study, and a copy of what it wrote. Its page names its folder, so that it is
    damaged and put back where it lies.
    """
    study = Study(scale, tmp_path_factory.mktemp("made") / "results")
    study.whole()
    shutil.copytree(study.layout.results, study.layout.results.with_name("sound"))
    return study


@pytest.fixture
def study(made):
    yield made
    shutil.rmtree(made.layout.results)
    shutil.copytree(made.layout.results.with_name("sound"), made.layout.results)


def weights(study, run_id):
    return study.layout.adapter(run_id) / "adapter_model.safetensors"


# Kind -> label, the file that is damaged, another of its kind, its next user.
ARTEFACTS = {
    "corpus": (
        lambda s: "corpus",
        lambda s: s.layout.corpus / "math.train.jsonl",
        lambda s: s.layout.corpus / "biology.train.jsonl",
        lambda s: s.do("mixtures"),
    ),
    "manifest": (
        lambda s: "corpus",
        lambda s: s.layout.manifest,
        lambda s: s.layout.mixtures,
        lambda s: s.train(),
    ),
    "base": (
        lambda s: "base default-s0",
        lambda s: s.layout.base("default", 0) / "model.safetensors",
        lambda s: weights(s, s.expert),
        lambda s: s.evaluate(),
    ),
    "mixtures": (
        lambda s: "mixtures",
        lambda s: s.layout.mixtures,
        lambda s: s.layout.manifest,
        lambda s: s.do("collect", NAME),
    ),
    "weights": (
        lambda s: f"weights {s.composed}",
        lambda s: weights(s, s.composed),
        lambda s: weights(s, s.expert),
        lambda s: s.evaluate(),
    ),
    "train record": (
        lambda s: f"weights {s.composed}",
        lambda s: s.layout.train_record(s.composed),
        lambda s: s.layout.train_record(s.expert),
        lambda s: s.evaluate(),
    ),
    "scores": (
        lambda s: f"scores {s.composed}",
        lambda s: s.layout.run_scores(s.composed),
        lambda s: s.layout.run_scores(next(r for r in s.judged if r != s.composed)),
        lambda s: s.do("collect", NAME),
    ),
    "table": (
        lambda s: f"table {NAME}",
        lambda s: s.layout.law_scores(NAME),
        lambda s: s.layout.run_scores(s.composed),
        lambda s: s.judge(),
    ),
    "provenance": (
        lambda s: f"table {NAME}",
        lambda s: s.layout.provenance(NAME),
        lambda s: s.layout.mixtures,
        lambda s: s.judge(),
    ),
    "verdict": (
        lambda s: f"verdict {NAME}",
        lambda s: s.layout.verdict(NAME),
        lambda s: s.layout.report / "index.html",
        lambda s: s.render(),
    ),
    "tables": (
        lambda s: f"tables {NAME}",
        lambda s: s.layout.tables / f"arms_{NAME}.csv",
        lambda s: s.layout.tables / f"arms_{NAME}.md",
        None,
    ),
    "report": (
        lambda s: "report",
        lambda s: s.layout.report / "index.html",
        lambda s: s.layout.verdict(NAME),
        None,
    ),
}


def truncate(path, other):
    path.write_bytes(path.read_bytes()[:-1])


def edit(path, other):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap(path, other):
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


def delete(path, other):
    path.unlink()


def test_a_sound_study_is_told_as_a_tree(made, capsys):
    assert made.do("verify") == 0
    told = capsys.readouterr().out
    assert f"verdict {NAME}: ok\n" in told
    assert f"weights {made.expert}: ok" in told
    assert made.do("verify", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["faults"] == 0
    assert {a["state"] for a in found["artefacts"].values()} == {"ok"}
    of = found["artefacts"][f"weights {made.composed}"]["made_from"]
    assert {"corpus", "base default-s0", f"weights {made.expert}"} <= set(of)


@pytest.mark.parametrize("damage", [truncate, edit, swap, delete])
@pytest.mark.parametrize("kind", ARTEFACTS)
def test_damage_is_found_before_use_and_named(study, capsys, kind, damage):
    named, path, other, use = (f(study) if k < 3 else f for k, f in enumerate(ARTEFACTS[kind]))
    damage(path, other)
    capsys.readouterr()
    if use is not None:
        assert use(study) == 2
        (line,) = capsys.readouterr().err.strip().split("\n")
        assert path.name in line or named.split()[-1] in line
    assert study.do("verify") == 2
    said = capsys.readouterr().err.strip().split("\n")
    assert [line for line in said if line.startswith(f"lawcheck: {named}: ")], said
    assert "lawcheck verify --repair" in said[-1]
    if damage is not swap:
        assert len(said) == 2


@pytest.mark.parametrize(
    "kinds", [("corpus", "scores"), ("base", "report"), ("weights",), ("verdict", "tables")]
)
def test_what_repair_takes_away_is_made_anew_to_the_same_bytes(study, capsys, kinds):
    before = study.content()
    for kind in kinds:
        _, path, other, _ = (f(study) if k < 3 else f for k, f in enumerate(ARTEFACTS[kind]))
        edit(path, other)
    assert study.do("verify", "--repair") == 0
    # The study's law alone, not every law that the scale could run.
    assert f"now run: snakemake --profile local law_{NAME} --config" in capsys.readouterr().out
    study.whole()
    assert study.do("verify") == 0
    assert study.content() == before
