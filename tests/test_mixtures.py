"""Corpus statistics and n-gram diversity: what is counted, and where the numbers go."""

import dataclasses
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawcheck.__main__ import main
from lawcheck.corpus.build import build_corpus
from lawcheck.corpus.fingerprints import hash_words
from lawcheck.corpus.holders import Holders, blocks, with_unique_words
from lawcheck.corpus.ngrams import Distinct, ngram_hashes
from lawcheck.corpus.placed import Placed
from lawcheck.corpus.recipe import in_order, mix
from lawcheck.corpus.shards import COLUMNS, Shards, ShardWriter, shard_files
from lawcheck.corpus.statistics import N, read_mixtures, recipes_of, statistics, write_mixtures
from lawcheck.declare import discovery
from lawcheck.declare.design import Hypothesis, Law, Recipe, Score, difference
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import realisable
from lawcheck.errors import InputError
from lawcheck.files import origin
from lawcheck.pipeline import stages
from lawcheck.pipeline.publish import publish
from lawcheck.planning import sources
from lawcheck.planning.plan import Planner
from lawcheck.scores.files import write_scores
from lawcheck.show.context import RenderContext
from lawcheck.show.style import figure_bytes
from lawcheck.studies.discipline_laws.arms import BASE, discipline_lora, lora, upsampled
from lawcheck.studies.discipline_laws.figures import figure_1a, figure_1c
from lawcheck.studies.discipline_laws.tables import table_1

SCIENCE = {d.name: d for d in discovery.of_role("discipline", "proxy")}


def row(prompt, response="", name="x"):
    return {"id": name, "prompt": prompt, "response": response}


