#!/usr/bin/env bash
# Trains the model that ships with worldgen, from nothing: render, ingest, codec, world model, assets.
#
#   pipelines/train_default.sh REAL_CLIPS WORK [CLIPS]
#
# REAL_CLIPS: folder with the clips named in configs/ingest/shippable.yaml. WORK: folder for data sets and runs; a run that
# was stopped goes on where it was. CLIPS: clips to render (default 448). About three hours on two cores; on a machine with
# a GPU the same commands take minutes (TRAIN_OPTIONS="--config configs/train/gpu.yaml").
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
real=$1 work=$2 clips=${3:-448}
read -ra options <<<"${TRAIN_OPTIONS:-}"
workers=$(python -c "import os; print(max(1, os.cpu_count() // 2))")

worldgen scenes render --count "$clips" --grid weather,light,road,manoeuvre,event --shard-size 16 --workers "$workers" --out "$work/data/rendered"
worldgen ingest "$real" --config configs/ingest/shippable.yaml --out "$work/data/shippable"
urls="data.urls=[$work/data/rendered,$work/data/shippable]"
worldgen train --config configs/train/codec.yaml "${options[@]}" "$urls" output="$work/runs/codec"
worldgen train --config configs/train/world.yaml "${options[@]}" "$urls" init.codec="$work/runs/codec/model" output="$work/runs/world"
python pipelines/publish_model.py "$work/runs/world" --codec-run "$work/runs/codec" --out assets/model
