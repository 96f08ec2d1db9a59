"""The outline of a cuboid in the picture of a camera."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

NEAR_M = 0.1
"""Parts of a box nearer to the camera than this have no place in the picture."""
CORNERS = np.array(list(itertools.product((-0.5, 0.5), repeat=3))).reshape(2, 2, 2, 3)
"""Corners of a cuboid of size 1 around 0; neighbours differ in one index."""


def rotation(quaternion_wxyz: Sequence[float]) -> Rotation:
    """A rotation from a quaternion w x y z."""
    w, x, y, z = quaternion_wxyz
    return Rotation.from_quat([x, y, z, w])


def outline_px(corners_m: np.ndarray, intrinsic: np.ndarray) -> tuple[float, float, float, float] | None:
    """The box x0 y0 x1 y1 in pixels around a cuboid, None when all of it is behind the camera.

    corners_m: ``(2, 2, 2, 3)`` corners in camera axes (x right, y down, z forward); neighbours differ in one index.
    intrinsic: ``(3, 3)``, in pixels whose centres are whole numbers; the result has them at +0.5. Edges are cut at
    ``NEAR_M``.
    """
    points = [corner for corner in corners_m.reshape(-1, 3) if corner[2] >= NEAR_M]
    for index in itertools.product((0, 1), repeat=3):
        for axis in range(3):
            if index[axis] == 0:
                a, b = corners_m[index], corners_m[tuple(1 if i == axis else v for i, v in enumerate(index))]
                if (a[2] < NEAR_M) != (b[2] < NEAR_M):
                    points.append(a + (b - a) * (NEAR_M - a[2]) / (b[2] - a[2]))
    if not points:
        return None
    pixels = (intrinsic @ np.stack(points).T).T
    pixels = pixels[:, :2] / pixels[:, 2:] + 0.5
    x0, y0 = pixels.min(0)
    x1, y1 = pixels.max(0)
    return float(x0), float(y0), float(x1), float(y1)
