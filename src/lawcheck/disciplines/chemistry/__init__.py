"""Chemistry."""

from lawcheck.declare.design import Discipline, EvalTask, World

CHEMBENCH = (
    "name_conversion",
    "property_prediction",
    "mol2caption",
    "caption2mol",
    "product_prediction",
    "retrosynthesis",
    "yield_prediction",
    "temperature_prediction",
    "solvent_prediction",
)

DISCIPLINE = Discipline(
    name="chemistry",
    title="Chemistry",
    role="discipline",
    rows=713_218,
    short="Chem",
    version=1,
    order=10,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.chemistry.proxy",
            tasks=(EvalTask(name="proxy_chemistry", metric="acc", chance=0.25, cluster="cluster"),),
        ),
        "slices": World(
            source="lawcheck.disciplines.chemistry.slices",
            tasks=(EvalTask(name="slices_chebi20", chance=0.25),),
            stand_in="ChEBI-20 instead of ChemData and ChemBench",
        ),
        "paper": World(
            source="lawcheck.disciplines.chemistry.paper",
            tasks=tuple(
                EvalTask(name=f"chembench_{part}", chance=0.25, cluster="cluster")
                for part in CHEMBENCH
            ),
        ),
    },
)
