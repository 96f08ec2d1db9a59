"""Pictures of every control for three scenes with their labels drawn over all of them, and how exact they are.

python benchmarks/control_pictures.py [--sheet docs/backbones/controls.jpg] [--out benchmarks/results/controls.json]

Printed and recorded: the smallest IoU of the seg control with a mask of an instance, the largest error of the boxes of
its colours against the labels, and how far H.264 in yuv420p moves the colours of seg beside the lossless files that are
written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np

from worldgen.api.words_to_scenes import simulate
from worldgen.core.clip import Clip
from worldgen.core.labels import Labels
from worldgen.core.scene import Scene
from worldgen.data.video.control_video import encode_control
from worldgen.data.video.encoding import encode_mp4
from worldgen.data.video.reading import decode_mp4
from worldgen.rendering.controls.scene_controls import scene_controls
from worldgen.rendering.drawn_clips import draw_scene
from worldgen.rendering.render import Rendering

SCENES = (
    ("an intersection with traffic lights, pedestrians crossing, cars and a truck", 3),
    ("two cyclists and a bus at night in heavy rain", 5),
    ("a highway in snow with trucks and cars at dusk", 2),
)
CONTROLS = (
    "sketch", "depth", "seg", "edge", "edge:geometry", "blur", "blur:down", "boxes", "boxes:flat", "wsm",
)  # fmt: skip
SIZE_PX, FRAMES, SHOWN = (448, 256), 17, 8
CELL_PX = (264, 151)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheet", default="docs/backbones/controls.jpg")
    parser.add_argument("--out", default="benchmarks/results/controls.json")
    args = parser.parse_args()
    columns, rows = [], []
    for prompt, seed in SCENES:
        scene = simulate(prompt, seed=seed, frames=FRAMES, size=SIZE_PX)
        rendering, labels = draw_scene(scene, frames=[SHOWN])
        columns.append(column(scene, rendering, labels))
        rows.append({"prompt": prompt, "seed": seed} | exactness(scene, rendering, labels))
        print(json.dumps(rows[-1]))
    Path(args.sheet).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(args.sheet, np.concatenate(columns, 1)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 54])
    Path(args.out).write_text(json.dumps({"size_px": SIZE_PX, "scenes": rows}, indent=2) + "\n")


def column(scene: Scene, rendering: Rendering, labels: Labels) -> np.ndarray:
    """All controls of one frame below each other with their labels, ``(H, W, 3)`` uint8."""
    cells = []
    for text in CONTROLS:
        (video,) = scene_controls(scene, rendering, [text], frames=[SHOWN]).values()
        picture = cv2.resize(video[0], CELL_PX, interpolation=cv2.INTER_AREA)
        scale = np.array([CELL_PX[0] / SIZE_PX[0], CELL_PX[1] / SIZE_PX[1]] * 2)
        ink = (0, 120, 0) if text == "boxes:flat" else (0, 255, 0)
        for box in labels.box_px[~labels.ignore] * scale:
            x0, y0, x1, y1 = np.rint(box).astype(int).tolist()
            cv2.rectangle(picture, (x0, y0), (x1, y1), ink, 1)
        ink = (160, 0, 0) if text == "boxes:flat" else (255, 255, 0)
        cv2.putText(picture, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, ink, 1, cv2.LINE_AA)
        cells.append(picture)
    return np.concatenate(cells)


def exactness(scene: Scene, rendering: Rendering, labels: Labels) -> dict:
    """How the seg control agrees with instances and labels, and what files do to it."""
    seg = scene_controls(scene, rendering, ["seg"], frames=[SHOWN])["seg"]
    colour = seg.astype(np.int64) @ np.array([65536, 256, 1])
    overlaps, box_errors = [], []
    for track in np.unique(rendering.instance[rendering.instance > 0]).tolist():
        mask = rendering.instance == track
        same = colour == colour[mask][0]
        overlaps.append((mask & same).sum() / (mask | same).sum())
        row = np.flatnonzero(labels.track_id == track)
        if len(row):
            y, x = np.nonzero(same[0])
            found = [x.min(), y.min(), x.max() + 1, y.max() + 1]
            box_errors.append(float(np.abs(labels.box_px[row[0]] - found).max()))
    usual = np.abs(decode_mp4(encode_mp4(Clip(seg, scene.fps))).frames.astype(int) - seg).max(-1)
    kept = decode_mp4(encode_control("seg", seg, scene.fps)).frames
    return {
        "instances": len(overlaps), "smallest_iou": float(min(overlaps)), "largest_box_error_px": max(box_errors),
        "usual_mp4_pixels_moved_over_30": float((usual > 30).mean()), "usual_mp4_largest_move": int(usual.max()),
        "written_mp4_largest_move": int(np.abs(kept.astype(int) - seg).max()),
    }  # fmt: skip


if __name__ == "__main__":
    main()
