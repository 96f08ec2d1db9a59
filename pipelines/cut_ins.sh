#!/usr/bin/env bash
# Purpose:  vehicles that cut in, merge without a gap or drift over, 240 accepted clips, and their COCO export.
# Run:      pipelines/cut_ins.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 makes a small one; interrupted, the same command goes on where it was.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/cut_ins.yaml says how long.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html to look at; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" cut_ins "$@"
