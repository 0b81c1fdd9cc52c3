"""What the papers claim in words, coded as contrasts of their own cells.

A claim names two selections of runs; the runs are paired by every factor that neither selection
names. Coding is a reading of prose: `words` says how each sentence was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lawcheck.published.audit.schema import DOMAINS, FIN, LEGAL

Pattern = Mapping[str, tuple[str, ...]]
Says = Literal["greater", "less", "no_gain", "equal"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """quantities: averaged with equal weight. margin: of `no_gain` and `equal`, a share of 1.

    peak: compare only the best run of each method.
    """

    name: str
    paper: str
    source: str
    words: str
    says: Says
    treatment: Pattern
    control: Pattern
    quantities: tuple[str, ...] = ("avg",)
    margin: float = 0.0
    peak: bool = False


@dataclass(frozen=True, kw_only=True)
class BoundClaim:
    """Every chosen cell lies above or below a level (shares of 1)."""

    name: str
    paper: str
    source: str
    words: str
    runs: Pattern
    quantities: tuple[str, ...]
    side: Literal["above", "below"]
    level: float


@dataclass(frozen=True, kw_only=True)
class SpreadClaim:
    """The scatter of some quantities over a factorial exceeds that of others."""

    name: str
    paper: str
    source: str
    words: str
    rough: tuple[str, ...]
    smooth: tuple[str, ...]
    runs: Pattern
    factors: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class NumberClaim:
    """A number in the prose about two cells. unit: `points`, `percent_of` or `percent_less`.

    first, second: (table, row by key columns, column).
    """

    name: str
    paper: str
    source: str
    words: str
    stated: str
    meant: Literal["percent_of", "percent_change"]
    first: tuple[str, Mapping[str, str], str]
    second: tuple[str, Mapping[str, str], str]


@dataclass(frozen=True, kw_only=True)
class RunProxy:
    """A factorial of single runs whose scatter about row and column effects stands for noise.

    It holds real interactions too, so it is an upper bound of run-to-run noise.
    """

    paper: str
    words: str
    runs: Pattern
    factors: tuple[str, str]


MAIN, VERSATUNE, SELECTOR = "discipline_laws", "versatune", "adapters_selector"
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
BOTH_DATA = ("70", "100")

CLAIMS = (
    Claim(
        name="multi_below_single",
        paper=MAIN,
        source="section 4",
        words="training on all disciplines lowers the average against single-discipline LoRA",
        says="less",
        treatment={**PLAIN, "method": MIXED},
        control={**PLAIN, "method": ("Discipline LoRA",)},
    ),
    Claim(
        name="full_below_adapters",
        paper=MAIN,
        source="section 4",
        words="full fine-tuning falls behind the adapter methods",
        says="less",
        treatment={**FULL_DATA, "method": ("FT",)},
        control={**FULL_DATA, "method": MIXED},
    ),
    Claim(
        name="composition_lower_peak",
        paper=MAIN,
        source="section 4",
        words="LoRA-Comp peaks lower than LoRA and LoRA-MoE",
        says="less",
        treatment={**PLAIN, "method": ("LoRA-Comp",), "data": ALL_DATA},
        control={**PLAIN, "method": SCRATCH, "data": ALL_DATA},
        peak=True,
    ),
    Claim(
        name="upsampling_helps",
        paper=MAIN,
        source="section 4.1",
        words="upsampling scarce disciplines raises the average, all sizes and kinds",
        says="greater",
        treatment={
            "method": MIXED,
            "upsample": ("100K diverse", "100K unique", "300K diverse", "300K unique"),
        },
        control={"method": MIXED, "upsample": ("none",)},
    ),
    Claim(
        name="diverse_100k_helps",
        paper=MAIN,
        source="section 4.1",
        words="diverse upsampling to 100K raises the average",
        says="greater",
        treatment={"upsample": ("100K diverse",)},
        control={"upsample": ("none",)},
    ),
    *(
        Claim(
            name=f"diverse_beats_unique_{size.lower()}",
            paper=MAIN,
            source="section 4.1",
            words=f"diverse upsampling consistently beats unique upsampling, {size}",
            says="greater",
            treatment={"upsample": (f"{size} diverse",)},
            control={"upsample": (f"{size} unique",)},
        )
        for size in ("100K", "300K")
    ),
    Claim(
        name="more_upsampling_no_gain",
        paper=MAIN,
        source="section 4.1",
        words="300K instead of 100K brings no further gain (less than one point), diverse",
        says="no_gain",
        margin=0.01,
        treatment={"upsample": ("300K diverse",)},
        control={"upsample": ("100K diverse",)},
    ),
    Claim(
        name="scarce_disciplines_gain",
        paper=MAIN,
        source="section 4.1",
        words="diverse upsampling to 100K lifts biology and geography",
        says="greater",
        quantities=("bio", "geo"),
        treatment={"upsample": ("100K diverse",)},
        control={"upsample": ("none",)},
    ),
    Claim(
        name="other_disciplines_gain",
        paper=MAIN,
        source="section 4.1",
        words="diverse upsampling to 100K also lifts the disciplines that are not upsampled",
        says="greater",
        quantities=("chem", "med", "math"),
        treatment={"upsample": ("100K diverse",)},
        control={"upsample": ("none",)},
    ),
    Claim(
        name="tuning_loses_instructions",
        paper=MAIN,
        source="section 4.2",
        words="every fine-tuned model follows instructions worse than the base model",
        says="less",
        quantities=("ifeval",),
        treatment={"method": MIXED},
        control={"method": ("base",)},
    ),
    Claim(
        name="mixing_restores_instructions",
        paper=MAIN,
        source="section 4.2",
        words="mixing in general data consistently improves instruction following",
        says="greater",
        quantities=("ifeval",),
        treatment={"general": ("70", "100")},
        control={"general": ("0",)},
    ),
    Claim(
        name="mixing_lifts_science",
        paper=MAIN,
        source="section 4.2",
        words="mixing in general data raises the average over disciplines",
        says="greater",
        treatment={"method": MIXED, "general": ("70", "100")},
        control={"method": MIXED, "general": ("0",)},
    ),
    Claim(
        name="rank_no_gain",
        paper=MAIN,
        source="section 4.3",
        words="ranks 80 and 160 gain less than one point over rank 16",
        says="no_gain",
        margin=0.01,
        treatment={"method": ("LoRA",), "rank": ("80", "160")},
        control={"method": ("LoRA",), "rank": ("16",)},
    ),
    Claim(
        name="experts_no_gain",
        paper=MAIN,
        source="section 4.3",
        words="10 and 20 experts gain less than one point over 5",
        says="no_gain",
        margin=0.01,
        treatment={"experts": ("10", "20")},
        control={"experts": ("5",)},
    ),
    Claim(
        name="shared_expert_no_gain",
        paper=MAIN,
        source="section 4.4",
        words="a shared expert gains only marginally (less than one point)",
        says="no_gain",
        margin=0.01,
        treatment={"design": ("shared expert",)},
        control={"design": ("plain",)},
    ),
    Claim(
        name="shared_a_gains",
        paper=MAIN,
        source="section 4.4",
        words="sharing A improves substantially",
        says="greater",
        treatment={"design": ("shared A",)},
        control={"design": ("plain",)},
    ),
    Claim(
        name="rank_route_no_gain",
        paper=MAIN,
        source="section 4.4",
        words="rank-wise routing does not improve (gains less than one point)",
        says="no_gain",
        margin=0.01,
        treatment={"design": ("rank route",)},
        control={"design": ("plain",)},
    ),
    *(
        Claim(
            name=f"recipe_lifts_{name}",
            paper=MAIN,
            source="section 5",
            words=f"the recipe improves {method} over its original setting",
            says="greater",
            treatment={
                "method": (method,),
                "upsample": ("100K diverse",),
                "general": ("100",),
                **more,
            },
            control={"method": (method,), "upsample": ("none",), "general": ("0",), **plain},
        )
        for name, method, more, plain in (
            ("full", "FT", {}, {}),
            ("moe", "LoRA-MoE", {"design": ("shared A",)}, {"design": ("plain",)}),
        )
    ),
    Claim(
        name="tuned_moe_equals_tuned_full",
        paper=MAIN,
        source="section 5",
        words="tuned LoRA-MoE is comparable to tuned full fine-tuning (within 1.5 points)",
        says="equal",
        margin=0.015,
        treatment={"method": ("LoRA-MoE",), "upsample": ("100K diverse",), "general": ("100",)},
        control={"method": ("FT",), "upsample": ("100K diverse",), "general": ("100",)},
    ),
    Claim(
        name="tuned_moe_better_out_of_domain",
        paper=MAIN,
        source="section 5",
        words="tuned LoRA-MoE is better on MMLU than tuned full fine-tuning",
        says="greater",
        quantities=("mmlu",),
        treatment={"method": ("LoRA-MoE",), "upsample": ("100K diverse",), "general": ("100",)},
        control={"method": ("FT",), "upsample": ("100K diverse",), "general": ("100",)},
    ),
    Claim(
        name="versatune_beats_uniform",
        paper=VERSATUNE,
        source="section 4.3",
        words="VersaTune beats the uniform mixture in every domain",
        says="greater",
        quantities=DOMAINS,
        treatment={"method": ("VersaTune",)},
        control={"method": ("Uniform Distribution",)},
    ),
    Claim(
        name="inverse_below_uniform",
        paper=VERSATUNE,
        source="section 4.3",
        words="the inverse mixture is worse than the uniform mixture",
        says="less",
        quantities=DOMAINS,
        treatment={"method": ("Inverse Distribution",)},
        control={"method": ("Uniform Distribution",)},
    ),
    Claim(
        name="dynamic_beats_constant",
        paper=VERSATUNE,
        source="section 5",
        words="dynamic weights beat constant weights in every domain",
        says="greater",
        quantities=DOMAINS,
        treatment={"method": ("VersaTune",)},
        control={"method": ("VersaTune Constant",)},
    ),
    Claim(
        name="more_selected_data_helps",
        paper=SELECTOR,
        source="section 5.1",
        words="500 and 1000 selected samples a task beat 100",
        says="greater",
        quantities=("acc",),
        treatment={"size": ("500", "1000")},
        control={"size": ("100",)},
    ),
    Claim(
        name="beyond_500_no_gain",
        paper=SELECTOR,
        source="section 5.1",
        words="1000 selected samples gain less than two points over 500",
        says="no_gain",
        margin=0.02,
        quantities=("acc",),
        treatment={"size": ("1000",)},
        control={"size": ("500",)},
    ),
    Claim(
        name="embedding_layer_beats_m3e",
        paper=SELECTOR,
        source="section 5.1",
        words="the embedding layer selects better than m3e in most cases, six tasks",
        says="greater",
        quantities=("acc",),
        treatment={"embedding": ("embed-layer",), "tasks": ("6",)},
        control={"embedding": ("m3e",), "tasks": ("6",)},
    ),
    Claim(
        name="selector_beats_other_systems",
        paper=SELECTOR,
        source="section 5.1",
        words="the selector system beats the two other systems on six tasks",
        says="greater",
        quantities=("acc",),
        treatment={"system": ("Ours LLM+Selector14",)},
        control={"system": ("MTFCoder", "MoE LoRA")},
    ),
    Claim(
        name="small_model_beats_larger",
        paper=SELECTOR,
        source="section 5.4",
        words="Gemma2B beats Yi1.5-6B and Qwen2-7B",
        says="greater",
        quantities=("acc",),
        treatment={"model": ("Gemma2B",)},
        control={"model": ("Yi1.5-6B", "Qwen2-7B")},
    ),
)

BOUNDS = (
    BoundClaim(
        name="legal_and_finance_above_90",
        paper=SELECTOR,
        source="section 5.1",
        words="with twelve tasks legal and finance tasks stay above 90 %",
        runs={"tasks": ("12",)},
        quantities=(*LEGAL, *FIN),
        side="above",
        level=0.9,
    ),
    BoundClaim(
        name="ambiguous_tasks_below_60",
        paper=SELECTOR,
        source="section 5.1",
        words="with twelve tasks text generation and question answering are below 60 %",
        runs={"tasks": ("12",)},
        quantities=("med_tg", "med_qa"),
        side="below",
        level=0.6,
    ),
    BoundClaim(
        name="extraction_below_65",
        paper=SELECTOR,
        source="section 5.1",
        words="with twelve tasks medical information extraction falls below 65 %",
        runs={"tasks": ("12",)},
        quantities=("med_ie",),
        side="below",
        level=0.65,
    ),
)

SPREADS = (
    SpreadClaim(
        name="scarce_disciplines_vary_more",
        paper=MAIN,
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
        paper=MAIN,
        source="section 5",
        words="tuned LoRA-MoE takes 15 % of the GPU hours of tuned full fine-tuning",
        stated="15",
        meant="percent_of",
        first=("table3_final", {"method": "LoRA-MoE", "variant": "tuned"}, "gpu_hours"),
        second=("table3_final", {"method": "FT", "variant": "tuned"}, "gpu_hours"),
    ),
    NumberClaim(
        name="balance_loses_extraction",
        paper=SELECTOR,
        source="section 5.3",
        words="balancing lowers medical information extraction by 33 %",
        stated="-33",
        meant="percent_change",
        first=("adapters_selector_t3", {"selector": "balance mix 3"}, "med_ie"),
        second=("adapters_selector_t3", {"selector": "balance origin"}, "med_ie"),
    ),
    NumberClaim(
        name="balance_lifts_generation",
        paper=SELECTOR,
        source="section 5.3",
        words="balancing raises text generation by 23 %",
        stated="23",
        meant="percent_change",
        first=("adapters_selector_t3", {"selector": "balance mix 3"}, "med_tg"),
        second=("adapters_selector_t3", {"selector": "balance origin"}, "med_tg"),
    ),
    NumberClaim(
        name="add_close_to_joint",
        paper=SELECTOR,
        source="section 5.3",
        words="adding tasks ends 0.5 % below selector 28",
        stated="-0.5",
        meant="percent_change",
        first=("adapters_selector_t3", {"selector": "add mix 3"}, "acc"),
        second=("adapters_selector_t2", {"selector": "28"}, "acc"),
    ),
)

PROXIES = (
    RunProxy(
        paper=MAIN,
        words="scatter of four methods over five data scales (Table 4)",
        runs={**PLAIN, "method": (*MIXED, "Discipline LoRA"), "data": ALL_DATA},
        factors=("method", "data"),
    ),
    RunProxy(
        paper=MAIN,
        words="scatter of three methods over three general shares (Table 2)",
        runs={
            **PLAIN,
            "method": MIXED,
            "general": ("0", "70", "100"),
            "data": ("100",),
        },
        factors=("method", "general"),
    ),
    RunProxy(
        paper=VERSATUNE,
        words="scatter of seven models over the uniform and the inverse mixture (Table 1)",
        runs={"method": ("Uniform Distribution", "Inverse Distribution")},
        factors=("model", "method"),
    ),
    *(
        RunProxy(
            paper=SELECTOR,
            words="scatter of three sizes over three distances, m3e, twelve tasks (Table 2)",
            runs={"tasks": (tasks,), "embedding": ("m3e",)},
            factors=("size", "distance"),
        )
        for tasks in ("12",)
    ),
)
