"""Programming."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="code",
    title="Code",
    role="discipline",
    # Code Alpaca, as VersaTune's Table 2 counts it.
    rows=20_022,
    version=1,
    order=45,
    worlds={
        "domains": World(
            source="lawcheck.disciplines.code.domains",
            tasks=(
                EvalTask(name="humaneval_instruct", metric="pass_at_1", output="generate"),
                EvalTask(name="mbpp_instruct", metric="pass_at_1", output="generate"),
            ),
            stand_in="the 2,000 rows of Code Alpaca that are a file of its repository",
        ),
    },
)
