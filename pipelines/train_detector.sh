#!/usr/bin/env bash
# Purpose:  train the shipped detector from random weights: render, three trainings, accuracy on held-out clips.
# Run:      pipelines/train_detector.sh DATA WORK
#           DATA has the five rendered sets of pipelines/train_from_scratch.sh (rendered, left, right, pedestrians, cyclists);
#           WORK is a folder for more clips and for states (a run that was stopped continues).
# Hardware: one CPU core, 4 GB of memory.
# Time:     about an hour of CPU: 7 minutes of rendering, 11 + 10 + 17 of training, the rest reading and measuring.
# Expected: assets/instruments/detector with weights and accuracy.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=$1 work=$2

# More people and riders, of which the balanced set has few: in groups, walking, running, fallen, seen from the side.
render() {
    worldgen scenes render --renderer sketch --grid weather,light --frames 6 --fps 2 --shard-size 48 --count "$1" --seed "$2" --out "$work/data/$3" --prompt "$4"
}
render 168 500000 crossing "a group of pedestrians crossing"
render 192 510000 riding "a cyclist ahead"
render 180 520000 side "a cyclist crosses the road"
render 108 530000 walker "a jaywalker crosses the road"
render 72 540000 child "a child runs out from between parked cars"
render 36 550000 fall "a crossing pedestrian stumbles and falls"
render 36 560000 oncoming "a cyclist comes towards us on the wrong side of the road"
render 40 930000 held_cyclists "a cyclist crossing"
render 40 931000 held_pedestrians "pedestrians"

train() { python pipelines/train_detector.py "${@:2}" --out "$work/$1" --state "$work/states/$1" --only train; }
first=("$data"/{rendered,pedestrians,cyclists,left,right} "$work"/data/{crossing,riding})
second=("${first[@]}" "$work"/data/{side,walker,child,fall,oncoming})
# The first detector learns from the balanced set alone; each other one starts from the previous one.
train base "$data/rendered" --steps 6000
people=(--ema 0.998 --spread 0.6 --crops 0.75 --zoom 0.5 0.85 1.7)
train first "${first[@]}" --train-every 4 2 2 4 4 1 1 --start "$work/base" --seed 1 --steps 6200 --hold 0.9999 "${people[@]}"
train second "${second[@]}" --train-every 4 2 2 4 4 1 1 1 1 1 1 1 --start "$work/first" --depths 2 2 2 --seed 2 \
    --steps 13000 --hold 0.6 "${people[@]}"
cp "$work"/second/* assets/instruments/detector/
python pipelines/train_detector.py "${second[@]}" --measured 12 --held-out "$work"/data/{held_cyclists,held_pedestrians} \
    --every 2 --out assets/instruments/detector --state "$work/states/second" --only measure
