"""Adapters Selector's tables and figures: own numbers, printed ones beside, what bounds them."""

import numpy as np
import pytest
from render_world import context, table
from selector_world import WORLD, disciplines, rows

from lawcheck.corpus import selecting
from lawcheck.declare import discovery
from lawcheck.declare.design import Recipe, Selection
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.planning.cost import planned_tokens
from lawcheck.show.grid import csv_text, markdown
from lawcheck.show.latex import latex
from lawcheck.show.registry import renderer
from lawcheck.studies.adapters_selector import arms
from lawcheck.studies.adapters_selector.ceiling import ceiling

LAWS = (
    *("route_by_selector", "select_representatives", "update_selector", "ambiguity"),
    *("selector_adapters", "selector_bases"),
)


def given(name, **changes):
    law = discovery.laws()[name]
    fields = {"world": WORLD, "disciplines": disciplines(), "scale_name": "selector"}
    return context(table(rows(law)), law, judged=False, **(fields | changes))


def build(name, found):
    module = renderer("figures" if "figure" in name else "tables", name)
    return module, module.build(found)


def test_no_input_tells_the_ambiguous_tasks_apart():
    # Half of either task's items, of twelve tasks: 1 - (1/2 + 1/2) / 12.
    best = ceiling(WORLD, arms.TWELVE)
    assert best.value == pytest.approx(11 / 12)
    assert best.pairs == (arms.AMBIGUOUS,)
    assert ceiling(WORLD, arms.SIX).value == 1
    assert ceiling("slices", arms.SIX) is None


def test_a_law_has_floors_of_guessing_and_arms_that_differ_in_one_thing():
    laws = {name: discovery.laws()[name] for name in LAWS}
    by = {h.name: h for law in laws.values() for h in law.hypotheses}
    assert by["outside"].floor == pytest.approx(100 / 6)
    assert by["small_suffices"].floor == pytest.approx(100 / 12)
    assert all(c.above == pytest.approx(100 / 12) for c in by["saturates"].checks)
    # Size against steps: each smaller selection is paired with the same one at more passes.
    for a in by["not_mere_steps"].arms:
        assert a.selection.k == arms.LARGEST or a.selection.steps_of == arms.LARGEST
    kinds = {(a.selection.k, a.selection.steps_of) for a in by["more_helps"].arms}
    assert kinds == {(arms.LARGEST, None), (arms.SMALLEST, None)}
    # The plain cell of the grid is an arm that other laws have.
    assert arms.CELLS["lora", 8, 16] == arms.OLD_SIX
    assert len(arms.CELLS) == 16
    # An update starts from what it updates; deletion leaves the ambiguous tasks out.
    assert arms.added(0.1).parents == (arms.OLD_SIX,)
    assert [arms.added(0.1).selection.share(t) for t in (*arms.SIX[:1], *arms.NEW[:1])] == [0.1, 1]
    assert not set(arms.deleted(0.1).selection.tasks) & set(arms.AMBIGUOUS)


def test_sizes_and_steps_at_a_scale():
    scale = load_scale("selector")
    small, large = arms.selector(k=100), arms.selector(k=1000)
    longer = arms.selector(k=100, steps_of=1000)
    assert scale.sized(small.recipe).selection.k == 5
    # 25 / 5 times the scale's 20 passes, so that as many rows are seen.
    assert [scale.passes(a.recipe) for a in (small, large, longer)] == [20, 20, 100]
    paper = load_scale("selector_paper")
    assert paper.sized(small.recipe).selection.k == 100
    assert planned_tokens(longer, paper) == pytest.approx(planned_tokens(large, paper))
    assert scale.passes(Recipe(selection=Selection(tasks=arms.SIX), epochs=3)) == 3
    with pytest.raises(InputError, match="steps_of 5 beside k 10"):
        Selection(tasks=arms.SIX, k=10, steps_of=5)


def test_table_1_holds_the_selector_and_its_printed_row():
    found = given("route_by_selector")
    module, grid = build("selector_table_1", found)
    frame = grid.long()
    best = frame[frame["arm"] == arms.BEST_SIX.name].set_index("column")
    expected = found.summary.accuracy(arms.BEST_SIX, arms.SIX)
    assert best.loc["acc", "mean"] == pytest.approx(expected.value)
    # Selector 14, not the whole system that uses it.
    assert best.loc["acc", "published"] == "0.989"
    assert best.loc["biology_transcribe", "published"] == "0.999"
    assert best.loc["rows", "mean"] == pytest.approx(np.mean([50, 51, 52]))
    routed = frame[frame["arm"] == arms.ROUTED.name].set_index("column")
    assert routed.loc["acc", "published"] == "0.722"
    joint = frame[frame["arm"] == arms.MFT.name].set_index("column")
    assert joint.loc["medicine_drug", "published"] == "0.740"
    # Nobody printed a selection by inner product of input embeddings.
    ip = arms.selector(arms.SIX, distance="IP")
    assert frame[frame["arm"] == ip.name]["published"].isna().all()
    assert "Bayes ceiling" in markdown(module.TABLE, grid)
    assert "0.722" in latex(module.TABLE, grid, "x")
    assert "0.722" in csv_text(grid)


