"""The audit as JSON, as a page and as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lawcheck.declare import discovery
from lawcheck.files.atomic import atomic_file, write_json, write_text
from lawcheck.show.audit.contrasts import ITEM_CORRELATION, Contrast
from lawcheck.show.audit.declared import Finding
from lawcheck.show.audit.words import errors, says
from lawcheck.show.drawing import beside_row, forest_axis
from lawcheck.show.labels import part_label
from lawcheck.show.style import BLACK, BLUE, GREY, RED, SKY, TWO_COLUMNS, figure_bytes

OUTCOMES = {"supported": BLUE, "reversed": RED, "within noise": GREY}
ITEM_BAND, RUN_BAND = SKY, "#D9D9D9"
ROW = 0.22
HEADINGS = {"error": "Contradictions", "warning": "May mislead", "note": "Notes"}


def write(folder: Path, findings: Sequence[Finding], contrasts: Sequence[Contrast]) -> list[Path]:
    paths = [folder / "audit.json", folder / "audit.md"]
    write_json(
        paths[0],
        {
            "findings": [dataclasses.asdict(f) for f in findings],
            "contrasts": [_plain(c) for c in contrasts],
        },
    )
    write_text(paths[1], page(findings, contrasts))
    for suffix, content in figure_bytes(forest, contrasts).items():
        path = folder / f"contrasts.{suffix}"
        with atomic_file(path) as part:
            part.write_bytes(content)
        paths.append(path)
    return paths


def _plain(contrast: Contrast) -> dict[str, object]:
    claim = contrast.claim
    numbers = {
        k: float(f"{v:.10g}") if isinstance(v, float) else v
        for k, v in vars(contrast).items()
        if k not in ("claim", "changed")
    }
    return {
        "name": claim.name,
        "paper": claim.paper,
        "source": claim.source,
        "claim": claim.words,
        "says": claim.says,
        "margin": 100 * claim.margin,
        "changed": list(contrast.changed),
        "runs": "single",
        **numbers,
    }


def page(findings: Sequence[Finding], contrasts: Sequence[Contrast]) -> str:
    titles = {name: study.title for name, study in discovery.studies().items()}
    lines = [
        "# Audit of the published tables",
        "",
        "Findings come from checks that know the tables' structure and no answers. Every cell in",
        "print is a single run. An error is a contradiction among printed numbers; a layout or",
        "label that can be read in two ways is a note.",
        "",
    ]
    for paper in dict.fromkeys(f.paper for f in findings):
        own = [f for f in findings if f.paper == paper]
        lines += [f"## {titles[paper]}", ""]
        for severity, heading in HEADINGS.items():
            chosen = [f for f in own if f.severity == severity]
            if not chosen:
                continue
            lines += [
                f"### {heading} ({len(chosen)})",
                "",
                "| where | kind | printed | recomputed | note | confidence |",
                "| --- | --- | --- | --- | --- | --- |",
            ]
            for f in chosen:
                fields = (f.where, f.kind, f.printed, f.recomputed, f.note, f.confidence)
                lines.append("| " + " | ".join(t.replace("|", "\\|") for t in fields) + " |")
            lines.append("")
    lines += [
        "## Claims as contrasts",
        "",
        "Standard errors in points. Items: binomial, arms independent, and with the same items",
        f"answered alike (correlation {ITEM_CORRELATION}). Runs: scatter of a factorial of single",
        "runs, which holds real interactions too and is an upper bound. p is Holm-adjusted within",
        "a paper and must be small against every yardstick there is.",
        "",
        "| claim | says | points | standard errors | agree | p | outcome |",
        "| --- | --- | ---: | --- | ---: | ---: | --- |",
    ]
    for c in contrasts:
        p = "\u2014" if c.p is None else f"{c.p:.2g}"
        lines.append(
            f"| {c.claim.words} | {says(c)} | {c.value:+.2f} | {errors(c)} | {c.agree}/{c.pairs} "
            f"| {p} | {c.outcome} |"
        )
    return "\n".join([*lines, ""])


def forest(contrasts: Sequence[Contrast]) -> Figure:
    """Claimed contrasts with the 95 % bands of item noise and of run noise around 0."""
    papers = list(dict.fromkeys(c.claim.paper for c in contrasts))
    labels = {name: study.label or study.title for name, study in discovery.studies().items()}
    groups = [[c for c in contrasts if c.claim.paper == p] for p in papers]
    heights = [len(g) + 1.6 for g in groups]
    figure = Figure(figsize=(TWO_COLUMNS, ROW * sum(heights) + 0.9), layout="constrained")
    grid = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)
    for axes, paper, group in zip(grid.flat, papers, groups, strict=True):
        for y, contrast in enumerate(group):
            _row(axes, y, contrast)
        forest_axis(axes, [part_label(c.claim.name) for c in group])
        axes.set_title(labels[paper], loc="left")
    grid.flat[-1].set_xlabel("Claimed contrast (points), single runs")
    handles = [
        *(
            Line2D([], [], marker="o", linestyle="none", color=color, label=name)
            for name, color in OUTCOMES.items()
        ),
        Patch(color=RUN_BAND, label="run noise, 95 %"),
        Patch(facecolor="none", edgecolor=ITEM_BAND, label="item noise, 95 %"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _row(axes: Axes, y: int, contrast: Contrast) -> None:
    from scipy import stats

    claim = contrast.claim
    center = 100 * claim.margin if claim.says == "no_gain" else 0.0
    if contrast.se_runs is not None and contrast.df_runs is not None:
        half = float(stats.t.isf(0.025, contrast.df_runs)) * contrast.se_runs
        axes.fill_betweenx(
            [y - 0.4, y + 0.4], center - half, center + half, color=RUN_BAND, linewidth=0
        )
    if contrast.se_items is not None and contrast.se_items_correlated is not None:
        for se, height in ((contrast.se_items, 0.26), (contrast.se_items_correlated, 0.14)):
            half = float(stats.norm.isf(0.025)) * se
            axes.fill_betweenx(
                [y - height, y + height],
                center - half,
                center + half,
                facecolor="none",
                edgecolor=ITEM_BAND,
                linewidth=0.9,
            )
    if claim.margin:
        sides = (-1, 1) if claim.says == "equal" else (1,)
        for side in sides:
            x = side * 100 * claim.margin
            axes.plot([x, x], [y - 0.42, y + 0.42], color=BLACK, linestyle="--", linewidth=0.7)
    axes.plot(
        contrast.value, y, marker="o", color=OUTCOMES[contrast.outcome], linestyle="none", zorder=3
    )
    arrow = {"greater": "\u2192", "less": "\u2190", "no_gain": "\u2264", "equal": "="}[claim.says]
    value = f"{contrast.value:+.2f}".replace("-", "\u2212")
    said = f"{arrow}  {value}  {contrast.agree}/{contrast.pairs}  {contrast.outcome}"
    beside_row(axes, y, said)
