"""The printed tables of VersaTune, for the audit: columns, what was run, claims in words."""

from __future__ import annotations

import functools
from typing import Any

from lawcheck.show.audit.arithmetic import weighted
from lawcheck.show.audit.declared import (
    Audit,
    Claim,
    Finding,
    Row,
    RunProxy,
    Tables,
    TableSpec,
    equal,
)
from lawcheck.show.audit.schema import number, present, rows
from lawcheck.studies.versatune.released import (
    BENCHMARKS,
    CHECKS,
    DOMAINS,
    PAPER,
    benchmarks,
    leads,
)


def versatune(row: Row) -> dict[str, str]:
    return {"model": row["model"], "method": row["method"]}


def _versatune_table(where: str, name: str, columns: tuple[str, ...], **more: Any) -> TableSpec:
    return TableSpec(
        name=name,
        paper=PAPER,
        where=where,
        keys=("model", "method"),
        values=columns,
        configure=versatune,
        block="model",
        unit=100.0,
        **{"arrows": "Uniform Distribution", **more},
    )


SPECS = (
    _versatune_table(
        "Table 1", "versatune_main", (*DOMAINS, "avg"), means={"avg": equal(*DOMAINS)}
    ),
    _versatune_table(
        "Table 4",
        "versatune_constant_ablation",
        (*DOMAINS, "avg"),
        means={"avg": equal(*DOMAINS)},
        arrows="VersaTune",
    ),
    *(
        _versatune_table(f"Table {number}", f"versatune_bench_{'_'.join(pair)}", pair)
        for number, pair in enumerate(BENCHMARKS.values(), 5)
    ),
)

_claim = functools.partial(Claim, paper=PAPER, quantities=DOMAINS)

CLAIMS = (
    _claim(
        name="versatune_beats_uniform",
        source="section 4.3",
        words="VersaTune beats the uniform mixture in every domain",
        says="greater",
        treatment={"method": ("VersaTune",)},
        control={"method": ("Uniform Distribution",)},
    ),
    _claim(
        name="inverse_below_uniform",
        source="section 4.3",
        words="the inverse mixture is worse than the uniform mixture",
        says="less",
        treatment={"method": ("Inverse Distribution",)},
        control={"method": ("Uniform Distribution",)},
    ),
    _claim(
        name="dynamic_beats_constant",
        source="section 5",
        words="dynamic weights beat constant weights in every domain",
        says="greater",
        treatment={"method": ("VersaTune",)},
        control={"method": ("VersaTune Constant",)},
    ),
)

PROXIES = (
    RunProxy(
        paper=PAPER,
        words="scatter of seven models over the uniform and the inverse mixture (Table 1)",
        runs={"method": ("Uniform Distribution", "Inverse Distribution")},
        factors=("model", "method"),
    ),
)


def domain_scores(tables: Tables) -> list[Finding]:
    """VersaTune's domain scores against the mean of the domain's two benchmarks."""
    bench = benchmarks(tables)
    found = []
    for spec, frame in present(tables):
        if spec.paper != PAPER or not set(DOMAINS) <= set(spec.values):
            continue
        for line, row in enumerate(rows(frame), 1):
            for domain in DOMAINS:
                own = bench.get((row["model"], row["method"]), {})
                parts = {c: own[c] for c in BENCHMARKS[domain] if c in own}
                printed = number(row[domain])
                if printed is None or len(parts) < len(BENCHMARKS[domain]):
                    continue
                low, high = weighted(parts, dict.fromkeys(parts, 1.0))
                if printed.fits(low, high):
                    continue
                middle = (low + high) / 2
                off = printed.value - middle
                # One unit of the last digit is a second rounding, not a contradiction.
                small = abs(off) <= 3 * printed.half
                values = " and ".join(f"{c} {p.text}" for c, p in parts.items())
                found.append(
                    Finding(
                        paper=spec.paper,
                        where=f"{spec.where}, row {line}, {domain}",
                        kind="domain_score",
                        printed=printed.text,
                        recomputed=f"{middle:.3f}",
                        note=(
                            f"{row['model']}, {row['method']}: mean of {values}; off by {off:+.3f}"
                        ),
                        severity="note" if small else "error",
                        confidence="medium" if small else "high",
                    )
                )
    return found


AUDIT = Audit(
    specs=SPECS,
    claims=CLAIMS,
    proxies=PROXIES,
    components={d: dict.fromkeys(pair, 1 / 2) for d, pair in BENCHMARKS.items()},
    sizes=("versatune_benchmarks", "benchmark"),
    arithmetic=(domain_scores, leads),
    further=CHECKS,
)
