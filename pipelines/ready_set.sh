#!/usr/bin/env bash
# Purpose:  generate one of the ready sets of configs/generate, with a report page, and export the accepted clips as COCO.
# Run:      pipelines/ready_set.sh NAME OUT [SCALE] [options of worldgen generate ...]
#           After an interruption the same command continues.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/NAME.yaml estimates it.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html shows counts, reasons and clips;
#           OUT/coco with pictures and annotations.
set -euo pipefail

if [ $# -lt 2 ]; then
  echo "usage: $0 NAME OUT [SCALE] [options of worldgen generate ...]" >&2
  exit 2
fi
name=$1 out=$2 scale=${3:-1}
shift $(($# < 3 ? $# : 3))
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
workers=${WORKERS:-$(python -c "import os; print(os.cpu_count() or 1)")}

# Exit code 1 means that a cell did not reach its quota; the accepted clips are valid.
code=0
worldgen generate --config "$root/configs/generate/$name.yaml" --scale "$scale" --workers "$workers" \
  "output=$out/set" "$@" || code=$?
[ "$code" -le 1 ] || exit "$code"
if [ -e "$out/set/accepted-00000.tar" ]; then
  worldgen data export "$out/set" --format coco --out "$out/coco" --overwrite
fi
exit "$code"
