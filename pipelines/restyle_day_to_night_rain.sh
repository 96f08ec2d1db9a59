#!/usr/bin/env bash
# Purpose:  restyle labelled clips by day to night and rain, keep their labels, and export them as COCO.
# Run:      pipelines/restyle_day_to_night_rain.sh OUT [SCALE] [INPUT]
#           INPUT: a data set of worldgen, or pictures labelled in the layout of COCO, KITTI or YOLO; by default 200
#           clips by day are rendered. SCALE 0.02 takes 4. After an interruption the same command continues.
# Hardware: any CPU. Time: one to five rollouts per clip; minutes at SCALE 0.02.
# Expected: OUT/set with shards, index.parquet, restyle.json and report/index.html; OUT/coco with pictures and annotations.
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: $0 OUT [SCALE] [INPUT]" >&2
  exit 2
fi
out=$1 scale=${2:-1} input=${3:-}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
count=$(python -c "import sys; print(max(1, round(200 * float(sys.argv[1]))))" "$scale")

if [ -z "$input" ]; then
  input=$out/day
  worldgen scenes render --renderer sketch --prompt "by day" --count "$count" --grid road,manoeuvre --seed 500000 --out "$input"
fi
# Exit code 1 means that no clip was accepted; the report says why.
code=0
worldgen restyle "$input" --to "night, rain" --out "$out/set" --limit "$count" \
  --config "$root/configs/restyle/default.yaml" || code=$?
[ "$code" -le 1 ] || exit "$code"
[ "$code" -eq 0 ] && worldgen data export "$out/set" --format coco --out "$out/coco" --overwrite
exit "$code"
