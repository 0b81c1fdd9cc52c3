"""Law."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="law",
    title="Law",
    role="discipline",
    # VersaTune's Lawyer-Instruct, as its Table 2 prints it.
    rows=9_241,
    version=1,
    order=15,
    worlds={
        "domains": World(
            source="lawcheck.disciplines.law.domains",
            # 240 items with two labels, 95 with five.
            tasks=(EvalTask(name="slices_legalbench", chance=0.415),),
            stand_in="LegalBench's worked examples instead of Lawyer-Instruct",
        ),
    },
)
