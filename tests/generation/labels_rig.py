"""A clip with plain objects and an exact verifier, so that every answer about its labels is known."""

from __future__ import annotations

import numpy as np

from worldgen.core.clip import Clip
from worldgen.core.labels import CLASSES, Labels
from worldgen.instruments.detector.detector import Detections
from worldgen.instruments.verifier.verifier import NONE, BoxAnswers

FRAMES, WIDTH, HEIGHT = 12, 224, 128
COLOURS = {"car": (200, 30, 30), "pedestrian": (30, 200, 30), "bus": (30, 30, 200), "cyclist": (200, 200, 30)}
"""Each class has one colour, which no other pixel has."""
OBJECTS = {
    1: ("car", (20, 60, 70, 90), 2.0),
    2: ("pedestrian", (110, 50, 122, 92), -1.0),
    3: ("bus", (150, 40, 210, 100), 0.0),
}


def boxes_at(frame: int) -> dict[int, tuple[str, np.ndarray]]:
    return {
        t: (name, np.array(box, float) + np.array([step * frame, 0] * 2)) for t, (name, box, step) in OBJECTS.items()
    }


def clip() -> Clip:
    frames = np.full((FRAMES, HEIGHT, WIDTH, 3), 90, np.uint8)
    frames[:, ::4] = 110
    for frame in range(FRAMES):
        for name, box in boxes_at(frame).values():
            x0, y0, x1, y1 = box.astype(int)
            frames[frame, y0:y1, x0:x1] = COLOURS[name]
    return Clip(frames, 8.0)


def labels() -> Labels:
    rows = [(f, t, name, box) for f in range(FRAMES) for t, (name, box) in boxes_at(f).items()]
    boxes = np.array([row[3] for row in rows], np.float32)
    count = len(rows)
    return Labels(
        FRAMES, WIDTH, HEIGHT, "scene", np.array([r[0] for r in rows]), np.array([r[1] for r in rows]),
        np.array([CLASSES.index(r[2]) for r in rows]), boxes, boxes, np.ones(count), np.zeros(count), np.zeros(count),
        np.full((count, 7), np.nan), np.zeros(count, bool),
    )  # fmt: skip


class ColourVerifier:
    """A verifier that finds the class of a box by its colour, without errors."""

    def __init__(self, clip: Clip):
        self.clip = clip

    def verify(self, frame_index, box_px):
        answers, fits = [], []
        for frame, box in zip(frame_index, box_px, strict=True):
            picture = self.clip.frames[frame].astype(int)
            y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]] + 0.5
            inside = (x >= box[0]) & (x <= box[2]) & (y >= box[1]) & (y <= box[3])
            overlaps = []
            for value in COLOURS.values():
                same = np.abs(picture - value).max(-1) < 20
                overlaps.append((same & inside).sum() / max((same | inside).sum(), 1))
            logits = np.full(NONE + 1, -5.0)
            logits[NONE] = 0.0
            best = int(np.argmax(overlaps))
            if overlaps[best] > 0.5:
                logits[CLASSES.index(list(COLOURS)[best])] = 5.0
            answers.append(np.exp(logits) / np.exp(logits).sum())
            fits.append(np.clip(overlaps[best], 0.01, 0.99))
        return BoxAnswers(np.array(answers, np.float32).reshape(-1, NONE + 1), np.array(fits, np.float32))


def detections(tracks: tuple[int, ...] = (1, 2, 3), score: float = 0.9) -> Detections:
    rows = [(f, box) for f in range(FRAMES) for t, (_, box) in boxes_at(f).items() if t in tracks]
    count = len(rows)
    return Detections(
        np.array([r[0] for r in rows], np.int64), np.zeros(count, np.int64),
        np.array([r[1] for r in rows], np.float32).reshape(-1, 4), np.full(count, score, np.float32),
    )  # fmt: skip
