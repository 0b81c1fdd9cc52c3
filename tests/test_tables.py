"""What the single tables show: the right arms, published cells, and measures over fractions."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from render_world import SCIENCE, context, damaged, rows, table, verdict

from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe
from lawcheck.errors import InputError
from lawcheck.planning.cost import planned_cost
from lawcheck.show import grids
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.grid import caption
from lawcheck.show.page.gather import Entry
from lawcheck.show.page.page import card
from lawcheck.show.printed import printed
from lawcheck.show.tables import likelihoods
from lawcheck.studies.discipline_laws import arms
from lawcheck.studies.discipline_laws.published import printed_share, published_value

PUBLISHED = {
    "table_2": "table2_if",
    "table_4": "table4_scales",
    "table_5": "table5_upsample",
    "table_6": "table6_if_full",
    "table_7": "table7_params",
    "table_8": "table8_design",
}


@functools.cache
def synthetic(law: str) -> list[dict]:
    return rows(discovery.law(law), items=20)


def shown(law: str, name: str, found: list[dict] | None = None) -> tuple[pd.DataFrame, str]:
    """A table in long form, and its caption."""
    declared = dataclasses.replace(discovery.law(law), figures=())
    scores = table(synthetic(law) if found is None else found)
    world = context(scores, declared, judged=False, costs=planned_cost)
    fixed, grid = grids(declared, world)[name]
    return grid.long(), caption(fixed, grid)


def law_of(name: str) -> str:
    return next(n for n, law in discovery.laws().items() if name in law.tables)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_printed_row_stands_beside_an_arm(name):
    frame, _ = shown(law_of(name), name)
    average = frame[(frame["column"] == "average") & (frame["unit"] == "accuracy")]
    per_arm = average[average["arm"] != ""]
    theirs = printed(PUBLISHED[name])
    column = "science" if name == "table_2" else "avg"
    ours = per_arm["published"].dropna().tolist()
    # Table 7 takes two more, those of shared A, from Table 8.
    extra = ["0.664", "0.708"] if name == "table_7" else []
    assert sorted(ours) == sorted([*theirs[column], *extra])
    assert per_arm["arm"].is_unique
    assert per_arm["mean"].notna().all()


def test_roughness_is_the_residual_sd_around_a_line_in_log_data():
    frame, _ = shown("variability", "table_4")
    rough = frame[(frame["unit"] == "points") & (frame["row"] == "LoRA-MoE")].set_index("column")
    fractions = (0.1, 0.2, 0.5, 0.7, 1.0)
    curve = [arms.lora_moe("plain", Recipe(fraction=f)) for f in fractions]

    def residual(values: list[float]) -> float:
        line = np.polyfit(np.log(fractions), values, 1)
        left = np.array(values) - np.polyval(line, np.log(fractions))
        return float(np.sqrt((left**2).sum() / 3))

    scores = pd.DataFrame(synthetic("variability")).query("metric == 'acc'")
    means = 100 * scores.groupby(["arm", "task", "seed"])["value"].mean()
    each = {
        d: [residual([means[a.name, f"test_{d}", s] for a in curve]) for s in range(3)]
        for d in SCIENCE
    }
    for d in SCIENCE:
        assert rough.loc[d, "mean"] == pytest.approx(np.mean(each[d]))
    pooled = np.sqrt(np.mean(np.square(list(each.values())), axis=0))
    assert rough.loc["average", "mean"] == pytest.approx(pooled.mean())
    half = 4.302652729911275 * pooled.std(ddof=1) / np.sqrt(3)
    assert rough.loc["average", "high"] - rough.loc["average", "low"] == pytest.approx(2 * half)
    theirs = [100 * published_value("table4_scales", a, "geography") for a in curve]
    assert float(rough.loc["geography", "published"]) == pytest.approx(residual(theirs), abs=0.005)
    # One data fraction is no curve.
    assert "FT" not in set(frame[frame["arm"] == ""]["row"])


def test_peak_is_the_highest_mean_and_says_where():
    frame, _ = shown("variability", "table_4")
    average = frame[frame["column"] == "average"]
    for _, line in average[average["block"] == "Peak over data fractions"].iterrows():
        same = average[(average["row"] == line["row"]) & average["block"].str.startswith("Data ")]
        top = same.loc[same["mean"].astype(float).idxmax()]
        assert line["mean"] == top["mean"]
        assert line["remark"] == "at " + top["block"].removeprefix("Data ")
        assert pd.isna(line["low"])
    lora = average[(average["block"] == "Peak over data fractions") & (average["row"] == "LoRA")]
    assert lora["published"].tolist() == ["0.686 (at 50 %)"]


def test_a_curve_with_a_gap_has_no_roughness_and_no_peak():
    law = discovery.law("variability")
    found = damaged(law, synthetic("variability"), "an arm is missing")
    lost = {r["arm"] for r in synthetic("variability")} - {r["arm"] for r in found}
    frame, words = shown("variability", "table_4", found)
    method = frame[frame["arm"].isin(lost)]["row"].iloc[0]
    over = frame[frame["arm"] == ""]
    assert over[over["row"] == method]["mean"].isna().all()
    assert over[over["row"] != method]["mean"].notna().all()
    assert "No scores yet of 1 of 21 arms" in words


def test_diversity_is_that_of_the_mixture_or_a_note():
    found = synthetic("balance_then_diversity")
    frame, words = shown("balance_then_diversity", "table_5", found)
    column = frame[frame["column"] == "distinct_ngrams"]
    assert column["mean"].notna().all()
    assert column.groupby("row")["mean"].nunique().eq(1).all()
    assert column["mean"].max() == pytest.approx(41.0)
    assert "no n-gram diversity" not in words
    plain = [r for r in found if r["task"] != "mixture"]
    frame, words = shown("balance_then_diversity", "table_5", plain)
    assert frame[frame["column"] == "distinct_ngrams"]["mean"].isna().all()
    assert frame[frame["column"] == "average"]["mean"].notna().all()
    assert "no n-gram diversity (metric 'distinct_ngrams', task 'mixture'); run: " in words


def test_instruction_scores_that_nobody_has_are_said():
    found = [r for r in synthetic("merge_then_align") if r["task"] != "test_general"]
    frame, words = shown("merge_then_align", "table_2", found)
    column = frame[frame["column"] == "general"]
    assert column["mean"].isna().all()
    assert column["published"].notna().any()
    assert "Instructions (accuracy): no scores in any arm; run: snakemake" in words


def test_labels_with_two_meanings_are_said_beside_the_published_cells():
    _, words = shown("merge_then_align", "table_2")
    assert "A label of the published Table 2 has two meanings." in words
    _, words = shown("balance_then_diversity", "table_5")
    assert "Labels of the published Table 5" in words
    assert "0.691 is printed, the mean of its cells is 0.6894" in words
    assert label_notes("table8_design") == ()
    assert label_notes("versatune_main") == ()


def test_trainable_share_is_planned_and_beside_the_printed_one():
    frame, _ = shown("optimize_then_scale", "table_7")
    share = frame[frame["column"] == "trainable_share"].set_index("arm")
    assert share.loc[arms.lora_moe("shared_a").name, "published"] == "0.902"
    assert share.loc[arms.lora_moe().name, "published"] == "1.315"
    wide = share.loc[arms.lora(Recipe(), rank_multiple=10).name]
    assert wide["mean"] == pytest.approx(
        planned_cost(arms.lora(rank_multiple=10), "trainable_share")
    )
    assert pd.isna(wide["published"])
    assert printed_share(arms.full(Recipe(fraction=0.7))) == "100"
    assert printed_share(arms.BASE) == "0"
    assert printed_share(arms.lora_moe(experts=10)) is None


def test_likelihoods_stand_in_a_table_of_their_own_and_on_the_page():
    law = dataclasses.replace(
        discovery.law("share_then_specialize"), tables=("likelihoods",), figures=()
    )
    found, level = synthetic("share_then_specialize"), {law.base.name: 0.9}
    scores = [r for r in found if r["metric"] == "acc"]
    bits = [
        r | {"metric": "bits_per_byte", "value": level.get(r["arm"], 0.7) + 0.01 * r["seed"]}
        for r in scores
        if r["task"] != "test_general"
    ]
    world = context(table(found + bits), law, judged=False)
    _, grid = grids(law, world)["likelihoods"]
    frame = grid.long().set_index("arm")
    assert set(frame["unit"]) == {"bits per byte"}
    assert frame.loc[law.base.name, "mean"] == pytest.approx(0.91)
    assert frame["items"].dropna().max() == 5 * 20
    with pytest.raises(InputError, match="no likelihoods in the scores"):
        grids(law, context(table(found), law, judged=False))
    # The page shows it for laws that do not name it, too.
    law = dataclasses.replace(law, tables=())
    world = dataclasses.replace(world, law=law, verdict=verdict(law))
    entry = Entry(
        law=law, verdict=verdict(law), context=world, provenance={}, fits=None, warnings=()
    )
    (sheet,) = (s for s in card(entry, ()).sheets if s.title == likelihoods.TABLE.title)
    assert not sheet.written
