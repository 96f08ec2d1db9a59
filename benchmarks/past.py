"""What moving the past picture is worth: error of the past against the true frame, one frame ahead, by what is known.

    python benchmarks/past.py DATA_SET [--clips 48] [--out benchmarks/results/past.json]

DATA_SET holds rendered clips of this version (their scenes are made again for the layout). Rows: not moved at all, moved
over a flat ground and a far wall, moved with the layout's depth and the things' own motion. Errors are mean squared
differences of latents, over their variance; PSNR is of pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from worldgen.data.index import DataSet
from worldgen.models.bundle import load_codec
from worldgen.models.codec import encode_images
from worldgen.models.conditions import ClipConditions, batch_conditions
from worldgen.models.past import moved_past
from worldgen.models.pixels import video_from_clips
from worldgen.training.layouts import scene_layout

STEPS = 4
"""Frame pairs looked at of each clip, evenly spread."""


@torch.no_grad()
def clip_rows(codec, sample) -> list[dict[str, tuple[float, float]]]:
    """For some frames of a clip: kind of move -> (latent error over variance, PSNR in dB)."""
    maps = scene_layout(sample, sample.camera)
    given = ClipConditions(len(sample.clip), sample.clip.fps, None, sample.ego, sample.camera, maps)
    conditions = batch_conditions([given], None)
    kinds = {"still": conditions.without("ego"), "ground_and_wall": conditions.without("layout"), "depth_and_motion": conditions}
    video = video_from_clips([sample.clip])
    rows = []
    for target in np.linspace(1, len(sample.clip) - 1, STEPS).astype(int):
        source, picture = int(target) - 1, video[:, :, target]
        latents = encode_images(codec, picture)
        row = {}
        for name, known in kinds.items():
            past, moved, _ = moved_past(codec, video[:, :, source], known, source=source, target=int(target))
            error = (past[:, :-1] - latents).square().mean() / latents.var()
            psnr_db = 10 * torch.log10(4 / (moved - picture).square().mean())
            row[name] = (float(error), float(psnr_db))
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_set", metavar="DATA_SET")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--out", default="benchmarks/results/past.json")
    args = parser.parse_args()
    data = DataSet(args.data_set)
    codec = load_codec("shipped")
    rendered = [row["key"] for row in data.rows if row["split"] == "test"][: args.clips]
    rows = [row for key in rendered for row in clip_rows(codec, data.load(key))]
    table = {
        kind: {
            "latent_error_over_variance": round(float(np.mean([row[kind][0] for row in rows])), 4),
            "psnr_db": round(float(np.mean([row[kind][1] for row in rows])), 2),
        }
        for kind in rows[0]
    }
    record = {"clips": len(rendered), "frame_pairs": len(rows), "moves": table}
    Path(args.out).write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
