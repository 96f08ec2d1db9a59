#!/usr/bin/env bash
# The two detector-gain studies, from data to eval/results/gain_*.json and *.png. After an interruption it continues.
# Hardware: one CPU core. Time: about 20 minutes for each study, 15 for generating clips and 20 for rendering, on a free core.
# Usage: eval/run_gain.sh [MODEL-DIR]     DATA=data RUNS=runs CAMVID=data/camvid BUDGET=minutes OUT=eval/results
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data}
runs=${RUNS:-runs}
out=${OUT:-eval/results}
model=(${1:+model.pipeline="$1"})
budget=(${BUDGET:+--budget "$BUDGET"})
mkdir -p "$out"

# Training pictures, held-back rare pictures, and a test of scenes on which no model or detector is trained.
worldgen scenes render --count 720 --grid weather,light --seed 100000 --out "$data/scenes"
worldgen scenes render --prompt "pedestrians" --count 192 --grid weather,light --seed 420000 --out "$data/pedestrians"
worldgen scenes render --prompt "a cyclist" --count 96 --grid weather,light --seed 430000 --out "$data/cyclists"
worldgen scenes render --prompt "pedestrians and two cyclists" --count 144 --grid weather,light --seed 960000 --out "$data/gain_test"
rendered="$data/scenes,$data/pedestrians,$data/cyclists"

# Clips of the model. Exit code 1 means that the gate rejected many of them: a result, not a failure of this script.
worldgen generate --config configs/generate/gain_rare.yaml output="$data/gain_rare" "${model[@]}" || [ $? -eq 1 ]
worldgen restyle "$data/scenes" --to "night, rain" --split train --tag clear --tag day --limit 10 --config configs/restyle/gain.yaml --out "$data/gain_night_rain" "${model[@]}" || [ $? -eq 1 ]
worldgen restyle "$data/scenes" --to "night" --split train --tag clear --tag dawn --limit 10 --config configs/restyle/gain.yaml --out "$data/gain_night" "${model[@]}" || [ $? -eq 1 ]
generated=(synthetic.url="$data/gain_rare" restyled.url="$data/gain_night_rain,$data/gain_night")

worldgen eval gain --config configs/eval/gain_controlled.yaml --folder "$runs/gain_controlled" --threads 1 "${budget[@]}" \
    --out "$out/gain_controlled.json" real.url="$rendered" rare.url="$rendered" test.url="$data/gain_test" "${generated[@]}"

camvid=${CAMVID:-$data/camvid}
if [ -f "$camvid/index.parquet" ]; then
    worldgen eval gain --config configs/eval/gain_camvid.yaml --folder "$runs/gain_camvid" --threads 1 "${budget[@]}" \
        --out "$out/gain_camvid.json" real.url="$camvid" rare.url="$camvid" test.url="$camvid" "${generated[@]}"
else
    echo "no CamVid in $camvid (see configs/ingest/camvid.yaml): the study on real pictures is left out" >&2
fi
