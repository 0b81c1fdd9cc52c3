"""Out of domain."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="out_of_domain",
    title="Out of domain",
    role="out_of_domain",
    rows=0,
    version=1,
    order=70,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.out_of_domain.proxy",
            tasks=(
                EvalTask(name="proxy_out_of_domain", metric="acc", chance=0.25, cluster="cluster"),
            ),
        ),
        "slices": World(
            source="lawcheck.disciplines.out_of_domain.slices",
            tasks=(EvalTask(name="mmlu", chance=0.25),),
        ),
        "paper": World(
            source="lawcheck.disciplines.out_of_domain.paper",
            tasks=(EvalTask(name="mmlu", chance=0.25, cluster="cluster"),),
        ),
    },
)
