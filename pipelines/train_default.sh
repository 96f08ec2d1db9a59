#!/usr/bin/env bash
# Purpose:  train the model that ships with worldgen, from nothing: render, ingest, codec, world model, assets.
# Run:      pipelines/train_default.sh REAL_CLIPS WORK [CLIPS]
#           REAL_CLIPS is the folder of the clips named in configs/ingest/shippable.yaml, WORK a folder for data sets and
#           runs (a run that was stopped goes on where it was), CLIPS the number of clips to render (default 720).
# Hardware: two CPU cores, 4 GB of memory; with a GPU set TRAIN_OPTIONS="--config configs/train/gpu.yaml".
# Time:     about an hour and three quarters on two cores, most of it fixed by max_minutes of the two training runs.
# Expected: assets/model with weights, training.json and a card.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
real=$1 work=$2 clips=${3:-720}
TRAIN_OPTIONS=${TRAIN_OPTIONS:-}
workers=$(python -c "import os; print(max(1, os.cpu_count() // 2))")

worldgen scenes render --count "$clips" --seed 100000 --grid weather,light,road,manoeuvre,event --shard-size 24 --workers "$workers" --out "$work/data/rendered"
worldgen ingest "$real" --config configs/ingest/shippable.yaml --out "$work/data/shippable"
urls="data.urls=[$work/data/rendered,$work/data/shippable]"
# Real clips count twice for the codec: they are few, and their textures are what the sketches lack.
worldgen train --config configs/train/codec.yaml $TRAIN_OPTIONS "$urls" "data.repeat=[1,2]" output="$work/runs/codec"
worldgen train --config configs/train/world.yaml $TRAIN_OPTIONS "$urls" init.codec="$work/runs/codec/model" output="$work/runs/world"
python pipelines/publish_model.py "$work/runs/world" --codec-run "$work/runs/codec" --out assets/model
