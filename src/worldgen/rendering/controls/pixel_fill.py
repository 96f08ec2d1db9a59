"""Convex polygons and thick lines in front of a camera, filled at pixel centres without anti-aliasing."""

from __future__ import annotations

import numpy as np

from worldgen.core.camera import Camera

NEAR_M = 0.25
"""What is nearer to the camera than this is cut off."""


def clipped(points_m: np.ndarray, *, closed: bool = True) -> np.ndarray:
    """The part of a polygon, or of a line of two points, in front of the camera.

    points_m: ``(N, 3)`` camera axes. Returns ``(M, 3)``; M is 0 where nothing is in front. Source: Sutherland and
    Hodgman 1974, for one plane.
    """
    inside = points_m[:, 2] >= NEAR_M
    if inside.all():
        return points_m
    if not inside.any():
        return points_m[:0]
    out = []
    count = len(points_m)
    for k in range(count if closed else count - 1):
        a, b = points_m[k], points_m[(k + 1) % count]
        if inside[k]:
            out.append(a)
        if inside[k] != inside[(k + 1) % count]:
            out.append(a + (NEAR_M - a[2]) / (b[2] - a[2]) * (b - a))
    if not closed and inside[-1]:
        out.append(points_m[-1])
    return np.array(out)


def in_camera(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """Points ``(..., 3)`` of the ego frame (m) in camera axes (m)."""
    transform = camera.camera_from_ego()
    return np.asarray(points_m @ transform[:3, :3].T + transform[:3, 3])


def on_image(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """Pixels ``(N, 2)`` of points ``(N, 3)`` in camera axes, all in front of the camera."""
    focal, middle = (camera.fx_px, camera.fy_px), (camera.cx_px, camera.cy_px)
    return points_m[:, :2] / points_m[:, 2:] * np.array(focal) + np.array(middle)


def fill_convex(image: np.ndarray, corners_px: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Give all pixels of ``image`` ``(H, W, 3)`` uint8 whose centre lies in a convex polygon a colour, in place.

    corners_px: ``(N, 2)`` x and y in order, either way round.
    """
    if len(corners_px) < 3:
        return
    height, width = image.shape[:2]
    low, high = corners_px.min(0), corners_px.max(0)
    x0, y0 = (max(0, int(np.floor(v - 0.5))) for v in low)
    x1, y1 = (min(size, int(np.ceil(v + 0.5))) for v, size in zip(high, (width, height), strict=True))
    if x0 >= x1 or y0 >= y1:
        return
    step = np.roll(corners_px, -1, 0) - corners_px
    area = float(
        np.sum(corners_px[:, 0] * np.roll(corners_px[:, 1], -1) - corners_px[:, 1] * np.roll(corners_px[:, 0], -1))
    )
    if abs(area) < 1e-9:
        return
    x = np.arange(x0, x1)[None, :] + 0.5
    y = np.arange(y0, y1)[:, None] + 0.5
    inside = np.ones((y1 - y0, x1 - x0), bool)
    for (ax, ay), (dx, dy) in zip(corners_px, step, strict=True):
        inside &= (dx * (y - ay) - dy * (x - ax)) * np.sign(area) >= 0
    image[y0:y1, x0:x1][inside] = colour


def draw_line(
    image: np.ndarray, camera: Camera, ends_m: np.ndarray, *, width_px: float, colour: tuple[int, int, int]
) -> None:
    """Draw a line of constant width in pixels between two points ``(2, 3)`` in camera axes (m), in place."""
    ends_m = clipped(ends_m, closed=False)
    if len(ends_m) < 2:
        return
    ends = on_image(camera, ends_m)
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    if length < 1e-6:
        return
    side = np.array([-along[1], along[0]]) / length * (width_px / 2)
    # Half a pixel longer, so that pieces of a polyline join.
    more = along / length * 0.5
    fill_convex(
        image, np.array([ends[0] - more + side, ends[1] + more + side, ends[1] + more - side, ends[0] - more - side]),
        colour,
    )  # fmt: skip


def fill_polygon(image: np.ndarray, camera: Camera, points_m: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Fill a convex polygon ``(N, 3)`` in camera axes (m), in place."""
    points_m = clipped(points_m)
    if len(points_m) >= 3:
        fill_convex(image, on_image(camera, points_m), colour)
