"""Medicine."""

from lawcheck.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="medicine",
    title="Medicine",
    role="discipline",
    paper_samples=490_766,
    version=1,
    order=20,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.medicine.proxy",
            tasks=(EvalTask(name="proxy_medicine", metric="acc", chance=0.25, cluster="cluster"),),
        ),
    },
)
