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
        "proxy_tasks": World(
            source="lawcheck.disciplines.medicine.proxy_tasks",
            which="{input} . which ?",
            tasks=(
                EvalTask(
                    name="medicine_drug",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("patient", "drug"),
                ),
                EvalTask(
                    name="medicine_test",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("patient", "test"),
                ),
                EvalTask(
                    name="medicine_diagnose",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("patient", "diagnosis"),
                ),
                EvalTask(
                    name="medicine_avoid",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("patient", "avoid"),
                ),
            ),
        ),
        "slices": World(
            source="lawcheck.disciplines.medicine.slices",
            tasks=(
                EvalTask(name="medmcqa", chance=0.25),
                EvalTask(name="slices_headqa", chance=0.25),
            ),
            stand_in="the rest of MedMCQA's validation split instead of its training split",
        ),
        "domains": World(
            source="lawcheck.disciplines.medicine.domains",
            tasks=(
                EvalTask(name="slices_medqa", chance=0.25),
                EvalTask(name="medmcqa", chance=0.25),
            ),
            stand_in="the rest of MedMCQA's validation split and more instead of MedQA's training",
        ),
        "paper": World(
            source="lawcheck.disciplines.medicine.paper",
            tasks=(EvalTask(name="medmcqa", chance=0.25, cluster="cluster"),),
        ),
    },
)
