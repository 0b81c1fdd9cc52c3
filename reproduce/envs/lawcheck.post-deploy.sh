#!/usr/bin/env bash
# Runs once in the new environment, in the project's folder: the same versions as `make setup`.
set -euo pipefail
pip install torch==2.13.0
pip install torch==2.13.0 -r requirements.lock
pip install --no-deps --no-build-isolation --editable .
