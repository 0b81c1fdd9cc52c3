"""The figures carry the judge's numbers, mark what is missing and stay readable in grey."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.text import Text
from render_world import DAMAGES, SCIENCE, context, damaged, rows, table
from scipy.stats import spearmanr

from lawcheck.declare import discovery
from lawcheck.declare.design import Arm, Hypothesis, Law, Recipe, difference
from lawcheck.declare.scale import load_scale
from lawcheck.errors import InputError
from lawcheck.planning.cost import planned_cost
from lawcheck.scores import DISTINCT
from lawcheck.show import RenderContext, drawing
from lawcheck.show import printed as in_print
from lawcheck.show.contrasts import change
from lawcheck.show.judged import family_titles
from lawcheck.show.registry import renderer
from lawcheck.show.style import RC, figure_bytes
from lawcheck.show.summary import Measure
from lawcheck.studies.discipline_laws import families
from lawcheck.studies.discipline_laws.arms import (
    BASE,
    TUNED,
    discipline_lora,
    full,
    lora,
    lora_comp,
    lora_moe,
    upsampled,
)

# Figure -> its law and an arm that it shows.
FIGURES = {
    "figure_1b": ("base_model", discipline_lora(base="second_family")),
    "figure_2": ("variability", lora_moe("plain", Recipe(fraction=0.5))),
    "figure_3": ("balance_then_diversity", lora(Recipe(upsampling=upsampled("unique", 300_000)))),
    "figure_4a": ("optimize_then_scale", lora(Recipe(fraction=0.7), rank_multiple=5)),
    "figure_4b": ("optimize_then_scale", lora_moe("plain", experts=20)),
    "figure_4c": ("share_then_specialize", lora_moe("shared_expert")),
    "figure_5": ("share_then_specialize", lora_moe("shared_expert")),
    "figure_6": ("base_model", discipline_lora(base="second_family")),
}
FAMILIES = {
    "default": "Llama-style, 0.36 M",
    "second_family": "Qwen2-style, 0.36 M",
    "third_family": "Mistral-style, 0.36 M",
}
FRACTIONS = (0.1, 0.2, 0.5, 0.7, 1.0)


@functools.cache
def found(law: str) -> tuple[dict, ...]:
    return tuple(rows(discovery.law(law), seeds=3, items=40))


def world(law: str, given: list[dict] | None = None, fixed: bool = True) -> RenderContext:
    known = {"costs": planned_cost, "families": FAMILIES}
    made = context(table(list(found(law)) if given is None else given), discovery.law(law), **known)
    assert made.verdict is not None
    return dataclasses.replace(made, verdict=dataclasses.replace(made.verdict, preregistered=fixed))


@functools.cache
def complete(law: str) -> RenderContext:
    return world(law)


@contextmanager
def drawn(name: str, given: RenderContext) -> Iterator[Figure]:
    """A figure with the project's settings, laid out as it is saved."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        figure = renderer("figures", name).build(given)
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        yield figure


def shown(axes: Axes, kind: str = "series") -> dict[str, np.ndarray]:
    """Label -> (n, 2) of x and y, as drawn."""
    return {
        line.get_gid().removeprefix(f"{kind} "): np.asarray(line.get_xydata())
        for line in axes.lines
        if (line.get_gid() or "").startswith(f"{kind} ")
    }


def halves(axes: Axes) -> dict[str, list[float]]:
    """Label -> half of each interval's height."""
    bars = {}
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        segments = container.lines[2][0].get_segments()
        bars[container.get_label()] = [
            float(s[1, 1] - s[0, 1]) / 2 if len(s) else np.nan for s in segments
        ]
    return bars


def agrees(axes: Axes, label: str, measures: list[Measure | None]) -> None:
    """A series is these means, with these intervals."""
    np.testing.assert_allclose(shown(axes)[label][:, 1], [m.value for m in measures], rtol=1e-12)
    np.testing.assert_allclose(halves(axes)[label], [m.half for m in measures], rtol=1e-9)


def levels_agree(axes: Axes, label: str, measures: list[Measure | None]) -> None:
    """A series is these means, without intervals: arms that are compared have none."""
    np.testing.assert_allclose(shown(axes)[label][:, 1], [m.value for m in measures], rtol=1e-12)
    assert label not in halves(axes)


def hatches(figure: Figure) -> int:
    return sum(bool(p.get_hatch()) for axes in figure.axes for p in axes.patches)


