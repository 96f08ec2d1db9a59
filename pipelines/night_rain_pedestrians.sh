#!/usr/bin/env bash
# Purpose:  200 accepted clips of people in front of the car at night in rain, and their COCO export.
# Run:      pipelines/night_rain_pedestrians.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 generates a small set. After an interruption the same command continues.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/night_rain_pedestrians.yaml estimates it.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" night_rain_pedestrians "$@"
