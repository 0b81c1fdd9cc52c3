"""VersaTune's tables and figures: the judge's numbers, printed ones beside, what is missing."""

import numpy as np
import pytest
from mixture_world import DOMAINS, PHASES, known, rows
from render_world import context, table

from lawcheck.declare.design import Hypothesis, Law, difference
from lawcheck.scores import WEIGHT
from lawcheck.show import declarations, grids, pictures
from lawcheck.show.contrasts import change
from lawcheck.show.grid import csv_text, markdown
from lawcheck.show.latex import latex
from lawcheck.show.registry import renderer
from lawcheck.studies.discipline_laws.laws.variability import LAW as VARIABILITY
from lawcheck.studies.versatune import arms
from lawcheck.studies.versatune.shown import EXPANSION, SPECIFIC, method_of, target_of

TABLES = tuple(f"versatune_table_{k}" for k in (1, 4, 5, 6, 7, 8, 9, 10))
FIGURES = tuple(f"versatune_figure_{k}" for k in (2, 3, 4, 5))


def law(*shown, **fields):
    """A law of the study that compares the first two arms and shows the others."""
    hypothesis = Hypothesis(
        name="part",
        role="primary",
        claim="the first is better",
        estimand=difference([shown[0]], [shown[1]]),
        alternative="greater",
        sesoi=1.0,
    )
    return Law(
        name="of_mixtures",
        title="Of mixtures",
        claim="One mixture beats another.",
        source="a test",
        base=arms.UNTRAINED[0],
        hypotheses=(hypothesis,),
        shown=(*shown[2:], *arms.UNTRAINED),
        **fields,
    )


FOSTERING = law(
    *arms.DYNAMIC, *arms.CONSTANT, *arms.UNIFORM, *arms.INVERSE, *arms.SWAPPED, tables=TABLES,
    figures=("versatune_figure_3", "versatune_figure_5"),
)  # fmt: skip
EXPANDING = law(
    *(strategy(t) for t in arms.TARGETS for strategy in (
        arms.flexible, arms.specific, arms.increase, arms.unconditional)),
    figures=("versatune_figure_2", "versatune_figure_4"),
)  # fmt: skip


@pytest.fixture(scope="module")
def fostering():
    return context(table(rows(FOSTERING)), FOSTERING)


@pytest.fixture(scope="module")
def expanding():
    return context(table(rows(EXPANDING)), EXPANDING)


def build(name, given):
    kind = "figures" if "figure" in name or name == "mixture_paths" else "tables"
    return renderer(kind, name).build(given)


def drawn(figure, gid):
    return [line for axes in figure.axes for line in axes.lines if line.get_gid() == gid]


def test_arms_are_the_papers_strategies():
    assert method_of(arms.DYNAMIC[1]) == "VersaTune"
    assert method_of(arms.CONSTANT[0]) == "VersaTune Constant"
    # Of the paper's methods these are none.
    for arm in (arms.SWAPPED[0], arms.FEWER_UPDATES[0], arms.PLACEBO[0], arms.UNTRAINED[0]):
        assert method_of(arm) is None
    assert (method_of(arms.flexible("biology")), target_of(arms.flexible("biology"))) == (
        EXPANSION,
        "biology",
    )
    assert target_of(arms.increase("medicine")) == "medicine"
    assert method_of(arms.specific("medicine")) == SPECIFIC


def test_table_1_holds_our_accuracy_in_percent_and_the_printed_rows(fostering):
    grid = build("versatune_table_1", fostering)
    frame = grid.long().set_index(["block", "row", "column"])
    block = next(r.block for r in grid.rows if r.arm == arms.DYNAMIC[0].name)
    found = frame.loc[(block, "VersaTune", "biology")]
    expected = fostering.summary.accuracy(arms.DYNAMIC[0], "biology")
    assert found["mean"] == pytest.approx(100 * expected.value)
    # The mean is over all six domains, general instructions included.
    own = [fostering.summary.accuracy(arms.DYNAMIC[0], d).value for d in DOMAINS]
    average = frame.loc[(block, "VersaTune", "all_domains")]
    assert average["mean"] == pytest.approx(100 * np.mean(own))
    assert average["low"] < average["mean"] < average["high"]
    printed = frame.sort_index().loc[("LLaMA-2-7B, published", "VersaTune")]
    assert printed["published"].to_dict() | {"law": "29.75", "code": "15.65"} == (
        printed["published"].to_dict()
    )
    assert printed.loc["medicine", "published"] == "37.90"
    assert printed.loc["all_domains", "published"] == "36.27"
    assert printed["mean"].isna().all()


def test_a_printed_row_is_one_line(fostering):
    module = renderer("tables", "versatune_table_1")
    grid = module.build(fostering)
    text = markdown(module.TABLE, grid)
    line = next(x for x in text.splitlines() if "29.75" in x)
    assert line.startswith("| *VersaTune* | \u2014 ")
    assert "36.27" in line
    tex = latex(module.TABLE, grid, "x").splitlines()
    assert next(x for x in tex if "29.75" in x).startswith("VersaTune & ")
    assert "29.75" in csv_text(grid)


