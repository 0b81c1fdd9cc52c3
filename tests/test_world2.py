"""World version 2: frozen rows, fresh samples against repeats, rates by design, crossed seeds."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from lawcheck.corpus import frozen
from lawcheck.corpus.build import build_corpus, training_rows
from lawcheck.corpus.placed import placed
from lawcheck.corpus.statistics import statistics
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Upsampling, plain
from lawcheck.declare.layout import Layout
from lawcheck.declare.scale import load_scale
from lawcheck.declare.worlds import realisable, scale_laws
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest
from lawcheck.judging.crossed import decomposed
from lawcheck.pipeline.tuning import served
from lawcheck.planning.plan import Planner
from lawcheck.studies.discipline_laws.arms import full, lora, lora_moe
from lawcheck.studies.fresh_diversity import arms

PROXY, PROXY2, SMOKE = (load_scale(n) for n in ("proxy", "proxy2", "proxy2_smoke"))
FRESH = "fresh_balance_then_diversity"


def folder(scale, tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp(scale.name), scale.name)
    return layout.corpus, build_corpus(scale, layout.corpus)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return folder(PROXY2, tmp_path_factory)


def test_version_2_is_frozen_beside_version_1(corpus):
    assert PROXY2.corpus.frozen == PROXY.corpus.frozen == frozen.generator_digest("proxy")
    assert PROXY2.base_recipe("default") == PROXY.base_recipe("default")
    _, manifest = corpus
    assert digest(manifest["files"], 64) == (
        "7ee0625756a962ce924246523f39c1752385e49670a2bf67ddad2ba0b518958f"
    )
    rows = {n: manifest["files"][f"{n}.train.jsonl"]["rows"] for n in ("biology", "geography")}
    assert rows == {"biology": 2000, "geography": 1987}
    others = [manifest["files"][f"{n}.train.jsonl"]["rows"] for n in ("math", "medicine")]
    assert max(rows.values()) < min(others), "no longer scarce"


def test_other_rows_than_the_frozen_ones_are_refused(tmp_path):
    scale = load_scale("proxy2_smoke", {"corpus": {"reserve": {"biology": 271}}})
    with pytest.raises(InputError, match="rows_frozen"):
        build_corpus(scale, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


@pytest.mark.parametrize("target", arms.TARGETS)
def test_fresh_samples_are_new_texts_of_as_many_words(corpus, target):
    found = {}
    for share in arms.SHARES:
        run = Planner(PROXY2, (0,)).runs_of(arms.lora(arms.upsampled(target, share)), 0)[0]
        found[share] = list(training_rows(run, PROXY2, corpus[0]))
        assert len({row["id"] for row in found[share]}) == len(found[share])
    words = {
        s: sum(len(f"{r['prompt']} {r['response']}".split()) for r in rows)
        for s, rows in found.items()
    }
    assert max(words.values()) / min(words.values()) < 1.001
    assert {len(rows) for rows in found.values()} == {len(found[0.0])}
    skills = [Counter(r["skill"] for r in rows) for rows in (found[0.0], found[1.0])]
    assert sum((skills[0] - skills[1]).values()) < 0.03 * len(found[0.0])
    texts = {
        s: len({(r["prompt"], r["response"]) for r in rows}) for s, rows in sorted(found.items())
    }
    # Every fresh row is another text, and rows of a smaller share stay in a larger one.
    added = len(found[0.0]) - sum("#" not in r["id"] for r in found[0.0])
    for share in arms.SHARES:
        assert texts[share] - texts[0.0] == pytest.approx(share * added, abs=1)
    assert {r["id"] for r in found[0.2] if "#" not in r["id"]} <= {r["id"] for r in found[0.4]}


def test_distinct_ngrams_grow_with_fresh_samples_and_not_with_repeats(corpus):
    recipes = {r.label: r for r in arms.MIXTURES}
    assert 12 <= len(recipes) <= 20
    found = statistics(placed(PROXY2, corpus[0], False), recipes)["mixtures"]
    none = found[Recipe().label]["distinct_ngrams"]
    for target in arms.TARGETS:
        rows = [found[arms.upsampled(target, share).label] for share in arms.SHARES]
        distinct = [row["distinct_ngrams"] for row in rows]
        assert distinct[0] == none
        assert distinct == sorted(distinct)
        assert distinct[-1] > 1.05 * none
        total = [row["ngrams"] for row in rows]
        assert max(total) / min(total) < 1.001


def test_repeats_are_the_arms_of_the_published_scheme():
    known = {a.name for a in discovery.law("balance_then_diversity").arms}
    assert arms.lora(arms.upsampled(100_000, 0.0)).name in known
    fresh = arms.upsampled(100_000, 1.0)
    assert fresh.label == "d100.diverse100k_fresh100_biology_geography"
    assert "fresh" not in plain(arms.upsampled(100_000, 0.0))["upsampling"]
    with pytest.raises(InputError, match="'unique'"):
        Upsampling(kind="unique", disciplines=arms.SCARCE, target=100_000, fresh=0.5)


def test_fresh_arms_are_planned_only_where_there_is_a_reserve():
    laws = discovery.laws()
    assert FRESH in scale_laws(PROXY2)
    assert FRESH not in realisable(PROXY, laws)
    assert {*discovery.laws_of(("discipline_laws",)), FRESH} == scale_laws(PROXY2).keys()


def test_too_small_a_reserve_is_named(corpus):
    recipe = Recipe(
        upsampling=Upsampling(kind="diverse", disciplines=("geography",), target=500_000, fresh=1.0)
    )
    run = Planner(PROXY2, (0,)).runs_of(arms.lora(recipe), 0)[0]
    with pytest.raises(InputError, match=r"'geography', the scale's corpus.reserve has 13100"):
        list(training_rows(run, PROXY2, corpus[0]))


def with_rates(**rates):
    usual = PROXY.methods["lora"]
    keys = {k: usual.model_copy(update={"learning_rate": v}) for k, v in rates.items()}
    return PROXY.model_copy(update={"methods": {**PROXY.methods, **keys}})


def test_a_rate_of_a_design_moves_that_design_only():
    scale = with_rates(**{"lora@rank_multiple=5": 0.004, "lora_moe@variant=shared_a": 0.002})
    rate = {
        a: scale.settings_of(a.method, "response", a.choices).learning_rate
        for a in (lora(), lora(None, 5), lora(None, 10), lora_moe("shared_a"), lora_moe())
    }
    assert list(rate.values()) == [0.01, 0.004, 0.01, 0.002, 0.003]
    for a, moves in ((lora(), False), (lora(None, 5), True), (full(), False)):
        old, new = (Planner(s, (0,)).runs_of(a, 0)[0].id for s in (PROXY, scale))
        assert (old != new) == moves
    finer = with_rates(
        **{"lora_moe@variant=shared_a": 0.002, "lora_moe@variant=shared_a@experts=10": 0.001}
    )
    assert finer.settings_of("lora_moe", "response", lora_moe("shared_a").choices).learning_rate
    ten = lora_moe("shared_a", None, 10)
    assert finer.settings_of("lora_moe", "response", ten.choices).learning_rate == 0.001
    with pytest.raises(InputError, match="'rank'"):
        with_rates(**{"lora@rank=5": 0.004}).settings_of("lora")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("lora@rank_multiple=x", "rank_multiple is 'x', expected a whole number"),
        ("lora@rank_multiple", "rank_multiple is '', expected a whole number"),
        ("lora@rank_multiple=05", "rank_multiple is '05', expected a whole number"),
        ("lora@nope=5", "names no design key 'nope'"),
    ],
)
def test_a_rate_of_a_design_that_no_arm_can_have_is_refused(key, message):
    with pytest.raises(InputError, match=message):
        with_rates(**{key: 0.004}).settings_of("lora", "response", {"rank_multiple": 10})


def test_every_design_of_the_laws_is_searched():
    keys = served(scale_laws(PROXY2).values(), designs=True)
    assert {"full", "lora", "lora@rank_multiple=5", "lora@rank_multiple=10"} <= keys.keys()
    assert {"lora_moe@experts=20", "lora_moe@variant=shared_a"} <= keys.keys()
    for key, found in keys.items():
        named = {
            k: v
            for a in found
            for k, v in a.choices.items()
            if f"@{k}={v}" in key or "@" not in key
        }
        assert all(dict(named).items() <= a.choices.items() for a in found)
    assert served(scale_laws(PROXY).values()).keys() == {"full", "lora", "lora_comp", "lora_moe"}


def test_seeds_are_crossed_with_base_models():
    scale = load_scale("proxy2_crossed")
    pairs = [(scale.base_seed("default", s), scale.training_seed(s)) for s in scale.seeds]
    assert pairs == [(b, t) for b in range(3) for t in range(3)]
    runs = {s: Planner(scale, (s,)).runs_of(lora(), s)[0].digest for s in scale.seeds}
    alone = Planner(PROXY2, (1,)).runs_of(lora(), 1)[0].digest
    assert len({*runs.values(), alone}) == 10
    assert [PROXY2.training_seed(s) for s in (0, 4)] == [0, 4]


def test_base_and_training_variance_come_apart():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4000):
        table = rng.normal(0, 3, (3, 1)) + rng.normal(0, 1, (1, 3)) + rng.normal(0, 2, (3, 3))
        found.append(decomposed(table))
    assert np.mean(found, axis=0) == pytest.approx((9, 1, 4), abs=0.5)
    with pytest.raises(InputError, match="1 base models x 3"):
        decomposed(np.zeros((1, 3)))


def test_variances_of_a_law_from_its_scores():
    from score_world import SCIENCE, columns, table
    from test_pilot import A, B, law, part

    from lawcheck.judging.crossed import crossed

    scores = table(columns({A: 0.62, B: 0.6}, 9, 300, tasks=SCIENCE, seed_sd=0.02))
    (found,) = crossed(law(part("gain")), scores, 3)
    assert (found.bases, found.seeds) == (3, 3)
    assert found.items > 0
    assert found.mean == pytest.approx(2, abs=3)
    with pytest.raises(InputError, match="groups of 4"):
        crossed(law(part("gain")), scores, 4)


def test_contrasts_along_the_rate_come_from_searched_arms(tmp_path):
    from test_pilot import law, part

    from lawcheck.files.atomic import write_json
    from lawcheck.show.rates import build, rate_curves, rates_text

    one, five, part_of = lora(), lora(None, 5), lora(Recipe(fraction=0.7), 5)
    for a, chosen, scores in ((one, 0.01, (0.5, 0.6)), (five, 0.02, (0.54, 0.57))):
        searched = [
            {"learning_rate": r, "arms": {a.name: s}, "by_seed": {a.name: [s, s + 0.02]}}
            for r, s in zip((0.01, 0.02), scores, strict=True)
        ]
        record = {"scale": "proxy2", "chosen": chosen, "searched": searched}
        write_json(tmp_path / f"proxy2.{a.name}.json", record)
    tested = law(part("gain", (five, one)), part("half", (part_of, one)))
    (curve,) = rate_curves(tested, PROXY2, tmp_path)
    assert {r: np.mean(v) for r, v in curve.at.items()} == pytest.approx({0.01: 4, 0.02: -3})
    assert curve.chosen == pytest.approx([7, 7])
    assert "chosen   +7.00" in rates_text([curve])
    assert len(build(tested, [curve]).axes) == 1
    with pytest.raises(InputError, match="2 searched arms"):
        rate_curves(law(part("half", (part_of, one))), PROXY2, tmp_path)


def test_digests_of_scales_do_not_know_the_new_settings():
    content = PROXY.content()
    assert "seeds_per_base" not in content
    assert {"reserve", "rows_frozen"}.isdisjoint(content["corpus"])
    assert dataclasses.fields(Upsampling)[-1].name == "fresh"
