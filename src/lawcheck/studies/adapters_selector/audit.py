"""The printed tables of Adapters Selector, for the audit: columns, runs, claims in words."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from lawcheck.show.audit.declared import (
    Audit,
    BoundClaim,
    Claim,
    Finding,
    NumberClaim,
    Row,
    RunProxy,
    Tables,
    TableSpec,
    equal,
)
from lawcheck.show.audit.parameters import LAYERS, Setting, lora, settings, share, sizes
from lawcheck.show.audit.schema import Printed, rows
from lawcheck.studies.adapters_selector.checks import (
    CHECKS,
    FIN,
    LEGAL,
    MED,
    PAPER,
    SIX,
    numbers_of_copied_rows,
)


def selector(row: Row) -> dict[str, str] | None:
    """A selector of the third paper's first two tables; other rows are other systems."""
    if row["embedding"] == "\u2014" or not row["selector"].isdigit():
        return {"system": row["selector"]}
    size, _, tasks = row["size"].partition("*")
    return _selector(tasks, size, row["embedding"], row["distance"])


def _selector(
    tasks: str, size: str = "500", embedding: str = "embed-layer", distance: str = "COS"
) -> dict[str, str]:
    return {
        "tasks": tasks,
        "size": size,
        "embedding": embedding,
        "distance": distance,
        "model": "Qwen2-7B",
    }


def selector_update(row: Row) -> dict[str, str]:
    """`origin` is the selector before the update; everything else is an update of its own."""
    operation, _, step = row["selector"].partition(" ")
    if step == "origin":
        return _selector("6" if row["med_tg"] == "\u2014" else "12")
    return {"operation": operation, "step": step, "ratio": row["ratio"]}


def selector_model(row: Row) -> dict[str, str]:
    return {**_selector("12"), "model": row["model"]}


def _selector_table(
    number: int, keys: tuple[str, ...], values: tuple[str, ...], **more: Any
) -> TableSpec:
    return TableSpec(
        name=f"adapters_selector_t{number}",
        paper=PAPER,
        where=f"Table {number}",
        keys=keys,
        values=(*values, "acc"),
        **more,
    )


SPECS = (
    _selector_table(
        1,
        ("selector", "size", "embedding", "distance"),
        SIX,
        configure=selector,
        means={"acc": equal(*SIX)},
        groups={"legal": LEGAL[:2], "fin": FIN[:2]},
    ),
    _selector_table(
        2,
        ("selector", "size", "embedding", "distance"),
        (*MED, *LEGAL, *FIN),
        configure=selector,
        means={"acc": equal(*MED, *LEGAL, *FIN)},
        groups={"legal": LEGAL, "fin": FIN},
    ),
    _selector_table(
        3,
        ("selector", "ratio"),
        (*MED, *FIN, *LEGAL),
        configure=selector_update,
        means={"acc": equal(*MED, *LEGAL, *FIN)},
        groups={"legal": LEGAL, "fin": FIN},
    ),
    _selector_table(
        4,
        ("model",),
        (*MED, "legal", "fin"),
        configure=selector_model,
        means={"acc": {**equal(*MED), "legal": 4.0, "fin": 4.0}},
    ),
)

TWELVE = {"tasks": ("12",)}
_claim = functools.partial(Claim, paper=PAPER, source="section 5.1", quantities=("acc",))
_bound = functools.partial(BoundClaim, paper=PAPER, source="section 5.1", runs=TWELVE)
_number = functools.partial(NumberClaim, paper=PAPER, source="section 5.3", meant="percent_change")

