#!/usr/bin/env bash
# Expected: inspect_ai's scorer `match(numeric=True)`, of GSM8K and arithmetic, compares numbers:
# 827125 is a wrong answer to 12345 x 67 = 827115.
# Seen with inspect-ai 0.3.285 (2026-11-28): both numbers are printed with five significant digits
# and the texts are compared, so that wrong integers of six digits or more are correct. Without
# `numeric` the same answers are incorrect. Accuracy of answers that are all wrong by 5:
#   targets of 5 digits (12345 x 2 to 12345 x 8):    0.00
#   targets of 6 digits (12345 x 11 to 12345 x 80):  0.51
#   targets of 7 digits (12345 x 90 to 12345 x 159): 0.96
#   12345 x 67 = 827115: answer 827125 is C, answer 827135 is I
# Exits 1 if a wrong answer is incorrect.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet inspect-ai==0.3.285
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Target, match
from inspect_ai.solver import TaskState

scorer = match(numeric=True)


def grade(answer, target):
    state = TaskState(
        model="mockllm/model", sample_id=1, epoch=1, input="", messages=[],
        output=ModelOutput.from_content("mockllm/model", f"The product is {answer}."),
    )
    return asyncio.run(scorer(state, Target(str(target)))).value


wrong = {}
for low, high in ((2, 8), (11, 80), (90, 159)):
    targets = [12345 * k for k in range(low, high + 1)]
    graded = [grade(target + 5, target) for target in targets]
    digits = len(str(targets[0]))
    wrong[digits] = graded.count("C") / len(graded)
    print(f"targets of {digits} digits, answers too large by 5: accuracy {wrong[digits]:.2f}")
for answer in (827115, 827125, 827135):
    print(f"12345 x 67 = 827115: answer {answer} is {grade(answer, 827115)}")
if wrong[5]:
    sys.exit("changed: numbers of five digits are no longer told apart")
if not wrong[6] or not wrong[7]:
    sys.exit("changed: wrong numbers are incorrect")
PYTHON
