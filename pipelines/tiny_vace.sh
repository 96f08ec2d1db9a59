#!/usr/bin/env bash
# Purpose:  proof without pretrained weights that controls, masks, files and labels of a pretrained family line up: a small
#           Wan VACE of the real classes is trained on rendered clips, must obey its control on held-out clips, and then
#           samples clips with true and with shuffled controls, which the instruments judge.
# Run:      pipelines/tiny_vace.sh OUT [CLIPS] [CODEC_STEPS] [STEPS]
# Hardware: one CPU core, 2 GB of memory.
# Time:     about 25 minutes: 4 for the codec, 15 for the transformer, 3 for the clips. A stopped training goes on from
#           OUT/work.
# Expected: OUT/tiny_vace.json and OUT/tiny_vace_clips.json with a shuffled control that is worse beyond its interval (the
#           programs fail otherwise); OUT/labels_{true,shuffled}.json. Results stand in eval/results/tiny_vace. The codec
#           reaches 14.5 dB, so pictures are blurred and grey. `worldgen eval control` needs clips of 17 frames or more.
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: $0 OUT [CLIPS] [CODEC_STEPS] [STEPS]" >&2
  exit 2
fi
out=$1 clips=${2:-60} codec_steps=${3:-300} steps=${4:-900}
here=$(cd "$(dirname "$0")" && pwd)
export OMP_NUM_THREADS=1
mkdir -p "$out"

worldgen scenes render --count "$clips" --shard-size 24 --grid weather,light --size 224x128 --frames 9 --fps 8 \
  --seed 700000 --out "$out/scenes"
python "$here/train_tiny_vace.py" "$out/scenes" --out "$out/model" --work "$out/work" --record "$out/tiny_vace.json" \
  --held-out 12 --frames 9 --codec-steps "$codec_steps" --steps "$steps"
python "$here/sample_tiny_vace.py" "$out/model" "$out/scenes" --out "$out/sets" --record "$out/tiny_vace_clips.json"
for arm in true shuffled; do
  worldgen eval labels --data "$out/sets/$arm" --frames 9 --clips 12 --out "$out/labels_$arm.json"
done
