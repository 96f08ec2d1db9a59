#!/usr/bin/env bash
# All results of RESULTS.md: data, every measure of the shipped model, both detector studies, and the page.
# Hardware: two CPU cores. Time: about two and a half hours for the defaults, half of it the detector studies.
# Usage: eval/run_all.sh [MODEL-DIR]     DATA=data REAL=URL CLIPS=64 CACHE=outputs/eval-cache I3D=FILE SKIP_GAIN=1
set -euo pipefail
cd "$(dirname "$0")/.."

data=${DATA:-data}
scenes=$data/scenes
real=${REAL:-}
clips=${CLIPS:-64}
cache=${CACHE:-outputs/eval-cache}
out=${OUT:-eval/results}
model=${1:-shipped}
mkdir -p "$out"

worldgen scenes render --count 720 --grid weather,light --seed 100000 --out "$scenes"

# Validation of the measures: the distance under known damage, the search on planted copies.
python pipelines/check_fd.py "$scenes" ${real:+--real "$real"}
worldgen eval memorisation --train "$scenes" --held-out "$scenes" --check 20 --limit 200 --out "$out/memorisation_check.json"

# Measures of the model's clips.
worldgen eval fvd --reference "$scenes" --model "$model" --clips "$clips" --cache "$cache" --out "$out/fvd.json"
worldgen eval fvd --reference "$scenes" --generated rendered --clips "$clips" --out "$out/fvd_rendered.json"
if [ -n "$real" ]; then
    worldgen eval fvd --reference "$real" --model "$model" --clips "$clips" --cache "$cache" --out "$out/fvd_real.json"
fi
if [ -n "${I3D:-}" ]; then
    worldgen eval fvd --reference "$scenes" --model "$model" --clips "$clips" --cache "$cache" \
        --extractor i3d --weights "$I3D" --out "$out/fvd_i3d.json"
fi
# Exit code 1 says that copies were found: a result, not a failure of this script.
worldgen eval memorisation --train "$scenes" ${real:+"$real"} --held-out "$scenes" --model "$model" --start sketch \
    --clips "$clips" --cache "$cache" --out "$out/memorisation.json" --pictures "$out/memorisation.png" || [ $? -eq 1 ]

CLIPS=$clips CACHE=$cache OUT=$out REAL=$real eval/run_model.sh ${1:+"$1"}
if [ -z "${SKIP_GAIN:-}" ]; then
    DATA=$data OUT=$out eval/run_gain.sh ${1:+"$1"}
fi
python eval/make_results.py
