"""Chemistry."""

from lawcheck.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="chemistry",
    title="Chemistry",
    role="discipline",
    paper_samples=713_218,
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
    },
)