CLAIMS = (
    _claim(
        name="more_selected_data_helps",
        words="500 and 1000 selected samples a task beat 100",
        says="greater",
        treatment={"size": ("500", "1000")},
        control={"size": ("100",)},
    ),
    _claim(
        name="beyond_500_no_gain",
        words="1000 selected samples gain less than two points over 500",
        says="no_gain",
        margin=0.02,
        treatment={"size": ("1000",)},
        control={"size": ("500",)},
    ),
    _claim(
        name="embedding_layer_beats_m3e",
        words="the embedding layer selects better than m3e in most cases, six tasks",
        says="greater",
        treatment={"embedding": ("embed-layer",), "tasks": ("6",)},
        control={"embedding": ("m3e",), "tasks": ("6",)},
    ),
    _claim(
        name="selector_beats_other_systems",
        words="the selector system beats the two other systems on six tasks",
        says="greater",
        treatment={"system": ("Ours LLM+Selector14",)},
        control={"system": ("MTFCoder", "MoE LoRA")},
    ),
    _claim(
        name="small_model_beats_larger",
        source="section 5.4",
        words="Gemma2B beats Yi1.5-6B and Qwen2-7B",
        says="greater",
        treatment={"model": ("Gemma2B",)},
        control={"model": ("Yi1.5-6B", "Qwen2-7B")},
    ),
)

BOUNDS = (
    _bound(
        name="legal_and_finance_above_90",
        words="with twelve tasks legal and finance tasks stay above 90 %",
        quantities=(*LEGAL, *FIN),
        side="above",
        level=0.9,
    ),
    _bound(
        name="ambiguous_tasks_below_60",
        words="with twelve tasks text generation and question answering are below 60 %",
        quantities=("med_tg", "med_qa"),
        side="below",
        level=0.6,
    ),
    _bound(
        name="extraction_below_65",
        words="with twelve tasks medical information extraction falls below 65 %",
        quantities=("med_ie",),
        side="below",
        level=0.65,
    ),
)

NUMBERS = (
    _number(
        name="balance_loses_extraction",
        words="balancing lowers medical information extraction by 33 %",
        stated="-33",
        first=("adapters_selector_t3", {"selector": "balance mix 3"}, "med_ie"),
        second=("adapters_selector_t3", {"selector": "balance origin"}, "med_ie"),
    ),
    _number(
        name="balance_lifts_generation",
        words="balancing raises text generation by 23 %",
        stated="23",
        first=("adapters_selector_t3", {"selector": "balance mix 3"}, "med_tg"),
        second=("adapters_selector_t3", {"selector": "balance origin"}, "med_tg"),
    ),
    _number(
        name="add_close_to_joint",
        words="adding tasks ends 0.5 % below selector 28",
        stated="-0.5",
        first=("adapters_selector_t3", {"selector": "add mix 3"}, "acc"),
        second=("adapters_selector_t2", {"selector": "28"}, "acc"),
    ),
)

PROXIES = (
    RunProxy(
        paper=PAPER,
        words="scatter of three sizes over three distances, m3e, twelve tasks (Table 2)",
        runs={**TWELVE, "embedding": ("m3e",)},
        factors=("size", "distance"),
    ),
)


def single_shares(tables: Tables) -> list[Finding]:
    """Shares of single adapters whose rank is printed beside them, all ranks together."""
    if "adapters_selector_f4" not in tables:
        return []
    lines = rows(tables["adapters_selector_f4"])
    common: set[Setting] | None = None
    for row in lines:
        target, rank = Printed(row["trainable_pct"]), int(row["rank"])
        fits = set()
        for setting in settings():
            if setting.rank != rank:
                continue
            trained = lora(setting)
            if row["method"] == "DoRA":
                # One magnitude an output beside the two matrices.
                trained += LAYERS * sizes(setting)[1]
            value = share(trained, setting)
            if target.fits(value, value):
                fits.add(dataclasses.replace(setting, rank=0))
        common = fits if common is None else common & fits
    given = sorted(common or ())
    return [
        Finding(
            paper=PAPER,
            where=lines[0]["source"],
            kind="parameter_grid",
            printed=", ".join(
                f"{r['method']} rank {r['rank']} {r['trainable_pct']}" for r in lines
            ),
            recomputed="; ".join(s.words.replace(", rank 0", "") for s in given) or "no match",
            note=f"{len(given)} configurations of the grid give every printed share",
            severity="note",
            confidence="medium",
        )
    ]


AUDIT = Audit(
    specs=SPECS,
    claims=CLAIMS,
    bounds=BOUNDS,
    numbers=NUMBERS,
    proxies=PROXIES,
    further=(single_shares, *CHECKS, functools.partial(numbers_of_copied_rows, NUMBERS)),
)
