"""Biology."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="biology",
    title="Biology",
    role="discipline",
    rows=51_427,
    short="Bio",
    version=1,
    order=30,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.biology.proxy",
            tasks=(EvalTask(name="proxy_biology", metric="acc", chance=0.25, cluster="cluster"),),
        ),
        "proxy_tasks": World(
            source="lawcheck.disciplines.biology.proxy_tasks",
            which="{input} . which ?",
            tasks=(
                EvalTask(
                    name="biology_codon",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("dna", "codon"),
                ),
                EvalTask(
                    name="biology_translate",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("dna", "translate"),
                ),
                EvalTask(
                    name="biology_transcribe",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("dna", "transcribe"),
                ),
                EvalTask(
                    name="biology_complement",
                    metric="acc",
                    chance=0.25,
                    cluster="cluster",
                    label=("dna", "complement"),
                ),
            ),
        ),
        "slices": World(
            source="lawcheck.disciplines.biology.slices",
            tasks=(EvalTask(name="slices_mol_true_false", chance=1 / 3),),
            stand_in="true-or-false questions of Mol-Instructions instead of its choices",
        ),
        "paper": World(
            source="lawcheck.disciplines.biology.paper",
            tasks=(EvalTask(name="mol_instructions_mcq", chance=0.25, cluster="cluster"),),
        ),
    },
)
