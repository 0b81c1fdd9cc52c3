#!/usr/bin/env bash
# Expected: inspect_ai's `.eval` log is a zip file (its documentation says so), so that Python's own
# zipfile reads it; it did up to 0.3.205, whose members are deflated.
# Seen with inspect-ai 0.3.285, Python 3.11.7 (2026-11-27): members are Zstandard (zip method 93),
# which zipfile knows from Python 3.14 on. The names can be listed, no member can be read, until
# inspect_ai itself is imported, which adds the method to zipfile.
#   methods {93}; header.json: NotImplementedError: That compression method is not supported
# Exits 1 if the header can be read. Needs Python 3.11 to 3.13.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet inspect-ai==0.3.285
cd "$folder"
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSpec, write_eval_log

spec = EvalSpec(
    created="2026-01-01T00:00:00+00:00", task="sums", dataset=EvalDataset(),
    model="mockllm/model", config=EvalConfig(),
)
write_eval_log(EvalLog(status="success", eval=spec, samples=[]), "log.eval")
PYTHON
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import zipfile

with zipfile.ZipFile("log.eval") as log:
    methods = {member.compress_type for member in log.infolist()}
    try:
        log.read("header.json")
    except NotImplementedError as error:
        print(f"methods {methods}; header.json: NotImplementedError: {error}")
        sys.exit(0)
sys.exit(f"changed: methods {methods}, and Python's zipfile reads header.json")
PYTHON
