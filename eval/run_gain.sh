#!/usr/bin/env bash
# The two detector-gain studies, from data to eval/results/gain_*.json and *.png. Stopped, it goes on where it was.
# Hardware: one CPU core. Time: of a free core about 25 minutes for each study and 10 more for made clips, after 12 for rendering.
# Usage: eval/run_gain.sh [SYNTHETIC-URL] [RESTYLED-URL]     DATA=data RUNS=runs CAMVID=data/camvid BUDGET=minutes
# Synthetic clips: worldgen generate with a recipe of night, rain and fog; only accepted clips are used.
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data}
runs=${RUNS:-runs}
made=(${1:+synthetic.url="$1"} ${2:+restyled.url="$2"})
budget=(${BUDGET:+--budget "$BUDGET"})
mkdir -p eval/results

worldgen scenes render --count 720 --grid weather,light --seed 100000 --out "$data/scenes"
worldgen eval gain --config configs/eval/gain_controlled.yaml --folder "$runs/gain_controlled" "${budget[@]}" \
    --out eval/results/gain_controlled.json \
    real.url="$data/scenes" rare.url="$data/scenes" test.url="$data/scenes" "${made[@]}"

camvid=${CAMVID:-$data/camvid}
if [ -f "$camvid/index.parquet" ]; then
    worldgen eval gain --config configs/eval/gain_camvid.yaml --folder "$runs/gain_camvid" "${budget[@]}" \
        --out eval/results/gain_camvid.json \
        real.url="$camvid" rare.url="$camvid" test.url="$camvid" "${made[@]}"
else
    echo "no CamVid in $camvid (see configs/ingest/camvid.yaml): the study on real pictures is left out" >&2
fi
