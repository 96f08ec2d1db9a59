#!/usr/bin/env bash
# Effect of the number of sampler steps: the measures of the shipped model at 1, 2, 4 and 16 steps on the same held-out scenes.
# Hardware: two CPU cores. Time: about 20 minutes for the defaults.
# Usage: eval/run_steps.sh [MODEL-DIR]     CLIPS=24 STEPS="1 2 4 16" CACHE=outputs/eval-cache
set -euo pipefail
cd "$(dirname "$0")/.."

clips=${CLIPS:-24}
cache=${CACHE:-outputs/eval-cache}
out=${OUT:-eval/results/steps}
model=(${1:+--model "$1"})
mkdir -p "$out"

for steps in ${STEPS:-1 2 4 16}; do
    for measure in control attributes labels; do
        worldgen eval "$measure" "${model[@]}" --clips "$clips" --steps "$steps" --cache "$cache" --out "$out/$measure-$steps.json"
    done
done
