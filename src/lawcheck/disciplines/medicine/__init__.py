"""Medicine."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="medicine",
    title="Medicine",
    role="discipline",
    rows=490_766,
    short="Med",
    version=1,
    order=20,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.medicine.proxy",
            tasks=(EvalTask(name="proxy_medicine", metric="acc", chance=0.25, cluster="cluster"),),
        ),
        "slices": World(
            source="lawcheck.disciplines.medicine.slices",
            tasks=(
                EvalTask(name="medmcqa", chance=0.25),
                EvalTask(name="slices_headqa", chance=0.25),
            ),
            stand_in="the rest of MedMCQA's validation split instead of its training split",
        ),
        "paper": World(
            source="lawcheck.disciplines.medicine.paper",
            tasks=(EvalTask(name="medmcqa", chance=0.25, cluster="cluster"),),
        ),
    },
)
