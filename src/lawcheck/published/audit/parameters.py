"""Which adapter configurations give the published shares of trainable parameters.

The grid: adapted modules x rank x experts x gate x vocabulary rows x denominator. Shapes are
those of Qwen2.5-7B (and Qwen2-7B, which has the same), from its configuration file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

from lawcheck.published.audit.finding import Finding
from lawcheck.published.audit.schema import Printed, Tables, rows

LAYERS, HIDDEN, KEY_VALUE, INNER = 28, 3584, 512, 18944
# (inputs, outputs) of every projection of a decoder layer.
MODULES = {
    "q": (HIDDEN, HIDDEN),
    "k": (HIDDEN, KEY_VALUE),
    "v": (HIDDEN, KEY_VALUE),
    "o": (HIDDEN, HIDDEN),
    "gate": (HIDDEN, INNER),
    "up": (HIDDEN, INNER),
    "down": (INNER, HIDDEN),
}
# Rows of the configuration, of the tokenizer with its added tokens, and without them.
VOCABULARIES = (152064, 151665, 151643)
RANKS = (4, 8, 16, 32, 64)
EXPERTS = (2, 3, 4, 5, 6, 7, 8)
GATES = ("none", "per layer", "per module")
DENOMINATORS = ("base", "base and adapters")


@dataclass(frozen=True, order=True)
class Setting:
    """What the three published shares have in common."""

    modules: tuple[str, ...]
    rank: int
    vocabulary: int
    denominator: str

    @property
    def words(self) -> str:
        return (
            f"{'+'.join(self.modules)}, rank {self.rank}, {self.vocabulary} vocabulary rows, "
            f"share of {self.denominator}"
        )


@dataclass(frozen=True, order=True)
class Mixture:
    """The part that only a mixture of experts has."""

    experts: int
    gate: str

    @property
    def words(self) -> str:
        return f"{self.experts} experts, gate {self.gate}"


@functools.cache
def base_parameters(vocabulary: int) -> int:
    """Qwen2.5-7B: projections, biases of q, k, v, norms, untied embeddings and head."""
    layer = sum(i * o for i, o in MODULES.values()) + HIDDEN + 2 * KEY_VALUE + 2 * HIDDEN
    return LAYERS * layer + HIDDEN + 2 * vocabulary * HIDDEN


def share(trained: int, setting: Setting) -> float:
    """Trainable share in percent."""
    whole = base_parameters(setting.vocabulary)
    return 100 * trained / (whole + (trained if setting.denominator != "base" else 0))


def lora(setting: Setting) -> int:
    inputs, outputs = _sizes(setting)
    return LAYERS * setting.rank * (inputs + outputs)


def mixture(setting: Setting, more: Mixture, shared_a: bool) -> int:
    inputs, outputs = _sizes(setting)
    copies = 1 if shared_a else more.experts
    weights = setting.rank * (copies * inputs + more.experts * outputs)
    gate = {"none": 0, "per layer": HIDDEN, "per module": inputs}[more.gate] * more.experts
    return LAYERS * (weights + gate)


@functools.cache
def _sizes(setting: Setting) -> tuple[int, int]:
    return (
        sum(MODULES[m][0] for m in setting.modules),
        sum(MODULES[m][1] for m in setting.modules),
    )


def settings() -> Iterator[Setting]:
    chosen = [c for n in range(1, len(MODULES) + 1) for c in combinations(MODULES, n)]
    for modules, rank, vocabulary, denominator in product(
        chosen, RANKS, VOCABULARIES, DENOMINATORS
    ):
        yield Setting(modules, rank, vocabulary, denominator)


def matches(target: Printed, kind: str) -> list[tuple[Setting, Mixture | None]]:
    """Every configuration of the grid that is printed like `target`.

    kind: `lora`, `mixture` or `shared_a`.
    """
    found: list[tuple[Setting, Mixture | None]] = []
    for setting in settings():
        if kind == "lora":
            value = share(lora(setting), setting)
            if target.fits(value, value):
                found.append((setting, None))
            continue
        for more in (Mixture(e, g) for e, g in product(EXPERTS, GATES)):
            value = share(mixture(setting, more, kind == "shared_a"), setting)
            if target.fits(value, value):
                found.append((setting, more))
    return found


def check(tables: Tables) -> list[Finding]:
    return [*mixture_shares(tables), *single_shares(tables)]


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
        Finding(
            paper="discipline_laws",
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
            Finding(
                paper="discipline_laws",
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
                trained += LAYERS * _sizes(setting)[1]
            value = share(trained, setting)
            if target.fits(value, value):
                fits.add(dataclasses.replace(setting, rank=0))
        common = fits if common is None else common & fits
    given = sorted(common or ())
    return [
        Finding(
            paper="adapters_selector",
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
