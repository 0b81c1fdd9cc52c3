"""Adapters Selector's printed tables against each other, its words and its released test files.

Released: tirant35/TASA at commit e346309.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence

from lawcheck.show.audit.declared import (
    Finding,
    NumberClaim,
    Row,
    Tables,
)
from lawcheck.show.audit.schema import Printed, number, rows

PAPER = "adapters_selector"
MED, LEGAL, FIN = (
    ("med_ie", "med_mc", "med_tg", "med_qa"),
    ("legal_ie", "legal_mc", "legal_ji", "legal_jw"),
    ("fin_re", "fin_sa", "fin_ha", "fin_cm"),
)
TWELVE = (*MED, *LEGAL, *FIN)
SIX = ("med_ie", "med_mc", "legal_ie", "legal_mc", "fin_re", "fin_sa")
# Items a task in test_exp1_982.json and test_exp2_265.json.
RELEASED = {1: 982, 2: 265, 3: 265, 4: 265}
LARGEST = 1000
# Tasks that are scored by BERTScore-F1 when answered: section 4.3.
GENERATED = ("med_ie", "fin_re")
SYSTEMS = {"MTFCoder": "MFTCoder", "MoE LoRA": "MoE LoRA", "Ours LLM+Selector14": "selector 14"}
OURS = "Ours LLM+Selector14"


def table(number: int) -> str:
    return f"{PAPER}_t{number}"


def lines(tables: Tables, which: int) -> list[dict[str, str]]:
    return rows(tables[table(which)]) if table(which) in tables else []


_finding = functools.partial(Finding, PAPER)


def _cells(row: Row, columns: Sequence[str]) -> dict[str, Printed]:
    return {c: p for c in columns if (p := number(row.get(c, ""))) is not None}


def counts(printed: Printed, items: int) -> bool:
    """Whether a share is printed like this for some number of right answers among the items."""
    nearest = round(printed.value * items)
    return any(
        0 <= k <= items and printed.fits(k / items, k / items)
        for k in (nearest - 1, nearest, nearest + 1)
    )


def items_of_a_task(tables: Tables) -> list[Finding]:
    """Test items a task: every value of a table's selectors at once is k of that many."""
    found = []
    for which in RELEASED:
        own = [
            _cells(r, TWELVE if which < 4 else MED)
            for r in lines(tables, which)
            if r.get("selector") not in SYSTEMS
        ]
        values = {p.text for cells in own for p in cells.values()}
        if not values:
            continue
        size = RELEASED[which]
        fitting = [n for n in range(2, LARGEST) if all(counts(Printed(v), n) for v in values)]
        odd = [
            k for k, cells in enumerate(own, 1) if not all(counts(p, size) for p in cells.values())
        ]
        if not odd:
            note = f"the released test file has {size} items a task, which fits every value"
        else:
            fits = all(counts(p, RELEASED[1]) for k in odd for p in own[k - 1].values())
            note = (
                f"the released test file has {size} items a task, which fits every row but "
                f"{', '.join(map(str, odd))}; "
                + (f"{RELEASED[1]} items, the test of six tasks, fit" if fits else "nothing fits")
                + " there, so that rows of one table are scored on different items"
            )
        found.append(
            _finding(
                f"Table {which}",
                "items_a_task",
                f"{len(values)} distinct values",
                ", ".join(map(str, fitting[:4]))
                + (f" and {len(fitting) - 4} more" * (len(fitting) > 4)),
                f"sizes below {LARGEST} at which every value is k/n; {note}",
                "note" if not odd else "warning",
            )
        )
    return found


def impossible_averages(tables: Tables) -> list[Finding]:
    """Averages that no value of two equal neighbours explains, should one be a copy."""
    found = []
    for line, row in enumerate(lines(tables, 2), 1):
        cells, printed = _cells(row, TWELVE), number(row["acc"])
        pairs = [
            (a, b) for a, b in itertools.pairwise(TWELVE)
            if row[a] == row[b] and cells[a].value < 0.9
        ]  # fmt: skip
        if printed is None or not pairs:
            continue
        a, b = pairs[0]
        rest = sum(min(p.high, 1.0) for c, p in cells.items() if c not in (a, b))
        most = (rest + 2) / len(cells)
        if printed.low > most:
            found.append(
                _finding(
                    f"Table 2, row {line}, acc",
                    "impossible_average",
                    printed.text,
                    f"{most:.4f} at most",
                    f"{a} and {b} are both {row[a]}, as if one were a copy, but even with 1 in "
                    f"both the mean stays below; the average is of other numbers than the row's",
                    "error",
                )
            )
    return found