def texts(figure: Figure) -> list[Text]:
    """Every text that is drawn; matplotlib keeps ticks outside the limits, undrawn."""
    axis = [a for axes in figure.axes for a in (axes.xaxis, axes.yaxis)]
    kept = {t for a in axis for t in a.findobj(Text)} - {a.label for a in axis}
    inside = {label for a in axis for tick in a._update_ticks() for label in tick.findobj(Text)}
    return [
        t
        for t in figure.findobj(Text)
        if t.get_visible() and t.get_text().strip() and (t not in kept or t in inside)
    ]


def said(figure: Figure) -> str:
    return " ".join(t.get_text().replace("\n", " ") for t in texts(figure))


def average(law: str) -> pd.Series:
    """Mean of the disciplines' accuracies by arm, recomputed from the rows."""
    frame = pd.DataFrame(found(law))
    frame = frame[frame["task"].isin([f"test_{d}" for d in SCIENCE]) & (frame["metric"] == "acc")]
    return frame.groupby(["arm", "task"])["value"].mean().groupby("arm").mean()


def test_figure_2_shows_every_curve_and_the_printed_one_beside_it():
    given = complete("variability")
    curves = {
        "Discipline LoRA": [discipline_lora(f) for f in FRACTIONS],
        "LoRA": [lora(Recipe(fraction=f)) for f in FRACTIONS],
        "LoRA-MoE": [lora_moe("plain", Recipe(fraction=f)) for f in FRACTIONS],
        "LoRA-Comp": [lora_comp(Recipe(fraction=f)) for f in FRACTIONS],
        "FT": [full()],
    }
    printed = in_print.printed("table4_scales")
    numbers = ["data_pct", "chem", "med", "bio", "math", "geo", "avg"]
    printed[numbers] = printed[numbers].astype(float)
    keys = {"math": "math", "chemistry": "chem", "biology": "bio", "medicine": "med"}
    with drawn("figure_2", given) as figure:
        panels = np.array(figure.axes).reshape(6, 3)
        for (ours, theirs, less), target in zip(panels, (*SCIENCE, "average"), strict=True):
            assert set(shown(ours)) == set(curves) == set(shown(theirs, "published"))
            for label, arms in curves.items():
                levels_agree(ours, label, [given.summary.accuracy(a, target) for a in arms])
                column = printed[printed["method"] == label].sort_values("data_pct")
                key = keys.get(target, {"geography": "geo", "average": "avg"}.get(target))
                values = shown(theirs, "published")[label][:, 1]
                np.testing.assert_allclose(values, column[key])
                # A share of the data is what it says, and none lies beyond all of it.
                places = [100 * a.recipe.fraction for a in arms]
                np.testing.assert_allclose(shown(ours)[label][:, 0], places)
            # The interval of a difference is that of the pair, on the seeds of both.
            for label in ("LoRA", "LoRA-Comp"):
                both = zip(curves[label], curves["Discipline LoRA"], strict=True)
                agrees(less, label, [change(given, a, b, target) for a, b in both])
            assert ours.get_ylim() == theirs.get_ylim()
        # Equal heights: roughness compares by eye.
        heights = [np.ptp(axes.get_ylim()) for axes in panels[:, :2].flat]
        assert heights == pytest.approx([heights[0]] * 12)
        assert max(axes.get_xlim()[1] for axes in panels[:, :2].flat) == 100
        assert len({axes.get_ylim() for axes in panels[:, 2]}) == 1
        assert "5 seeds" not in said(figure)
        assert "3 seeds" in said(figure)


def test_figure_3_shows_diversity_changes_and_their_rank_correlation():
    given = complete("balance_then_diversity")
    law = given.law
    upsamplings = [upsampled(k, n) for n in (100_000, 300_000) for k in ("diverse", "unique")]
    mixtures = [Recipe(), *(Recipe(upsampling=u) for u in upsamplings)]
    methods = {
        "LoRA": [lora(m) for m in mixtures],
        "LoRA-MoE": [lora_moe("plain", m) for m in mixtures],
        "LoRA-Comp": [lora_comp(m) for m in mixtures],
    }
    frame = pd.DataFrame(found(law.name))
    diversity = 100 * frame[frame["metric"] == DISTINCT].groupby("arm")["value"].mean()
    level = average(law.name)
    with drawn("figure_3", given) as figure:
        mixture, link, ours, theirs = figure.axes
        expected = [diversity[a.name] for a in methods["LoRA"]]
        np.testing.assert_allclose(shown(mixture)["diversity"][:, 1], expected)
        for label, arms in methods.items():
            levels_agree(link, label, [given.summary.accuracy(a, "average") for a in arms])
            np.testing.assert_allclose(shown(link)[label][:, 0], expected)
            changes = [100 * (level[a.name] - level[arms[0].name]) for a in arms[1:]]
            np.testing.assert_allclose(shown(ours)[label][:, 1], changes, atol=1e-9)
            assert min(halves(ours)[label]) > 0
        both = [
            # Equal averages must tie, whatever the order of summation.
            spearmanr(expected, [round(level[a.name], 9) for a in methods[m]]).statistic
            for m in ("LoRA", "LoRA-MoE")
        ]
        text = f"\u03c1 {np.mean(both):+.2f}".replace("-", "\u2212")
        assert f"{text}, p " in said(figure)
        np.testing.assert_allclose(
            shown(theirs, "published")["LoRA"][:, 1], [2.0, -1.4, -1.0, -9.7], atol=1e-9
        )
        assert ours.get_ylim() == theirs.get_ylim()


