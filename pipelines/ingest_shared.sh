#!/usr/bin/env bash
# Purpose:  ingest every source of a folder of shared clips (shippable, simulator, research, camvid), check the data sets
#           and write a page that shows each.
# Run:      pipelines/ingest_shared.sh SHARED/data OUT
# Hardware: any; one core, under 1 GB of memory, 200 MB of disk.
# Time:     about 10 minutes on a free core; after an interruption it continues.
# Expected: OUT/{shippable,simulator,research,camvid} validate clean (169, 461, 340 and 639 samples);
#           OUT/view/NAME/index.html shows them.
set -euo pipefail

if [ $# -ne 2 ]; then
  echo "usage: $0 SHARED/data OUT" >&2
  exit 2
fi
shared=$1
out=$2
configs=$(cd "$(dirname "$0")/.." && pwd)/configs/ingest

for name in shippable simulator research camvid; do
  if [ ! -d "$shared/$name" ]; then
    echo "no $shared/$name, skipped" >&2
    continue
  fi
  worldgen ingest "$shared/$name" --config "$configs/$name.yaml" --out "$out/$name"
  worldgen data validate "$out/$name"
  worldgen data view "$out/$name" --out "$out/view/$name" --overwrite --limit 24
done