def best_by_average(tables: Tables) -> list[Finding]:
    """Blocks of one size and embedding whose best average is not that of its cells."""
    found = []
    blocks: dict[tuple[str, str], list[tuple[int, dict[str, str]]]] = {}
    for line, row in enumerate(lines(tables, 2), 1):
        blocks.setdefault((row["size"], row["embedding"]), []).append((line, row))
    for (size, embedding), own in blocks.items():
        means = {line: _mean(_cells(r, TWELVE)) for line, r in own}
        stated = max(own, key=lambda pair: float(pair[1]["acc"]))[0]
        best = max(means, key=lambda line: means[line])
        if stated != best:
            names = {line: r["selector"] for line, r in own}
            found.append(
                _finding(
                    f"Table 2, size {size}, {embedding}",
                    "best_of_block",
                    f"selector {names[stated]}",
                    f"selector {names[best]}",
                    f"the best by the printed averages has a mean of {means[stated]:.4f}, the best "
                    f"by its cells {means[best]:.4f}",
                )
            )
    return found


def _mean(cells: Mapping[str, Printed]) -> float:
    return sum(p.value for p in cells.values()) / len(cells)


def numbers_of_copied_rows(numbers: Sequence[NumberClaim], tables: Tables) -> list[Finding]:
    """Numbers of the prose that come from a row equal to one above it, of another experiment."""
    found = []
    for claim in numbers:
        name, keys, column = claim.first
        if name not in tables or not name.startswith(PAPER):
            continue
        whole = rows(tables[name])
        mine = next((r for r in whole if all(r[k] == v for k, v in keys.items())), None)
        if mine is None:
            continue
        values = {c: p.value for c, p in _cells(mine, TWELVE).items()}
        above = whole[: whole.index(mine)]
        same = [r for r in above if {c: p.value for c, p in _cells(r, TWELVE).items()} == values]
        if same:
            first = same[0]["selector"]
            found.append(
                _finding(
                    claim.where,
                    "number_of_copied_row",
                    f"{claim.stated} %, from {column} {mine[column]} of {mine['selector']}",
                    f"row {first}",
                    f"every cell of {mine['selector']} equals {first}, an update of another "
                    f"selector, so that the number is a difference of unrelated runs",
                )
            )
    return found


def retention(tables: Tables) -> list[Finding]:
    """What deletion keeps, against the words `98.9% of the performance with only 0.1%`."""
    by = {r["selector"]: r for r in lines(tables, 3)}
    if not {"delete 1", "delete origin"} <= set(by):
        return []
    row, first = by["delete 1"], by["delete origin"]
    gone = ("med_tg", "med_qa")
    kept = [c for c in TWELVE if c not in gone]
    before, after = _mean(_cells(first, kept)), _mean(_cells(row, kept))
    return [
        _finding(
            "section 5.3, delete",
            "ratio_unit",
            "0.1 % retention",
            f"ratio {row['ratio']}, {100 * float(row['ratio']):g} %",
            "the column is a share, and section 4.3 names 10, 30 and 50 percent; a hundred times "
            "the data that the sentence says",
        ),
        _finding(
            "section 5.3, delete",
            "retained_performance",
            "98.9 % of the performance",
            f"{after:.3f} from {before:.3f}",
            f"{row['acc']} is the accuracy on the ten tasks left, not a share of what was there: "
            f"on the same ten tasks the selector had {before:.3f} before",
        ),
    ]


def zeros(tables: Tables) -> list[Finding]:
    """One table, two averages: zeros counted in some rows and left out in others."""
    counted: list[int] = []
    left_out: list[int] = []
    for line, row in enumerate(lines(tables, 3), 1):
        cells, printed = _cells(row, TWELVE), number(row["acc"])
        rest = {c: p for c, p in cells.items() if p.value != 0}
        if printed is None or len(rest) == len(cells):
            continue
        near = abs(_mean(cells) - printed.value), abs(_mean(rest) - printed.value)
        (counted if near[0] < near[1] else left_out).append(line)
    if not counted or not left_out:
        return []
    return [
        _finding(
            "Table 3, acc",
            "zeros",
            f"rows {', '.join(map(str, counted))}",
            f"rows {', '.join(map(str, left_out))}",
            "averages of the former count tasks printed as 0, those of the latter leave them out; "
            "the two kinds cannot be compared",
        )
    ]


