"""Natural science, as one domain beside law, medicine, finance and code."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="science",
    title="Science",
    role="discipline",
    # VersaTune's conversations on science, as its Table 2 counts them.
    rows=8_835,
    version=1,
    order=35,
    worlds={
        "domains": World(
            source="lawcheck.disciplines.science.domains",
            tasks=(
                EvalTask(name="slices_headqa_science", chance=0.25),
                EvalTask(name="slices_mmlu_science", chance=0.25),
            ),
            stand_in="HeadQA's biology and chemistry instead of conversations on science",
        ),
    },
)