@pytest.mark.parametrize(
    ("name", "sizes", "make", "printed_gain"),
    [
        (
            "figure_4a",
            (1, 5, 10),
            lambda f, k: lora(Recipe(fraction=f), rank_multiple=k),
            {"data 70 %": [2.3, 3.7], "data 100 %": [-3.4, 2.1]},
        ),
        (
            "figure_4b",
            (5, 10, 20),
            lambda f, k: lora_moe("plain", Recipe(fraction=f), experts=k),
            {"data 70 %": [-1.0, -0.2, 1.1], "data 100 %": [1.2, -0.3, 3.7]},
        ),
    ],
)
def test_figure_4_shows_levels_and_gains_against_the_trainable_share(
    name, sizes, make, printed_gain
):
    given = complete("optimize_then_scale")
    level = average(given.law.name)
    with drawn(name, given) as figure:
        ours, theirs, gain = figure.axes
        assert ours.get_ylim() == theirs.get_ylim()
        for fraction, label in ((0.7, "data 70 %"), (1.0, "data 100 %")):
            arms = [make(fraction, k) for k in sizes]
            levels_agree(ours, label, [given.summary.accuracy(a, "average") for a in arms])
            if name == "figure_4b":
                arms.append(lora_moe("shared_a", Recipe(fraction=fraction)))
            gains = [100 * (level[a.name] - level[arms[0].name]) for a in arms[1:]]
            drawn_gains = shown(gain)[label]
            np.testing.assert_allclose(drawn_gains[:, 1], gains, atol=1e-9)
            shares = [planned_cost(a, "trainable_share") for a in arms[1:]]
            np.testing.assert_allclose(np.log10(drawn_gains[:, 0]), np.log10(shares), atol=0.1)
            values = shown(gain, "published")[label][:, 1]
            np.testing.assert_allclose(values, printed_gain[label], atol=1e-9)
        dashed = [
            y for line in gain.lines if line.get_linestyle() == "--" for y in line.get_ydata()
        ]
        assert set(dashed) == {1.0}


def test_figures_1b_and_6_show_every_family_before_and_after():
    given = complete("base_model")
    before = [Arm(method="base", base=b) for b in FAMILIES]
    after = [discipline_lora(base=b) for b in FAMILIES]
    level = average("base_model")
    with drawn("figure_1b", given) as figure:
        levels, gains = figure.axes
        for side, arms in ((families.BEFORE, before), (families.AFTER, after)):
            levels_agree(levels, side, [given.summary.accuracy(a, "average") for a in arms])
        agrees(gains, "gain", [change(given, a, b) for a, b in zip(after, before, strict=True)])
        expected = [
            100 * (level[a.name] - level[b.name]) for a, b in zip(after, before, strict=True)
        ]
        np.testing.assert_allclose(shown(gains)["gain"][:, 1], expected, atol=1e-9)
        labels = [t.get_text().replace("\n", " ") for t in levels.get_xticklabels()]
        assert labels == list(FAMILIES.values())
    with drawn("figure_6", given) as figure:
        above, below = np.array(figure.axes).reshape(2, 3)
        for axes, title in zip(above, FAMILIES.values(), strict=True):
            assert axes.get_title(loc="left").endswith(title)
        for axes, gain, a, b in zip(above, below, before, after, strict=True):
            for side, arm in ((families.BEFORE, a), (families.AFTER, b)):
                levels_agree(axes, side, [given.summary.accuracy(arm, d) for d in SCIENCE])
            agrees(gain, "gain", [change(given, b, a, d) for d in SCIENCE])


