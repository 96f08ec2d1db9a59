"""How well an object stands out from what is around it, measured on small drawn frames of a scene."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.scene import Scene
from worldgen.rendering.raycast.cast_renderer import CastRenderer, instances

MEASURED_WIDTH_PX = 224
"""Width of the frames that are drawn for it; smaller pictures are drawn as they are."""
RING_SHARE = 0.35
"""Width of the ring around an object that it is compared with, as a share of the object's height."""
MIN_RING_PX, MIN_OBJECT_PX = 3, 12
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B in luma. Source: ITU-R BT.601."""


class SubjectContrast:
    """Contrast of the agents of one scene, by the ray-cast renderer."""

    def __init__(self, scene: Scene):
        camera = scene.camera
        width = min(camera.width_px, MEASURED_WIDTH_PX)
        self._caster = CastRenderer(scene, camera.resized(width, round(camera.height_px * width / camera.width_px)))

    def measure(self, frame: int, track_id: int) -> float:
        """Contrast of a track in a frame, see :func:`contrast`; 0 where too little of it is seen."""
        picture, hits = self._caster.render(frame)
        mine = instances(self._caster.rays, hits).reshape(self._caster.shape) == track_id
        return contrast(picture, mine)


def contrast(picture: np.ndarray, mine: np.ndarray) -> float:
    """How far an object is from the ring around it, in grey levels of 255: its upper and its lower half are compared
    each with the median of the ring beside it, in luma, and the mean of the two differences counts. The median leaves
    out lamps and their glare, which blind more than they show an outline.

    picture: ``(H, W, 3)`` uint8 sRGB. mine: ``(H, W)`` bool. Returns 0 for an object of a few pixels. People are lit
    from below by headlamps and seen against bright ground and dark sky, so halves are not averaged before.
    """
    rows = np.flatnonzero(mine.any(1))
    if mine.sum() < MIN_OBJECT_PX:
        return 0.0
    height = int(rows[-1] - rows[0] + 1)
    reach = max(MIN_RING_PX, round(RING_SHARE * height))
    around = cv2.dilate(mine.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)).astype(bool) & ~mine
    luma = picture.astype(np.float32) @ LUMA
    middle = int(rows[0] + height // 2)
    found = []
    for part in (slice(0, middle), slice(middle, None)):
        inside, beside = luma[part][mine[part]], luma[part][around[part]]
        if len(inside) and len(beside):
            found.append(abs(float(inside.mean()) - float(np.median(beside))))
    return float(np.mean(found)) if found else 0.0
