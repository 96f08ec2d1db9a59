"""Control videos of a recorded clip, for models that restyle by controls."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.errors import InputError
from worldgen.core.samples import Sample
from worldgen.models.promise import ModelPromise

FROM_PIXELS = ("edge", "blur")
"""Controls that the pixels of any clip give, the best for a new look first: blur keeps the old light."""
CANNY_LOW, CANNY_HIGH = 100, 200
"""Thresholds of Canny, as the medium preset of cosmos-transfer2.5."""
BLUR_PX = 6.0


def clip_default(promise: ModelPromise) -> tuple[str, ...]:
    """The control to take of a clip where none is named. Raises: InputError for a model that takes none of them."""
    for name in FROM_PIXELS:
        if name in promise.controls:
            return (name,)
    raise InputError("model to restyle with", promise.family, "one that takes an edge or a blur control")


def clip_controls(sample: Sample, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Control videos ``(T, H, W, 3)`` uint8 of a clip. Raises: InputError for one that pixels do not give."""
    made = {}
    for name in names:
        if name == "edge":
            grey = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in sample.clip.frames)
            edges = np.stack([cv2.Canny(frame, CANNY_LOW, CANNY_HIGH) for frame in grey])
            made[name] = np.repeat(edges[..., None], 3, axis=-1)
        elif name == "blur":
            made[name] = np.stack([cv2.GaussianBlur(frame, (0, 0), BLUR_PX) for frame in sample.clip.frames])
        else:
            raise InputError(f"control {name} of a clip without a scene", name, " or ".join(FROM_PIXELS))
    return made
