"""Words and numbers that a reader sees: one list of outcomes, fixed decimals, readable names."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from render_world import context, rows, table

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Mixture, Outcome, PartOutcome, Recipe, arm
from lawcheck.judging.outcomes import OUTCOMES, PART_OUTCOMES, fixed, p_text
from lawcheck.judging.verdict_forms import EXIT
from lawcheck.show import grids
from lawcheck.show.labels import arm_label, arm_labels, mixture_label, part_label, readable
from lawcheck.show.style import OUTCOME_COLORS
from lawcheck.studies.discipline_laws import arms

LAW = discovery.law("share_then_specialize")
STYLE = Path(__file__).resolve().parents[1] / "src/lawcheck/show/page/templates/style.css"


def test_every_outcome_has_one_word_everywhere():
    assert set(OUTCOMES) == set(get_args(Outcome)) == set(EXIT)
    assert set(PART_OUTCOMES) == set(get_args(PartOutcome))
    assert list(OUTCOME_COLORS) == list(PART_OUTCOMES)
    style = STYLE.read_text(encoding="utf-8")
    for word in OUTCOMES:
        assert f".badge.{word.lower().replace(' ', '-')} " in style
    for word in PART_OUTCOMES:
        assert f".outcome.{word.replace(' ', '-')}::before" in style


@pytest.mark.parametrize(
    ("value", "unit", "sign", "text"),
    [
        (-0.256, "points", "+", "-0.26"),
        (0.0914, "points", "+", "+0.09"),
        (1, "points", "", "1.00"),
        (-23.1599, "percent", "+", "-23.16"),
        (0.3, "rank correlation", "", "0.300"),
        (-0.0004, "points", "+", "0.00"),
        (0.0, "points", "+", "0.00"),
        (-0.0004, "share of maximum information", "+", "0.000"),
        (12345.6, "distinct count", "+", "+12,346"),
    ],
)
def test_numbers_have_the_decimals_of_their_unit(value, unit, sign, text):
    assert fixed(value, unit, sign) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (0.0499, "0.050"),
     (0.999, "0.999"), (0.9991, ">0.999"), (1.0, ">0.999")],
)  # fmt: skip
def test_p_values_never_read_as_0_or_1(p, text):
    assert p_text(p) == text


def test_arms_are_called_by_method_design_and_recipe():
    assert arm_label(arms.BASE) == "Base model"
    assert arm_label(arm("full", recipe=Recipe(), decoding="greedy")).endswith("greedy decoding")
    assert arm_label(arms.lora_moe("shared_a", Recipe(fraction=0.7))) == (
        "LoRA-MoE, shared A, 5 experts, data 70 %"
    )
    assert arm_label(arms.lora(rank_multiple=10)) == "LoRA, rank 10\u00d7, data 100 %"
    assert arm_label(arms.discipline_lora(base="other"), {"other": "Qwen2-style, 0.36 M"}) == (
        "Discipline LoRA, data 100 %, on Qwen2-style, 0.36 M"
    )
    # Somebody's own arm keeps its name.
    assert arm_label(Arm(method="our_run_7")) == "our_run_7"
    for law in discovery.laws().values():
        labels = arm_labels(law)
        assert len(set(labels.values())) == len(labels) == len(law.arms)


def test_names_become_words():
    assert part_label("delta_m_moe") == "\u0394m MoE"
    assert part_label("rank_10x") == "Rank 10\u00d7"
    assert part_label("not_mere_sharing") == "Not mere sharing"
    names = arm_labels(discovery.law("optimize_then_scale"))
    text = "lora.rank_multiple10.d70 beats base on average"
    assert readable(text, names) == "LoRA, rank 10\u00d7, data 70 % beats base on average"
    assert readable("lora.rank_multiple10.d700 beats", names) == "lora.rank_multiple10.d700 beats"


def scored(quality):
    """Every row's score drawn anew: right with the probability `quality` of its arm."""
    draw = np.random.default_rng(11)
    return [
        r | {"value": float(draw.random() < quality(r["arm"]))} if r["metric"] == "acc" else r
        for r in rows(LAW, items=60)
    ]


def bold(given):
    """(table, column, arm) of every cell that is marked."""
    return {
        (name, column.key, row.arm)
        for name, (_, grid) in grids(LAW, given).items()
        for row in grid.rows
        for column, cell in zip(grid.columns, row.cells, strict=True)
        if cell.best
    }


def test_bold_is_only_what_pairs_show_to_be_best():
    best = arms.lora_moe("rank_route").name
    clear = bold(context(table(scored(lambda arm: 0.95 if arm == best else 0.6)), LAW))
    assert ("table_8", "average", best) in clear
    assert ("arms_share_then_specialize", "average", best) in clear
    assert {arm for _, _, arm in clear} == {best}
    # Arms of equal quality: whichever is highest by chance is not bold, as a rule.
    assert len(bold(context(table(scored(lambda arm: 0.6)), LAW))) <= 1
    # One seed shows nothing about the next.
    alone = [r for r in scored(lambda arm: 0.95 if arm == best else 0.6) if r["seed"] == 0]
    assert not bold(context(table(alone), LAW))


def test_mixtures_are_named_by_what_departs_from_even_shares():
    assert mixture_label(Mixture()) == "even shares"
    moved = Mixture(start="knowledge", update="potential", phases=4)
    assert mixture_label(moved) == "detected shares, update potential, 4 phases"
    other = Mixture(start="knowledge", knowledge_of="skew_b", update="expansion", target="biology",
                    guard=False)  # fmt: skip
    assert mixture_label(other) == (
        "detected shares of skew b, update expansion, target biology, without guard"
    )
    half = (("math", 0.5), ("biology", 0.25), ("general", 0.25))
    assert mixture_label(Mixture(start="given", given=half)) == "math 50 %, others even"
    assert mixture_label(Mixture(start="given", given=(("math", 1.0),))) == "math alone"
