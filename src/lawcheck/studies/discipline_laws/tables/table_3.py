"""Table 3: the tuned recipe against the original data, with its cost."""

from __future__ import annotations

from lawcheck.declare.design import Arm
from lawcheck.show.columns import INTERVALS, PLANNED, accuracy_columns, fixed
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.selection import one
from lawcheck.studies.discipline_laws.arms import TUNED
from lawcheck.studies.discipline_laws.published import beside_print, cells

TABLE = Table(
    name="table_3",
    law="share_then_specialize",
    title="Table 3. The tuned recipe",
    caption=(
        "Accuracy of the original and the tuned fine-tuning. \u0394m: mean over disciplines of "
        "the relative change against discipline LoRA; its interval is over seeds only. OOD: "
        "out-of-domain questions (MMLU in the published rows). Trainable share and GPU hours are "
        "planned at paper scale. " + INTERVALS
    ),
)


def build(context: RenderContext) -> Grid:
    arms = _arms(context)
    reference = dict(arms)["Discipline LoRA"]
    out = context.of_role("out_of_domain")
    columns = [
        *accuracy_columns(context),
        Column(key="delta_m", header="\u0394m (%)", unit="percent", decimals=2, best=False),
        *([Column(key="out_of_domain", header="OOD", unit="accuracy")] if out else []),
        Column(key="trainable_share", header="Param. (%)", unit="percent", best=False),
        Column(key="gpu_hours", header="GPU h", unit="hours", decimals=0, best=False),
    ]
    if context.measured:
        seconds = Column(key="cpu_seconds", header="CPU s", unit="seconds", decimals=0, best=False)
        columns.append(seconds)
    measures = {
        "delta_m": lambda arm: (
            None if arm.method == "base" else context.summary.relative_gain(arm, reference)
        ),
        "trainable_share": lambda arm: fixed(context.costs(arm, "trainable_share"), PLANNED),
        "gpu_hours": lambda arm: fixed(context.costs(arm, "gpu_hours"), PLANNED),
        "cpu_seconds": lambda arm: fixed(
            context.measured.get(arm.name), "measured, mean over seeds"
        ),
    }
    said = ["CPU s: measured training time of one seed at this scale."] if context.measured else []
    lines = [("", label, arm) for label, arm in arms]
    text = cells("table3_final")
    return beside_print(context, TABLE.name, columns, lines, text, said, measures)


def _arms(context: RenderContext) -> list[tuple[str, Arm]]:
    def pick(**wanted: object) -> Arm:
        return one(context, TABLE.name, **wanted)

    plain = {"fraction": 1.0, "upsampling": None, "general_share": 0.0, "each_alone": False}
    return [
        ("Base model", context.law.base),
        ("Discipline LoRA", pick(**plain | {"method": "lora", "each_alone": True})),
        ("FT (original)", pick(method="full", **plain)),
        ("FT (tuned)", pick(method="full", recipe=TUNED)),
        ("LoRA-MoE (original)", pick(method="lora_moe", variant="plain", **plain)),
        ("LoRA-MoE (tuned)", pick(method="lora_moe", recipe=TUNED)),
    ]