def embedding_lead(tables: Tables) -> list[Finding]:
    """Pairs of selectors that differ in their embedding, against `0.5% to 1% higher`."""
    found = []
    for which in (1, 2):
        acc = {
            (r["size"], r["distance"], r["embedding"]): Printed(r["acc"])
            for r in lines(tables, which)
            if r["selector"] not in SYSTEMS
        }
        leads = {
            key[:2]: 100 * (p.value - acc[*key[:2], "m3e"].value)
            for key, p in acc.items()
            if key[2] == "embed-layer" and (*key[:2], "m3e") in acc
        }
        inside = [lead for lead in leads.values() if 0.45 <= lead <= 1.05]
        if leads and len(inside) <= len(leads) / 2:
            found.append(
                _finding(
                    f"section 5.1, Table {which}",
                    "embedding_lead",
                    "0.5 % to 1 % in most cases",
                    f"{len(inside)} of {len(leads)}",
                    f"leads of the embedding layer over m3e at equal size and distance, in points: "
                    f"{', '.join(f'{lead:+.1f}' for lead in leads.values())}",
                )
            )
    return found


def absent(tables: Tables) -> list[Finding]:
    """What the prose concludes from selectors that no table has."""
    found = []
    whole = [r for which in (1, 2) for r in lines(tables, which)]
    ip = [r["embedding"] for r in whole if r["distance"] == "IP"]
    if ip and "embed-layer" not in ip:
        found.append(
            _finding(
                "section 5.1",
                "absent_rows",
                "embedding layer and IP select too few rows to train a selector",
                "no such row in Tables 1 and 2",
                "the conclusion has no printed number; how many rows any selection kept is not "
                "printed either",
            )
        )
    if any(r["selector"] in SYSTEMS for r in whole):
        found.append(
            _finding(
                "section 5.1, Table 1",
                "absent_rows",
                "adapters keep their capability behind the selector",
                "no row of an adapter alone",
                "what a wrong choice costs is the routed system against the right adapter of every "
                "item; without that row, retention is not measured",
            )
        )
    return found


def systems(tables: Tables) -> list[Finding]:
    """Tasks on which another system beats the selector's, and what its average mixes."""
    by = {r["selector"]: r for r in lines(tables, 1) if r["selector"] in SYSTEMS}
    if OURS not in by:
        return []
    ours = _cells(by[OURS], SIX)
    found = []
    for name, row in by.items():
        worse = [c for c, p in _cells(row, SIX).items() if p.value > ours[c].value]
        if name != OURS and worse:
            found.append(
                _finding(
                    f"Table 1, {name}",
                    "beaten",
                    "superior performance to MFTCoder and MoELoRA",
                    ", ".join(f"{c} {row[c]} against {by[OURS][c]}" for c in worse),
                    f"{SYSTEMS[name]} is ahead on {len(worse)} of {len(ours)} tasks",
                    "note",
                )
            )
    found.append(
        _finding(
            "Table 1, rows 16 to 18, acc",
            "mixed_metrics",
            "acc",
            f"{len(SIX) - len(GENERATED)} accuracies, {len(GENERATED)} BERTScore-F1",
            f"{' and '.join(GENERATED)} are scored by BERTScore-F1 (section 4.3), whose floor is "
            f"far above 0; the average is no accuracy",
        )
    )
    return found


def selector_28(tables: Tables) -> list[Finding]:
    """`Except for selector28 which affects the performance of SA tasks`, against the table."""
    own = {r["selector"]: float(r["fin_sa"]) for r in lines(tables, 2) if r["size"] != "100*12"}
    if "28" not in own:
        return []
    lowest = min(own, key=lambda name: own[name])
    if lowest == "28":
        return []
    return [
        _finding(
            "section 5.1, selector28",
            "named_selector",
            f"selector 28, fin_sa {own['28']:.3f}",
            f"selector {lowest}, fin_sa {own[lowest]:.3f}",
            "of the selectors with 500 and 1000 samples a task, another one loses on SA, and the "
            "one that is named does not",
            confidence="medium",
        )
    ]


def pissa(tables: Tables) -> list[Finding]:
    """Figure 4's PiSSA: what the released script trains does not survive saving."""
    if f"{PAPER}_f4" not in tables:
        return []
    return [
        _finding(
            "section 5.2, Figure 4",
            "artefact",
            "PiSSA's performance is subpar",
            'init_lora_weights = "pissa_niter_4" (train_selector.py)',
            "peft draws the randomised decomposition again when such an adapter is loaded, so that "
            "the loaded model is not the trained one; Figure 4 prints no accuracies that would "
            "tell the two apart",
            confidence="medium",
        )
    ]


CHECKS = (
    items_of_a_task,
    impossible_averages,
    best_by_average,
    retention,
    zeros,
    embedding_lead,
    absent,
    systems,
    selector_28,
    pissa,
)