def test_designs_are_compared_with_the_first_by_pairs():
    given = complete("share_then_specialize")
    variants = ("plain", "shared_expert", "shared_a", "rank_route")
    with drawn("figure_4c", given) as figure:
        ours, theirs, gained, printed = figure.axes
        for fraction, label in ((0.7, "data 70 %"), (1.0, "data 100 %")):
            plain, *others = [lora_moe(v, Recipe(fraction=fraction)) for v in variants]
            measures = [given.summary.accuracy(a, "average") for a in (plain, *others)]
            levels_agree(ours, label, measures)
            agrees(gained, label, [change(given, a, plain) for a in others])
        # Table 8, all data: 0.671 plain; 0.676, 0.708 and 0.585 for the others.
        values = shown(printed, "published")["data 100 %"][:, 1]
        np.testing.assert_allclose(values, [0.5, 3.7, -8.6], atol=1e-9)
        assert ours.get_ylim() == theirs.get_ylim()
        assert gained.get_ylim() == printed.get_ylim()


@pytest.mark.parametrize("name", FIGURES)
def test_panels_are_lettered_in_one_way(name):
    with drawn(name, complete(FIGURES[name][0])) as figure:
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        letters = [t[9] for t in titles if t.startswith("$\\mathbf{")]
        assert letters == list("abcdefghijkl"[: len(letters)])
        assert len(letters) > 1
        assert not any(t.startswith("(") for t in titles)


@pytest.mark.parametrize("name", FIGURES)
def test_a_missing_arm_is_hatched_and_named(name):
    law, lost = FIGURES[name]
    assert lost in discovery.law(law).arms
    with drawn(name, complete(law)) as figure:
        assert hatches(figure) == 0
        assert "Hatched" not in said(figure)
        zeros = sum((v[:, 1] == 0).sum() for axes in figure.axes for v in shown(axes).values())
    given = [r for r in found(law) if r["arm"] != lost.name]
    with drawn(name, world(law, given)) as figure:
        assert hatches(figure) > 0
        assert f"run: snakemake --profile local law_{law}." in said(figure)
        assert "Hatched: no scores of" in said(figure)
        drawn_values = [v for axes in figure.axes for v in shown(axes).values()]
        # A gap in a line, never a zero.
        assert name == "figure_5" or any(np.isnan(v[:, 1]).any() for v in drawn_values)
        assert sum((v[:, 1] == 0).sum() for v in drawn_values) <= zeros


@pytest.mark.parametrize("name", FIGURES)
def test_runs_that_diverged_are_told_from_runs_that_are_missing(name):
    law, lost = FIGURES[name]
    given = [r for r in found(law) if r["arm"] != lost.name]
    nothing = {"cluster": "", "item_id": "", "task": "train", "metric": "diverged", "value": 1.0}
    given += [{"run_id": f"x{s}", "arm": lost.name, "seed": s, **nothing} for s in range(3)]
    with drawn(name, world(law, given)) as figure:
        assert "Hatched: every run diverged of" in said(figure)
        assert "snakemake" not in said(figure)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FIGURES)
def test_a_damaged_table_still_gives_a_figure_without_clipped_or_colliding_text(name, damage):
    law, _ = FIGURES[name]
    given = damaged(discovery.law(law), list(found(law)), damage)
    with drawn(name, world(law, given, fixed=False)) as figure:
        renderer_ = figure.canvas.get_renderer()
        for text in texts(figure):
            box = text.get_window_extent(renderer_)
            assert box.x0 >= -1, text
            assert box.y0 >= -1, text
            assert box.x1 <= figure.bbox.x1 + 1, text
            assert box.y1 <= figure.bbox.y1 + 1, text
        outer = [*figure.legends]
        outer += [t for t in (figure._supxlabel, figure._suptitle) if t is not None]
        outer += [t for axes in figure.axes for t in (axes.title, axes._left_title)]
        for axes in figure.axes:
            labels = [t for t in axes.get_xticklabels() if t.get_text() and t.get_visible()]
            for one, other in itertools.pairwise(labels):
                assert one.get_window_extent().x1 < other.get_window_extent().x0, (one, other)
        boxes = [
            (artist, artist.get_window_extent(renderer_))
            for artist in outer
            if not isinstance(artist, Text) or artist.get_text()
        ]
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            assert not a.overlaps(b), (one, other)


