"""Small samples that several test files build on."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera
from worldgen.core.clip import Clip
from worldgen.core.ego import EgoMotion
from worldgen.core.labels import CLASSES, Labels
from worldgen.core.samples import Sample
from worldgen.core.scenario import AgentRequest, Scenario


def make_clip(seed: int = 0, frames: int = 6, size: tuple[int, int] = (64, 48), fps: float = 10.0) -> Clip:
    """Moving colour gradients: compresses like video, differs by seed."""
    t, y, x = np.mgrid[0:frames, 0 : size[1], 0 : size[0]]
    waves = [128 + 90 * np.sin((x * a + y * b + t * 3 + seed * 20) / 17) for a, b in ((1, 0.4), (0.5, 1), (0.8, -0.6))]
    return Clip(np.stack(waves, -1).astype(np.uint8), fps)


def make_labels(frames: int = 6, size: tuple[int, int] = (64, 48), source: str = "scene") -> Labels:
    """A car ahead in every frame, a pedestrian from frame 2 on, a hidden truck flagged to be ignored."""
    rows = []
    for frame in range(frames):
        rows.append(
            (
                frame,
                1,
                "car",
                (20.25 + frame, 18.5, 40.75 + frame, 34.0),
                1.0,
                (12.0 - frame, 0.5, 0.8, 4.4, 1.8, 1.5, 0.1),
            )
        )
        if frame >= 2:
            rows.append(
                (
                    frame,
                    7,
                    "pedestrian",
                    (2.0 * frame, 10.0, 2.0 * frame + 6.0, 30.0),
                    0.8,
                    (9.0, 3.0, 0.9, 0.5, 0.6, 1.8, -1.2),
                )
            )
        rows.append((frame, 9, "truck", (50.0, 12.0, 50.0, 12.0), 0.0, (30.0, -6.0, 1.6, 8.0, 2.5, 3.2, 3.1)))
    boxes = np.array([row[3] for row in rows], np.float32)
    whole = boxes.copy()
    whole[[row[2] == "truck" for row in rows]] = (48.0, 8.0, 58.0, 20.0)
    seen = np.array([row[4] for row in rows])
    return Labels(
        num_frames=frames, width_px=size[0], height_px=size[1], source=source,
        frame_index=[row[0] for row in rows], track_id=[row[1] for row in rows],
        class_id=[CLASSES.index(row[2]) for row in rows], box_px=boxes, amodal_box_px=whole, visible_fraction=seen,
        occlusion=1 - seen, truncation=np.zeros(len(rows)), box3d=np.array([row[5] for row in rows]), ignore=seen == 0,
    )  # fmt: skip


def make_sample(
    key: str = "a-0", seed: int = 0, *, split: str = "train", drive: str = "d0", full: bool = True
) -> Sample:
    """A sample with everything known about it, or with the bare minimum."""
    clip = make_clip(seed)
    if not full:
        return Sample(key, clip, split=split, drive=drive)
    return Sample(
        key, clip, f"a car ahead on a wet road, take {seed}", drive, split,
        EgoMotion(np.linspace(5, 9, len(clip)), np.linspace(-0.1, 0.2, len(clip)), clip.fps),
        Camera.from_fov(clip.width_px, clip.height_px, 65.0, pitch_rad=0.03), make_labels(len(clip)),
        Scenario(weather="fog", agents=(AgentRequest("cyclist", 3, "left"),)), ("fog", "urban"),
        {"source": "made up", "weights_hash": "abc"}, "CC0-1.0",
        {"accepted": seed % 2 == 0, "reasons": [] if seed % 2 == 0 else ["blurry"], "sharpness": 0.5 + seed},
        ("text", "ego"),
    )  # fmt: skip
