#!/usr/bin/env bash
# Measures of the shipped model on held-out scenes, one JSON each in eval/results.
# Hardware: two CPU cores. Time: about 15 minutes for the defaults, most of it generating clips, which all measures share through a cache.
# Usage: eval/run_model.sh [MODEL-DIR]     CLIPS=48 ROLLOUTS=8 CACHE=outputs/eval-cache REAL=URL
set -euo pipefail
cd "$(dirname "$0")/.."

clips=${CLIPS:-48}
rollouts=${ROLLOUTS:-8}
cache=${CACHE:-outputs/eval-cache}
out=${OUT:-eval/results}
model=(${1:+--model "$1"})
real=(${REAL:+--real "$REAL"})
mkdir -p "$out"

worldgen eval control "${model[@]}" --clips "$clips" --sweep 2 --cache "$cache" --out "$out/control.json"
worldgen eval attributes "${model[@]}" --clips "$clips" --cache "$cache" --out "$out/attributes.json"
for measure in attributes labels control; do # from the prompt alone; a model without text refuses it
    worldgen eval "$measure" "${model[@]}" --clips "$clips" --start noise --cache "$cache" \
        --out "$out/${measure}_noise.json" || [ $? -eq 2 ]
done
if worldgen eval --help | grep -q '^ *labels '; then
    worldgen eval labels "${model[@]}" --clips "$clips" --cache "$cache" --out "$out/labels.json"
fi
worldgen eval drift "${model[@]}" --clips "$rollouts" --frames 200 "${real[@]}" --cache "$cache" --out "$out/drift.json"

# The ceiling: rendered clips of the same scenes.
worldgen eval control --model rendered --clips "$clips" --out "$out/control_rendered.json"
worldgen eval attributes --model rendered --clips "$clips" --out "$out/attributes_rendered.json"
