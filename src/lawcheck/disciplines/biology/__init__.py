"""Biology."""

from lawcheck.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="biology",
    title="Biology",
    role="discipline",
    paper_samples=51_427,
    version=1,
    order=30,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.biology.proxy",
            tasks=(EvalTask(name="proxy_biology", metric="acc", chance=0.25, cluster="cluster"),),
        ),
    },
)
