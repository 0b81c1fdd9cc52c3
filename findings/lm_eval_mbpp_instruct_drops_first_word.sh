#!/usr/bin/env bash
# Expected: task `mbpp_instruct` ends its prompt inside an open fence ("```python" and a line end), so
# that a model answers with a program and a closing fence; that program is what is scored.
# Seen with lm_eval 0.4.13 (2026-11-28): the task puts "```" in front of the answer and takes the
# first word after a fence for the name of a language. Of an answer that starts with `def` or
# `import` that word is lost, and a right answer scores 0; with a line end in front it is kept.
#   "def double(x):..."    -> " double(x):..."     a syntax error
#   "\ndef double(x):..."  -> "def double(x):..."
#   "import math..."       -> " math..."           a syntax error
# Exits 1 if the first word is kept. The module asks the hub for a scorer when it is imported; a
# stand-in takes the scorer's place here, since only the answers are read.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --no-deps --target "$folder/site" lm_eval==0.4.13
cd "$folder"
python3 - <<'PYTHON'
import importlib.util
import sys
import types

stand_in = types.ModuleType("evaluate")
stand_in.load = lambda name: types.SimpleNamespace(compute=lambda **_: [{"pass@1": 1.0}])
sys.modules["evaluate"] = stand_in
spec = importlib.util.spec_from_file_location("utils", "site/lm_eval/tasks/mbpp/utils.py")
utils = importlib.util.module_from_spec(spec)
spec.loader.exec_module(utils)

lost = []
program = "def double(x):\n    return 2 * x"
for begin, answer in (
    ("def", f"{program}\n```"),
    ("", f"\n{program}\n```"),
    ("import", f"import math\n\n\n{program}\n```"),
):
    ((read,),) = utils.build_predictions([[answer]], [{}])
    try:
        compile(read, "<answer>", "exec")
        runs = "compiles"
    except SyntaxError:
        runs = "does not compile"
        lost.append(begin)
    print(f"{answer[:18]!r} is read as {read[:18]!r}: {runs}")
if lost != ["def", "import"]:
    sys.exit("changed: the first word of an answer is kept")
PYTHON