def test_table_4_says_what_its_printed_average_hides(fostering):
    grid = build("versatune_table_4", fostering)
    said = next(n for n in grid.notes if "mistyped" in n)
    assert "56.33" in said
    assert "from 9.38 to 3.55 points" in said


def test_a_domain_that_a_scale_lacks_shows_the_printed_scores_alone(fostering):
    grid = build("versatune_table_9", fostering)
    assert [c.key for c in grid.columns] == ["humaneval", "mbpp"]
    assert any("no domain code" in n for n in grid.notes)
    assert {c.published for r in grid.rows if r.printed for c in r.cells} > {"5.67", "3.44"}
    medical = build("versatune_table_6", fostering)
    assert [c.key for c in medical.columns] == ["test_medicine", "medqa", "medmcqa"]
    ours = next(r for r in medical.rows if r.arm == arms.DYNAMIC[0].name)
    assert ours.cells[0].measure is not None
    assert ours.cells[1].measure is None


def test_rows_say_what_is_repeated(fostering):
    grid = build("mixture_rows", fostering)
    columns = [c.key for c in grid.columns]
    row = next(r for r in grid.rows if r.arm == arms.UNIFORM[0].name)
    cell = row.cells[columns.index("geography")]
    # 8 phases of 250 rows; there are 1,787.
    assert (cell.measure.value, cell.remark) == (1787, "2,000")
    assert cell.measure.half is None
    assert row.cells[columns.index("all")].remark == "12,000"


def test_figure_2_stacks_the_others_and_draws_the_target(expanding):
    figure = build("versatune_figure_2", expanding)
    first, target = arms.UNTRAINED[0], arms.TARGETS[0]
    strategies = (arms.specific(target), arms.increase(target), arms.flexible(target))
    line = drawn(figure, "series target")[0]
    expected = [change(expanding, a, first, target).value for a in strategies]
    assert line.get_ydata() == pytest.approx(expected)
    rest = tuple(d for d in DOMAINS if d != target)
    sums = drawn(figure, "series sum")[0].get_ydata()
    assert sums[0] == pytest.approx(5 * change(expanding, strategies[0], first, rest).value)
    bars = [p for p in figure.axes[0].patches if (p.get_gid() or "").startswith("bar")]
    assert len(bars) == 3 * len(rest)
    assert sum(b.get_height() for b in bars[:5]) == pytest.approx(sums[0])


def test_paths_are_means_over_seeds(fostering):
    for name in ("versatune_figure_3", "mixture_paths"):
        figure = build(name, fostering)
        arm = arms.DYNAMIC[0]
        cube = fostering.scores.cube(arm.name, "math", range(5), WEIGHT)
        lines = [line.get_ydata() for line in drawn(figure, "series math")]
        assert any(len(y) == PHASES and np.allclose(y, cube.mean(axis=0)) for y in lines), name


def test_figure_5_shows_detected_true_and_published_shares(fostering):
    figure = build("versatune_figure_5", fostering)
    ours, theirs = figure.axes
    bars = [p for p in ours.patches if p.get_gid() == "bar math"]
    # Detected and true, of either base.
    assert [b.get_width() for b in bars[1::2]] == pytest.approx(
        [known("skew_a")["math"], known("skew_b")["math"]]
    )
    assert [b.get_width() for b in bars[::2]] == pytest.approx([0.4, 0.04], abs=0.02)
    code = [p.get_width() for p in theirs.patches if p.get_gid() == "bar code"]
    # 813 of 9,987 texts of LLaMA-2-7B.
    assert code[0] == pytest.approx(813 / 9987)
    assert len(code) == 7


def test_what_is_missing_is_hatched_and_named():
    lost = arms.CONSTANT[0].name
    given = context(table([r for r in rows(FOSTERING, seeds=2) if r["arm"] != lost]), FOSTERING)
    for name in (*TABLES, "mixture_rows", "versatune_figure_3", "versatune_figure_5"):
        build(name, given)
    bare = [r for r in rows(FOSTERING, seeds=1) if r["metric"] == "acc"]
    given = context(table(bare), FOSTERING)
    assert "No counted rows of 10 of 10 arms" in build("mixture_rows", given).notes[0]
    for name in ("mixture_paths", "versatune_figure_3", "versatune_figure_5"):
        figure = build(name, given)
        assert any(p.get_hatch() for axes in figure.axes for p in axes.patches), name


def test_only_laws_with_moving_shares_get_their_figure():
    still = law(arms.CONSTANT[0], arms.UNIFORM[0])
    given = context(table(rows(still, seeds=2)), still)
    assert "mixture_rows_of_mixtures" in grids(still, given)
    assert not any(stem.startswith("mixture_") for stem in pictures(still, given))
    assert not any(stem.startswith("mixture_") for stem in declarations(VARIABILITY))
    assert "mixture_paths_of_mixtures" in declarations(FOSTERING)
