"""Declarations: names, digests, weights, and what they refuse."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawcheck.declare import discovery
from lawcheck.declare.design import (
    Arm,
    Contrast,
    Hypothesis,
    Law,
    Recipe,
    arm,
    difference,
    plain,
)
from lawcheck.declare.method import discipline_expert
from lawcheck.errors import InputError
from lawcheck.files.hashing import digest
from lawcheck.studies.discipline_laws.arms import (
    TUNED,
    discipline_lora,
    lora_comp,
    lora_moe,
)


def test_equal_content_is_the_same_arm_whatever_the_order_of_choices():
    one = Arm(method="lora_moe", design=(("variant", "plain"), ("experts", 10)))
    two = Arm(method="lora_moe", design=(("experts", 10), ("variant", "plain")))
    assert one == two
    assert one.name == two.name == "lora_moe.experts10.plain"


def test_names_tell_arms_apart():
    arms = [
        lora_moe(v, r)
        for v in ("plain", "shared_a")
        for r in (Recipe(), Recipe(fraction=0.7), Recipe(general_share=0.7), TUNED)
    ]
    arms += [discipline_lora(), arm("lora", Recipe()), arm("lora", Recipe(), base="llama")]
    assert len({a.name for a in arms}) == len(arms)


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6),
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6),
)
def test_difference_weights_sum_to_zero_and_merge_arms_on_both_sides(left, right):
    arms = {c: lora_moe("plain", Recipe(fraction=(ord(c) - 96) / 10)) for c in "abcdef"}
    weights = difference([arms[c] for c in left], [arms[c] for c in right]).weights
    assert abs(sum(w for _, w in weights)) < 1e-9
    assert len({a for a, _ in weights}) == len(weights)
    for c in "abcdef":
        expected = left.count(c) / len(left) - right.count(c) / len(right)
        assert dict(weights).get(arms[c], 0.0) == pytest.approx(expected, abs=1e-12)


def test_composition_routes_over_experts_of_its_own_data_without_general_rows():
    recipe = Recipe(fraction=0.5, general_share=1.0, upsampling=TUNED.upsampling)
    expert = discipline_expert(lora_comp(recipe), "biology")
    assert expert.each_alone
    assert expert.recipe == Recipe(fraction=0.5, upsampling=TUNED.upsampling)
    assert discipline_expert(lora_comp(recipe), "math").recipe == Recipe(fraction=0.5)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Recipe(fraction=0.0), "fraction"),
        (lambda: Recipe(general_share=1.2), "general_share"),
        (lambda: Contrast(weights=((lora_moe(), 1.0),)), "sum to 1"),
        (lambda: Arm(method="LoRA!", recipe=Recipe()), "LoRA!"),
        (lambda: Arm(method="two\nlines"), "printable"),
        (lambda: _hypothesis(alternative="equivalent"), "margin"),
        (lambda: _hypothesis(margin=1.0), "margin"),
        (lambda: _hypothesis(alpha=0.7), "alpha"),
        (lambda: _law(_hypothesis(), _hypothesis()), "twice"),
        (lambda: _law(_hypothesis(role="secondary")), "primary"),
    ],
)
def test_senseless_declarations_are_refused_in_one_line(make, named):
    with pytest.raises(InputError, match=named) as caught:
        make()
    assert "\n" not in str(caught.value)


def _hypothesis(**changes):
    fields = {
        "name": "gain",
        "role": "primary",
        "estimand": difference([lora_moe("shared_a")], [lora_moe()]),
        "alternative": "greater",
        "claim": "a gain",
        "sesoi": 1.0,
    }
    return Hypothesis(**{**fields, **changes})


def _law(*hypotheses):
    return Law(name="x", title="x", claim="x", source="x", hypotheses=hypotheses)


@pytest.mark.parametrize("law", discovery.laws().values(), ids=lambda law: law.name)
def test_every_law_is_plain_data_and_its_arms_are_valid(law):
    assert digest(plain(law)) == digest(plain(law))
    for a in law.arms:
        discovery.method(a.method).validate(a.choices)
    assert len({a.name for a in law.arms}) == len(law.arms)
    assert law.base in law.arms


def test_declarations_import_nothing_heavy():
    code = (
        "import sys; from lawcheck.declare import discovery as d;"
        "d.laws(); d.methods(); d.disciplines();"
        "heavy = {'torch', 'transformers', 'peft', 'pandas', 'scipy'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
