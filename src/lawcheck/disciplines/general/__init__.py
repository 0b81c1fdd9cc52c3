"""General instructions."""

from lawcheck.declare.design import Discipline, EvalTask, World

DISCIPLINE = Discipline(
    name="general",
    title="General instructions",
    role="general",
    rows=0,
    version=1,
    order=60,
    worlds={
        "proxy": World(
            source="lawcheck.disciplines.general.proxy",
            tasks=(
                EvalTask(name="proxy_general", metric="prompt_level_strict_acc", output="generate"),
            ),
        ),
        "slices": World(
            source="lawcheck.disciplines.general.slices",
            tasks=(EvalTask(name="ifeval", metric="prompt_level_strict_acc", output="generate"),),
            stand_in="5,000 Alpaca rows instead of an unpublished instruction set",
        ),
        "domains": World(
            source="lawcheck.disciplines.general.domains",
            tasks=(EvalTask(name="slices_agieval", chance=0.23),),
            stand_in="5,000 Alpaca rows of 52,002",
        ),
        "paper": World(
            source="lawcheck.disciplines.general.paper",
            tasks=(
                EvalTask(
                    name="ifeval", metric="prompt_level_strict_acc", version=4, output="generate"
                ),
            ),
            stand_in="four open instruction sets instead of an unpublished one",
        ),
    },
)