def test_table_2_shows_the_ceiling_and_what_the_printed_mean_hides():
    _, grid = build("selector_table_2", given("select_representatives"))
    row = next(r for r in grid.rows if r.label == "Bayes ceiling")
    assert row.cells[1].measure.value == pytest.approx(11 / 12)
    assert any("selector 19 is best as printed, selector 21 by its cells" in n for n in grid.notes)
    labels = [r.label for r in grid.rows]
    assert "1000, at random" in labels
    assert "100, input embeddings, L2, steps of 1000" in labels


def test_table_3_shows_only_tasks_that_a_selector_lists():
    found = given("update_selector")
    _, grid = build("selector_table_3", found)
    frame = grid.long().set_index(["block", "row", "column"])
    assert np.isnan(frame.loc[("Add", "Before", "biology_complement"), "mean"])
    added = frame.loc[("Add", "10 % of the others", "acc")]
    expected = found.summary.accuracy(arms.added(0.1), arms.TWELVE)
    assert (added["mean"], added["published"]) == (pytest.approx(expected.value), "0.847")
    deleted = frame.loc[("Delete", "10 %", "acc")]
    assert deleted["mean"] == pytest.approx(
        found.summary.accuracy(arms.deleted(0.1), arms.TEN).value
    )
    assert deleted["published"] == "0.989"
    assert np.isnan(frame.loc[("Delete", "10 %", "biology_transcribe"), "mean"])


def test_table_4_has_our_bases_and_eight_printed():
    _, grid = build("selector_table_4", given("selector_bases"))
    assert sum(r.printed for r in grid.rows) == 8
    gemma = next(r for r in grid.rows if r.label == "Gemma2B")
    assert [c.published for c in gemma.cells] == [
        *("0.877", "0.400", "1.00", "0.645", "0.596", "0.999", "0.972"),
    ]


def test_a_confusion_holds_what_each_item_was_taken_for():
    found = given("ambiguity")
    _, grid = build("selector_confusion", found)
    frame = grid.long().set_index(["block", "row", "column"])["mean"].sort_index()
    twelve, task = arms.BEST_TWELVE, "biology_complement"
    (block,) = {r.block for r in grid.rows if "12 tasks" in r.block}
    shares = frame.loc[block, "biology complement"]
    expected = found.summary.accuracy(twelve, task).value
    assert shares[task] == pytest.approx(expected)
    assert shares.sum() == pytest.approx(1)
    # Of what is wrong, half goes to the task before it in the selection and half is unreadable.
    before = twelve.selection.tasks[twelve.selection.tasks.index(task) - 1]
    assert shares[before] > 0 < shares["Unreadable"]
    assert shares[before] + shares["Unreadable"] == pytest.approx(1 - expected)
    six = next(r for r in grid.rows if "6 tasks" in r.block)
    assert len([c for c in six.cells if c.measure is None]) == 6


def test_figure_2_shows_kept_rows_in_a_plane_and_counted():
    _, figure = build("selector_figure_2", given("select_representatives"))
    planes = [axes for sub in figure.subfigs for axes in sub.axes][:3]
    kept = {
        axes.get_title(loc="left").split()[1]: [
            len(line.get_xdata()) for line in axes.lines if line.get_gid() == "kept"
        ]
        for axes in planes
    }
    assert kept == {"L2:": [50], "COS:": [45], "IP:": [15]}


def test_figure_4_compares_each_kind_with_lora_of_its_setting():
    found = given("selector_adapters", costs=lambda arm, quantity: 0.2643)
    _, figure = build("selector_figure_4", found)
    levels, changes = figure.axes
    (line,) = [x for x in levels.lines if x.get_gid() == "series PiSSA"]
    arm = arms.CELLS["pissa", 4, 16]
    assert line.get_ydata()[0] == pytest.approx(found.summary.accuracy(arm, arms.SIX).value)
    (line,) = [x for x in changes.lines if x.get_gid() == "series PiSSA"]
    assert np.mean(line.get_ydata()) == pytest.approx(-10, abs=6)
    text = figure._supxlabel.get_text()
    assert "LoRA r 8 0.2643 (published 0.2643)" in text.replace("\n", " ")


def test_a_plane_holds_the_two_largest_components():
    # Along (3, 4) rows differ most, across it less, and not at all in the third column.
    along, across = np.array([0.6, 0.8, 0]), np.array([-0.8, 0.6, 0])
    steps = [(-2, 1), (-2, -1), (2, 1), (2, -1)]
    found = selecting.plane(np.stack([a * along + b * across + 5 for a, b in steps]))
    assert np.abs(found) == pytest.approx(np.tile([2.0, 1.0], (4, 1)))
    assert found[:, 0] == pytest.approx([-2, -2, 2, 2])
    assert selecting.plane(np.ones((3, 1))).shape == (3, 2)


def test_a_law_without_such_arms_is_told_what_to_do():
    found = given("variability")
    with pytest.raises(InputError, match="declares no selector"):
        build("selector_table_2", found)
