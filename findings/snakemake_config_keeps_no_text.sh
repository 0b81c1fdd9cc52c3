#!/usr/bin/env bash
# Expected: Snakemake's `--config` reads values as YAML, so that quotes keep text: account='00123'
# is the text 00123, as it is in a configuration file.
# Seen with snakemake 9.27.1 (2026-11-27): quotes are stripped before int() is tried, and no quoting
# keeps the zeros; the same words under `--configfile` stay text.
#   --config account=00123      -> 123
#   --config account='00123'    -> 123
#   --config account="'00123'"  -> 123
#   configfile account: '00123' -> '00123'
# Exits 1 if a quoted value stays text.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet snakemake==9.27.1
cd "$folder"
cat >Snakefile <<'SNAKEFILE'
import sys
print("found", repr(config["account"]), file=sys.stderr)
rule all:
SNAKEFILE
echo "account: '00123'" >file.yaml

found() {
  HOME="$folder" "$folder/venv/bin/snakemake" --dry-run --cores 1 "$@" 2>&1 | sed -n 's/^found //p' | head -1
}

status=0
for word in "account=00123" "account='00123'" "account=\"'00123'\""; do
  value="$(found --config "$word")"
  echo "--config $word: $value"
  [ "$value" = 123 ] || status=1
done
value="$(found --configfile file.yaml)"
echo "configfile: $value"
[ "$value" = "'00123'" ] || status=1
exit "$status"
