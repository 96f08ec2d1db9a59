"""Shadows on the ground: cast shadows of the sun, and contact shadows (ambient occlusion) under agents."""

from __future__ import annotations

import cv2
import numpy as np

from worldgen.core.scene import Agent, Static
from worldgen.rendering.drawing.raster import SUBPIXEL_BITS, RasterScene, clipped

REACH_M = 60.0
NEAR_M = 1.0
LOWEST_SUN = 0.09
"""Least sine of the sun's elevation used; it bounds the length of shadows."""
MAX_POINTS = 12
THIN_KINDS = ("pole", "street_lamp", "sign", "bollard", "traffic_light")


class Shadows:
    """Draws shadows as convex outlines on the ground. cast: whether the sun is strong enough to cast shadows."""

    def __init__(self, raster_scene: RasterScene, sun_direction: np.ndarray, *, cast: bool):
        self.raster_scene, self.cast = raster_scene, cast
        self.shift = -sun_direction[:2].astype(float) / max(float(sun_direction[2]), LOWEST_SUN)
        hulls = (
            [hull for static in raster_scene.scene.statics for hull in _static_hulls(static, self.shift)]
            if cast
            else []
        )
        self.static = _padded(hulls)

    def draw(self, frame: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Visibility of the sun and of the sky on the ground, each ``(H, W)`` float32; 1 is unoccluded."""
        sun: np.ndarray = np.full(shape, 255, np.uint8)
        sky: np.ndarray = np.full(shape, 255, np.uint8)
        _, camera_position = self.raster_scene.pose(frame)
        hulls, dark = [], []
        for agent in self.raster_scene.scene.agents:
            x, y = agent.poses[frame, :2]
            if (
                agent.present[frame]
                and agent.kind != "traffic_light"
                and np.hypot(x - camera_position[0], y - camera_position[1]) < REACH_M
            ):
                if self.cast:
                    hulls += _agent_hulls(agent, frame, self.shift)
                dark.append(_contact(agent, frame))
        if self.cast:
            self._fill(sun, frame, self.static, 0)
            self._fill(sun, frame, _padded(hulls), 0)
            sun = cv2.blur(sun, (3, 3))
        self._fill(sky, frame, _padded(dark), 75)
        blur = max(3, int(shape[0] / 64) | 1)
        scale = np.float32(1 / 255)
        return sun * scale, cv2.blur(sky, (blur, blur)) * scale

    def _fill(self, mask: np.ndarray, frame: int, outlines: np.ndarray, value: int) -> None:
        """Fill outlines ``(N, MAX_POINTS, 3)`` in world m into a mask, in place."""
        if not len(outlines):
            return
        camera = self.raster_scene.camera
        scale = mask.shape[0] / camera.height_px
        rotation, camera_position = self.raster_scene.pose(frame)
        points = (outlines - camera_position) @ rotation.T
        depth = points[..., 2]
        keep = (depth.max(1) > NEAR_M) & (depth.min(1) < REACH_M)
        points, depth = points[keep], depth[keep]
        focal, centre = np.array([camera.fx_px, camera.fy_px]), np.array([camera.cx_px, camera.cy_px])
        pixels = (points[..., :2] / np.maximum(depth, NEAR_M)[..., None] * focal + centre) * scale - 0.5
        near = depth.min(1) <= NEAR_M
        aside = (pixels[..., 0].max(1) < 0) | (pixels[..., 0].min(1) > mask.shape[1])
        subpixels = 1 << SUBPIXEL_BITS
        for k in np.flatnonzero(near | ~aside):
            outline = pixels[k]
            if near[k]:
                cut = clipped(points[k], NEAR_M)
                if len(cut) < 3:
                    continue
                outline = (cut[:, :2] / cut[:, 2:] * focal + centre) * scale - 0.5
            cv2.fillConvexPoly(
                mask,
                np.rint(np.clip(outline, -1e5, 1e5) * subpixels).astype(np.int32),
                value,
                cv2.LINE_AA,
                SUBPIXEL_BITS,
            )


def _padded(hulls: list[np.ndarray]) -> np.ndarray:
    """Outlines ``(K, 3)`` as one array ``(N, MAX_POINTS, 3)``, the last corner repeated."""
    column = np.arange(MAX_POINTS)
    return np.array([hull[np.minimum(column, len(hull) - 1)] for hull in hulls]).reshape(-1, MAX_POINTS, 3)


def _hull(outline: np.ndarray, low: np.ndarray, high: np.ndarray, z: float) -> np.ndarray:
    """The shadow outline of a prism over ``outline`` ``(K, 2)``.

    low, high: ground shift of its lower and upper rim (m).
    """
    hull = cv2.convexHull(np.concatenate([outline + low, outline + high]).astype(np.float32))[:, 0].astype(float)
    if len(hull) > MAX_POINTS:
        hull = hull[np.linspace(0, len(hull) - 1, MAX_POINTS).astype(int)]
    return np.concatenate([hull, np.full((len(hull), 1), z)], 1)


def _rectangle(x: float, y: float, yaw: float, size: tuple[float, float]) -> np.ndarray:
    """Corners ``(4, 2)`` of a rectangle of length and width ``size`` around a point."""
    c, s = np.cos(yaw), np.sin(yaw)
    a, b = size[0] / 2, size[1] / 2
    return np.array([(x + u * c - v * s, y + u * s + v * c) for u, v in ((-a, -b), (a, -b), (a, b), (-a, b))])


def _contact(agent: Agent, frame: int) -> np.ndarray:
    """The outline under an agent from which little of the sky is visible."""
    x, y, z, yaw = agent.poses[frame]
    length, width, _ = agent.size_m
    if agent.kind in ("pedestrian", "child", "traffic_cone", "animal"):
        turn = np.arange(8) * np.pi / 4
        along, across = 0.5 * length * np.cos(turn), 0.5 * width * np.sin(turn)
        corners = np.array([x, y]) + np.stack(
            [np.cos(yaw) * along - np.sin(yaw) * across, np.sin(yaw) * along + np.cos(yaw) * across], 1
        )
    else:
        slim = agent.kind in ("cyclist", "bicycle", "motorcycle")
        corners = _rectangle(x, y, yaw, (length * 0.9, 0.2) if slim else (length * 1.02, width * 1.04))
    return np.concatenate([corners, np.full((len(corners), 1), z)], 1)


def _agent_hulls(agent: Agent, frame: int, shift: np.ndarray) -> list[np.ndarray]:
    """Shadow outlines of an agent: two prisms (body and cabin) for a car, wheels and rider for a cyclist, else one."""
    x, y, z, yaw = agent.poses[frame]
    length, width, height = agent.size_m
    if agent.kind in ("pedestrian", "child"):
        slim = _rectangle(x, y, yaw, (0.30, 0.42))
        return [_hull(slim, 0 * shift, shift * height, z)]
    if agent.kind in ("cyclist", "bicycle", "motorcycle"):
        flat, rider = _rectangle(x, y, yaw, (length, 0.12)), _rectangle(x, y, yaw, (0.5, 0.42))
        return [
            _hull(flat, 0 * shift, shift * 0.55 * min(height, 1.1), z),
            *([] if agent.kind == "bicycle" else [_hull(rider, shift * 0.4, shift * height, z)]),
        ]
    whole = _rectangle(x, y, yaw, (length * 0.94, width * 0.9))
    if agent.variant in ("sedan", "hatchback", "suv", "estate", "pickup"):
        cabin = _rectangle(
            x - 0.05 * length * np.cos(yaw), y - 0.05 * length * np.sin(yaw), yaw, (length * 0.55, width * 0.75)
        )
        return [_hull(whole, shift * 0.15, shift * height * 0.62, z), _hull(cabin, shift * 0.5, shift * height, z)]
    return [_hull(whole, shift * 0.1, shift * height, z)]


def _static_hulls(static: Static, shift: np.ndarray) -> list[np.ndarray]:
    """Shadow outlines of a static object."""
    x, y, z = static.position_m
    length, width, height = static.size_m
    if static.kind == "tree":
        turn = np.arange(6) * np.pi / 3
        ring = (
            np.array([x, y]) + np.stack([np.cos(turn), np.sin(turn)], 1) * max(length, width, 0.45 * height) / 2 * 0.85
        )
        inner = np.array([x, y]) + (ring - np.array([x, y])) * 0.55
        trunk = _rectangle(x, y, 0.0, (0.25, 0.25))
        return [
            _hull(trunk, 0 * shift, shift * 0.5 * height, z),
            _hull(ring, shift * 0.48 * height, shift * 0.72 * height, z),
            _hull(inner, shift * 0.6 * height, shift * 0.98 * height, z),
        ]
    if static.kind in THIN_KINDS:
        return [_hull(_rectangle(x, y, 0.0, (0.16, 0.16)), 0 * shift, shift * height, z)]
    return [_hull(_rectangle(x, y, static.yaw_rad, (length, width)), 0 * shift, shift * height, z)]
