#!/usr/bin/env bash
# Purpose:  train a model of the shipped kind from random weights: render, ingest, codec, world model, assets. The shipped
#           weights are not the output of one run of it: they came from the runs that training.json lists, each begun
#           from the one before, with the recipes of configs/train.
# Run:      pipelines/train_from_scratch.sh REAL_CLIPS WORK [CLIPS]
#           REAL_CLIPS is the folder of the clips named in configs/ingest/shippable.yaml, WORK a folder for data sets and
#           runs (a run that was stopped continues), CLIPS the number of clips to render (default 960).
# Hardware: two CPU cores, 8 GB of memory, 20 GB of disk; with a GPU set TRAIN_OPTIONS="--config configs/train/gpu.yaml".
# Time:     most of it is fixed by max_minutes of the three training runs; rendering and encoding add about a quarter of an hour.
# Expected: WORK/model with weights, training.json and a card.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
real=$1 work=$2 clips=${3:-960}
TRAIN_OPTIONS=${TRAIN_OPTIONS:-}
workers=$(python -c "import os; print(max(1, os.cpu_count() // 2))")

render() { worldgen scenes render --renderer sketch --frames 18 --count "$1" --seed "$2" --grid "$3" --shard-size 24 --workers "$workers" --out "$work/data/$4" "${@:5}"; }
render "$clips" 100000 weather,light,road,manoeuvre,event rendered
# The grid has few turns, because most roads and events do not allow them, and few and small pedestrians and cyclists.
render $((clips / 10)) 400000 weather,light left --prompt "the ego car turns left at an intersection"
render $((clips / 10)) 410000 weather,light right --prompt "the ego car turns right at an intersection"
render $((clips / 4)) 420000 weather,light pedestrians --prompt "pedestrians"
render $((clips * 3 / 20)) 430000 weather,light cyclists --prompt "a cyclist"
render $((clips / 5)) 440000 weather,light crossing --prompt "a pedestrian crosses the road"
worldgen ingest "$real" --config configs/ingest/shippable.yaml --out "$work/data/shippable"
# Real clips count twice for the codec: they are few, and rendered clips lack their textures.
worldgen train --config configs/train/codec.yaml $TRAIN_OPTIONS "data.urls=[$work/data/rendered,$work/data/shippable]" \
    "data.repeat=[1,2]" output="$work/runs/codec"
urls="data.urls=[$(printf "$work/data/%s," rendered left right pedestrians cyclists crossing)$work/data/shippable]"
# Real clips count three times here: only they have no layout.
repeat="data.repeat=[1,1,1,1,1,1,3]"
worldgen train --config configs/train/world.yaml $TRAIN_OPTIONS "$urls" "$repeat" init.codec="$work/runs/codec/model" \
    data.cache="$work/latents" output="$work/runs/world"
worldgen train --config configs/train/world_generated_history.yaml $TRAIN_OPTIONS "$urls" "$repeat" init.pipeline="$work/runs/world/model" \
    data.cache="$work/latents" output="$work/runs/world_generated_history"
python pipelines/publish_model.py "$work/runs/world" "$work/runs/world_generated_history" --codec-run "$work/runs/codec" --out "$work/model"
