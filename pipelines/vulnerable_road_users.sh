#!/usr/bin/env bash
# Purpose:  320 accepted clips of pedestrians, bicycles and motorcycles in the way of the car, and their COCO export.
# Run:      pipelines/vulnerable_road_users.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 generates a small set. After an interruption the same command continues.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/vulnerable_road_users.yaml estimates it.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" vulnerable_road_users "$@"
