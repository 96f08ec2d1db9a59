"""Error of the reprojected previous frame against the true frame, by the geometry that is known.

    python benchmarks/reprojection.py DATA_SET [--clips 48] [--real URL] [--out benchmarks/results/reprojection.json]

DATA_SET holds rendered clips of this version (their scenes are simulated again for the layout). One frame is
reprojected to the next. Rows: without reprojection; over a flat ground and a far wall; with the depth of the layout and
the motion of the objects. Errors are mean squared differences of latents over their variance; PSNR is of pictures.
``--real``: clips with a log of their motion. Their second frame is reprojected to later ones, over a flat ground and a
far wall and with the depth that ``models.native.history.geometry`` estimates from the first two frames; the ego motion
recovered from such clips is compared with the log.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from worldgen.data.dataset.index import DataSet
from worldgen.evaluation.measures.motion_control import MotionPair, control_rows
from worldgen.instruments.motion.motion_reader import MotionReader
from worldgen.models.native.codec import encode_images
from worldgen.models.native.conditions import ClipConditions, batch_conditions
from worldgen.models.native.history.geometry import ClipGeometry
from worldgen.models.native.history.reprojection import reproject
from worldgen.models.native.loading import load_codec
from worldgen.models.native.pixels import clips_from_video, video_from_clips
from worldgen.training.data.rendered_layouts import scene_layout

STEPS = 4
"""Frame pairs compared in each clip, evenly spread."""

AHEAD = (2, 4, 8, 16)
"""Distances in frames that are compared in real clips."""

LEAST_SPEED_MPS = 3.0
"""Slower clips do not show enough parallax."""


@torch.no_grad()
def clip_rows(codec, sample) -> list[dict[str, tuple[float, float]]]:
    """For some frames of a clip: kind of reprojection -> (latent error over variance, PSNR in dB)."""
    maps = scene_layout(sample, sample.camera)
    clip_conditions = ClipConditions(len(sample.clip), sample.clip.fps, None, sample.ego, sample.camera, maps)
    conditions = batch_conditions([clip_conditions], None)
    kinds = {
        "still": conditions.without("ego"),
        "ground_and_wall": conditions.without("layout"),
        "depth_and_motion": conditions,
    }
    video = video_from_clips([sample.clip])
    rows = []
    for target in np.linspace(1, len(sample.clip) - 1, STEPS).astype(int):
        source, picture = int(target) - 1, video[:, :, target]
        latents = encode_images(codec, picture)
        row = {}
        for name, known in kinds.items():
            reprojected, moved, _ = reproject(codec, video[:, :, source], known, source=source, target=int(target))
            error = (reprojected[:, :-1] - latents).square().mean() / latents.var()
            psnr_db = 10 * torch.log10(4 / (moved - picture).square().mean())
            row[name] = (float(error), float(psnr_db))
        rows.append(row)
    return rows


@torch.no_grad()
def real_rows(codec, url: str) -> dict:
    """PSNR of reprojected frames of real clips against the recording, and the ego motion that they show."""
    data, reader = DataSet(url), MotionReader.load()
    kinds = ("ground_and_wall", "depth_from_motion")
    near = {kind: {ahead: [] for ahead in AHEAD} for kind in kinds}
    drives = {kind: [] for kind in kinds}
    for row in data.rows:
        sample = data.load(row["key"])
        if sample.ego is None or sample.camera is None or sample.ego.speed_mps.mean() < LEAST_SPEED_MPS:
            continue
        clip_conditions = ClipConditions(len(sample.clip), sample.clip.fps, None, sample.ego, sample.camera, None)
        conditions, video = batch_conditions([clip_conditions], None), video_from_clips([sample.clip])
        found = ClipGeometry.of(video[:, :, :2], conditions, 1)
        for kind, geometry in zip(kinds, (None, found), strict=True):
            shown = [video[:, :, 0], video[:, :, 1]]
            for target in range(2, len(sample.clip)):
                _, moved, _ = reproject(codec, video[:, :, 1], conditions, source=1, target=target, geometry=geometry)
                shown.append(moved)
                if target - 1 in AHEAD:
                    error = (moved - video[:, :, target]).square().mean()
                    near[kind][target - 1].append(float(10 * torch.log10(4 / error)))
            [clip] = clips_from_video(torch.stack(shown, 2), sample.clip.fps)
            drives[kind].append(MotionPair(sample.ego, reader.read(clip, sample.camera), 2))
    moves = {}
    for kind in kinds:
        control = control_rows(drives[kind])
        moves[kind] = {
            "psnr_db": {str(ahead): round(float(np.mean(values)), 2) for ahead, values in near[kind].items()},
            **{
                name: round(control[name].value, 4) for name in ("speed_spearman", "speed_ratio", "position_error_2s_m")
            },
        }
    return {"data": Path(url).name, "clips": len(drives[kinds[0]]), "moves": moves}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_set", metavar="DATA_SET")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--real", default="", help="data set of real clips with logs of their motion")
    parser.add_argument("--out", default="benchmarks/results/reprojection.json")
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
    if args.real:
        record["real"] = real_rows(codec, args.real)
    Path(args.out).write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
