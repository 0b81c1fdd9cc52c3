#!/usr/bin/env bash
# The first ten minutes on one H100 or H200 of a machine without a network (docs/gpu-scale.md).
#
#   first_ten_minutes.sh pack [--there FILE] [--piece MB]   where there is a network: fills .gpu/
#   first_ten_minutes.sh run [OUT] [--seconds 540]          on the machine, once all of .gpu/ is there
#   first_ten_minutes.sh dry [OUT] [--seconds N]            the same order on a CPU, next to nothing
set -euo pipefail
cd "$(dirname "$0")/../.."
verb=${1:-}
shift || true
case $verb in
pack)
  exec "${PYTHON:-python3}" reproduce/gpu/pack.py .gpu "$@"
  ;;
run)
  out=${1:-${OUT:-results/first_ten_minutes}}
  shift || true
  began=$(date +%s)
  "${PYTHON:-python3}" reproduce/gpu/arrive.py .gpu
  export LAWCHECK_DATA=$PWD/.gpu/there/data PIP_NO_INDEX=1 PIP_FIND_LINKS=$PWD/.gpu/there/base
  export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1
  exec .gpu/env/bin/python reproduce/gpu/boxes.py "$out" --began "$began" "$@"
  ;;
dry)
  out=${1:-results/first_ten_minutes}
  shift || true
  exec "${PYTHON:-python3}" reproduce/gpu/boxes.py "$out" --dry "$@"
  ;;
*)
  sed -n '2,6s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