@pytest.mark.parametrize("name", FIGURES)
def test_a_design_that_was_not_fixed_beforehand_is_marked(name):
    law, _ = FIGURES[name]
    for fixed in (True, False):
        with drawn(name, world(law, fixed=fixed)) as figure:
            assert ("exploratory" in said(figure)) != fixed


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2), 0 black to 1 white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("name", [n for n in FIGURES if n != "figure_5"])
def test_series_are_told_apart_without_colour(name):
    with drawn(name, complete(FIGURES[name][0])) as figure:
        for axes in figure.axes:
            for kind in ("series", "published"):
                lines = [x for x in axes.lines if (x.get_gid() or "").startswith(f"{kind} ")]
                markers = [line.get_marker() for line in lines]
                assert len(set(markers)) == len(markers)
                joined = [x.get_linestyle() for x in lines if x.get_linestyle() != "None"]
                assert len(set(joined)) == len(joined)
                # Dark enough to be seen on white paper.
                assert all(luminance(line.get_markeredgecolor()) < 0.5 for line in lines)
            faces = {
                kind: {
                    x.get_markerfacecolor()
                    for x in axes.lines
                    if (x.get_gid() or "").startswith(kind)
                }
                for kind in ("series", "published")
            }
            assert faces["published"] <= {"white"}
            assert "white" not in faces["series"]


def test_every_look_has_a_marker_and_a_line_of_its_own():
    looks = [*drawing.METHOD_LOOKS.values(), *drawing.OTHER_LOOKS]
    for group in (looks, drawing.FRACTION_LOOKS):
        assert len({look.marker for look in group}) == len(group)
        assert len({look.line for look in group}) == len(group)


@pytest.mark.parametrize("name", FIGURES)
def test_equal_scores_give_equal_bytes(name, monkeypatch):
    law, _ = FIGURES[name]
    build = renderer("figures", name).build
    digests = []
    for k, order in enumerate((1, -1)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(10**9 * (k + 1)))
        contents = figure_bytes(build, world(law, list(found(law))[::order]))
        digests.append({s: hashlib.sha256(c).hexdigest() for s, c in contents.items()})
    assert digests[0] == digests[1]


def test_bytes_do_not_depend_on_the_process():
    code = (
        "import hashlib, test_figures as t; "
        "made = t.figure_bytes(t.renderer('figures', 'figure_4b').build, "
        "t.complete('optimize_then_scale')); "
        "print([hashlib.sha256(made[s]).hexdigest() for s in ('pdf', 'png')])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parent,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_a_number_without_an_interval_has_no_bar():
    axes = Figure().subplots()
    alone = Measure(
        value=0.5, low=None, high=None, interval="none", n_seeds=1, n_items=1, n_unscored=0
    )
    drawing.series(axes, [0, 1, 2], [alone, None, alone], drawing.FRACTION_LOOKS[0], "a")
    assert np.isnan(shown(axes)["a"][1, 1])
    assert np.isnan(halves(axes)["a"]).all()


def test_scores_without_diversity_leave_its_panels_hatched():
    law = "balance_then_diversity"
    given = [r for r in found(law) if r["metric"] != DISTINCT]
    with drawn("figure_3", world(law, given)) as figure:
        mixture, link, ours, _ = figure.axes
        assert len(mixture.patches) == 5
        assert len(link.patches) == 1
        assert not ours.patches
        assert "\u03c1 not estimated" in said(figure)


def test_unknown_costs_leave_the_gain_panel_hatched():
    given = dataclasses.replace(complete("optimize_then_scale"), costs=lambda arm, quantity: None)
    with drawn("figure_4a", given) as figure:
        ours, _, gain = figure.axes
        assert not ours.patches
        assert len(gain.patches) == 1
        assert "No planned trainable share" in said(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_a_law_that_cannot_fill_a_figure_is_told_so(name):
    part = Hypothesis(
        name="better",
        role="primary",
        claim="c",
        estimand=difference([full(TUNED)], [BASE]),
        alternative="greater",
        sesoi=1.0,
    )
    law = Law(name="mine", title="Mine", claim="c", source="s", hypotheses=(part,))
    given = context(table(rows(law, items=5)), law)
    with pytest.raises(InputError, match=rf"{name}: law 'mine' declares .* out of its list"):
        renderer("figures", name).build(given)


def test_families_are_titled_by_architecture_or_model():
    assert family_titles(load_scale("proxy")) == FAMILIES
    assert family_titles(load_scale("paper"))["default"] == "Qwen2.5-7B-Instruct"
    same = load_scale(
        "proxy", {"bases": {"second_family": {"architecture": {"model_type": "llama"}}}}
    )
    assert family_titles(same)["second_family"] == "Llama-style, 0.36 M (second family)"
    assert family_titles(same)["third_family"] == "Mistral-style, 0.36 M"
