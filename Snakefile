# A target for every law and study: snakemake --profile local law_share_then_specialize
import os
import shlex
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from snakemake.exceptions import WorkflowError

from lawcheck.errors import InputError
from lawcheck.files.times import settle
from lawcheck.files.holding import held
from lawcheck.files.refusals import refusal
from lawcheck.pipeline.workflow import Workflow, as_text, shell_prefix, signed

# Nothing goes into the home directory, of jobs neither; see also shared-fs-usage in the profiles.
CACHE = Path.cwd() / ".cache"
os.environ.setdefault("XDG_CACHE_HOME", str(CACHE))
os.environ.setdefault("MPLCONFIGDIR", str(CACHE / "matplotlib"))

# Text that Snakemake took for numbers: results=2026, account=00123. Jobs get the same words.
config.update(as_text(config, workflow.config_settings.config_args or []))

try:
    WORKFLOW = Workflow(config)
    WORKFLOW.batches, WORKFLOW.found
    WORKFLOW.site
    # An environment that Snakemake deploys brings its own program.
    deployed = workflow.deployment_settings.deployment_method
    prefix = shell_prefix(None if deployed else sys.executable)
    shell.prefix(prefix.replace("{", "{{").replace("}", "}}"))
except InputError as error:
    raise WorkflowError(str(error)) from None
for line in WORKFLOW.left_out:
    print(f"lawcheck: left out: {line}", file=sys.stderr)

if find_spec("snakemake_executor_plugin_slurm"):
    from lawcheck.pipeline.cluster.executor import install

    install()

ROOT = str(WORKFLOW.layout.root)
SCALE, RESULTS = WORKFLOW.words
STUDY_ARGUMENTS = f"--scale {SCALE} --results {RESULTS}"
ENVIRONMENT = workflow.source_path("reproduce/envs/lawcheck.yaml")
SEEDS = "--seeds " + ",".join(map(str, WORKFLOW.seeds))
# A job may still be running whose Snakemake was killed, here or on a cluster.
WAIT = "--wait 600"


wildcard_constraints:
    # A base's name, and the seed of one that is trained here.
    base=r"[a-z0-9_]+(-s\d+)?",
    measured=r"[a-z0-9_]+-s\d+",
    # Not their names joined: Snakemake compiles and rewrites that text for every rule and job.
    batch=r"[^/]+-[0-9a-f]{12}",
    law="|".join(WORKFLOW.found),


# One live Snakemake per results folder. Unlike Snakemake's own lock, which the profiles turn off,
# this one ends with the process, however that ends; jobs of a cluster run without it.
HELD = ExitStack()


onstart:
    try:
        HELD.enter_context(
            held(WORKFLOW.layout.root / ".lock", f"results folder {ROOT!r}")
        )
        if ahead := settle((WORKFLOW.layout.root, WORKFLOW.figures)):
            logger.info(
                f"{ROOT}: {ahead} files were from the future; they are of now"
            )
    except InputError as error:
        raise WorkflowError(str(error)) from None
    except OSError as error:
        raise WorkflowError(
            f"results folder {ROOT!r}: {refusal(error) or error}"
        ) from None


localrules:
    all,


rule all:
    default_target: True
    input:
        [WORKFLOW.law_outputs(law) for law in WORKFLOW.laws],
        f"{ROOT}/report/index.html",


include: "reproduce/rules/preflight.smk"
include: "reproduce/rules/corpus.smk"
include: "reproduce/rules/train.smk"
include: "reproduce/rules/evaluate.smk"
include: "reproduce/rules/laws.smk"
