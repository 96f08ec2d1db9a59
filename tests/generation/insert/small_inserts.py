"""Pictures and objects made by hand for the tests of inserts."""

from __future__ import annotations

import numpy as np

from worldgen.core.labels import CLASSES
from worldgen.generation.insert.insert_plan import InsertPatch, LabelledPicture
from worldgen.generation.insert.picture_ground import HEIGHT_M, PictureGround, camera_of

SIZE = (320, 200)
HORIZON, CAMERA_M = 80.0, 1.5


def made_ground(size: tuple[int, int] = SIZE, horizon: float = HORIZON, height_m: float = CAMERA_M) -> PictureGround:
    """Ground that is known."""
    return PictureGround(camera_of(size, horizon, height_m, 60.0), 0.0, 0.0, 0.0, 0, "camera")


def street(rng: np.random.Generator, boxes: np.ndarray | None = None, names: tuple[str, ...] = ()) -> LabelledPicture:
    """A grey road under a bright sky, with noise; boxes ``(N, 4)`` of classes ``names`` are labelled, not drawn."""
    frame = np.full((SIZE[1], SIZE[0], 3), 105.0)
    frame[: int(HORIZON)] = (170, 185, 205)
    frame += rng.normal(0, 2.5, frame.shape)
    boxes = np.zeros((0, 4)) if boxes is None else np.asarray(boxes, float)
    class_id = np.array([CLASSES.index(name) for name in names], np.int64)
    return LabelledPicture(
        np.clip(frame, 0, 255).astype(np.uint8),
        class_id,
        boxes,
        np.zeros(len(boxes), bool),
        f"street{rng.integers(1e9)}",
    )


def boxes_on_ground(
    rng: np.random.Generator, count: int, *, horizon: float = HORIZON, height_m: float = CAMERA_M,
    size: tuple[int, int] = SIZE, spread: float = 0.08,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Class indices and boxes of people and cars that stand on flat ground, with individual heights."""
    rows = rng.uniform(horizon + 0.12 * size[1], size[1] - 6, count)
    numbers = rng.choice([CLASSES.index("pedestrian"), CLASSES.index("car")], count)
    tall_m = np.array([HEIGHT_M[CLASSES[n]][0] for n in numbers]) * np.exp(rng.normal(0, spread, count))
    tall = tall_m * (rows - horizon) / height_m
    left = rng.uniform(5, size[0] - 60, count)
    return numbers, np.stack([left, rows - tall, left + 0.5 * tall, rows], 1)


def block(left: int, top: int, width: int, height: int, *, contact_px: float, grey: float = 0.3) -> InsertPatch:
    """A patch whose silhouette is a known rectangle with a margin of 4 pixels and a shadow at its foot."""
    alpha = np.zeros((height + 8, width + 8), np.float32)
    alpha[4:-4, 4:-4] = 1
    shade = np.ones((*alpha.shape, 3), np.float32)
    shade[-6:] = 0.6
    return InsertPatch(
        left - 4, top - 4, np.full((*alpha.shape, 3), grey, np.float32) * alpha[..., None], alpha, shade,
        np.full(3, 0.15, np.float32), "pedestrian", contact_px, 10.0,
    )  # fmt: skip
