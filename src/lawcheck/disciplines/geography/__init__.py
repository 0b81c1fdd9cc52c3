"""Geography."""

from lawcheck.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="geography",
    title="Geography",
    role="discipline",
    paper_samples=39_749,
    version=1,
    order=50,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.geography.proxy",
            tasks=(EvalTask(name="proxy_geography", metric="acc", chance=0.25, cluster="cluster"),),
        ),
    },
)
