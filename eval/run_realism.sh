#!/usr/bin/env bash
# What a detector of the real world recognises in rendered clips and in photographs, at several picture sizes.
# Hardware: two CPU cores. Time: about 40 minutes for the defaults, most of it rendering; finished sets are kept.
# Usage: DETECTOR=FILE.onnx eval/run_realism.sh     PAINT=1 BDD=COCO-SET CAMVID=COCO-SET DATA=data/realism SIZES="224x128 448x256 832x480"
set -euo pipefail
cd "$(dirname "$0")/.."

detector=${DETECTOR:?an ONNX file in the layout of YOLOX with COCO classes}
data=${DATA:-data/realism}
out=${OUT:-eval/results/realism}
mkdir -p "$out"

# Rare classes need prompts of their own; every prompt goes through all weathers and lights. Two frames, a second apart, show a scene from
# two distances.
prompts=(
    ""
    "two trucks, a bus and two motorcycles in the city"
    "three cyclists and two bicycles in the city, pedestrians crossing"
    "pedestrians crossing at an intersection with traffic lights, a motorcycle crossing"
    "parked cars in a suburb, a child from behind a parked car, parked bicycles and a motorcycle"
)
numbers=(0 1 2 5 7) # of the prompts, in names and seeds

for size in ${SIZES:-224x128 448x256 832x480}; do
    sets=()
    for i in "${!prompts[@]}"; do
        k=${numbers[i]}
        url=$data/$size/drawn$k
        seed=$((100 + k))
        worldgen scenes render --prompt "${prompts[i]}" --grid weather,light --count 36 --frames 2 --fps 1 \
            --size "$size" --seed "$seed" --out "$url"
        if [ "$k" != 0 ]; then
            sets+=(--set "drawn=$url")
        fi
        if [ -n "${PAINT:-}" ]; then # the same scenes, painted
            painted=$data/$size/painted$k
            worldgen scenes render --prompt "${prompts[i]}" --grid weather,light --count 36 --frames 2 --fps 1 \
                --size "$size" --seed "$seed" --paint --out "$painted"
            sets+=(--set "painted=$painted")
        fi
    done
    if [ -n "${BDD:-}" ]; then
        sets+=(--set "real=$BDD")
    fi
    if [ -n "${CAMVID:-}" ]; then
        sets+=(--set "camvid=$CAMVID")
    fi
    distances=()
    if [ -n "${BDD:-}${CAMVID:-}" ]; then
        distances=(--distances)
    fi
    worldgen eval realism --detector "$detector" --set "drawn=$data/$size/drawn0" "${sets[@]}" "${distances[@]}" --size "$size" \
        --out "$out/$size.json"
done
