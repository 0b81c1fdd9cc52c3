"""The printed tables of the paper, for the audit: columns, what was run, claims in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import product
from typing import Any

from lawcheck.show.audit.declared import (
    Audit,
    Claim,
    Finding,
    NumberClaim,
    Pattern,
    Row,
    RunProxy,
    SpreadClaim,
    Tables,
    TableSpec,
    equal,
)
from lawcheck.show.audit.parameters import (
    DENOMINATORS,
    GATES,
    MODULES,
    VOCABULARIES,
    Mixture,
    Setting,
    lora,
    matches,
    mixture,
    share,
)
from lawcheck.show.audit.schema import Printed, number, rows

PAPER = "discipline_laws"
_finding = functools.partial(Finding, paper=PAPER)
SCIENCE = ("chem", "med", "bio", "math", "geo")
DEFAULTS = {
    "data": "100",
    "upsample": "none",
    "general": "0",
    "rank": "16",
    "experts": "5",
    "design": "plain",
}


def _main(row: Row, **changes: str) -> dict[str, str]:
    """A run of the main paper. Factors that a method does not have are left out."""
    method = row["method"]
    found = {"method": method, **DEFAULTS, "data": row.get("data_pct", "100"), **changes}
    if method != "LoRA-MoE":
        del found["design"]
    if method not in ("LoRA-MoE", "LoRA-Comp"):
        del found["experts"]
    if method == "FT":
        del found["rank"]
    return found


def _base() -> dict[str, str]:
    return {"method": "base"}


def table_2(row: Row) -> dict[str, str]:
    if row["method"].lower().startswith("qwen"):
        return _base()
    if row["method"].startswith("Dis"):
        return _main({"method": "Discipline LoRA"})
    return _main(row, general=row["if_pct_as_printed"])


def table_2_joint(row: Row) -> dict[str, str]:
    """The other reading: a level above 0 is the share of all data, general data fully mixed in."""
    share = row["if_pct_as_printed"]
    if share in ("-", "0"):
        return table_2(row)
    return _main(row, data=share, general="100")


def table_3(row: Row) -> dict[str, str]:
    if row["method"].lower().startswith("qwen"):
        return _base()
    if row["variant"] != "tuned":
        return _main(row)
    design = {"design": "shared A"} if row["method"] == "LoRA-MoE" else {}
    return _main(row, upsample="100K diverse", general="100", **design)


def table_5(row: Row) -> dict[str, str]:
    size = row["upsample"]
    return _main(row, upsample="none" if size == "NA" else f"{size} {row['variant']}")


def table_5_labels(row: Row) -> dict[str, str]:
    """The other reading: a size label holds from its printed line to the next one."""
    return table_5({**row, "upsample": row["upsample_label_position_in_text"]})


def table_6(row: Row) -> dict[str, str]:
    return _main(row, general="100" if row["if_mix"] == "1" else "0")


def table_7(row: Row) -> dict[str, str]:
    kind, _, size = row["variant"].partition("=")
    return _main(row, **{"rank": size} if kind == "r" else {"experts": size})


def table_8(row: Row) -> dict[str, str]:
    return _main(row, design=row["variant"] or "plain")


def _science_table(
    number: int, name: str, configure: Callable[[Row], dict[str, str] | None], **more: Any
) -> TableSpec:
    return TableSpec(
        name=name,
        paper=PAPER,
        where=f"Table {number}",
        keys=("method", "variant", "data_pct", "upsample", "if_mix"),
        values=(*SCIENCE, "avg"),
        configure=configure,
        means={"avg": equal(*SCIENCE)},
        **more,
    )


SPECS = (
    TableSpec(
        name="table2_if",
        paper=PAPER,
        where="Table 2",
        keys=("method", "if_pct_as_printed"),
        values=("science", "ifeval"),
        configure=table_2,
        quantities={"science": "avg"},
        readings={"IF (%) is the share of all data, with general data mixed in": table_2_joint},
    ),
    TableSpec(
        name="table3_final",
        paper=PAPER,
        where="Table 3",
        keys=("method", "variant"),
        values=(*SCIENCE, "avg", "mmlu"),
        configure=table_3,
        means={"avg": equal(*SCIENCE)},
    ),
    _science_table(4, "table4_scales", _main),
    _science_table(
        5,
        "table5_upsample",
        table_5,
        readings={"a size label holds from its printed line on": table_5_labels},
    ),
    _science_table(6, "table6_if_full", table_6),
    _science_table(7, "table7_params", table_7),
    _science_table(8, "table8_design", table_8),
)

MIXED = ("LoRA", "LoRA-MoE", "LoRA-Comp")
SCRATCH = ("LoRA", "LoRA-MoE")
PLAIN: Pattern = {
    "upsample": ("none",),
    "general": ("0",),
    "rank": ("16",),
    "experts": ("5",),
    "design": ("plain",),
}
FULL_DATA: Pattern = {**PLAIN, "data": ("100",)}
ALL_DATA = ("10", "20", "50", "70", "100")
TUNED: Pattern = {"upsample": ("100K diverse",), "general": ("100",)}

_results, _balance, _align, _scale, _share, _recipe = (
    functools.partial(Claim, paper=PAPER, source=f"section {n}")
    for n in ("4", "4.1", "4.2", "4.3", "4.4", "5")
)


def _of(factor: str, treatment: str, control: str) -> dict[str, Any]:
    """A contrast of two levels of one factor."""
    return {"treatment": {factor: (treatment,)}, "control": {factor: (control,)}}


CLAIMS = (
    _results(
        name="multi_below_single",
        words="training on all disciplines lowers the average against single-discipline LoRA",
        says="less",
        treatment={**PLAIN, "method": MIXED},
        control={**PLAIN, "method": ("Discipline LoRA",)},
    ),
    _results(
        name="full_below_adapters",
        words="full fine-tuning falls behind the adapter methods",
        says="less",
        treatment={**FULL_DATA, "method": ("FT",)},
        control={**FULL_DATA, "method": MIXED},
    ),
    _results(
        name="composition_lower_peak",
        words="LoRA-Comp peaks lower than LoRA and LoRA-MoE",
        says="less",
        treatment={**PLAIN, "method": ("LoRA-Comp",), "data": ALL_DATA},
        control={**PLAIN, "method": SCRATCH, "data": ALL_DATA},
        peak=True,
    ),
    _balance(
        name="upsampling_helps",
        words="upsampling scarce disciplines raises the average, all sizes and kinds",
        says="greater",
        treatment={
            "method": MIXED,
            "upsample": ("100K diverse", "100K unique", "300K diverse", "300K unique"),
        },
        control={"method": MIXED, "upsample": ("none",)},
    ),
    _balance(
        name="diverse_100k_helps",
        words="diverse upsampling to 100K raises the average",
        says="greater",
        **_of("upsample", "100K diverse", "none"),
    ),
    *(
        _balance(
            name=f"diverse_beats_unique_{size.lower()}",
            words=f"diverse upsampling consistently beats unique upsampling, {size}",
            says="greater",
            **_of("upsample", f"{size} diverse", f"{size} unique"),
        )
        for size in ("100K", "300K")
    ),
    _balance(
        name="more_upsampling_no_gain",
        words="300K instead of 100K brings no further gain (less than one point), diverse",
        says="no_gain",
        margin=0.01,
        **_of("upsample", "300K diverse", "100K diverse"),
    ),
    _balance(
        name="scarce_disciplines_gain",
        words="diverse upsampling to 100K lifts biology and geography",
        says="greater",
        quantities=("bio", "geo"),
        **_of("upsample", "100K diverse", "none"),
    ),
    _balance(
        name="other_disciplines_gain",
        words="diverse upsampling to 100K also lifts the disciplines that are not upsampled",
        says="greater",
        quantities=("chem", "med", "math"),
        **_of("upsample", "100K diverse", "none"),
    ),
    _align(
        name="tuning_loses_instructions",
        words="every fine-tuned model follows instructions worse than the base model",
        says="less",
        quantities=("ifeval",),
        treatment={"method": MIXED},
        control={"method": ("base",)},
    ),
    _align(
        name="mixing_restores_instructions",
        words="mixing in general data consistently improves instruction following",
        says="greater",
        quantities=("ifeval",),
        treatment={"general": ("70", "100")},
        control={"general": ("0",)},
    ),
    _align(
        name="mixing_lifts_science",
        words="mixing in general data raises the average over disciplines",
        says="greater",
        treatment={"method": MIXED, "general": ("70", "100")},
        control={"method": MIXED, "general": ("0",)},
    ),
    _scale(
        name="rank_no_gain",
        words="ranks 80 and 160 gain less than one point over rank 16",
        says="no_gain",
        margin=0.01,
        treatment={"method": ("LoRA",), "rank": ("80", "160")},
        control={"method": ("LoRA",), "rank": ("16",)},
    ),
    _scale(
        name="experts_no_gain",
        words="10 and 20 experts gain less than one point over 5",
        says="no_gain",
        margin=0.01,
        treatment={"experts": ("10", "20")},
        control={"experts": ("5",)},
    ),
    _share(
        name="shared_expert_no_gain",
        words="a shared expert gains only marginally (less than one point)",
        says="no_gain",
        margin=0.01,
        **_of("design", "shared expert", "plain"),
    ),
    _share(
        name="shared_a_gains",
        words="sharing A improves substantially",
        says="greater",
        **_of("design", "shared A", "plain"),
    ),
    _share(
        name="rank_route_no_gain",
        words="rank-wise routing does not improve (gains less than one point)",
        says="no_gain",
        margin=0.01,
        **_of("design", "rank route", "plain"),
    ),
    *(
        _recipe(
            name=f"recipe_lifts_{name}",
            words=f"the recipe improves {method} over its original setting",
            says="greater",
            treatment={"method": (method,), **TUNED, **more},
            control={"method": (method,), "upsample": ("none",), "general": ("0",), **plain},
        )
        for name, method, more, plain in (
            ("full", "FT", {}, {}),
            ("moe", "LoRA-MoE", {"design": ("shared A",)}, {"design": ("plain",)}),
        )
    ),
    _recipe(
        name="tuned_moe_equals_tuned_full",
        words="tuned LoRA-MoE is comparable to tuned full fine-tuning (within 1.5 points)",
        says="equal",
        margin=0.015,
        treatment={"method": ("LoRA-MoE",), **TUNED},
        control={"method": ("FT",), **TUNED},
    ),
    _recipe(
        name="tuned_moe_better_out_of_domain",
        words="tuned LoRA-MoE is better on MMLU than tuned full fine-tuning",
        says="greater",
        quantities=("mmlu",),
        treatment={"method": ("LoRA-MoE",), **TUNED},
        control={"method": ("FT",), **TUNED},
    ),
)

SPREADS = (
    SpreadClaim(
        name="scarce_disciplines_vary_more",
        paper=PAPER,
        source="section 4.1",
        words="geography and biology vary more over data scales than chemistry and math",
        rough=("bio", "geo"),
        smooth=("chem", "math"),
        runs={**PLAIN, "method": MIXED, "data": ALL_DATA},
        factors=("method", "data"),
    ),
)

NUMBERS = (
    NumberClaim(
        name="gpu_hours",
        paper=PAPER,
        source="section 5",
        words="tuned LoRA-MoE takes 15 % of the GPU hours of tuned full fine-tuning",
        stated="15",
        meant="percent_of",
        first=("table3_final", {"method": "LoRA-MoE", "variant": "tuned"}, "gpu_hours"),
        second=("table3_final", {"method": "FT", "variant": "tuned"}, "gpu_hours"),
    ),
)

PROXIES = (
    RunProxy(
        paper=PAPER,
        words="scatter of four methods over five data scales (Table 4)",
        runs={**PLAIN, "method": (*MIXED, "Discipline LoRA"), "data": ALL_DATA},
        factors=("method", "data"),
    ),
    RunProxy(
        paper=PAPER,
        words="scatter of three methods over three general shares (Table 2)",
        runs={**FULL_DATA, "method": MIXED, "general": ("0", "70", "100")},
        factors=("method", "general"),
    ),
)


def relative_changes(tables: Tables) -> list[Finding]:
    """delta-m of Table 3: mean relative change against Discipline LoRA, in percent."""
    if "table3_final" not in tables:
        return []
    found = []
    lines = rows(tables["table3_final"])
    reference = next((r for r in lines if r["method"] == "Discipline LoRA"), None)
    if reference is None:
        return []
    base = {c: p for c in SCIENCE if (p := number(reference[c])) is not None}
    for line, row in enumerate(lines, 1):
        printed = number(row["delta_m_pct"])
        own = {c: p for c in SCIENCE if (p := number(row[c])) is not None}
        if printed is None or row is reference or own.keys() != base.keys():
            continue
        pairs = [(own[c], base[c]) for c in base]
        low = 100 * sum(a.low / b.high - 1 for a, b in pairs) / len(pairs)
        high = 100 * sum(a.high / b.low - 1 for a, b in pairs) / len(pairs)
        middle = 100 * sum(a.value / b.value - 1 for a, b in pairs) / len(pairs)
        inside = printed.fits(low, high)
        if inside and printed.fits(middle, middle):
            continue
        found.append(
            _finding(
                where=f"Table 3, row {line}, delta_m_pct",
                kind="relative_change",
                printed=printed.text,
                recomputed=f"{middle:.3f}",
                note=(
                    f"rounding of the printed accuracies allows {low:.3f} to {high:.3f}; the "
                    + (
                        "printed value lies inside, so it came from unrounded accuracies"
                        if inside
                        else "printed value lies outside"
                    )
                ),
                severity="note" if inside else "error",
                confidence="high",
            )
        )
    return found


def corpus_totals(tables: Tables) -> list[Finding]:
    """Table 1: sums, shares and the sample-weighted mean length of the total row."""
    if "table1_corpus" not in tables:
        return []
    lines = rows(tables["table1_corpus"])
    total = next((k for k, r in enumerate(lines) if r["discipline"] == "Total"), None)
    if total is None:
        return []
    last, parts = lines[total], [r for k, r in enumerate(lines) if k != total]
    size = [float(r["samples"]) for r in parts]
    found = []

    def add(line: int, column: str, kind: str, low: float, high: float, note: str) -> None:
        printed = Printed(lines[line][column])
        if not printed.fits(low, high):
            found.append(
                _finding(
                    where=f"Table 1, row {line + 1}, {column}",
                    kind=kind,
                    printed=printed.text,
                    recomputed=f"{(low + high) / 2:.2f}",
                    note=note,
                    severity="error",
                    confidence="high",
                )
            )

    for column in ("samples", "unique_tokens"):
        value = sum(float(r[column]) for r in parts)
        add(total, column, "total", value, value, "sum over the disciplines")
    for k, row in enumerate(lines):
        share = 100 * float(row["samples"]) / sum(size)
        add(k, "pct", "share", share, share, "share of the summed samples")
    lengths = [Printed(r["avg_len_words"]) for r in parts]
    low = sum(n * p.low for n, p in zip(size, lengths, strict=True)) / sum(size)
    high = sum(n * p.high for n, p in zip(size, lengths, strict=True)) / sum(size)
    simple = sum(p.value for p in lengths) / len(lengths)
    note = (
        f"sample-weighted mean of the disciplines' lengths; their simple mean is {simple:.2f}, "
        f"which is not the printed value either"
        if not Printed(last["avg_len_words"]).fits(simple, simple)
        else "sample-weighted mean; the printed value is the simple mean"
    )
    add(total, "avg_len_words", "weighted_mean", low, high, note)
    return found


def mixture_shares(tables: Tables) -> list[Finding]:
    """The three shares of Table 3: alone, all together, and with what the text states."""
    if "table3_final" not in tables:
        return []
    printed = _printed_shares(tables)
    if len(printed) < len(KINDS):
        return []
    single = {kind: matches(printed[kind], kind) for kind in KINDS}
    mixed = {kind: {(s, m) for s, m in single[kind]} for kind in ("mixture", "shared_a")}
    alone = {s for s, _ in single["lora"]}
    joint = sorted((s, m) for s, m in mixed["mixture"] & mixed["shared_a"] if s in alone)
    text = ", ".join(f"{kind} {printed[kind].text}" for kind in KINDS)
    found = [
        _finding(
            where="Table 3, param_pct",
            kind="parameter_grid",
            printed=text,
            recomputed="; ".join(f"{s.words}, {m.words}" for s, m in joint if m) or "no match",
            note=(
                f"{len(joint)} configurations of the grid give all three shares; alone "
                + ", ".join(f"{kind} is given by {len(single[kind])}" for kind in KINDS)
            ),
            severity="note",
            confidence="medium",
        )
    ]
    stated = _as_stated()
    own = [f"{kind} {min(v):.3f} to {max(v):.3f}" for kind, v in stated.items()]
    if not all(any(printed[kind].fits(v, v) for v in values) for kind, values in stated.items()):
        found.append(
            _finding(
                where="Table 3, param_pct, and section 3",
                kind="parameter_share",
                printed=text,
                recomputed=", ".join(own),
                note=(
                    "rank 16 on all attention and feed-forward projections, five experts, as the "
                    "text states, under every gate, vocabulary and denominator of the grid"
                ),
                severity="warning",
                confidence="medium",
            )
        )
    return found


KINDS = ("lora", "mixture", "shared_a")


def _printed_shares(tables: Tables) -> dict[str, Printed]:
    lines = {(r["method"], r["variant"]): r["param_pct"] for r in rows(tables["table3_final"])}
    cells = {
        "lora": lines.get(("Discipline LoRA", ""), "").partition("\u00d7")[0],
        "mixture": lines.get(("LoRA-MoE", "ori."), ""),
        "shared_a": lines.get(("LoRA-MoE", "tuned"), ""),
    }
    return {kind: Printed(text) for kind, text in cells.items() if text}


def _as_stated() -> dict[str, list[float]]:
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for vocabulary, denominator, gate in product(VOCABULARIES, DENOMINATORS, GATES):
        setting = Setting(tuple(MODULES), 16, vocabulary, denominator)
        more = Mixture(5, gate)
        found["lora"].append(share(lora(setting), setting))
        found["mixture"].append(share(mixture(setting, more, False), setting))
        found["shared_a"].append(share(mixture(setting, more, True), setting))
    return found


AUDIT = Audit(
    specs=SPECS,
    claims=CLAIMS,
    spreads=SPREADS,
    numbers=NUMBERS,
    proxies=PROXIES,
    components={"avg": dict.fromkeys(SCIENCE, 1 / len(SCIENCE))},
    sizes=("test_sizes", "column"),
    arithmetic=(relative_changes, corpus_totals),
    further=(mixture_shares,),
)
