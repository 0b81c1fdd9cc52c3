"""Finance."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="finance",
    title="Finance",
    role="discipline",
    # Finance-Alpaca, as VersaTune's Table 2 counts it.
    rows=68_912,
    version=1,
    order=25,
    worlds={
        "domains": World(
            source="lawcheck.disciplines.finance.domains",
            tasks=(EvalTask(name="slices_fineval", chance=0.25),),
            stand_in="FinEval's other questions, in Chinese, instead of Finance-Alpaca",
        ),
    },
)
