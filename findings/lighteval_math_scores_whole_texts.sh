#!/usr/bin/env bash
# Expected: lighteval's seven `math:*` tasks (MATH) score an answer by the expression in its last
# \boxed{}, which `math_normalizer` takes out: the tasks name it for answers and solutions.
# Seen with lighteval 0.13.0 (2026-11-28): the tasks set `normalize_pred` and `normalize_gold` on
# maj@n, which reads `normalize` alone. Names that a metric does not have are set without a word, so
# that whole texts are compared: an answer is right only if it is the reference solution, letter for
# letter.
#   "2 + 2 is $\boxed{4}$." against the solution "Adding gives $2+2=\boxed{4}$.": 0
#   the solution itself: 1
#   with normalize=math_normalizer: 1
# The metric's name holds the functions' addresses, so that no two runs have a metric in common.
# Exits 1 if the right answer scores 1. The tasks' own metric is called; no data are fetched.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet torch==2.13.0 lighteval==0.13.0 transformers==5.23.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" HOME="$folder" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

from lighteval.metrics.metrics import Metrics
from lighteval.metrics.normalizations import math_normalizer
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.tasks import math

SOLUTION, ANSWER = "Adding gives $2+2=\\boxed{4}$.", "2 + 2 is $\\boxed{4}$."
document = math.math_prompt({"problem": "What is 2+2?", "solution": SOLUTION})


def scored(metric, text):
    """Of four samples with the same text."""
    found = metric.compute_sample(doc=document, model_response=ModelResponse(text=[text] * 4))
    return next(iter(found.values()))


tasks = [task for task in math.TASKS_TABLE if task.name.startswith("math:")]
answers = [scored(task.metrics[0], ANSWER) for task in tasks]
copies = [scored(task.metrics[0], SOLUTION) for task in tasks]
options = {"n": 4, "strip_strings": True, "normalize": math_normalizer}
meant = scored(Metrics.maj_at_n(sample_params=options), ANSWER)
print(f"both texts say {math_normalizer(ANSWER)!r} and {math_normalizer(SOLUTION)!r}")
print(f"{len(tasks)} tasks: the answer scores {answers}, the solution itself {copies}")
print(f"with normalize=math_normalizer the answer scores {meant}")
print("metric:", tasks[0].metrics[0].metric_name)
if meant != 1 or set(copies) != {1}:
    sys.exit("maj@n no longer works as this script expects")
if any(answers):
    sys.exit("changed: a right answer scores 1")
PYTHON
