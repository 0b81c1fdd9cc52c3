"""Table 1: what the corpus holds, discipline by discipline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lawcheck.show.columns import fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Cell, Column, Grid, Row, Table
from lawcheck.show.printed import printed

TABLE = Table(
    name="table_1",
    title="Table 1. The corpus",
    caption=(
        "Training samples per discipline before upsampling; average length in whitespace words, "
        "prompt and response together; unique tokens: words that fewer samples of other "
        "disciplines hold than the scale's limit, summed in the last row. Counted, so without "
        "intervals."
    ),
    law="variability",
)
COLUMNS = (
    Column(key="samples", header="Samples", unit="samples", decimals=0, best=False),
    Column(key="percent", header="%", unit="percent", decimals=1, best=False),
    Column(key="average_words", header="Avg. length", unit="words", decimals=2, best=False),
    Column(key="unique_tokens", header="Unique tokens", unit="words", decimals=0, best=False),
)
PRINTED = dict(
    zip([c.key for c in COLUMNS], ("samples", "pct", "avg_len_words", "unique_tokens"), strict=True)
)
NOT_COUNTED = "The corpus of this scale is not counted here: run lawcheck mixtures."


def published_lines() -> dict[str, dict[str, str]]:
    """Discipline (or `total`) -> column key -> the cell as printed."""
    frame = printed("table1_corpus").set_index("discipline")
    return {
        str(name).lower(): {key: str(line[column]) for key, column in PRINTED.items()}
        for name, line in frame.iterrows()
    }


def build(context: RenderContext) -> Grid:
    counted: Mapping[str, Any] = context.corpus or {"disciplines": {}}
    theirs = published_lines()
    lines = [(d.name, d.title, counted["disciplines"].get(d.name)) for d in context.science]
    lines.append(("total", "Total", counted.get("total")))
    rows = tuple(
        Row(
            label=title,
            arm="",
            cells=tuple(
                Cell(
                    measure=fixed(ours[c.key], "none, counted") if ours else None,
                    published=theirs.get(name, {}).get(c.key),
                )
                for c in COLUMNS
            ),
        )
        for name, title, ours in lines
    )
    if context.corpus is None:
        notes = [NOT_COUNTED]
    else:
        limit = context.corpus["origin"]["unique_below"]
        notes = [f"Limit of unique tokens: {limit} here, 10 in the published corpus."]
    return Grid(
        columns=COLUMNS,
        rows=rows,
        scale=context.scale_name,
        published_scale="published corpus",
        notes=tuple(notes),
    )
