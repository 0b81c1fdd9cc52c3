"""Table 5: scarce disciplines upsampled in five ways, with the diversity of each mixture."""

from __future__ import annotations

from lawcheck.declare.design import Arm, Upsampling
from lawcheck.scores import DISTINCT
from lawcheck.show.audit.notes import label_notes
from lawcheck.show.columns import INTERVALS, accuracy_columns
from lawcheck.show.context import RenderContext
from lawcheck.show.grid import Column, Grid, Table
from lawcheck.show.labels import method_label
from lawcheck.show.selection import fitting, fraction
from lawcheck.studies.discipline_laws.published import (
    beside_print,
    by_paper,
    cells,
    departures_of,
)

TABLE = Table(
    name="table_5",
    law="balance_then_diversity",
    title="Table 5. Upsampling of scarce disciplines",
    caption=(
        "Accuracy by method and mixture, all data. Diverse: samples drawn at random are "
        "duplicated; unique: only samples with discipline-specific words. Sizes are those of the "
        "published corpus; other scales keep their ratio to the discipline's own size. Distinct "
        "n-grams: share of all n-grams of the training mixture, duplicates included (LoRA-Comp: "
        "of the mixture that its experts and its gate see). " + INTERVALS
    ),
)
PRINTED = "table5_upsample"
DIVERSITY = Column(
    key=DISTINCT, header="Distinct n-grams (%)", unit="percent", decimals=2, best=False
)


def mixture_label(arm: Arm) -> str:
    """How an arm's scarce disciplines are upsampled: `Diverse to 100K`."""
    up = arm.recipe.upsampling if arm.recipe is not None else None
    return f"{up.kind.capitalize()} to {up.target // 1000}K" if up else "Not upsampled"


def mixture_arms(context: RenderContext, wanted_by: str) -> dict[Upsampling | None, list[Arm]]:
    """Upsampling -> its arms on all data; plain first, then by size and kind.

    Raises InputError when the law declares none.
    """
    found: dict[Upsampling | None, list[Arm]] = {}
    for arm in fitting(
        context,
        wanted_by,
        lambda a: not a.each_alone and fraction(a) == 1.0 and departures_of(a) <= {"upsampling"},
    ):
        assert arm.recipe is not None
        found.setdefault(arm.recipe.upsampling, []).append(arm)
    order = sorted(found, key=lambda up: (up.target, up.kind) if up else (0, ""))
    return {up: found[up] for up in order}


def build(context: RenderContext) -> Grid:
    arms = [a for members in mixture_arms(context, TABLE.name).values() for a in members]
    columns = (*accuracy_columns(context), DIVERSITY)
    lines = [(method_label(a), mixture_label(a), a) for a in sorted(arms, key=by_paper)]
    said = (*_diversity_notes(context), *label_notes(PRINTED))
    measures = {DIVERSITY.key: context.summary.diversity}
    return beside_print(context, TABLE.name, columns, lines, cells(PRINTED), said, measures)


def _diversity_notes(context: RenderContext) -> list[str]:
    if not any(metric == DISTINCT for _, metric in context.scores.measured):
        return [
            f"The scores hold no n-gram diversity (metric '{DISTINCT}', task 'mixture'); "
            f"{context.summary.evidence.how}."
        ]
    if context.corpus is None:
        return []
    return [f"n = {context.corpus['origin']['n']}, words of prompt and response."]
