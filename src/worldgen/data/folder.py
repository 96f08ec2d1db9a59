"""The output folder of one sample: clip, sheet, labels, ego motion and everything needed to make it again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from worldgen.core.ego import EgoMotion, planar_poses
from worldgen.core.labels import Labels
from worldgen.core.sample import Sample
from worldgen.data.export_coco import coco_video
from worldgen.data.sheet import contact_sheet, draw_labels
from worldgen.data.video import write_clip

SHEET_FRAMES = 8
SHEET_SCALE = 2


def write_sample_folder(folder: Path, sample: Sample, meta: dict) -> None:
    """Write ``clip.mp4``, ``sheet.png``, ``labels.json`` (COCO video style), ``ego.csv`` and ``meta.json``.

    ``folder`` exists and is empty; ``meta`` is JSON-able (prompt, seed, model, versions, ...). ``meta.json`` is written
    last, so a folder that has it is complete.
    """
    labels = sample.labels
    if labels is None:
        labels = Labels.empty(len(sample.clip), sample.clip.width_px, sample.clip.height_px)
    write_clip(folder / "clip.mp4", sample.clip)
    (folder / "labels.json").write_text(json.dumps(coco_video(labels, file_name="clip.mp4", fps=sample.clip.fps)) + "\n")
    if sample.ego is not None:
        write_ego_csv(folder / "ego.csv", sample.ego)
    sheet = sample_sheet(sample)
    ok, png = cv2.imencode(".png", sheet[..., ::-1])
    assert ok, sheet.shape
    (folder / "sheet.png").write_bytes(png.tobytes())
    (folder / "meta.json").write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n")


def sample_sheet(sample: Sample) -> np.ndarray:
    """``(H, W, 3)`` uint8: frames spread over the clip, labels drawn, with time and speed under each."""
    clip, ego = sample.clip, sample.ego
    picked = np.unique(np.linspace(0, len(clip) - 1, min(SHEET_FRAMES, len(clip))).round().astype(int))
    frames, captions = [], []
    for i in picked:
        size = (clip.width_px * SHEET_SCALE, clip.height_px * SHEET_SCALE)
        frame = cv2.resize(clip.frames[i], size, interpolation=cv2.INTER_CUBIC)
        if sample.labels is not None:
            frame = draw_labels(frame, sample.labels.at(i))
        frames.append(frame)
        motion = "" if ego is None else f"  {ego.speed_mps[i] * 3.6:.0f} km/h"
        captions.append(f"{i / clip.fps:.2f} s{motion}")
    return contact_sheet(frames, captions, columns=4, title=sample.caption)


def write_ego_csv(path: Path, ego: EgoMotion) -> None:
    """Ego motion as an ego log that ``worldgen ingest`` and ``--ego`` read back: one row per frame."""
    poses = planar_poses(ego)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", "speed_mps", "yaw_rate_radps", "x_m", "y_m", "yaw_rad"])
        for i in range(len(ego)):
            row = [i / ego.fps, ego.speed_mps[i], ego.yaw_rate_radps[i], *poses[i]]
            writer.writerow([f"{value:.6f}" for value in row])