def naive(rows, n=N):
    """Every n-gram of every sample, as tuples."""
    grams = Counter()
    for r in rows:
        words = r["prompt"].split() + r["response"].split()
        grams.update(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    return grams


samples = st.lists(
    st.builds(
        lambda p, r: row(" ".join(p), " ".join(r)),
        st.lists(st.sampled_from(["a", "b", "ab", "é", "\ud800"]), max_size=9),
        st.lists(st.sampled_from(["a", "b"]), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(samples, st.integers(1, 5), st.data())
def test_distinct_ngrams_equal_a_naive_count_in_every_subset(rows, n, data):
    flags = st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))
    sets = [np.array(s) for s in data.draw(st.lists(flags, min_size=1, max_size=4))]
    # More sets than one number has bits, and so little memory that every block is written.
    sets *= data.draw(st.sampled_from([1, 33]))
    held = data.draw(st.sampled_from([0, 3, 1 << 20]))
    cut = data.draw(st.integers(0, len(rows)))
    counts = []
    with Distinct(sets, held=held) as ngrams:
        for part in (rows[:cut], rows[cut:]):
            for words in blocks(part):
                hashes, per_row = ngram_hashes(words.hashes, words.lengths, n)
                ngrams.add(hashes, per_row)
                counts += per_row.tolist()
        found = ngrams.counts()
    for chosen, distinct in zip(sets, found, strict=True):
        grams = naive([r for r, c in zip(rows, chosen, strict=True) if c], n)
        assert distinct == len(grams)
        assert sum(np.array(counts)[chosen]) == grams.total()


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab\0\x1c \t\x85\xa0\u2003\ud800\U0001f600é"), max_size=30))
)
def test_hashed_words_are_the_words_of_split(texts):
    found = hash_words(texts, "space")
    apart = [text.split() for text in texts]
    assert found.lengths.tolist() == [len(words) for words in apart]
    number = dict(zip((w for words in apart for w in words), found.hashes.tolist(), strict=True))
    assert len(set(number.values())) == len(number)
    assert found.hashes.tolist() == [number[w] for words in apart for w in words]


@settings(deadline=None)
@given(samples, samples, st.integers(-1, 4))
def test_rare_words_are_those_of_a_naive_search(rows, others, below):
    def words(r):
        return {*r["prompt"].split(), *r["response"].split()}

    held = Counter(w for r in others for w in words(r))
    naively = [k for k, r in enumerate(rows) if any(held[w] < max(below, 1) for w in words(r))]
    assert with_unique_words(rows, others, below) == naively
    table = Holders()
    for block in blocks(others):
        table.add(block)
    known, counts = table.table()
    assert sorted(counts.tolist()) == sorted(held.values())
    assert (np.diff(known.astype(object)) > 0).all()


def test_hashes_are_the_same_in_every_process():
    code = (
        "from lawcheck.corpus.holders import blocks\n"
        "from lawcheck.corpus.ngrams import ngram_hashes\n"
        "(w,) = blocks([{'prompt': 'one two three four', 'response': 'five'}])\n"
        "print(ngram_hashes(w.hashes, w.lengths, 4)[0].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (words,) = blocks([row("one two three four", "five")])
    assert json.loads(done.stdout) == ngram_hashes(words.hashes, words.lengths, 4)[0].tolist()


def hand_made(below=1, **texts):
    """texts: discipline -> prompts; a discipline that is not named has one short sample."""
    rows = {
        name: [
            row(text, name=f"{name}{k}") | {"discipline": name}
            for k, text in enumerate(texts.get(name, ["w w w w"]))
        ]
        for name in SCIENCE
    }
    return Placed(rows, {}, SCIENCE, below)


def test_the_numbers_of_table_1():
    corpus = hand_made(
        2,
        math=["one plus one is two", "one", "one two"],
        biology=["one cell is a cell"],
        chemistry=["a cell"],
    )
    found = statistics(corpus, {})
    assert found["disciplines"]["math"] == {
        "samples": 3,
        "percent": pytest.approx(300 / 7),
        "average_words": pytest.approx(8 / 3),
        # one, plus, is, two: fewer than 2 samples of other disciplines hold each.
        "unique_tokens": 4,
    }
    # "one" is held by three samples of math; cell, is and a by one sample elsewhere.
    assert found["disciplines"]["biology"]["unique_tokens"] == 3
    assert found["disciplines"]["geography"]["unique_tokens"] == 1, "w is held by 1 other sample"
    assert found["total"]["samples"] == 7
    assert found["total"]["average_words"] == pytest.approx((8 + 5 + 2 + 4 + 4) / 7)
    shares = [line["percent"] for line in found["disciplines"].values()]
    assert sum(shares) == pytest.approx(100)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    scale = load_scale("smoke")
    layout = Layout(tmp_path_factory.mktemp("results"), scale.name)
    build_corpus(scale, layout.corpus)
    write_mixtures(scale, discovery.laws(), layout)
    return scale, layout


def test_every_recipe_of_the_laws_is_there_and_equals_a_naive_count(study):
    scale, layout = study
    content = read_mixtures(scale, layout)
    recipes = recipes_of(realisable(scale, discovery.laws()).values())
    assert set(content["mixtures"]) == set(recipes)
    rows = {
        name: in_order(json.loads(x) for x in (layout.corpus / f"{name}.train.jsonl").open())
        for name in [*SCIENCE, "general"]
    }
    pool = rows.pop("general")
    for label, recipe in recipes.items():
        mixed = list(mix(recipe, rows, pool, SCIENCE, scale.corpus.unique_below))
        grams = naive(mixed)
        found = content["mixtures"][label]
        assert found["ngrams"] == grams.total()
        assert found["distinct_ngrams"] == len(grams)
        assert found["distinct_share"] == len(grams) / grams.total()
        assert found["rows"] == Counter(r["discipline"] for r in mixed)
    for name, line in content["disciplines"].items():
        others = [r for n, rs in rows.items() if n != name for r in rs]
        special = with_unique_words(rows[name], others, scale.corpus.unique_below)
        assert bool(special) == bool(line["unique_tokens"])


@pytest.fixture(scope="module")
def proxy_shares(tmp_path_factory):
    from lawcheck.corpus.recipe import planned_rows
    from lawcheck.declare.worlds import source_module

    scale = load_scale("proxy")
    rows = {
        name: in_order(source_module(d, scale).samples("train", planned_rows(d, scale.corpus.size)))
        for name, d in SCIENCE.items()
    }
    recipes = {"none": Recipe()} | {
        f"{kind}{size}": Recipe(upsampling=upsampled(kind, 1000 * size))
        for kind in ("diverse", "unique")
        for size in (100, 300)
    }
    corpus = Placed(rows, {}, SCIENCE, scale.corpus.unique_below)
    found = statistics(corpus, recipes)["mixtures"]
    return {label: entry["distinct_share"] for label, entry in found.items()}


def test_duplicates_lower_the_share(proxy_shares):
    for kind in ("diverse", "unique"):
        assert proxy_shares["none"] > proxy_shares[f"{kind}100"] > proxy_shares[f"{kind}300"]


def test_the_five_mixtures_are_five_design_points(proxy_shares):
    assert len(set(proxy_shares.values())) == 5


def test_a_streamed_corpus_gives_the_same_numbers(tmp_path):
    rng = np.random.default_rng(0)
    rows = {
        name: [
            dict.fromkeys(COLUMNS, "")
            | row(
                " ".join(rng.choice(list("abcdef"), 7)), f"{name} !" if k % 3 else "!", f"{name}{k}"
            )
            for k in range(20 + 7 * at)
        ]
        for at, name in enumerate([*SCIENCE, "general"])
    }
    for name, part in rows.items():
        with ShardWriter(tmp_path, name, 10, None) as writer:
            for r in part:
                writer.add(tuple(r[c] for c in COLUMNS))
            writer.finish()
    files = {name: Shards(shard_files(tmp_path, name)) for name in rows}
    rows = {name: in_order(part) for name, part in rows.items()}
    pool, reserve = {"general": rows.pop("general")}, {"general": files.pop("general")}
    recipes = {
        r.label: r
        for r in (
            Recipe(fraction=0.5),
            Recipe(general_share=0.7),
            Recipe(upsampling=upsampled("diverse", 100_000)),
            Recipe(upsampling=upsampled("unique", 100_000), general_share=1.0),
        )
    }
    held = statistics(Placed(rows, pool, SCIENCE, 1), recipes)
    streamed = statistics(Placed(files, reserve, SCIENCE, 1), recipes)
    assert streamed == held


LAW = Law(
    name="two_mixtures",
    title="Two mixtures",
    claim="a claim",
    source="a test",
    shown=(discipline_lora(),),
    hypotheses=(
        Hypothesis(
            name="gain",
            role="primary",
            claim="a claim",
            estimand=difference([lora(Recipe(general_share=1.0))], [lora()]),
            alternative="greater",
            sesoi=1.0,
        ),
    ),
)


def scored(planner, layout, law=LAW):
    for run in planner.law_runs(law).values():
        common = {"run_id": run.id, "arm": run.arm.name, "seed": run.seed, "cluster": ""}
        tasks = sources.tasks(run, planner.scale)
        rows = [
            Score(**common, task=t, item_id=f"i{k}", metric="acc", value=float(k % 2))
            for t in tasks
            for k in range(4)
        ]
        path = layout.run_scores(run.id)
        write_scores(rows, path)
        if run.arm.recipe is not None:
            layout.train_record(run.id).write_text("{}")
            origin.seal(layout.train_record(run.id), "weights", run.id)
        made_from = sources.scores(planner, layout, run)
        items = dict.fromkeys(tasks, 4)
        origin.seal(path, "scores", run.id, made_from=made_from, holds={"items": items})


def test_collect_adds_one_row_for_each_run_on_a_mixture(study, tmp_path):
    scale, layout = study
    planner = Planner(scale, (0, 1))
    scored(planner, layout)
    frame = pd.read_parquet(stages.collect(planner, layout, LAW))
    added = frame[frame.metric == "distinct_ngrams"]
    assert set(added.task) == {"mixture"}
    assert set(added.item_id) == {"train"}
    shares = read_mixtures(scale, layout)["mixtures"]
    expected = {
        (a.name, s): shares[a.recipe.label]["distinct_share"]
        for a in (lora(), lora(Recipe(general_share=1.0)))
        for s in (0, 1)
    }
    found = {(r.arm, r.seed): r.value for r in added.itertuples()}
    # Neither the base model nor adapters on one discipline are trained on a mixture.
    assert BASE.name in set(frame.arm)
    assert discipline_lora().name in set(frame.arm)
    assert found == expected


def test_collect_refuses_statistics_that_are_missing_foreign_or_too_old(study, tmp_path, capsys):
    scale, layout = study
    whole = layout.mixtures.read_text()
    words = ["collect", "variability", "--scale", "smoke", "--results", str(layout.results)]
    content = json.loads(whole)
    foreign = content | {"origin": content["origin"] | {"manifest": "0" * 64}}
    unknown = content | {"mixtures": {}}
    try:
        for text, said in (
            (None, "no mixtures.json"),
            ("{", "not valid JSON"),
            ("{}", "not a file of mixture statistics"),
            (json.dumps(foreign), "another corpus"),
            (json.dumps(unknown), "mixture 'd"),
        ):
            layout.mixtures.unlink(missing_ok=True)
            if text is not None:
                layout.mixtures.write_text(text)
                origin.seal(layout.mixtures, "mixtures", made_from=sources.corpus(layout))
            assert main(words) == 2
            error = capsys.readouterr().err
            assert said in error
            assert "run: lawcheck mixtures --scale smoke" in error
            assert error.count("\n") == 1
        layout.mixtures.write_text(whole)
        other = scale.corpus.model_copy(update={"unique_below": 5})
        with pytest.raises(InputError, match="unique_below 1, expected 5"):
            read_mixtures(scale.model_copy(update={"corpus": other}), layout)
    finally:
        layout.mixtures.write_text(whole)
        origin.seal(layout.mixtures, "mixtures", made_from=sources.corpus(layout))


def test_two_recipes_of_one_name_and_a_mixture_without_ngrams_are_refused():
    close = Recipe(upsampling=upsampled("diverse", 100_400))
    near = Recipe(upsampling=upsampled("diverse", 100_000))
    laws = [dataclasses.replace(LAW, shown=(lora(recipe),)) for recipe in (close, near)]
    with pytest.raises(InputError, match="two recipes"):
        recipes_of(laws)
    with pytest.raises(InputError, match="two arms are called"):
        dataclasses.replace(LAW, shown=(lora(close), lora(near)))
    short = hand_made(**{name: ["w w"] for name in SCIENCE})
    with pytest.raises(InputError, match="no sample has 4 words"):
        statistics(short, {"d100": Recipe()})


def test_the_verb_writes_the_file_and_prints_every_mixture(study, capsys):
    scale, layout = study
    before = layout.mixtures.read_bytes()
    layout.mixtures.unlink()
    assert main(["mixtures", "--scale", "smoke", "--results", str(layout.results)]) == 0
    assert layout.mixtures.read_bytes() == before
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(read_mixtures(scale, layout)["mixtures"])


def context(corpus, law=None):
    return RenderContext(
        law=law or discovery.law("variability"),
        scores=None,
        verdict=None,
        disciplines=tuple(discovery.disciplines().values()),
        world="proxy",
        scale_name="smoke",
        costs=lambda arm, quantity: {"full": 100.0}.get(arm.method),
        corpus=corpus,
    )


def test_table_1_and_figure_1_show_the_corpus_or_say_that_it_is_absent(study):
    scale, layout = study
    content = read_mixtures(scale, layout)
    long = table_1.build(context(content)).long()
    for name, line in content["disciplines"].items():
        shown = long[long.row == SCIENCE[name].title].set_index("column")["mean"]
        assert shown.to_dict() == pytest.approx(line)
    total = long[long.row == "Total"].set_index("column")
    assert total.loc["samples", "published"] == "3295160"
    assert total.loc["unique_tokens", "mean"] == content["total"]["unique_tokens"]
    without = table_1.build(context(None))
    assert without.long()["mean"].isna().all()
    assert any("lawcheck mixtures" in note for note in without.notes)
    for module in (figure_1a, figure_1c):
        drawn = [figure_bytes(module.build, context(c))["png"] for c in (content, content, None)]
        assert drawn[0] == drawn[1]
    # A stranger's law with one method is drawn, too.
    assert figure_bytes(figure_1c.build, context(None, LAW))["png"]


def test_publish_copies_the_mixtures(study, tmp_path):
    _, layout = study
    layout.tables.mkdir(exist_ok=True)
    assert publish(layout, [], tmp_path).joinpath("mixtures.json").is_file()
