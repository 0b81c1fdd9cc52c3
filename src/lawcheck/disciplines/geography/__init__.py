"""Geography."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="geography",
    title="Geography",
    role="discipline",
    rows=39_749,
    short="Geo",
    version=1,
    order=50,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.geography.proxy",
            tasks=(EvalTask(name="proxy_geography", metric="acc", chance=0.25, cluster="cluster"),),
        ),
        "slices": World(
            source="lawcheck.disciplines.geography.slices",
            tasks=(
                EvalTask(name="slices_npee_choice", chance=0.25, cluster="cluster"),
                EvalTask(name="slices_apstudy", chance=0.2, cluster="cluster"),
            ),
            stand_in="GeoBench's open questions instead of GeoSignal",
        ),
        "paper": World(
            source="lawcheck.disciplines.geography.paper",
            tasks=(
                EvalTask(name="geobench_apstudy", chance=0.2, cluster="cluster"),
                EvalTask(name="geobench_npee", chance=0.26, cluster="cluster"),
            ),
        ),
    },
)
