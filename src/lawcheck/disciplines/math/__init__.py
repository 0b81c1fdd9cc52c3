"""Mathematics."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="math",
    title="Mathematics",
    role="discipline",
    rows=2_000_000,
    short="Math",
    version=1,
    order=40,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.math.proxy",
            tasks=(
                EvalTask(
                    name="proxy_math", metric="exact_match", cluster="cluster", output="generate"
                ),
            ),
        ),
        "slices": World(
            source="lawcheck.disciplines.math.slices",
            tasks=(EvalTask(name="gsm8k", metric="exact_match", output="generate"),),
            stand_in="GSM8K's own training questions instead of OpenMathInstruct-2",
        ),
        "paper": World(
            source="lawcheck.disciplines.math.paper",
            tasks=(
                # Solutions end in a box, not after "####": the last number is the answer.
                EvalTask(
                    name="gsm8k",
                    metric="exact_match,flexible-extract",
                    version=3,
                    cluster="cluster",
                    output="generate",
                ),
            ),
        ),
    },
)
