#!/usr/bin/env bash
# Expected: of 10,000 rows, 1,000 that `shuffle(seed=42)` puts first and the 1,000 of the test split of
# `train_test_split(seed=42)` are two random draws: about 100 rows in common.
# Seen with datasets 5.2.0, numpy 2.4.6 (2026-11-28): both methods draw one permutation from the same
# seed, and the test split is its beginning. A subset for training, a pilot or a scaling law that is
# taken with `shuffle(seed).select(range(n))` from the table that was split elsewhere with that seed
# holds the whole test set before any other row.
#   shuffle(seed=42), first   500 rows:   500 of the test split's 1,000
#   shuffle(seed=42), first 1,000 rows: 1,000
#   shuffle(seed=42), first 5,000 rows: 1,000
#   shuffle(seed=43), first 1,000 rows:    98
# Exits 1 if the first 1,000 rows are not the test split.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

from datasets import Dataset

table = Dataset.from_dict({"row": list(range(10_000))})
split = table.train_test_split(test_size=1_000, seed=42)
test = set(split["test"]["row"])


def shared(count, seed):
    subset = table.shuffle(seed=seed).select(range(count))
    found = len(test & set(subset["row"]))
    print(f"shuffle(seed={seed}), first {count:,} rows: {found:,} of the test split's 1,000")
    return found


shared(500, 42)
same, _, other = shared(1_000, 42), shared(5_000, 42), shared(1_000, 43)
if not 50 < other < 150:
    sys.exit("seeds 42 and 43 are not independent: nothing is measured")
if same < 1_000:
    sys.exit("changed: the shuffle does not begin with the test split")
PYTHON
