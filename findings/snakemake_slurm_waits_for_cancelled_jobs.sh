#!/usr/bin/env bash
# Expected: snakemake-executor-plugin-slurm reports a job that `scancel` ended as failed, and
# Snakemake retries it or ends. The plugin lists CANCELLED among the states that mean failure.
# Seen with snakemake 9.27.1 and snakemake-executor-plugin-slurm 2.8.0 (2026-11-27): the state is
# compared as a whole, while sacct prints `CANCELLED by 1000` (sacct(1): the user who cancelled it).
# A workflow that watches its jobs with sacct then waits for ever. Slurm's commands are replaced here
# by scripts that print what Slurm 22.05 prints.
#   sacct says CANCELLED:         Snakemake ends within seconds, status 1
#   sacct says CANCELLED by 1000: still waiting after 60 s
# Exits 1 if Snakemake ends in the second case too.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet snakemake==9.27.1 snakemake-executor-plugin-slurm==2.8.0
mkdir "$folder/bin"
cd "$folder"

program() {
  printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
  chmod +x "bin/$1"
}

program sbatch 'echo 7'
program scontrol 'echo "MinJobAge = 300 sec"; echo "MaxArraySize = 1001"'
program sinfo 'echo main'
program squeue 'echo "7|CANCELLED"'
program sacctmgr 'echo physics'
program scancel 'true'
cat >Snakefile <<'SNAKEFILE'
rule job:
    output: "out"
    shell: "touch {output}"
SNAKEFILE

status_with() {
  program sacct "echo '7|$1'"
  local status=0
  HOME="$folder" PATH="$folder/bin:$PATH" timeout -k 5 60 "$folder/venv/bin/snakemake" --executor slurm \
    --jobs 1 --nolock --slurm-status-command sacct --slurm-init-seconds-before-status-checks 1 \
    --default-resources slurm_account=physics slurm_partition=main mem_mb=100 runtime=1 \
    >log 2>&1 || status=$?
  echo "$status"
}

plain="$(status_with CANCELLED)"
named="$(status_with 'CANCELLED by 1000')"
echo "sacct says CANCELLED: status $plain"
echo "sacct says CANCELLED by 1000: status $named (137: still waiting after 60 s)"
[ "$plain" = 1 ] && [ "$named" = 137 ]
