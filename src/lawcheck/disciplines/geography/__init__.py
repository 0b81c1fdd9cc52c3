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
        "proxy_tasks": World(
            source="lawcheck.disciplines.geography.proxy_tasks",
            which="{input} . which ?",
            tasks=(
                EvalTask(
                    name="geography_country",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("city", "country"),
                ),
                EvalTask(
                    name="geography_direction",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("city", "direction"),
                ),
                EvalTask(
                    name="geography_river",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("city", "river"),
                ),
                EvalTask(
                    name="geography_turn",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("city", "turns"),
                ),
            ),
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
