"""Mixtures: nested, disjoint or duplicated exactly as declared."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawcheck.corpus.holders import with_unique_words
from lawcheck.corpus.recipe import (
    Prefix,
    in_order,
    mix,
    planned_mixture,
    planned_rows,
)
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe
from lawcheck.errors import InputError
from lawcheck.studies.discipline_laws.arms import upsampled

SCIENCE = {d.name: d for d in discovery.of_role("discipline", "proxy")}


@pytest.fixture(scope="module")
def corpus():
    from lawcheck.declare.scale import load_scale
    from lawcheck.declare.worlds import source_module

    scale = load_scale("proxy")
    return {
        name: source_module(d, scale).samples("train", planned_rows(d, 1 / 300))
        for name, d in SCIENCE.items()
    }


@pytest.fixture(scope="module")
def general():
    return [
        {"id": f"g{i}", "discipline": "general", "prompt": f"say {i}", "response": str(i)}
        for i in range(100)
    ]


def mixed(recipe, corpus, general=()):
    ordered = {name: in_order(rows) for name, rows in corpus.items()}
    return list(mix(recipe, ordered, in_order(general), SCIENCE, unique_below=1))


def ids(rows):
    return {row["id"] for row in rows}


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.integers(1, 200))
def test_smaller_fractions_lie_inside_larger_ones(a, b, n):
    rows = in_order({"id": f"r{i}"} for i in range(n))
    small, large = sorted((a, b))
    assert ids(Prefix(rows, small)) <= ids(Prefix(rows, large))
    assert abs(len(Prefix(rows, a)) - a * n) <= 0.5 + 1e-9


def test_data_scales_are_nested_per_discipline(corpus):
    for smaller, larger in ((0.1, 0.2), (0.2, 0.7), (0.7, 1.0)):
        one = mixed(Recipe(fraction=smaller), corpus)
        two = mixed(Recipe(fraction=larger), corpus)
        assert ids(one) < ids(two)
        for name, rows in corpus.items():
            count = sum(row["discipline"] == name for row in one)
            assert count == pytest.approx(smaller * len(rows), abs=0.51)


@pytest.mark.parametrize("target", [100_000, 300_000])
def test_upsampling_reaches_its_target_and_leaves_the_rest_alone(corpus, target):
    plain = mixed(Recipe(), corpus)
    for kind in ("diverse", "unique"):
        recipe = Recipe(upsampling=upsampled(kind, target))
        rows = mixed(recipe, corpus)
        assert len(ids(rows)) == len(rows), "duplicates need ids of their own"
        assert ids(plain) < ids(rows)
        count = Counter(row["discipline"] for row in rows)
        for name, d in SCIENCE.items():
            scarce = name in ("biology", "geography")
            expected = len(corpus[name]) * (target / d.rows if scarce else 1)
            assert count[name] == pytest.approx(expected, abs=0.51)
        planned = planned_mixture(recipe, list(SCIENCE.values()), 1 / 300, 0)
        assert sum(planned.values()) == pytest.approx(len(rows), abs=5)


def test_unique_upsampling_duplicates_only_samples_with_discipline_specific_words(corpus):
    diverse = mixed(Recipe(upsampling=upsampled("diverse", 300_000)), corpus)
    unique = mixed(Recipe(upsampling=upsampled("unique", 300_000)), corpus)
    assert ids(diverse) != ids(unique)
    for name in ("biology", "geography"):
        others = [r for n, rows in corpus.items() if n != name for r in rows]
        special = ids(corpus[name][k] for k in with_unique_words(corpus[name], others, 1))
        drawn = {
            kind: {
                r["id"].split("#")[0] for r in rows if r["discipline"] == name and "#" in r["id"]
            }
            for kind, rows in (("diverse", diverse), ("unique", unique))
        }
        assert drawn["unique"] <= special
        assert drawn["diverse"] - special, "the two recipes would be the same"


def test_unique_words_are_counted_by_sample_in_other_disciplines():
    rows = [{"id": "a", "prompt": "cell wall", "response": "x"}]
    others = [{"id": str(i), "prompt": "wall", "response": "x x x"} for i in range(3)]
    assert with_unique_words(rows, others, 1) == [0]
    common = [{"id": "b", "prompt": "wall", "response": "x"}]
    assert with_unique_words(common, others, 3) == []
    assert with_unique_words(common, others, 4) == [0]


def test_general_share_takes_a_nested_part_of_the_pool(corpus, general):
    none = mixed(Recipe(), corpus, general)
    some = mixed(Recipe(general_share=0.7), corpus, general)
    full = mixed(Recipe(general_share=1.0), corpus, general)
    assert (len(some) - len(none), len(full) - len(none)) == (70, 100)
    assert ids(none) < ids(some) < ids(full)


def test_a_discipline_without_rows_is_named(corpus):
    with pytest.raises(InputError, match="biology"):
        mixed(Recipe(), {**corpus, "biology": []})


def test_words_of_the_last_rows_are_shuffled_and_stay_the_same_words(corpus):
    recipe = Recipe(disciplines=("medicine",), objective="text", fraction=0.5, shuffled=0.5)
    clean = mixed(Recipe(disciplines=("medicine",), fraction=0.5), corpus)
    rows = mixed(recipe, corpus)
    half = len(rows) - len(rows) // 2
    assert rows[: half - 1] == clean[: half - 1]
    for before, after in zip(clean[half:], rows[half:], strict=True):
        both = [f"{r['prompt']} {r['response']}".split() for r in (before, after)]
        assert sorted(both[0]) == sorted(both[1])
        assert (after["id"], bool(after["response"])) == (before["id"], True)
    assert sum(b != a for b, a in zip(clean[half:], rows[half:], strict=True)) > 0.95 * half
    assert rows == mixed(recipe, corpus)
    with pytest.raises(InputError, match="shuffled words with objective 'response'"):
        Recipe(shuffled=0.5)


def test_a_recipe_without_science_holds_general_rows_alone():
    alone = Recipe(disciplines=(), general_share=1.0)
    assert planned_mixture(alone, list(SCIENCE.values()), 1 / 300, 7) == {"general": 7}
    assert alone.label == "none.d100.g100"
