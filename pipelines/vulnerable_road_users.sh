#!/usr/bin/env bash
# Purpose:  people on foot, bicycles and motorcycles in the way of the car, 320 accepted clips, and their COCO export.
# Run:      pipelines/vulnerable_road_users.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 makes a small one; interrupted, the same command goes on where it was.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/vulnerable_road_users.yaml says how long.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html to look at; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" vulnerable_road_users "$@"
