#!/usr/bin/env bash
# Purpose:  240 accepted clips of vehicles that cut in, merge without a gap or drift out of their lane, and their COCO export.
# Run:      pipelines/cut_ins.sh OUT [SCALE] [options of worldgen generate ...]
#           SCALE 0.02 generates a small set. After an interruption the same command continues.
# Hardware: any CPU; WORKERS is the number of processes (default: one per core).
# Time:     worldgen generate plan --config configs/generate/cut_ins.yaml estimates it.
# Expected: OUT/set with shards, index.parquet and generate.json; OUT/set/report/index.html; OUT/coco.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/ready_set.sh" cut_ins "$@"
