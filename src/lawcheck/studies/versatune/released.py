"""The released code of VersaTune against its printed tables: rows drawn, names, sizes, leads.

What is read of 8023looker/VersaTune at commit 9f7b2ea stands in `printed` beside the tables.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from lawcheck.show.audit.arithmetic import weighted
from lawcheck.show.audit.declared import Finding, Tables
from lawcheck.show.audit.schema import Printed, number, rows

PAPER = "versatune"
DOMAINS = ("law", "medical", "finance", "science", "code", "general")
BENCHMARKS = {
    "law": ("legalbench", "lawbench"),
    "medical": ("medqa", "medmcqa"),
    "finance": ("fineval", "financeiq"),
    "science": ("scieval", "mmlu-sci"),
    "code": ("humaneval", "mbpp"),
    "general": ("agieval", "hellaswag"),
}
# Rows of a pass over all domains, and passes: utils.py, run_multi_ability.sh.
ROWS, PASSES = 60_000, 4
# Texts drawn of each model, and the share without a domain that shares of 0.05 may depend on.
DRAWN, MOST_LOST = 10_000, 0.05
METHODS = {
    "uniform_distribution": "Uniform Distribution",
    "inverse_distribution": "Inverse Distribution",
    "versatune_constant": "VersaTune Constant",
    "versatune_dynamic": "VersaTune",
}
# Benchmarks whose stated size is that of something else than a part with answers to test on.
SIZES = {
    "hellaswag": (10003, "the size of its test part, whose answers are not public; its validation "
                  "part, which others score, has 10,042"),
    "mbpp": (974, "all its parts together, training rows and examples of prompts included; its "
             "test part has 500"),
}  # fmt: skip


_finding = functools.partial(Finding, PAPER)


def benchmarks(tables: Tables) -> dict[tuple[str, str], dict[str, Printed]]:
    """(model, method) -> benchmark -> its printed score, of Tables 5 to 10."""
    found: dict[tuple[str, str], dict[str, Printed]] = {}
    for pair in BENCHMARKS.values():
        name = f"versatune_bench_{'_'.join(pair)}"
        for row in rows(tables[name]) if name in tables else ():
            own = found.setdefault((row["model"], row["method"]), {})
            own |= {c: p for c in pair if (p := number(row[c])) is not None}
    return found


def leads(tables: Tables) -> list[Finding]:
    """VersaTune's lead of the average, where that of the other row holds a mistyped cell."""
    name = "versatune_constant_ablation"
    if name not in tables:
        return []
    scores, lines = benchmarks(tables), list(rows(tables[name]))
    best = {r["model"]: number(r["avg"]) for r in lines if r["method"] == "VersaTune"}
    found = []
    for line, row in enumerate(lines, 1):
        printed, top = number(row["avg"]), best.get(row["model"])
        own = scores.get((row["model"], row["method"]), {})
        if printed is None or top is None or row["method"] == "VersaTune":
            continue
        cells, wrong = {}, []
        for domain in DOMAINS:
            cell, parts = number(row[domain]), [own.get(c) for c in BENCHMARKS[domain]]
            if cell is None or None in parts:
                break
            low, high = weighted({c: own[c] for c in BENCHMARKS[domain]}, dict.fromkeys(own, 1.0))
            cells[domain] = (low + high) / 2
            # One unit of the last digit is a second rounding.
            if abs(cell.value - cells[domain]) > 3 * cell.half:
                wrong.append(domain)
        if len(cells) < len(DOMAINS) or not wrong:
            continue
        average = sum(cells.values()) / len(cells)
        found.append(
            _finding(
                f"Table 4, row {line}, avg",
                "lead",
                f"{top.value - printed.value:.2f}",
                f"{top.value - average:.2f}",
                f"{row['model']}: the average {printed.text} of {row['method']} is that of a "
                f"mistyped {' and '.join(wrong)} cell; of the benchmarks it is {average:.2f}, and "
                f"the lead of VersaTune shrinks",
                "error",
            )
        )
    return found


