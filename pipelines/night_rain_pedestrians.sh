#!/usr/bin/env bash
# Purpose:  people in front of the car at night in rain, 200 accepted clips, and their COCO export.
# Run:      pipelines/night_rain_pedestrians.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 makes a small one; interrupted, the same command goes on where it was.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/night_rain_pedestrians.yaml says how long.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html to look at; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" night_rain_pedestrians "$@"