def names(tables: Tables) -> list[Finding]:
    """Rows of the released score file that carry another model's name than the printed ones."""
    if "versatune_released_scores" not in tables:
        return []
    printed = benchmarks(tables)
    models: dict[str, set[str]] = {}
    for row in rows(tables["versatune_released_scores"]):
        method = METHODS[row["method"]]
        for (model, other), scores in printed.items():
            same = {c: p.text for c, p in scores.items()}
            if other == method and same and all(row[c] == text for c, text in same.items()):
                models.setdefault(row["name"], set()).add(model)
    return [
        _finding(
            "released scores, domain_score.json",
            "name",
            name,
            model,
            f"the rows named {name} hold, digit for digit, what Tables 5 to 10 print for {model}; "
            f"which of the two models was trained cannot be told from them",
        )
        for name, found in sorted(models.items())
        for model in sorted(found)
        if _letters(name) != _letters(model)
    ]


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def sizes(tables: Tables) -> list[Finding]:
    """Corpora and benchmarks whose printed sizes are not those that were used, or usable."""
    found = []
    if {"versatune_corpus", "versatune_released_corpus"} <= set(tables):
        released = {r["dataset"]: r["samples"] for r in rows(tables["versatune_released_corpus"])}
        for line, row in enumerate(rows(tables["versatune_corpus"]), 1):
            other = released.get(row["dataset"], row["samples"])
            if other != row["samples"]:
                found.append(
                    _finding(
                        f"Table 2, row {line}, samples",
                        "size",
                        f"{int(row['samples']):,}",
                        f"{int(other):,}",
                        f"{row['dataset']}: the released code counts another number of rows, which "
                        f"decides whether rows are drawn with replacement",
                    )
                )
    stated = tables.get("versatune_benchmarks")
    for line, row in enumerate(rows(stated) if stated is not None else (), 1):
        size, what = SIZES.get(row["benchmark"], (None, ""))
        if row["n_items"] == str(size):
            found.append(
                _finding(
                    f"Table 3, row {line}, n_items",
                    "size",
                    f"{size:,}",
                    "another part",
                    f"{row['benchmark']}: {what}",
                    confidence="medium",
                )
            )
    return found


def distinct(rows_there: int, drawn: float) -> float:
    """Distinct rows expected among those drawn: all, or with replacement beyond what is there."""
    if drawn <= rows_there:
        return drawn
    return rows_there * (1 - (1 - 1 / rows_there) ** drawn)


def _shares(tables: Tables) -> Iterator[tuple[str, Mapping[str, float]]]:
    yield "even shares", dict.fromkeys(DOMAINS, 1 / len(DOMAINS))
    for row in rows(tables["versatune_detected_counts"]):
        counts = {d: float(row[d]) for d in DOMAINS}
        whole = sum(counts.values())
        yield f"detected shares of {row['model']}", {d: n / whole for d, n in counts.items()}


def replacement(tables: Tables) -> list[Finding]:
    """Domains of which more rows are drawn than there are: `random.choices` repeats some."""
    if not {"versatune_released_corpus", "versatune_detected_counts"} <= set(tables):
        return []
    there = {r["domain"]: int(r["samples"]) for r in rows(tables["versatune_released_corpus"])}
    return [
        _finding(
            "released code, utils.py",
            "replacement",
            f"{share * ROWS:,.0f} rows of {domain}",
            f"{distinct(there[domain], share * ROWS):,.0f} distinct",
            f"{what}: {there[domain]:,} rows are there, so that they are drawn with replacement; "
            f"weight and repetition change together",
            confidence="medium",
        )
        for what, shares in _shares(tables)
        for domain, share in shares.items()
        if share * ROWS > there[domain]
    ]


def redrawn(tables: Tables) -> list[Finding]:
    """How many distinct rows `constant`, drawn once, and `dynamic`, drawn every epoch, see."""
    if not {"versatune_released_corpus", "versatune_detected_counts"} <= set(tables):
        return []
    there = {r["domain"]: int(r["samples"]) for r in rows(tables["versatune_released_corpus"])}
    found = []
    for what, shares in _shares(tables):
        once = {d: distinct(there[d], s * ROWS) for d, s in shares.items()}
        often = {d: there[d] * (1 - (1 - once[d] / there[d]) ** PASSES) for d in shares}
        if what != "even shares":
            found.append(
                _finding(
                    "Table 4, VersaTune against VersaTune Constant",
                    "redrawn",
                    f"{sum(once.values()):,.0f} distinct rows",
                    f"{sum(often.values()):,.0f} distinct rows",
                    f"{what}: the released scripts draw the constant mixture once for "
                    f"{PASSES} epochs and the dynamic one in every epoch, so that it sees more of "
                    f"the corpus even where its shares do not move",
                    confidence="medium",
                )
            )
    return found


def unread(tables: Tables) -> list[Finding]:
    """Generated texts without a domain, which the shares leave out."""
    if "versatune_detected_counts" not in tables:
        return []
    found = []
    for row in rows(tables["versatune_detected_counts"]):
        total = sum(int(row[d]) for d in DOMAINS)
        lost = 1 - total / DRAWN
        if lost > MOST_LOST:
            found.append(
                _finding(
                    f"Figure 5, {row['model']}",
                    "detection",
                    f"{total:,} texts",
                    f"{DRAWN:,} texts",
                    f"{100 * lost:.0f} % of the generated texts got no readable domain and were "
                    f"left out; how they would divide is not known",
                    confidence="medium",
                )
            )
    return found


CHECKS = (names, sizes, replacement, redrawn, unread)
